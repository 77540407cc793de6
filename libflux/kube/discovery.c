#include "kube/discovery.h"

#include "core/clock.h"
#include "data/json_split.h"
#include "kube/client_internal.h"
#include "kube/discovery_table.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define AGGREGATED                                                                                           \
	"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                              \
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

struct fx_discovery {
	struct fx_kube *kube;
	pthread_mutex_t lock;
	pthread_cond_t refreshed;
	struct fx_discovery_table *table; /* NULL: nothing read yet */
	uint64_t round;                   /* counts refreshes that ended */
	bool refreshing;
	bool change_expected;
	int64_t expected_ms; /* when it was; 0: never */
	int64_t refreshed_ms;
	struct fx_error last_error; /* of the last round */
};

int fx_discovery_new(struct fx_kube *kube, struct fx_discovery **out, struct fx_error *err)
{
	struct fx_discovery *discovery = calloc(1, sizeof(*discovery));
	pthread_condattr_t attr;
	if (!discovery)
		return fx_fail_nomem(err);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&discovery->lock, NULL);
	pthread_cond_init(&discovery->refreshed, &attr);
	pthread_condattr_destroy(&attr);
	discovery->kube = fx_kube_ref(kube);
	*out = discovery;
	return 0;
}

void fx_discovery_free(struct fx_discovery *discovery)
{
	if (!discovery)
		return;
	fx_discovery_table_free(discovery->table);
	fx_error_release(&discovery->last_error);
	pthread_cond_destroy(&discovery->refreshed);
	pthread_mutex_destroy(&discovery->lock);
	fx_kube_unref(discovery->kube);
	free(discovery);
}

struct fx_kube_path fx_resource_path(
        const struct fx_resource *resource, const char *namespace_, const char *name)
{
	return (struct fx_kube_path){
	        .group = resource->group,
	        .version = resource->version,
	        .resource = resource->resource,
	        .namespace_ = resource->namespaced ? namespace_ : NULL,
	        .name = name,
	};
}

/* A refresh under way. */
struct reading {
	struct fx_kube *kube;
	struct fx_cancel *cancel;
	struct fx_discovery_table *table;
};

static int on_group(void *arg, const char *key, const char *text, size_t len, struct fx_error *err)
{
	struct fx_discovery_table *table = arg;
	fx_auto(json) json_t *group = NULL;
	if (key)
		return 0;
	int rc = fx_json_parse(text, len, &group, err);
	return rc < 0 ? rc : fx_discovery_table_add_group(table, group, err);
}

/* An APIGroupDiscoveryList, one group at a time: the whole would be megabytes as a tree. */
static int read_aggregated(
        struct reading *reading, const struct fx_http_response *response, struct fx_error *err)
{
	struct fx_json_split split;
	fx_json_split_init(&split, "items", on_group, reading->table);
	int rc = fx_json_split_feed(&split, response->body, response->body_len, err);
	if (rc == 0)
		rc = fx_json_split_end(&split, err);
	fx_json_split_release(&split);
	return rc;
}

static int read_legacy_version(
        struct reading *reading, const char *group, const char *version, struct fx_error *err)
{
	struct fx_buf path = FX_BUF_INIT;
	fx_auto(json) json_t *list = NULL;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	if (*group)
		fx_buf_addf(&path, "/apis/%s/%s", group, version);
	else
		fx_buf_addf(&path, "/api/%s", version);
	const struct fx_kube_request request = {.path = fx_buf_str(&path)};
	int rc = fx_kube_do(reading->kube, &request, reading->cancel, NULL, &list, &failure);
	fx_buf_release(&path);
	if (rc == 0)
		return fx_discovery_table_add_list(reading->table, group, version, list, err);
	/* An aggregated API server that is down must not hide all the other groups. */
	if (rc == -FX_E_UNAVAILABLE || rc == -FX_E_NOT_FOUND)
		return 0;
	fx_error_move(err, &failure);
	return rc;
}

/* The preferred version first. */
static int read_legacy_group(struct reading *reading, const json_t *group, struct fx_error *err)
{
	const char *name = fx_json_str_at(group, "name");
	const char *preferred = fx_json_str_at(group, "preferredVersion", "version");
	const json_t *versions = fx_json_at(group, "versions");
	int rc = 0;
	if (!name)
		return 0;
	if (preferred)
		rc = read_legacy_version(reading, name, preferred, err);
	for (size_t i = 0; rc == 0 && i < json_array_size(versions); i++) {
		const char *version = fx_json_str_at(json_array_get(versions, i), "version");
		if (version && !(preferred && strcmp(version, preferred) == 0))
			rc = read_legacy_version(reading, name, version, err);
	}
	return rc;
}

