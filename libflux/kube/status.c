#include "kube/client.h"

#include <string.h>

/* HTTP statuses that have a code of their own; see the table in the header. */
static const struct {
	int status;
	enum fx_error_code code;
	const char *reason; /* when the server sends no Status object */
} statuses[] = {
        {400, FX_E_INVALID, "BadRequest"},
        {401, FX_E_UNAUTHORIZED, "Unauthorized"},
        {403, FX_E_FORBIDDEN, "Forbidden"},
        {404, FX_E_NOT_FOUND, "NotFound"},
        {405, FX_E_UNSUPPORTED, "MethodNotAllowed"},
        {406, FX_E_UNSUPPORTED, "NotAcceptable"},
        {408, FX_E_TIMEOUT, "Timeout"},
        {409, FX_E_CONFLICT, "Conflict"},
        {410, FX_E_GONE, "Gone"},
        {413, FX_E_LIMIT, "RequestEntityTooLarge"},
        {415, FX_E_UNSUPPORTED, "UnsupportedMediaType"},
        {422, FX_E_INVALID, "Invalid"},
        {429, FX_E_TOO_MANY, "TooManyRequests"},
        {500, FX_E_INTERNAL, "InternalError"},
        {502, FX_E_UNAVAILABLE, ""},
        {503, FX_E_UNAVAILABLE, "ServiceUnavailable"},
        {504, FX_E_TIMEOUT, "Timeout"},
};

static enum fx_error_code code_of(int status, const char *reason)
{
	if (reason && strcmp(reason, "AlreadyExists") == 0)
		return FX_E_EXISTS;
	if (reason && strcmp(reason, "Expired") == 0)
		return FX_E_GONE;
	for (size_t i = 0; i < FX_COUNT(statuses); i++) {
		if (statuses[i].status == status)
			return statuses[i].code;
	}
	return status >= 500 ? FX_E_UNAVAILABLE : FX_E_INVALID;
}

static const char *default_reason(int status)
{
	for (size_t i = 0; i < FX_COUNT(statuses); i++) {
		if (statuses[i].status == status)
			return statuses[i].reason;
	}
	return "";
}

int fx_kube_status_fail(
        int code, const json_t *body, int retry_after_ms, struct fx_kube_status *out, struct fx_error *err)
{
	const char *reason = fx_json_str_at(body, "reason");
	const char *message = fx_json_str_at(body, "message");
	bool is_status = fx_json_str_at(body, "kind") && strcmp(fx_json_str_at(body, "kind"), "Status") == 0;
	if (!reason || !*reason)
		reason = is_status ? "" : default_reason(code);
	enum fx_error_code error = code_of(code, reason);

	/* A server's fault passes; it is no invariant of ours that broke. */
	if (message && *message)
		fx_fail_kind(err, error, FX_KIND_TRANSIENT, "%s", message);
	else
		fx_fail_kind(err, error, FX_KIND_TRANSIENT, "the server answered %d%s%s", code,
		        *reason ? " " : "", reason);
	if (err)
		err->retry_after_ms = retry_after_ms;
	if (out) {
		fx_kube_status_release(out);
		out->code = code;
		out->reason = *reason ? strdup(reason) : NULL;
		out->body = json_is_object(body) ? json_incref((json_t *)body) : NULL;
	}
	return -(int)error;
}

void fx_kube_status_release(struct fx_kube_status *status)
{
	if (!status)
		return;
	free(status->reason);
	json_decref(status->body);
	*status = (struct fx_kube_status)FX_KUBE_STATUS_INIT;
}

const char *fx_kube_status_reason(const struct fx_kube_status *status)
{
	return status && status->reason ? status->reason : "";
}

bool fx_kube_status_has_cause(const struct fx_kube_status *status, const char *reason)
{
	const json_t *causes = status ? fx_json_at(status->body, "details", "causes") : NULL;
	size_t count = json_array_size(causes);
	for (size_t i = 0; i < count; i++) {
		const char *text = fx_json_str_at(json_array_get(causes, i), "reason");
		if (text && strcmp(text, reason) == 0)
			return true;
	}
	return false;
}
