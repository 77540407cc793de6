/* Release records between the real helm and ours, both ways, on a real API server. Skipped where helm is not
 * installed (in PATH, or at HELM_BIN) and on the embedded API server. */
#include "test/integration/tool.h"

#include "data/base64.h"
#include "helm/release.h"
#include "helm/strvals.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define RECORD_MAX (4u * 1024 * 1024)

#define RUN_TIMEOUT_MS 120000

static const char *helm;

static const char *const chart_files[][2] = {
        {"Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.2.3\nappVersion: \"4.5\"\ntype: application\n"
                       "description: an <odd> & \"quoted\" chart\nkeywords: [a, b]\n"
                       "maintainers: [{name: me, email: me@example.com}]\nannotations: {x: \"1\"}\n"
                       "dependencies:\n- {name: sub, version: 0.x.x, repository: \"\", condition: sub.on,\n"
                       "  import-values: [data, {child: more, parent: got}]}\n"
                       "- {name: sub, version: 0.x.x, repository: \"\", alias: other, tags: [t]}\n"},
        {"Chart.lock", "dependencies:\n- name: sub\n  repository: \"\"\n  version: 0.1.0\n"
                       "digest: sha256:00\ngenerated: \"2024-01-02T03:04:05.120000000+02:00\"\n"},
        {"values.yaml", "name: x\nn: 1.50\nbig: 12345678901\nnone: null\nlist: [1, two, {three: 3}]\n"
                        "sub: {k: v}\ntags: {t: true}\n"},
        {"values.schema.json", "{\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"number\"}}}"},
        {"README.md", "text\n"}, {".helmignore", "*.bak\n"}, {"x.bak", "gone\n"},
        {"templates/_helpers.tpl", "{{ define \"n\" }}{{ .Values.name }}{{ end }}"},
        {"templates/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ "
                              "include \"n\" . }}\ndata:\n  n: {{ .Values.n | quote }}\n"},
        {"templates/hook.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-hook\n"
                "  annotations:\n    helm.sh/hook: post-delete, pre-rollback\n"
                "    helm.sh/hook-weight: \"-3\"\n    helm.sh/hook-delete-policy: hook-succeeded\n"
                "    helm.sh/hook-output-log-policy: hook-failed\n"},
        {"templates/NOTES.txt", "Hello {{ .Release.Name }} <&>\n"},
        {"charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"},
        {"charts/sub/values.yaml", "k: d\non: true\nexports: {data: {up: 1}}\nmore: {m: 2}\n"},
        {"charts/sub/templates/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ "
                                         ".Release.Name }}-{{ .Chart.Name }}\n"},
        {"crds/ignored.txt", "no CRD\n"}};

static char *chart_dir(void)
{
	char *dir = NULL;
	ck_assert_int_gt(asprintf(&dir, "%s/app", env.dir), 0);
	for (size_t i = 0; i < FX_COUNT(chart_files); i++) {
		fx_autofree char *path = NULL;
		ck_assert_int_gt(asprintf(&path, "%s/%s", dir, chart_files[i][0]), 0);
		for (char *p = path + strlen(env.dir) + 1; (p = strchr(p, '/')); p++) {
			*p = 0;
			mkdir(path, 0755);
			*p = '/';
		}
		if (access(path, F_OK) == 0)
			continue;
		FILE *f = fopen(path, "w");
		ck_assert_ptr_nonnull(f);
		fputs(chart_files[i][1], f);
		fclose(f);
	}
	return dir;
}

/* The record that helm wrote, as the API gives its Secret. */
static json_t *helm_secret(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_autofree char *key = NULL;
	ck_assert_int_gt(asprintf(&key, "sh.helm.release.v1.%s.v1", name), 0);
	ck_assert_ok(fx_test_kubectl(&env.cluster, NULL, &text, &err, "get", "secret", "-n", "default", key,
	                     "-o", "json"),
	        &err);
	json_t *secret = json_loads(fx_buf_str(&text), 0, NULL);
	ck_assert_ptr_nonnull(secret);
	return secret;
}

static char *unpacked(const json_t *secret)
{
	size_t n = 0, m = 0;
	const char *data = json_string_value(json_object_get(json_object_get(secret, "data"), "release"));
	fx_autofree char *outer = fx_base64_decode(data, strlen(data), &n);
	fx_autofree char *packed = fx_base64_decode(outer, n, &m);
	char *out = calloc(1, RECORD_MAX);
	z_stream z = {.next_in = (Bytef *)packed,
	        .avail_in = (uInt)m,
	        .next_out = (Bytef *)out,
	        .avail_out = RECORD_MAX - 1};
	ck_assert_int_eq(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	return out;
}

static void expect_same(const char *got, const char *want)
{
	size_t i = 0;
	while (got[i] && got[i] == want[i])
		i++;
	size_t from = i > 60 ? i - 60 : 0;
	ck_assert_msg(
	        got[i] == want[i], "differs at %zu:\nours: %.160s\nhelm: %.160s", i, got + from, want + from);
}

/* What our engine makes of the chart, with what helm's record cannot share taken from it. */
static void render_ours(struct fx_arena *arena, const char *dir, const struct fx_release *like,
        const char *name, struct fx_release *out)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_value_source sources[] = {{FX_VALUES_SET, "name=given,add=5,deep.x=null"}};
	const struct fx_chart_options options = {.release = name, .ns = "default", .revision = 1};
	struct fx_chart *chart;
	struct fx_val values;
	struct fx_rendered rendered;
	ck_assert_ok(fx_chart_load(arena, dir, &chart, &err), &err);
	ck_assert_ok(fx_values_read(arena, sources, FX_COUNT(sources), &values, &err), &err);
	ck_assert_ok(fx_chart_render(arena, chart, values, &options, &rendered, &err), &err);
	*out = *like;
	out->name = name;
	out->chart = chart;
	out->config = values;
	out->manifest = rendered.manifest;
	out->hooks = rendered.hooks;
	out->nhooks = rendered.nhooks;
	out->info.notes = rendered.notes;
}

