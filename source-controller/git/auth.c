#include "source-controller/git/auth.h"

#include <string.h>

bool fx_git_auth_is_github_app(const json_t *secret)
{
	size_t len = 0;
	fx_autofree char *id = fx_secret_value_or_null(secret, "githubAppID", &len);
	return id && len > 0;
}

/* A Secret may do without TLS, but not with half of it. */
static int read_tls(const json_t *secret, struct fx_secret_auth *out, struct fx_error *err)
{
	static const char *const keys[] = {"ca.crt", "caFile", "tls.crt", "tls.key"};
	for (size_t i = 0; i < FX_COUNT(keys); i++) {
		if (fx_secret_has(secret, keys[i]))
			return fx_secret_tls(secret, out, err);
	}
	return 0;
}

static int read_secret(const json_t *secret, struct fx_secret_auth *out, struct fx_error *err)
{
	out->bearer = fx_secret_value_or_null(secret, "bearerToken", NULL);
	if (!out->bearer) {
		out->username = fx_secret_value_or_null(secret, "username", NULL);
		out->password = fx_secret_value_or_null(secret, "password", NULL);
	}
	return read_tls(secret, out, err);
}

static bool is_set(const char *text)
{
	return text && *text;
}

static int fill(char **slot, const char *value, struct fx_error *err)
{
	if (is_set(*slot) || !is_set(value))
		return 0;
	free(*slot);
	*slot = strdup(value);
	return *slot ? 0 : fx_fail_nomem(err);
}

int fx_git_auth_read(
        const json_t *secret, const struct fx_url *url, struct fx_secret_auth *out, struct fx_error *err)
{
	int rc = secret ? read_secret(secret, out, err) : 0;
	if (rc == 0)
		rc = fill(&out->username, url->user, err);
	if (rc == 0)
		rc = fill(&out->password, url->password, err);
	if (rc != 0)
		return rc;
	if (is_set(out->bearer) && is_set(out->username))
		return fx_fail(
		        err, FX_E_INVALID, "basic auth and bearer token cannot be set at the same time");
	if (is_set(out->password) && !is_set(out->username))
		return fx_fail(err, FX_E_INVALID,
		        "invalid '%s' auth option: 'password' requires 'username' to be set", url->scheme);
	return 0;
}
