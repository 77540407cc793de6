#include "apache.h"

#include "net/tls.h"

static struct apache files; /* only its directory and certificates */
static char *server_cert, *server_key;

static void make_files(void)
{
	strcpy(files.dir, "/tmp/flux-tls-XXXXXX");
	if (!mkdtemp(files.dir))
		exit(1);
	apache_make_keys(&files);
	files.ca = apache_read(&files, "ca.pem");
	files.other_ca = apache_read(&files, "other.pem");
	files.client_cert = apache_read(&files, "client.pem");
	files.client_key = apache_read(&files, "client.key");
	server_cert = apache_read(&files, "server.pem");
	server_key = apache_read(&files, "server.key");
}

static void remove_files(void)
{
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "rm -rf %s", files.dir);
	if (system(cmd) != 0)
		exit(1);
	free(files.ca);
	free(files.other_ca);
	free(files.client_cert);
	free(files.client_key);
	free(server_cert);
	free(server_key);
}

/* A Secret of up to three entries. */
struct secret {
	const char *keys[3], *values[3];
	size_t len; /* of the first value when not 0 */
};

static const char *look_up(void *arg, const char *key, size_t *out_len)
{
	const struct secret *s = arg;
	for (int i = 0; i < 3 && s->keys[i]; i++)
		if (strcmp(s->keys[i], key) == 0) {
			*out_len = i == 0 && s->len ? s->len : strlen(s->values[i]);
			return s->values[i];
		}
	return NULL;
}

START_TEST(secrets)
{
	const char *cert = files.client_cert, *key = files.client_key, *ca = files.ca;
	const char need[] = "secret 'ns/n' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'";
	struct {
		const char *name;
		struct secret secret;
		enum fx_error_code code;
		const char *message;
		bool legacy;
	} cases[] = {
	        {"pair", {{"tls.crt", "tls.key"}, {cert, key}, 0}, FX_OK, NULL, false},
	        {"CA", {{"ca.crt"}, {ca}, 0}, FX_OK, NULL, false},
	        {"all", {{"tls.crt", "tls.key", "ca.crt"}, {cert, key, ca}, 0}, FX_OK, NULL, false},
	        {"old names", {{"certFile", "keyFile", "caFile"}, {cert, key, ca}, 0}, FX_OK, NULL, true},
	        {"new wins", {{"ca.crt", "caFile"}, {ca, "bad"}, 0}, FX_OK, NULL, false},
	        {"nothing", {{"username"}, {"x"}, 0}, FX_E_NOT_FOUND, need, false},
	        {"empty", {{"ca.crt"}, {""}, 0}, FX_E_NOT_FOUND, need, false},
	        {"no key", {{"tls.crt"}, {cert}, 0}, FX_E_INVALID,
	                "secret 'ns/n' contains 'tls.crt' but missing 'tls.key'", false},
	        {"no certificate", {{"tls.key", "ca.crt"}, {key, ca}, 0}, FX_E_INVALID,
	                "secret 'ns/n' contains 'tls.key' but missing 'tls.crt'", false},
	        {"old name alone", {{"certFile"}, {cert}, 0}, FX_E_INVALID,
	                "secret 'ns/n' contains 'certFile' but missing 'keyFile'", false},
	        {"bad CA", {{"ca.crt"}, {"bad"}, 0}, FX_E_INVALID, "failed to parse CA certificate", false},
	        {"NUL", {{"ca.crt"}, {"a\0b"}, 3}, FX_E_INVALID, "secret 'ns/n': 'ca.crt' is not PEM", false},
	        {"swapped", {{"tls.crt", "tls.key"}, {key, cert}, 0}, FX_E_INVALID, NULL, false},
	        {"not a pair", {{"tls.crt", "tls.key"}, {cert, server_key}, 0}, FX_E_INVALID,
	                "failed to parse TLS certificate and key: tls: private key does not match public key",
	                false},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(tls_material) struct fx_tls_material m = {0};
		int rc = fx_tls_from_secret("ns/n", look_up, &cases[i].secret, &m, &err);
		ck_assert_msg(rc == -(int)cases[i].code, "%s: %s", cases[i].name, fx_error_message(&err));
		if (cases[i].message)
			ck_assert_str_eq(fx_error_message(&err), cases[i].message);
		ck_assert_msg(m.legacy == cases[i].legacy, "%s", cases[i].name);
		ck_assert(rc != 0 || m.ca_pem || (m.cert_pem && m.key_pem));
	}
}
END_TEST