START_TEST(records_of_helm_are_read_and_made)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf json = FX_BUF_INIT;
	fx_auto(buf) struct fx_buf ours_json = FX_BUF_INIT;
	fx_autofree char *dir = chart_dir();
	struct fx_release r, ours;
	int status = run_tool(&out, helm, RUN_TIMEOUT_MS,
	        "install theirs %s -n default --set name=given,add=5,deep.x=null --labels team=blue "
	        "--description 'first & <best>'",
	        dir);
	ck_assert_msg(status == 0, "helm install: %s", fx_buf_str(&out));

	json_t *secret = helm_secret("theirs");
	fx_autofree char *original = unpacked(secret);
	ck_assert_ok(fx_release_from_secret(arena, secret, &r, &err), &err);
	json_decref(secret);
	ck_assert_str_eq(r.name, "theirs");
	ck_assert_str_eq(r.info.status, "deployed");
	ck_assert_str_eq(r.info.description, "first & <best>");
	ck_assert_int_eq(r.version, 1);
	ck_assert_uint_eq(r.nhooks, 1);
	ck_assert_int_eq(r.hooks[0].weight, -3);
	ck_assert(fx_hook_on(&r.hooks[0], "pre-rollback"));
	ck_assert(fx_v_eq_str(*fx_v_get(r.labels, "team"), "blue"));

	ck_assert_ok(fx_release_json(&r, &json, &err), &err);
	expect_same(fx_buf_str(&json), original);
	render_ours(arena, dir, &r, "theirs", &ours);
	ck_assert_ok(fx_release_json(&ours, &ours_json, &err), &err);
	expect_same(fx_buf_str(&ours_json), original);
}
END_TEST

START_TEST(records_of_ours_are_read_by_helm)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_autofree char *dir = chart_dir();
	struct fx_release r = {.ns = "default",
	                          .version = 1,
	                          .info = {.first_deployed = "2024-01-02T03:04:05Z",
	                                  .last_deployed = "2024-01-02T03:04:05.5Z",
	                                  .description = "made by hand",
	                                  .status = "deployed"},
	                          .apply_method = "ssa"},
	                  ours;
	static const char *const asks[][2] = {{"get all ours -n default", "name: ours-given"},
	        {"get hooks ours -n default", "helm.sh/hook: post-delete, pre-rollback"},
	        {"get values ours -n default", "add: 5"}, {"get notes ours -n default", "Hello ours <&>"},
	        {"history ours -n default", "made by hand"}, {"status ours -n default", "STATUS: deployed"},
	        {"get metadata ours -n default", "APP_VERSION: 4.5"},
	        {"list -n default -l team=red", "app-1.2.3"},
	        {"rollback ours 1 -n default --dry-run=client", "Rollback was a success"}};
	render_ours(arena, dir, &r, "ours", &ours);
	fx_auto(buf) struct fx_buf none = FX_BUF_INIT;
	const struct fx_value_source label[] = {{FX_VALUES_STRING, "team=red"}};
	ck_assert_ok(fx_values_read(arena, label, 1, &ours.labels, &err), &err);
	json_t *secret = fx_release_secret(&ours, &err);
	ck_assert_msg(secret != NULL, "%s", fx_error_message(&err));
	fx_autofree char *text = json_dumps(secret, 0);
	json_decref(secret);
	ck_assert_ok(fx_test_kubectl(&env.cluster, text, NULL, &err, "create", "-f", "-"), &err);
	for (size_t i = 0; i < FX_COUNT(asks); i++) {
		fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
		int status = run_tool(&out, helm, RUN_TIMEOUT_MS, "%s", asks[i][0]);
		ck_assert_msg(status == 0 && strstr(fx_buf_str(&out), asks[i][1]),
		        "helm %s: status %d, no '%s' in:\n%s", asks[i][0], status, asks[i][1],
		        fx_buf_str(&out));
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("helm_release");
	TCase *tc = tcase_create("records");
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, records_of_helm_are_read_and_made);
	tcase_add_test(tc, records_of_ours_are_read_by_helm);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	static const struct fx_test_env_options options = {.idle = true};
	const char *api = getenv("FX_TEST_API");
	helm = getenv("HELM_BIN") ? getenv("HELM_BIN") : "helm";
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int status = 0;
	const struct fx_test_command there = {
	        .argv = (const char *const[]){"sh", "-c", "command -v \"$0\" >/dev/null", helm, NULL}};
	if (fx_test_run(&there, NULL, &status, &err) < 0 || status != 0) {
		fprintf(stderr, "helm is not installed\n");
		return FX_TEST_EXIT_SKIPPED;
	}
	if (!api || strcmp(api, "real") != 0) {
		fprintf(stderr, "only on a real API server\n");
		return FX_TEST_EXIT_SKIPPED;
	}
	return fx_env_main(make_suite, &options);
}