/* What a server without the aggregated form answers: APIVersions at /api, APIGroupList at /apis. */
static int read_legacy(struct reading *reading, const json_t *root, struct fx_error *err)
{
	const json_t *versions = fx_json_at(root, "versions");
	const json_t *groups = fx_json_at(root, "groups");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < json_array_size(versions); i++) {
		const char *version = json_string_value(json_array_get(versions, i));
		if (version)
			rc = read_legacy_version(reading, "", version, err);
	}
	for (size_t i = 0; rc == 0 && i < json_array_size(groups); i++)
		rc = read_legacy_group(reading, json_array_get(groups, i), err);
	return rc;
}

static int read_root(struct reading *reading, const char *path, struct fx_error *err)
{
	const struct fx_kube_request request = {.path = path, .accept = AGGREGATED};
	fx_auto(http_response) struct fx_http_response *response = NULL;
	fx_auto(json) json_t *root = NULL;
	int rc = fx_kube_do_text(reading->kube, &request, reading->cancel, NULL, &response, err);
	if (rc < 0)
		return rc;
	const char *type = fx_http_response_header(response, "content-type");
	if (type && strstr(type, "as=APIGroupDiscoveryList"))
		return read_aggregated(reading, response, err);
	rc = fx_json_parse(response->body, response->body_len, &root, err);
	return rc < 0 ? rc : read_legacy(reading, root, err);
}

static int read_all(
        struct fx_kube *kube, struct fx_cancel *cancel, struct fx_discovery_table **out, struct fx_error *err)
{
	fx_auto(discovery_table) struct fx_discovery_table *table = fx_discovery_table_new();
	struct reading reading = {.kube = kube, .cancel = cancel, .table = table};
	if (!table)
		return fx_fail_nomem(err);
	int rc = read_root(&reading, "/api", err);
	if (rc == 0)
		rc = read_root(&reading, "/apis", err);
	if (rc < 0)
		return fx_error_wrap(err, "failed to get API group resources");
	*out = fx_take(table);
	return 0;
}

/* Called with the lock, which is given up meanwhile. */
static void refresh(struct fx_discovery *discovery, struct fx_cancel *cancel)
{
	struct fx_discovery_table *table = NULL;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	discovery->refreshing = true;
	discovery->change_expected = false;
	pthread_mutex_unlock(&discovery->lock);
	int rc = read_all(discovery->kube, cancel, &table, &err);
	pthread_mutex_lock(&discovery->lock);
	if (rc == 0) {
		fx_discovery_table_free(discovery->table);
		discovery->table = table;
		discovery->refreshed_ms = fx_now_ms();
	}
	fx_error_move(&discovery->last_error, &err);
	discovery->refreshing = false;
	discovery->round++;
	pthread_cond_broadcast(&discovery->refreshed);
}

/* Called with the lock: one caller reads, the others wait for it. The wait looks at cancel twice a second
 * only: it ends with the reader's requests anyway. */
static int refresh_shared(struct fx_discovery *discovery, struct fx_cancel *cancel, struct fx_error *err)
{
	uint64_t round = discovery->round;
	if (!discovery->refreshing)
		refresh(discovery, cancel);
	while (discovery->round == round) {
		int64_t until = fx_now_ms() + 500;
		const struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
		pthread_cond_timedwait(&discovery->refreshed, &discovery->lock, &deadline);
		int rc = fx_cancel_check(cancel, err);
		if (rc < 0)
			return rc;
	}
	const struct fx_error *last = &discovery->last_error;
	if (last->code == FX_OK)
		return 0;
	return fx_fail_kind(err, last->code, last->kind, "%s", fx_error_message(last));
}

static bool lookup(struct fx_discovery *discovery, const char *group, const char *version, const char *kind,
        struct fx_resource *out)
{
	const struct fx_discovery_entry *entry =
	        discovery->table ? fx_discovery_table_find(discovery->table, group, version, kind) : NULL;
	if (!entry)
		return false;
	snprintf(out->group, sizeof(out->group), "%s", entry->group);
	snprintf(out->version, sizeof(out->version), "%s", entry->version);
	snprintf(out->kind, sizeof(out->kind), "%s", entry->kind);
	snprintf(out->resource, sizeof(out->resource), "%s", entry->resource);
	out->namespaced = entry->namespaced;
	out->listable = entry->listable;
	return true;
}

static bool may_refresh(const struct fx_discovery *discovery)
{
	return !discovery->table || discovery->change_expected || discovery->refreshing ||
	       fx_now_ms() - discovery->refreshed_ms >= FX_DISCOVERY_REFRESH_MIN_MS;
}

static bool is_settling(const struct fx_discovery *discovery)
{
	return discovery->expected_ms && fx_now_ms() - discovery->expected_ms < FX_DISCOVERY_SETTLE_MS;
}

