#include "../unit.h"

#include "net/proxy.h"
#include "net/url.h"

#include <string.h>

static void same(const char *name, const char *part, const char *got, const char *want)
{
	ck_assert_msg((!got && !want) || (got && want && strcmp(got, want) == 0), "%s: %s is '%s', not '%s'",
	        name, part, got ? got : "(none)", want ? want : "(none)");
}

START_TEST(parts)
{
	static const struct {
		const char *text, *scheme, *user, *password, *host;
		int port;
		const char *path, *query, *fragment;
	} cases[] = {
	        {"https://Example.COM", "https", NULL, NULL, "example.com", 443, "/", NULL, NULL},
	        {"HTTP://a/b/../c?x=1&y=%20#f", "http", NULL, NULL, "a", 80, "/b/../c", "x=1&y=%20", "f"},
	        {"https://u%40x:p%3Aw@h:8443/", "https", "u@x", "p:w", "h", 8443, "/", NULL, NULL},
	        {"ssh://git@github.com/org/repo.git", "ssh", "git", NULL, "github.com", 0, "/org/repo.git",
	                NULL, NULL},
	        {"ssh://git@host:2222/r", "ssh", "git", NULL, "host", 2222, "/r", NULL, NULL},
	        {"oci://ghcr.io/a/b", "oci", NULL, NULL, "ghcr.io", 0, "/a/b", NULL, NULL},
	        {"http://[::1]:8080/x", "http", NULL, NULL, "::1", 8080, "/x", NULL, NULL},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(url) struct fx_url url = {0};
		ck_assert_ok(fx_url_parse(cases[i].text, &url, &err), &err);
		same(cases[i].text, "scheme", url.scheme, cases[i].scheme);
		same(cases[i].text, "user", url.user, cases[i].user);
		same(cases[i].text, "password", url.password, cases[i].password);
		same(cases[i].text, "host", url.host, cases[i].host);
		if (strcmp(url.scheme, "ssh") != 0 || cases[i].port)
			ck_assert_int_eq(url.port, cases[i].port);
		same(cases[i].text, "path", url.path, cases[i].path);
		same(cases[i].text, "query", url.query, cases[i].query);
		same(cases[i].text, "fragment", url.fragment, cases[i].fragment);
	}
}
END_TEST

START_TEST(what_is_no_url)
{
	static const char *const cases[] = {"", "x", "/path", "git@github.com:a/b", "https://",
	        "http://h:99999/", "http://u:secret@h:x/", "http://a b:secret@c/", "://x"};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		struct fx_url url = {0};
		ck_assert_msg(fx_url_parse(cases[i], &url, &err) == -FX_E_INVALID, "'%s'", cases[i]);
		ck_assert_ptr_null(url.scheme);
		ck_assert_msg(!strstr(err.message, "secret"), "%s", err.message);
	}
}
END_TEST

