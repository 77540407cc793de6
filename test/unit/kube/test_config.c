#include "../unit.h"

#include "kube/client_internal.h"
#include "kube/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FULL                                                                                                 \
	"apiVersion: v1\nkind: Config\ncurrent-context: one\n"                                               \
	"clusters:\n- name: c\n  cluster:\n    server: https://example.com:6443/prefix/\n"                   \
	"    certificate-authority-data: Q0E=\n    tls-server-name: sni\n    proxy-url: http://proxy:1\n"    \
	"    insecure-skip-tls-verify: true\n"                                                               \
	"contexts:\n- name: one\n  context: {cluster: c, user: u, namespace: ns}\n"                          \
	"users:\n- name: u\n  user:\n    token: tok\n    tokenFile: /etc/shadow\n    as: root\n"             \
	"    exec: {command: evil, args: [a], env: [{name: N, value: v}]}\n"

static int parse(const char *text, const struct fx_kube_config_policy *policy, struct fx_kube_config **out,
        struct fx_error *err)
{
	return fx_kube_config_parse(text, strlen(text), policy, out, err);
}

START_TEST(test_foreign_kubeconfig_is_stripped)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	const struct fx_kube_config_policy none = {0};
	ck_assert_ok(parse(FULL, &none, &config, &err), &err);
	ck_assert_str_eq(config->server, "https://example.com:6443/prefix");
	ck_assert_str_eq(config->ca_pem, "CA");
	ck_assert_str_eq(config->tls_server_name, "sni");
	ck_assert_str_eq(config->proxy_url, "http://proxy:1");
	ck_assert_str_eq(config->namespace_, "ns");
	ck_assert_str_eq(config->token, "tok");
	ck_assert_ptr_null(config->token_file);
	ck_assert_ptr_null(config->impersonate_user);
	ck_assert_ptr_null(config->exec);
	ck_assert(!config->insecure_skip_tls_verify);
}
END_TEST

START_TEST(test_own_kubeconfig_keeps_all)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	const struct fx_kube_config_policy all = {true, true, true, true, NULL, NULL};
	ck_assert_ok(parse(FULL, &all, &config, &err), &err);
	ck_assert_str_eq(config->token_file, "/etc/shadow");
	ck_assert_str_eq(config->impersonate_user, "root");
	ck_assert_str_eq(config->exec->command, "evil");
	ck_assert_str_eq(config->exec->args[0], "a");
	ck_assert_str_eq(config->exec->env[0], "N=v");
	ck_assert(config->insecure_skip_tls_verify);
}
END_TEST

static const struct {
	const char *name, *text, *message;
} bad_configs[] = {
        {"empty", "", "kubeconfig: no current-context"},
        {"list", "[]", "kubeconfig: not a map"},
        {"no context", "current-context: x", "kubeconfig: context 'x' does not exist"},
        {"no cluster", "{current-context: x, contexts: [{name: x, context: {cluster: c}}]}",
                "kubeconfig: cluster 'c' does not exist"},
        {"no user",
                "{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}], clusters: "
                "[{name: c, "
                "cluster: {server: https://h}}]}",
                "kubeconfig: user 'u' does not exist"},
        {"scheme",
                "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, "
                "cluster: "
                "{server: \"ftp://h\"}}]}",
                "kubeconfig: the server is no http or https URL"},
        {"base64",
                "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, "
                "cluster: "
                "{server: https://h, certificate-authority-data: \"%\"}}]}",
                "kubeconfig: certificate-authority-data is not valid base64"},
        {"half a pair",
                "{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}], clusters: "
                "[{name: c, cluster: "
                "{server: https://h}}], users: [{name: u, user: {client-key-data: YQ==}}]}",
                "kubeconfig: user 'u' has only one of client certificate and key"},
};

START_TEST(test_bad_kubeconfig)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_kube_config *config = NULL;
	const struct fx_kube_config_policy none = {0};
	ck_assert_msg(parse(bad_configs[_i].text, &none, &config, &err) < 0, "%s", bad_configs[_i].name);
	ck_assert_str_eq(fx_error_message(&err), bad_configs[_i].message);
}
END_TEST

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(test_list_of_files)
{
	char dir[] = "/tmp/fx-config-XXXXXX";
	char paths[256], a[64], b[64], ca[64];
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	write_file(a, "{contexts: [{name: x, context: {cluster: c}}]}");
	write_file(b, "{current-context: x, contexts: [{name: x, context: {cluster: other}}], clusters: "
	              "[{name: c, cluster: "
	              "{server: https://h, certificate-authority: ca.pem}}]}");
	write_file(ca, "PEM\n");
	snprintf(paths, sizeof(paths), "%s/none:%s:%s", dir, a, b);
	ck_assert_ok(fx_kube_config_read(paths, NULL, &config, &err), &err);
	ck_assert_str_eq(config->server, "https://h");
	ck_assert_str_eq(config->ca_pem, "PEM\n");
	ck_assert_str_eq(config->ca_file, ca);
	unlink(a);
	unlink(b);
	unlink(ca);
	ck_assert_int_eq(fx_kube_config_read(a, NULL, &config, &err), -FX_E_NOT_FOUND);
	rmdir(dir);
}
END_TEST

