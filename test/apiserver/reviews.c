#include "reviews.h"

#include "core/cleanup.h"
#include "core/clock.h"
#include "obj.h"

#include <string.h>

/* How long a token of a service account says that it is good; it is never taken back. */
#define TOKEN_LIFE_S 3600

static bool covers(const char *pattern, const char *value)
{
	return strcmp(pattern, "*") == 0 || (value && strcmp(pattern, value) == 0);
}

static bool allowed(const struct fx_as *as, const char *user, const json_t *attributes)
{
	fx_vec_foreach (struct fx_as_deny, d, &as->denied) {
		if (covers(d->user, user) && covers(d->verb, fx_json_str_at(attributes, "verb")) &&
		        covers(d->resource, fx_json_str_at(attributes, "resource")))
			return false;
	}
	return true;
}

static json_t *service_account_token(struct fx_as *as, const struct fx_as_op *op, const json_t *body)
{
	fx_autofree char *user = NULL, *token = NULL;
	if (asprintf(&user, "system:serviceaccount:%s:%s", op->ns, op->name) < 0 ||
	        asprintf(&token, "sa-%s-%s-%llu", op->ns, op->name, (unsigned long long)++as->counter) < 0 ||
	        !fx_map_set(&as->tokens, token, strdup(user)))
		return NULL;
	char text[FX_TIME_TEXT];
	json_t *answer = json_deep_copy(body);
	fx_as_put(answer, json_string(token), "status", "token", NULL);
	fx_as_put(answer, json_string(fx_time_rfc3339(fx_wall_ns() + TOKEN_LIFE_S * 1000000000LL, text)),
	        "status", "expirationTimestamp", NULL);
	return answer;
}

bool fx_as_review(struct fx_as *as, const struct fx_as_op *op, const json_t *body, json_t **out)
{
	const char *kind = op->resource->kind;
	if (strcmp(op->subresource, "token") == 0) {
		*out = service_account_token(as, op, body);
		return true;
	}
	if (!op->resource->is_virtual)
		return false;
	json_t *answer = json_deep_copy(body);
	const json_t *spec = json_object_get(body, "spec");
	if (strcmp(kind, "TokenReview") == 0) {
		const char *token = fx_json_str_at(spec, "token"),
		           *user = token ? fx_map_get(&as->tokens, token) : NULL;
		json_object_set_new(answer, "status",
		        user ? json_pack("{s:b,s:{s:s}}", "authenticated", 1, "user", "username", user)
		             : json_pack("{s:b}", "authenticated", 0));
	} else if (strcmp(kind, "SelfSubjectReview") == 0) {
		json_object_set_new(answer, "status",
		        json_pack("{s:{s:s,s:[s]}}", "userInfo", "username", op->user, "groups",
		                "system:authenticated"));
	} else {
		const char *user = strncmp(kind, "Self", 4) == 0 ? op->user : fx_json_str_at(spec, "user");
		bool yes = allowed(as, user ? user : "", json_object_get(spec, "resourceAttributes"));
		json_object_set_new(answer, "status", json_pack("{s:b}", "allowed", yes));
	}
	*out = answer;
	return true;
}
