#include "../unit.h"
#include "source-controller/git/auth.h"

#include <string.h>

START_TEST(secret_and_url)
{
	static const struct {
		const char *what, *url,
		        *data; /* data: JSON of the Secret's values, base64; NULL: no Secret */
		const char *user, *password, *bearer, *error;
	} cases[] = {
	        {"nothing", "https://h/x", NULL, NULL, NULL, NULL, NULL},
	        {"basic", "https://h/x", "{\"username\":\"dQ==\",\"password\":\"cA==\"}", "u", "p", NULL,
	                NULL},
	        {"user name alone", "https://h/x", "{\"username\":\"dQ==\"}", "u", NULL, NULL, NULL},
	        {"password alone", "https://h/x", "{\"password\":\"cA==\"}", NULL, NULL, NULL,
	                "invalid 'https' auth option: 'password' requires 'username' to be set"},
	        {"bearer beats basic", "https://h/x",
	                "{\"username\":\"dQ==\",\"password\":\"cA==\",\"bearerToken\":\"dA==\"}", NULL, NULL,
	                "t", NULL},
	        {"URL", "https://a:b@h/x", NULL, "a", "b", NULL, NULL},
	        {"the Secret beats the URL", "https://a:b@h/x",
	                "{\"username\":\"dQ==\",\"password\":\"cA==\"}", "u", "p", NULL, NULL},
	        {"the URL fills in", "https://a@h/x", "{\"password\":\"cA==\"}", "a", "p", NULL, NULL},
	        {"bearer and URL", "https://a:b@h/x", "{\"bearerToken\":\"dA==\"}", NULL, NULL, NULL,
	                "basic auth and bearer token cannot be set at the same time"},
	        {"half a certificate", "https://h/x", "{\"tls.crt\":\"eA==\"}", NULL, NULL, NULL,
	                "contains 'tls.crt' but missing 'tls.key'"},
	        {"the other half", "https://h/x", "{\"tls.key\":\"eA==\"}", NULL, NULL, NULL,
	                "contains 'tls.key' but missing 'tls.crt'"},
	        {"no CA", "https://h/x", "{\"ca.crt\":\"eA==\"}", NULL, NULL, NULL,
	                "failed to parse CA certificate"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(secret_auth) struct fx_secret_auth auth = FX_SECRET_AUTH_INIT;
		fx_auto(url) struct fx_url url = {0};
		fx_auto(json) json_t *secret = NULL;
		ck_assert_ok(fx_url_parse(cases[i].url, &url, &err), &err);
		if (cases[i].data)
			secret = json_pack("{s:{s:s,s:s},s:o}", "metadata", "namespace", "ns", "name", "s",
			        "data", json_loads(cases[i].data, 0, NULL));
		int rc = fx_git_auth_read(secret, &url, &auth, &err);
		ck_assert_msg(
		        (rc == 0) == !cases[i].error, "%s: %d %s", cases[i].what, rc, fx_error_message(&err));
		if (cases[i].error) {
			ck_assert_msg(strstr(fx_error_message(&err), cases[i].error), "%s: '%s', want '%s'",
			        cases[i].what, fx_error_message(&err), cases[i].error);
			continue;
		}
		const char *const have[] = {auth.username, auth.password, auth.bearer};
		const char *const want[] = {cases[i].user, cases[i].password, cases[i].bearer};
		for (size_t k = 0; k < FX_COUNT(have); k++)
			ck_assert_msg(strcmp(have[k] ? have[k] : "-", want[k] ? want[k] : "-") == 0,
			        "%s: %zu is '%s', want '%s'", cases[i].what, k, have[k] ? have[k] : "-",
			        want[k] ? want[k] : "-");
	}
}
END_TEST

START_TEST(proxies)
{
	static const struct {
		const char *what, *data, *address, *user, *password, *error;
	} cases[] = {
	        {"address", "{\"address\":\"aHR0cDovL3A6MQ==\"}", "http://p:1", NULL, NULL, NULL},
	        {"login", "{\"address\":\"aHR0cDovL3A6MQ==\",\"username\":\"dQ==\",\"password\":\"cA==\"}",
	                "http://p:1", "u", "p", NULL},
	        {"user name alone", "{\"address\":\"aHR0cDovL3A6MQ==\",\"username\":\"dQ==\"}", "http://p:1",
	                "u", NULL, NULL},
	        {"password alone", "{\"address\":\"aHR0cDovL3A6MQ==\",\"password\":\"cA==\"}", "http://p:1",
	                NULL, NULL, NULL},
	        {"socks", "{\"address\":\"c29ja3M1Oi8vcDox\"}", "socks5://p:1", NULL, NULL, NULL},
	        {"no address", "{\"username\":\"dQ==\"}", NULL, NULL, NULL, "address"},
	        {"another scheme", "{\"address\":\"ZnRwOi8vcDox\"}", NULL, NULL, NULL,
	                "scheme http, https or socks5"},
	        {"no scheme", "{\"address\":\"cDox\"}", NULL, NULL, NULL, "scheme http, https or socks5"},
	        {"too long", NULL, NULL, NULL, NULL, "longer than 2048 characters"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_autofree char *address = NULL, *user = NULL, *password = NULL;
		json_t *data = cases[i].data ? json_loads(cases[i].data, 0, NULL) : NULL;
		if (!data) {
			char text[4001];
			for (size_t k = 0; k < sizeof(text) - 1; k++)
				text[k] = "QUFB"[k % 4]; /* AAA */
			text[sizeof(text) - 1] = '\0';
			data = json_pack("{s:s}", "address", text);
		}
		fx_auto(json) json_t *secret = json_pack(
		        "{s:{s:s,s:s},s:o}", "metadata", "namespace", "ns", "name", "s", "data", data);
		int rc = fx_secret_proxy(secret, &address, &user, &password, &err);
		ck_assert_msg((rc == 0) == !cases[i].error &&
		                      (!cases[i].error || strstr(fx_error_message(&err), cases[i].error)),
		        "%s: %d %s", cases[i].what, rc, fx_error_message(&err));
		const char *const have[] = {address, user, password};
		const char *const want[] = {cases[i].address, cases[i].user, cases[i].password};
		for (size_t k = 0; k < FX_COUNT(have); k++)
			ck_assert_msg(strcmp(have[k] ? have[k] : "-", want[k] ? want[k] : "-") == 0,
			        "%s: %zu is '%s', want '%s'", cases[i].what, k, have[k] ? have[k] : "-",
			        want[k] ? want[k] : "-");
	}
}
END_TEST

START_TEST(github_app)
{
	fx_auto(json) json_t *app = json_loads("{\"data\":{\"githubAppID\":\"MQ==\"}}", 0, NULL);
	fx_auto(json) json_t *empty = json_loads("{\"data\":{\"githubAppID\":\"\"}}", 0, NULL);
	ck_assert(fx_git_auth_is_github_app(app));
	ck_assert(!fx_git_auth_is_github_app(empty));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("git auth");
	TCase *tc = tcase_create("auth");
	tcase_add_test(tc, secret_and_url);
	tcase_add_test(tc, proxies);
	tcase_add_test(tc, github_app);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