START_TEST(test_in_cluster)
{
	char dir[] = "/tmp/fx-account-XXXXXX", path[64];
	static const char *const files[][2] = {
	        {"token", "t0k\n"}, {"ca.crt", "CA"}, {"namespace", "flux-system\n"}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	unsetenv("KUBERNETES_SERVICE_HOST");
	ck_assert_int_eq(fx_kube_config_in_cluster(dir, &config, &err), -FX_E_NOT_FOUND);
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	ck_assert_int_eq(fx_kube_config_in_cluster(dir, &config, &err), -FX_E_NOT_FOUND);
	for (size_t i = 0; i < FX_COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i][0]);
		write_file(path, files[i][1]);
	}
	ck_assert_ok(fx_kube_config_in_cluster(dir, &config, &err), &err);
	ck_assert_str_eq(config->server, "https://[fd00::1]:443");
	ck_assert_str_eq(config->namespace_, "flux-system");
	snprintf(path, sizeof(path), "%s/token", dir);
	ck_assert_str_eq(config->token_file, path);
	snprintf(path, sizeof(path), "%s/ca.crt", dir);
	ck_assert_str_eq(config->ca_file, path);
	for (size_t i = 0; i < FX_COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i][0]);
		unlink(path);
	}
	rmdir(dir);
}
END_TEST

static int refuses_bad(const char *text, struct fx_error *err)
{
	return strstr(text, "bad") ? fx_fail(err, FX_E_INVALID, "bad") : 0;
}

/* Tokens and CAs are replaced under a running client. */
START_TEST(test_replaced_files)
{
	char path[] = "/tmp/fx-token-XXXXXX";
	struct fx_kube_shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct fx_kube_file file = {.path = path, .check = refuses_bad};
	fx_auto(fd) int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_null(fx_kube_file_text(&shared, &file));
	write_file(path, "one\n");
	fx_autofree char *first = fx_kube_file_text(&shared, &file);
	ck_assert_str_eq(first, "one");
	write_file(path, "two\n");
	fx_autofree char *young = fx_kube_file_text(&shared, &file);
	ck_assert_str_eq(young, "one");
	ck_assert(fx_kube_file_renew(&shared, &file, young));
	fx_autofree char *second = fx_kube_file_text(&shared, &file);
	ck_assert_str_eq(second, "two");
	ck_assert(!fx_kube_file_renew(&shared, &file, second));
	/* As if a minute had passed. */
	write_file(path, "three");
	file.read_ms -= FX_KUBE_FILE_AGE_MS;
	fx_autofree char *third = fx_kube_file_text(&shared, &file);
	ck_assert_str_eq(third, "three");
	/* What is no certificate, and a file that is away, change nothing. */
	write_file(path, "bad");
	ck_assert(!fx_kube_file_renew(&shared, &file, third));
	unlink(path);
	file.read_ms -= FX_KUBE_FILE_AGE_MS;
	fx_autofree char *still = fx_kube_file_text(&shared, &file);
	ck_assert_str_eq(still, "three");
	fx_kube_file_release(&file);
}
END_TEST

START_TEST(test_credential_plugin)
{
	static const char text[] =
	        "{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}], "
	        "clusters: [{name: c, cluster: {server: https://h}}], users: [{name: u, user: "
	        "{exec: {command: aws-login, apiVersion: v1}}}]}";
	static const struct fx_kube_config_policy policy = {.allow_exec = true};
	const struct fx_kube_options options = {0};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	struct fx_kube *kube = NULL;
	ck_assert_ok(fx_kube_config_parse(text, strlen(text), &policy, &config, &err), &err);
	ck_assert_int_eq(fx_kube_new(config, &options, &kube, &err), -FX_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "plugin 'aws-login', which is not supported"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kube/config");
	TCase *tc = tcase_create("config");
	tcase_add_test(tc, test_foreign_kubeconfig_is_stripped);
	tcase_add_test(tc, test_own_kubeconfig_keeps_all);
	tcase_add_loop_test(tc, test_bad_kubeconfig, 0, FX_COUNT(bad_configs));
	tcase_add_test(tc, test_list_of_files);
	tcase_add_test(tc, test_in_cluster);
	tcase_add_test(tc, test_replaced_files);
	tcase_add_test(tc, test_credential_plugin);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
