#include "test/unit/unit.h"

#include "kustomize-controller/build.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char top[64];

static void write_file(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	FILE *f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	char path[128];
	snprintf(top, sizeof(top), "/tmp/fx-build-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/out", top);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	write_file("kustomization.yaml", "resources: [r.yaml]\n");
	write_file("r.yaml",
	        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: Web, namespace: a}\n---\n"
	        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n---\n"
	        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n");
}

static void teardown(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", top);
	ck_assert_int_eq(system(command), 0);
}

/* Output and messages of the command go to TOP/stdout and TOP/stderr. */
static int run(const char *flag, const char *value, const char *dir)
{
	char *argv[5] = {(char *)"build", (char *)dir, (char *)flag, (char *)value, NULL}, path[128];
	static const char *const names[] = {"stdout", "stderr"};
	int saved[2];
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		fflush(i ? stderr : stdout);
		saved[i] = dup(i + 1);
		fx_auto(fd) int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
		ck_assert_int_eq(dup2(fd, i + 1), i + 1);
	}
	int rc = fx_build_command(flag ? value ? 4 : 3 : 2, argv);
	for (int i = 0; i < 2; i++) {
		fflush(i ? stderr : stdout);
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	return rc;
}

static const char *content(const char *name)
{
	static char text[4096];
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", top, name);
	FILE *f = fopen(path, "re");
	ck_assert_msg(f != NULL, "no %s", name);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(writes_one_file)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/all.yaml", top);
	ck_assert_int_eq(run("-o", path, top), 0);
	ck_assert_str_eq(content("stdout"), "");
	ck_assert_ptr_nonnull(strstr(content("all.yaml"), "kind: Namespace\nmetadata:\n  name: a\n---\n"));
}
END_TEST

/* Source: WriteIndividualFiles of kustomize's build command. */
START_TEST(writes_a_folder)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/out", top);
	ck_assert_int_eq(run("-o", path, top), 0);
	ck_assert_str_eq(content("out/v1_namespace_a.yaml"),
	        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n");
	ck_assert_str_eq(content("out/default_v1_configmap_cm.yaml"),
	        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\n");
	ck_assert_str_eq(content("out/a_apps_v1_deployment_web.yaml"),
	        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: Web\n  namespace: a\n");
}
END_TEST

START_TEST(names_stay_in_the_folder)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/out", top);
	write_file("r.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ../../x}\n");
	ck_assert_int_eq(run("-o", path, top), 1);
	ck_assert_ptr_nonnull(strstr(content("stderr"), "is no name of a file"));
}
END_TEST

static const struct {
	const char *flag, *value, *text;
} refusals[] = {
        {"--enable-alpha-plugins", NULL, "plugins are never run"},
        {"--enable-helm", NULL, "plugins are never run"},
        {"--load-restrictor", "none", "legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]"},
        {"--reorder", "up", "legal values: [legacy none]"},
        {"--none", NULL, "unknown flag: --none"},
        {"-o", NULL, "flag needs an argument"},
};

START_TEST(refuses)
{
	ck_assert_int_eq(run(refusals[_i].flag, refusals[_i].value, top), 1);
	ck_assert_str_eq(content("stdout"), "");
	const char *text = content("stderr");
	ck_assert_msg(
	        strstr(text, refusals[_i].text) != NULL, "expected '%s' in '%s'", refusals[_i].text, text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomize-controller/build");
	TCase *tc = tcase_create("command");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, writes_one_file);
	tcase_add_test(tc, writes_a_folder);
	tcase_add_test(tc, names_stay_in_the_folder);
	tcase_add_loop_test(tc, refuses, 0, (int)FX_COUNT(refusals));
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
