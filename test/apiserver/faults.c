#include "faults.h"

#include "core/cleanup.h"
#include "obj.h"

#include <string.h>

struct fx_as_fault {
	struct fx_as_fault *next;
	char *type;
	char *path, *verb, *user; /* "" matches all */
	json_int_t left;          /* negative: always */
	struct fx_as_fault_hit hit;
};

static void fault_free(struct fx_as_fault *f)
{
	free(f->type);
	free(f->path);
	free(f->verb);
	free(f->user);
	free(f);
}

static char *text_at(const json_t *request, const char *key)
{
	const char *s = fx_json_str_at(request, key);
	return strdup(s && strcmp(s, "*") != 0 ? s : "");
}

static int parse_type(const char *type, struct fx_as_fault_hit *hit)
{
	static const struct {
		const char *name;
		enum fx_as_fault_type type;
	} names[] = {{"latency", FX_AS_FAULT_LATENCY}, {"reset", FX_AS_FAULT_RESET},
	        {"truncate", FX_AS_FAULT_TRUNCATE}, {"cut", FX_AS_FAULT_CUT}};
	for (size_t i = 0; i < FX_COUNT(names); i++) {
		if (strcmp(type, names[i].name) == 0) {
			hit->type = names[i].type;
			return 0;
		}
	}
	hit->type = FX_AS_FAULT_STATUS;
	hit->status = (int)strtol(type, NULL, 10);
	return hit->status >= 400 && hit->status < 600 ? 0 : -1;
}

int fx_as_faults_add(struct fx_as *as, const json_t *request, struct fx_error *err)
{
	const char *type = fx_json_str_at(request, "type");
	if (type && strcmp(type, "discovery") == 0) {
		as->discovery_lag_ms = fx_json_int_at(request, 0, "latencyMs");
		return 0;
	}
	struct fx_as_fault_hit hit = {.latency_ms = (int)fx_json_int_at(request, 0, "latencyMs"),
	        .retry_after_s = (int)fx_json_int_at(request, 0, "retryAfter")};
	if (!type || parse_type(type, &hit) < 0)
		return fx_fail(err, FX_E_INVALID,
		        "type must be latency, reset, truncate, cut, discovery or a status code");
	struct fx_as_fault *f = calloc(1, sizeof(*f));
	if (!f)
		return fx_fail_nomem(err);
	*f = (struct fx_as_fault){.type = strdup(type),
	        .path = text_at(request, "path"),
	        .verb = text_at(request, "verb"),
	        .user = text_at(request, "user"),
	        .left = fx_json_int_at(request, 1, "count"),
	        .hit = hit};
	struct fx_as_fault **at = &as->faults;
	while (*at)
		at = &(*at)->next;
	*at = f;
	return 0;
}

json_t *fx_as_faults_list(const struct fx_as *as)
{
	json_t *list = json_array();
	for (const struct fx_as_fault *f = as->faults; f; f = f->next)
		json_array_append_new(
		        list, json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:I}", "type", f->type, "path", f->path,
		                      "verb", f->verb, "user", f->user, "latencyMs", f->hit.latency_ms,
		                      "retryAfter", f->hit.retry_after_s, "count", f->left));
	return list;
}

void fx_as_faults_clear(struct fx_as *as)
{
	as->discovery_lag_ms = 0;
	while (as->faults) {
		struct fx_as_fault *f = as->faults;
		as->faults = f->next;
		fault_free(f);
	}
}

bool fx_as_faults_take(
        struct fx_as *as, const char *path, const char *verb, const char *user, struct fx_as_fault_hit *out)
{
	for (struct fx_as_fault **at = &as->faults; *at; at = &(*at)->next) {
		struct fx_as_fault *f = *at;
		if (strncmp(path, f->path, strlen(f->path)) != 0 ||
		        (*f->verb && strcmp(f->verb, verb) != 0) || (*f->user && strcmp(f->user, user) != 0))
			continue;
		*out = f->hit;
		if (f->left > 0 && --f->left == 0) {
			*at = f->next;
			fault_free(f);
		}
		return true;
	}
	return false;
}

json_t *fx_as_fault_status(const struct fx_as_fault_hit *hit)
{
	static const struct {
		int code;
		const char *reason, *message;
	} texts[] = {
	        {409, "Conflict",
	                "Operation cannot be fulfilled: the object has been modified; please apply your "
	                "changes to the "
	                "latest version and try again"},
	        {410, "Expired", "too old resource version"},
	        {429, "TooManyRequests",
	                "The server has received too many requests and has asked us to try again later"},
	        {500, "InternalError", "Internal error occurred: a fault on demand"},
	        {503, "ServiceUnavailable", "The server is currently unable to handle the request"},
	};
	for (size_t i = 0; i < FX_COUNT(texts); i++) {
		if (texts[i].code != hit->status)
			continue;
		json_t *status = fx_as_status(hit->status, texts[i].reason, "%s", texts[i].message);
		if (hit->retry_after_s)
			fx_as_put(status, json_integer(hit->retry_after_s), "details", "retryAfterSeconds",
			        NULL);
		return status;
	}
	return fx_as_status(hit->status, "", "a fault on demand");
}

void fx_as_count(struct fx_as *as, const char *user, const char *verb, const char *resource)
{
	fx_autofree char *key = NULL;
	if (asprintf(&key, "%s\t%s\t%s", user, verb, resource) < 0)
		return;
	json_int_t have = json_integer_value(json_object_get(as->counts, key));
	json_object_set_new(as->counts, key, json_integer(have + 1));
}

json_t *fx_as_count_list(const struct fx_as *as)
{
	json_t *list = json_array();
	const char *key;
	json_t *count;
	json_object_foreach (as->counts, key, count) {
		const char *verb = strchr(key, '\t') + 1, *resource = strchr(verb, '\t') + 1;
		json_array_append_new(list,
		        json_pack("{s:s%,s:s%,s:s,s:O}", "user", key, (size_t)(verb - key - 1), "verb", verb,
		                (size_t)(resource - verb - 1), "resource", resource, "count", count));
	}
	return list;
}