START_TEST(ca_texts)
{
	fx_auto(buf) struct fx_buf two = FX_BUF_INIT, cut = FX_BUF_INIT;
	fx_buf_addf(&two, "# comment\n%s\n# another\n%s", files.ca, files.other_ca);
	fx_buf_addf(&cut, "%s%.100s", files.ca, files.other_ca);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_tls_check_ca(fx_buf_str(&two), &err), &err);
	ck_assert_int_eq(fx_tls_check_ca(fx_buf_str(&cut), &err), -FX_E_INVALID);
	ck_assert_int_eq(fx_tls_check_ca(files.client_key, &err), -FX_E_INVALID);
	ck_assert_int_eq(fx_tls_check_ca("", &err), -FX_E_INVALID);
}
END_TEST

static char *path_of(const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", files.dir, name) < 0)
		exit(1);
	return path;
}

START_TEST(trust_of_the_system)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_autofree char *bundle = path_of("ca.pem"), *dir = path_of("trust");
	fx_autofree char *file = NULL, *pem = NULL;
	setenv("SSL_CERT_FILE", bundle, 1);
	setenv("SSL_CERT_DIR", dir, 1); /* not there yet */
	ck_assert_ok(fx_tls_system_trust(&file, &pem, &err), &err);
	ck_assert_str_eq(file, bundle);
	ck_assert_ptr_null(pem);
	free(fx_take(file));
	/* The same certificate in a directory adds nothing. */
	apache_shell(&files, "mkdir trust && cp ca.pem trust/a.crt && mkfifo trust/pipe && mkdir trust/d");
	ck_assert_ok(fx_tls_system_trust(&file, &pem, &err), &err);
	ck_assert_str_eq(file, bundle);
	free(fx_take(file));
	/* Another one does, even behind the symbolic links of a mounted volume. */
	apache_shell(&files, "ln -s ../other.pem trust/b.crt");
	ck_assert_ok(fx_tls_system_trust(&file, &pem, &err), &err);
	ck_assert_ptr_null(file);
	ck_assert_ptr_nonnull(strstr(pem, files.ca));
	ck_assert_ok(fx_tls_check_ca(pem, &err), &err);
	ck_assert_uint_gt(strlen(pem), strlen(files.ca) + strlen(files.other_ca) - 4);
	free(fx_take(pem));
	/* No bundle at all. */
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	ck_assert_ok(fx_tls_system_trust(&file, &pem, &err), &err);
	ck_assert_ptr_null(file);
	ck_assert_ptr_null(pem);
	ck_assert_ok(fx_tls_system_and(files.ca, &pem, &err), &err);
	ck_assert_ok(fx_tls_check_ca(pem, &err), &err);
}
END_TEST

START_TEST(trust_of_this_machine)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_autofree char *file = NULL, *pem = NULL;
	unsetenv("SSL_CERT_FILE");
	unsetenv("SSL_CERT_DIR");
	ck_assert_ok(fx_tls_system_trust(&file, &pem, &err), &err);
	ck_assert(!(file && pem));
	fx_autofree char *both = NULL;
	ck_assert_ok(fx_tls_system_and(files.ca, &both, &err), &err);
	ck_assert_ok(fx_tls_check_ca(both, &err), &err);
}
END_TEST

START_TEST(requests_use_the_trust_of_the_system)
{
	struct apache apache;
	struct net net;
	apache_start(&apache);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_autofree char *other = path_of("other.pem");
	char url[64], own[128];
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/hello", apache.https);
	snprintf(own, sizeof(own), "%s/ca.pem", apache.dir);
	struct fx_http_request request = {.url = url, .proxy = ""};
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	for (int i = 0; i < 2; i++) {
		fx_auto(http_response) struct fx_http_response *r = NULL;
		setenv("SSL_CERT_FILE", i ? own : other, 1);
		net_open(&net);
		int rc = fx_http_do(net.client, &request, NULL, &r, &err);
		net_close(&net);
		ck_assert_msg(rc == (i ? 0 : -FX_E_TLS), "%d: %s", i, fx_error_message(&err));
	}
	apache_stop(&apache);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("net/tls");
	TCase *tcase = tcase_create("tls");
	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, make_files, remove_files);
	tcase_add_test(tcase, secrets);
	tcase_add_test(tcase, ca_texts);
	tcase_add_test(tcase, trust_of_the_system);
	tcase_add_test(tcase, trust_of_this_machine);
	tcase_add_test(tcase, requests_use_the_trust_of_the_system);
	suite_add_tcase(suite, tcase);
	return suite;
}

FX_UNIT_MAIN(make_suite)