START_TEST(redaction)
{
	static const struct {
		const char *url, *want;
	} cases[] = {
	        {"https://h/p", "https://h/p"},
	        {"https://u:p@h/p?q=1#f", "https://h/p"},
	        {"https://u:p@ss@h/p@x", "https://h/p@x"},
	        {"https://u:p@h", "https://h"},
	        {"https://h?u:p@x", "https://h"},
	        {"git@github.com:a/b", "github.com:a/b"},
	        {"u:p@h", "h"},
	        {"", ""},
	        {"?x", ""},
	        {"a?b://u:p@c", "a"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_autofree char *got = fx_url_redact(cases[i].url);
		ck_assert_str_eq(got, cases[i].want);
	}
}
END_TEST

START_TEST(references)
{
	static const struct {
		const char *base, *reference, *want;
	} cases[] = {
	        {"https://h/a/b", "c", "https://h/a/c"},
	        {"https://h/a/b/", "c", "https://h/a/b/c"},
	        {"https://h/a/b", "../c", "https://h/c"},
	        {"https://h/a/b?x=1", "/c?y", "https://h/c?y"},
	        {"https://h/a", "//other/x", "https://other/x"},
	        {"https://h/a", "http://z/", "http://z/"},
	        {"https://h/a", "", "https://h/a"},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_autofree char *got = NULL;
		ck_assert_ok(fx_url_resolve(cases[i].base, cases[i].reference, &got, &err), &err);
		ck_assert_str_eq(got, cases[i].want);
	}
}
END_TEST

START_TEST(joining_and_escaping)
{
	static const struct {
		const char *url, *path, *want;
	} joins[] = {
	        {"https://h", "a", "https://h/a"},
	        {"https://h/", "/a", "https://h/a"},
	        {"https://h/x//?q#f", "//a/b", "https://h/x/a/b"},
	        {"https://h/x", "", "https://h/x/"},
	};
	for (size_t i = 0; i < FX_COUNT(joins); i++) {
		fx_autofree char *got = fx_url_join(joins[i].url, joins[i].path);
		ck_assert_str_eq(got, joins[i].want);
	}
	fx_autofree char *all = fx_url_escape("a/b c+\xc3\xa9~", false);
	ck_assert_str_eq(all, "a%2Fb%20c%2B%C3%A9~");
	fx_autofree char *path = fx_url_escape("a/b%", true);
	ck_assert_str_eq(path, "a/b%25");
}
END_TEST

START_TEST(proxies_of_the_environment)
{
	static const struct {
		const char *no_proxy, *url;
		bool proxied;
	} cases[] = {
	        {NULL, "http://example.com/", true},
	        {NULL, "http://localhost/", false},
	        {NULL, "http://127.1.2.3/", false},
	        {NULL, "http://[::1]/", false},
	        {"example.com", "http://example.com/", false},
	        {"example.com", "http://EXAMPLE.com/", false},
	        {"example.com", "http://a.example.com/", false},
	        {"example.com", "http://notexample.com/", true},
	        {".example.com", "http://a.example.com/", false},
	        {".example.com", "http://example.com/", true},
	        {"*.example.com", "http://a.example.com/", false},
	        {"*.example.com", "http://example.com/", true},
	        {"*", "http://example.com/", false},
	        {"a, ,Example.com ,b", "http://example.com/", false},
	        {"example.com:8080", "http://example.com:8080/", false},
	        {"example.com:8080", "http://example.com/", true},
	        {"example.com:80", "http://example.com/", false},
	        {"10.0.0.0/8", "http://10.1.2.3/", false},
	        {"10.0.0.0/8", "http://11.1.2.3/", true},
	        {"10.128.0.0/9", "http://10.127.0.1/", true},
	        {"10.128.0.0/9", "http://10.200.0.1/", false},
	        {"10.0.0.0/99", "http://10.0.0.1/", true},
	        {"0.0.0.0/0", "http://10.0.0.1/", false},
	        {"10.1.2.3", "http://10.1.2.3/", false},
	        {"10.1.2.3", "http://10.1.2.30/", true},
	        {"10.1.2.3:81", "http://10.1.2.3:80/", true},
	        {"fd00::/8", "http://[fd12::1]/", false},
	        {"fd00::/8", "http://[fe12::1]/", true},
	        {"fd12::1", "http://[fd12:0::1]/", false},
	        {"[fd12::1]:81", "http://[fd12::1]:81/", false},
	        {"[fd12::1]:81", "http://[fd12::1]/", true},
	        {".svc,.cluster.local", "http://source-controller.flux-system.svc.cluster.local./", true},
	        {".svc,.cluster.local", "http://source-controller.flux-system.svc.cluster.local/", false},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		setenv("HTTP_PROXY", "http://proxy:3128", 1);
		unsetenv("HTTPS_PROXY");
		if (cases[i].no_proxy)
			setenv("no_proxy", cases[i].no_proxy, 1);
		struct fx_proxy_env env;
		fx_proxy_env_load(&env);
		const char *got = fx_proxy_env_for(&env, cases[i].url);
		ck_assert_msg((strcmp(got, "http://proxy:3128") == 0) == cases[i].proxied &&
		                      (*got != '\0') == cases[i].proxied,
		        "NO_PROXY=%s %s: '%s'", cases[i].no_proxy, cases[i].url, got);
		fx_proxy_env_release(&env);
	}
}
END_TEST

START_TEST(proxy_by_scheme_and_case)
{
	static const struct {
		const char *names[2], *url, *want;
	} cases[] = {
	        {{"HTTP_PROXY", NULL}, "http://h/", "HTTP_PROXY"},
	        {{"HTTP_PROXY", NULL}, "https://h/", ""},
	        {{"HTTPS_PROXY", NULL}, "https://h/", "HTTPS_PROXY"},
	        {{"https_proxy", NULL}, "https://h/", "https_proxy"},
	        {{"http_proxy", NULL}, "http://h/", "http_proxy"},
	        {{"http_proxy", "HTTP_PROXY"}, "http://h/", "HTTP_PROXY"},
	        {{"ALL_PROXY", "all_proxy"}, "http://h/", ""},
	};
	static const char *const all[] = {
	        "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"};
	unsetenv("NO_PROXY");
	unsetenv("no_proxy");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		for (size_t k = 0; k < FX_COUNT(all); k++)
			unsetenv(all[k]);
		for (size_t k = 0; k < 2 && cases[i].names[k]; k++)
			setenv(cases[i].names[k], cases[i].names[k], 1);
		struct fx_proxy_env env;
		fx_proxy_env_load(&env);
		ck_assert_str_eq(fx_proxy_env_for(&env, cases[i].url), cases[i].want);
		fx_proxy_env_release(&env);
	}
}
END_TEST

START_TEST(proxy_addresses)
{
	char longest[FX_PROXY_ADDRESS_MAX + 2];
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "http://", 7);
	longest[FX_PROXY_ADDRESS_MAX + 1] = '\0';
	const struct {
		const char *address;
		bool ok;
	} cases[] = {{"http://h:3128", true}, {"https://u:p@h", true}, {"socks5://h:1080", true},
	        {"socks4://h", false}, {"ftp://h", false}, {"h:3128", false}, {"", false}, {longest, false}};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		ck_assert_msg((fx_proxy_check(cases[i].address, &err) == 0) == cases[i].ok, "%.40s: %s",
		        cases[i].address, fx_error_message(&err));
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("net/url");
	TCase *tcase = tcase_create("url");
	tcase_add_test(tcase, parts);
	tcase_add_test(tcase, what_is_no_url);
	tcase_add_test(tcase, redaction);
	tcase_add_test(tcase, references);
	tcase_add_test(tcase, joining_and_escaping);
	tcase_add_test(tcase, proxies_of_the_environment);
	tcase_add_test(tcase, proxy_by_scheme_and_case);
	tcase_add_test(tcase, proxy_addresses);
	suite_add_tcase(suite, tcase);
	return suite;
}

FX_UNIT_MAIN(make_suite)
