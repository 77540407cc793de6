/* The Secret that holds the record of a release. */
#include "release.h"

#include "data/base64.h"
#include "data/jansson.h"
#include "helm/engine.h"

#define RELEASE_TYPE "helm.sh/release.v1"

/* Labels that Helm sets itself. */
static const char *const system_labels[] = {"name", "owner", "status", "version", "createdAt", "modifiedAt"};

const char *fx_release_key(struct fx_arena *arena, const char *name, int version)
{
	return fx_arena_printf(arena, "sh.helm.release.v1.%s.v%d", name, version);
}

static bool is_system(const char *label)
{
	for (size_t i = 0; i < FX_COUNT(system_labels); i++) {
		if (strcmp(system_labels[i], label) == 0)
			return true;
	}
	return false;
}

static json_t *labels_of(const struct fx_release *r)
{
	char version[16];
	json_t *labels = json_object();
	int rc = labels ? 0 : -1;
	for (size_t i = 0; rc == 0 && r->labels.kind == FX_VAL_MAP && i < fx_v_len(r->labels); i++) {
		const struct fx_entry *e = &r->labels.map->entries[i];
		if (e->val.kind == FX_VAL_STR)
			rc = json_object_set_new(labels, e->key, json_stringn(e->val.s, e->val.len));
	}
	snprintf(version, sizeof(version), "%d", r->version);
	if (rc == 0 && json_object_set_new(labels, "name", json_string(r->name)) == 0 &&
	        json_object_set_new(labels, "owner", json_string("helm")) == 0 &&
	        json_object_set_new(labels, "status", json_string(r->info.status ? r->info.status : "")) ==
	                0 &&
	        json_object_set_new(labels, "version", json_string(version)) == 0)
		return labels;
	json_decref(labels);
	return NULL;
}

json_t *fx_release_secret(const struct fx_release *r, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf record = FX_BUF_INIT;
	char name[320];
	if (fx_release_encode(r, &record, err) < 0)
		return NULL;
	snprintf(name, sizeof(name), "sh.helm.release.v1.%s.v%d", r->name, r->version);
	fx_autofree char *data = fx_base64_encode(record.data, record.len);
	json_t *labels = labels_of(r);
	json_t *secret = !data || !labels
	                         ? NULL
	                         : json_pack("{s:s, s:s, s:{s:s, s:O}, s:s, s:{s:s}}", "apiVersion", "v1",
	                                   "kind", "Secret", "metadata", "name", name, "labels", labels,
	                                   "type", RELEASE_TYPE, "data", "release", data);
	json_decref(labels);
	if (!secret)
		fx_fail_nomem(err);
	else if (r->ns && *r->ns &&
	         json_object_set_new(json_object_get(secret, "metadata"), "namespace", json_string(r->ns)) <
	                 0)
		fx_fail_nomem(err);
	return secret;
}

struct labels_job {
	const json_t *labels;
	struct fx_val out;
};

static void run_labels(struct fx_render *x, void *arg)
{
	struct labels_job *job = arg;
	const char *key;
	json_t *v;
	job->out = fx_v_map(x);
	json_object_foreach ((json_t *)job->labels, key, v) {
		if (json_is_string(v) && !is_system(key))
			fx_v_set(x, job->out, key, fx_v_dup(x, json_string_value(v), json_string_length(v)));
	}
}

int fx_release_from_secret(
        struct fx_arena *arena, const json_t *secret, struct fx_release *out, struct fx_error *err)
{
	const json_t *data = json_object_get(json_object_get(secret, "data"), "release");
	struct labels_job job = {.labels = json_object_get(json_object_get(secret, "metadata"), "labels")};
	size_t n = 0;
	if (!json_is_string(data))
		return fx_fail(err, FX_E_INVALID, "the Secret holds no release record");
	fx_autofree char *record = fx_base64_decode(json_string_value(data), json_string_length(data), &n);
	if (!record)
		return fx_fail(err, FX_E_PARSE, "release record: illegal base64 data");
	int rc = fx_render_run(arena, NULL, run_labels, &job, err);
	if (rc == 0)
		rc = fx_release_decode(arena, record, n, out, err);
	if (rc == 0)
		out->labels = job.out;
	return rc;
}