/* The documents of one group alone. */
static int read_group(struct reading *reading, const char *group, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT;
	fx_auto(json) json_t *root = NULL;
	if (!*group)
		return read_legacy_version(reading, group, "v1", err);
	fx_buf_addf(&path, "/apis/%s", group);
	const struct fx_kube_request request = {.path = fx_buf_str(&path)};
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = fx_kube_do(reading->kube, &request, reading->cancel, NULL, &root, &failure);
	if (rc == 0)
		return read_legacy_group(reading, root, err);
	if (rc == -FX_E_NOT_FOUND)
		return 0;
	fx_error_move(err, &failure);
	return rc;
}

/* Called with the lock, which is given up meanwhile: asks for the documents of the group (version "" or NULL)
 * or group version alone, and adds what the table does not have. */
static int read_own(struct fx_discovery *discovery, const char *group, const char *version,
        struct fx_cancel *cancel, struct fx_error *err)
{
	fx_auto(discovery_table) struct fx_discovery_table *table = fx_discovery_table_new();
	struct reading reading = {.kube = discovery->kube, .cancel = cancel, .table = table};
	if (!table)
		return fx_fail_nomem(err);
	pthread_mutex_unlock(&discovery->lock);
	int rc = version && *version ? read_legacy_version(&reading, group, version, err)
	                             : read_group(&reading, group, err);
	pthread_mutex_lock(&discovery->lock);
	if (rc < 0)
		return fx_error_wrap(err, "failed to get API group resources");
	return discovery->table ? fx_discovery_table_merge(discovery->table, table, err) : 0;
}

int fx_discovery_kind(struct fx_discovery *discovery, const char *group, const char *version,
        const char *kind, struct fx_cancel *cancel, struct fx_resource *out, struct fx_error *err)
{
	int rc = 0;
	pthread_mutex_lock(&discovery->lock);
	bool found = lookup(discovery, group, version, kind, out);
	bool ask_group = !found && (may_refresh(discovery) || is_settling(discovery));
	/* A refresh that was under way when we came may have read before our kind was there: a second one
	 * settles it. */
	for (int i = 0; !found && rc == 0 && i < 2 && may_refresh(discovery); i++) {
		bool shared = discovery->refreshing;
		rc = refresh_shared(discovery, cancel, err);
		found = rc == 0 && lookup(discovery, group, version, kind, out);
		if (!shared)
			break;
		discovery->change_expected = true;
	}
	if (rc == 0 && !found && ask_group) {
		rc = read_own(discovery, group, version, cancel, err);
		found = rc == 0 && lookup(discovery, group, version, kind, out);
	}
	pthread_mutex_unlock(&discovery->lock);
	if (rc < 0 || found)
		return rc;
	if (version && *version)
		return fx_fail(err, FX_E_NOT_FOUND, "no matches for kind \"%s\" in version \"%s%s%s\"", kind,
		        group, *group ? "/" : "", version);
	return fx_fail(err, FX_E_NOT_FOUND, "no matches for kind \"%s\" in group \"%s\"", kind, group);
}

int fx_discovery_object(struct fx_discovery *discovery, const json_t *object, struct fx_cancel *cancel,
        struct fx_resource *out, struct fx_error *err)
{
	struct fx_gvk gvk;
	int rc = fx_object_gvk(object, &gvk, err);
	return rc < 0 ? rc : fx_discovery_kind(discovery, gvk.group, gvk.version, gvk.kind, cancel, out, err);
}

bool fx_discovery_peek(struct fx_discovery *discovery, const char *group, const char *version,
        const char *kind, struct fx_resource *out)
{
	pthread_mutex_lock(&discovery->lock);
	bool found = lookup(discovery, group, version, kind, out);
	pthread_mutex_unlock(&discovery->lock);
	return found;
}

void fx_discovery_expect_change(struct fx_discovery *discovery)
{
	pthread_mutex_lock(&discovery->lock);
	discovery->change_expected = true;
	discovery->expected_ms = fx_now_ms();
	pthread_mutex_unlock(&discovery->lock);
}

bool fx_discovery_is_settling(struct fx_discovery *discovery)
{
	pthread_mutex_lock(&discovery->lock);
	bool settling = is_settling(discovery);
	pthread_mutex_unlock(&discovery->lock);
	return settling;
}

void fx_discovery_forget(struct fx_discovery *discovery, const struct fx_resource *resource)
{
	pthread_mutex_lock(&discovery->lock);
	if (discovery->table)
		fx_discovery_table_remove(
		        discovery->table, resource->group, resource->version, resource->kind);
	pthread_mutex_unlock(&discovery->lock);
}
