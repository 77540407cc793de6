/* What a hostile chart can try, memory that runs out, renders side by side. */
#include "test/unit/fail_alloc.h"
#include "test/unit/helm/render.h"
#include "test/unit/unit.h"

#include "helm/strvals.h"

#include <openssl/crypto.h>
#include <pthread.h>

static const struct render_case bombs[] = {
        {"{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}", NULL, NULL},
        {"{{ define \"b\" }}{{ template \"b\" . }}{{ end }}{{ template \"b\" . }}", NULL,
                "exceeded maximum template depth (100000)"},
        {"{{ tpl \"{{ tpl .t . }}\" (dict \"t\" \"{{ tpl .t . }}\") }}", NULL, NULL},
        {"{{ repeat 100000000 \"abcdefgh\" }}", NULL, "strings: Repeat output length overflow"},
        {"{{ indent 1000000000 \"a\" }}", NULL, "strings: Repeat output length overflow"},
        {"{{ until 2000000000 }}", NULL, "more than 4194304 items"},
        {"{{ untilStep 0 2000000000 1 }}", NULL, "more than 4194304 items"},
        {"{{ seq 1 2000000000 }}", NULL, "more than 4194304 items"},
        {"{{ randAlphaNum 2000000000 }}", NULL, "more than 4194304 characters"},
        {"{{ $s := \"x\" }}{{ range until 40 }}{{ $s = printf \"%s%s\" $s $s }}{{ end }}", NULL,
                "a text is longer than 67108864 bytes"},
        {"{{ range until 100 }}{{ repeat 60000000 \"x\" | trunc 1 }}{{ end }}", NULL, "out of memory"},
        {"{{ replace \"\" (repeat 1000000 \"b\") (repeat 1000000 \"a\") | len }}", NULL,
                "a text is longer than 67108864 bytes"},
        {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toJson $d }}", NULL, "values are nested too deeply"},
        {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $d }}", NULL, "values are nested too deeply"},
        {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toYamlPretty $d }}", NULL,
                "values are nested too deeply"},
        {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toToml $d }}", NULL, "values are nested too deeply"},
        {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ deepCopy $d }}", NULL,
                "exceeded maximum template depth (100000)"},
        {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toYaml $d | quote }}", "\"\"", NULL},
        {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $e := dict }}{{ $_ := set $e \"a\" $e }}{{ deepEqual "
         "$d $e }}",
                "true", NULL},
        {"{{ regexMatch \"(x+x+)+[yz]\" (repeat 3000 \"x\") }}", NULL, "regexp: the match takes too long"},
        {"{{ fromJson (repeat 100000 \"[\") }}", "map[Error:exceeded max depth]", NULL},
        {"{{ fromToml (printf \"a = %s\" (repeat 100000 \"[\")) }}",
                "map[Error:toml: line 1 (last key \"a\"): values are nested too deeply]", NULL},
        {"{{ (fromYaml (repeat 100000 \"[\")).Error | trunc 5 }}", "error", NULL},
};

/* In a thread with the stack of a worker; the process goes on. */
static void *render_bomb(void *arg)
{
	const struct render_case *c = arg;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_val out;
	if (!c->want && !c->error) {
		ck_assert_int_lt(render_text(arena, c->template, &out, &err), 0);
		ck_assert_str_ne(fx_error_message(&err), "");
	} else {
		render_check(c);
	}
	return NULL;
}

#define WORKER_STACK_BYTES (1024u * 1024)

START_TEST(ends_in_an_error)
{
	pthread_attr_t attr;
	pthread_t thread;
	ck_assert_int_eq(pthread_attr_init(&attr), 0);
	ck_assert_int_eq(pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, render_bomb, (void *)&bombs[_i]), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	render_check(&(struct render_case){"{{ .Values.s }}", "Hello World", NULL});
}
END_TEST

/* ---- a chart in memory ---- */

static const char *const chart_files[][2] = {
        {"templates/_h.tpl", "{{- define \"name\" -}}{{ .Release.Name }}-{{ .Values.name }}{{- end -}}"},
        {"templates/a.yaml",
                "kind: ConfigMap\nmetadata:\n  name: {{ include \"name\" . }}\n"
                "data:\n  {{- range $k, $v := .Values.data }}\n  {{ $k }}: {{ tpl $v $ | quote }}\n  {{- end "
                "}}\n"
                "  y: {{ toYaml .Values.data | nindent 4 }}\n  j: {{ toJson .Values.data | sha256sum }}\n"
                "  r: {{ regexReplaceAll \"a+\" \"baab\" \"x\" }}\n"},
        {"templates/b.yaml", "kind: Secret\nmetadata: {name: s}\nstringData: {{ .Values.data | toJson }}\n"},
};

struct meta_job {
	const struct fx_node *node;
	struct fx_val out;
};

static void to_value(struct fx_render *x, void *arg)
{
	struct meta_job *job = arg;
	job->out = fx_v_from_node(x, job->node);
}

static int render_meta(
        struct fx_arena *arena, const struct fx_node *node, struct fx_val *out, struct fx_error *err)
{
	struct meta_job job = {node, {0}};
	int rc = fx_render_run(arena, NULL, to_value, &job, err);
	*out = job.out;
	return rc;
}

static void render_file(struct fx_render *x, void *arg)
{
	struct fx_named_text *file = arg;
	file->dot = fx_v_map(x);
	fx_render_files(x, file, 1);
}

static int render_chart(
        struct fx_templates *templates, const struct fx_cancel *cancel, char **text, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	if (!arena)
		return fx_fail_nomem(err);
	static const struct fx_value_source sources[] = {
	        {FX_VALUES_SET, "name=web,data.a=x,data.b=in {{ .Release.Namespace }}"}};
	struct fx_val values, meta, out;
	struct fx_node *node;
	int rc = fx_values_read(arena, sources, 1, &values, err);
	if (rc != 0)
		return rc;
	static const char head[] = "{\"apiVersion\": \"v2\", \"name\": \"c\", \"version\": \"1.0.0\"}";
	rc = fx_json_read(arena, head, sizeof(head) - 1, &node, err);
	if (rc != 0)
		return rc;
	struct fx_chart_file files[FX_COUNT(chart_files)];
	for (size_t i = 0; i < FX_COUNT(files); i++) {
		files[i] = (struct fx_chart_file){.name = chart_files[i][0],
		        .data = chart_files[i][1],
		        .len = strlen(chart_files[i][1])};
	}
	rc = render_meta(arena, node, &meta, err);
	if (rc != 0)
		return rc;
	struct fx_chart chart = {.meta = meta,
	        .name = "c",
	        .values = meta,
	        .templates = {files, FX_COUNT(files), FX_COUNT(files)},
	        .deps = {.kind = FX_VAL_LIST, .nil = 1}};
	struct fx_engine_options engine = {.templates = templates, .cancel = cancel};
	struct fx_chart_options options = {.release = "rel", .ns = "prod", .revision = 1, .engine = &engine};
	rc = fx_chart_template(arena, &chart, values, &options, &out, err);
	if (rc == 0 && text) {
		*text = strndup(out.s, out.len);
		rc = *text ? 0 : fx_fail_nomem(err);
	}
	return rc;
}

static const char rendered[] =
        "---\n# Source: c/templates/b.yaml\nkind: Secret\nmetadata: {name: s}\n"
        "stringData: {\"a\":\"x\",\"b\":\"in {{ .Release.Namespace }}\"}\n\n"
        "---\n# Source: c/templates/a.yaml\nkind: ConfigMap\nmetadata:\n  name: rel-web\n"
        "data:\n  a: \"x\"\n  b: \"in prod\"\n  y: \n    a: x\n    b: in {{ .Release.Namespace }}\n"
        "  j: 21856e6945a60b98dced13fe6f34d7a68aefeb6eaa8209ca1500765f55598322\n  r: bxb\n";

START_TEST(renders_a_chart)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_autofree char *text = NULL;
	ck_assert_ok(render_chart(NULL, NULL, &text, &err), &err);
	ck_assert_str_eq(text, rendered);
}
END_TEST

/* Every allocation of a render fails once: an error, no crash, no leak. */
static void survive(bool shared)
{
#ifndef SANITIZED
	long n = 1;
	fx_autofree char *first = NULL;
	ck_assert_int_eq(render_chart(NULL, NULL, &first, NULL), 0);
	for (;; n++) {
		struct fx_error err = FX_ERROR_INIT;
		OPENSSL_thread_stop();
		allocations = live = 0;
		fail_at = n;
		counting = true;
		struct fx_templates *templates = shared ? fx_templates_new() : NULL;
		int rc = render_chart(templates, NULL, NULL, &err);
		enum fx_error_code code = err.code;
		char message[200];
		snprintf(message, sizeof(message), "%s", fx_error_message(&err));
		fx_error_release(&err);
		fx_templates_unref(templates);
		OPENSSL_thread_stop();
		counting = false;
		ck_assert_msg(live == 0, "allocation %ld: %ld blocks leaked (rc %d of %ld)", n, live, rc,
		        allocations);
		ck_assert_msg(rc == 0 || code == FX_E_NOMEM || strstr(message, "out of memory"),
		        "allocation %ld: %s", n, message);
		if (allocations < n)
			break;
	}
	ck_assert_int_gt(n, 10);
#else
	(void)shared;
#endif
}

START_TEST(survives_failing_allocations)
{
	survive(_i == 1);
}
END_TEST

/* ---- side by side ---- */

#define THREADS 4
#define ROUNDS 25

static void *render_many(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_autofree char *text = NULL;
		if (render_chart(arg, NULL, &text, &err) != 0 || strcmp(text, rendered) != 0)
			return arg;
	}
	return NULL;
}

START_TEST(four_threads_share_the_parsed_templates)
{
	struct fx_templates *templates = fx_templates_new();
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, render_many, templates), 0);
	for (int i = 0; i < THREADS; i++) {
		void *failed;
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	size_t bytes = fx_templates_bytes(templates);
	ck_assert_uint_gt(bytes, 0);
	ck_assert_ptr_null(render_many(templates));
	ck_assert_uint_eq(fx_templates_bytes(templates), bytes);
	fx_templates_unref(templates);
}
END_TEST

START_TEST(a_cancelled_render_ends)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	fx_auto(cancel) struct fx_cancel *cancel = fx_cancel_new(NULL, FX_NO_DEADLINE);
	static const char loop[] = "{{ range until 4000000 }}{{ range until 100 }}{{ end }}{{ end }}";
	struct fx_named_text file = {
	        "c/templates/a.yaml", loop, sizeof(loop) - 1, {0}, "c/templates", false, {0}};
	fx_cancel_fire(cancel, "the source has changed");
	struct fx_engine_options options = {.cancel = cancel};
	ck_assert_int_lt(fx_render_run(arena, &options, render_file, &file, &err), 0);
	ck_assert_msg(strstr(fx_error_message(&err), "the source has changed"), "%s", fx_error_message(&err));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("limits");
	TCase *tc = tcase_create("limits");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, ends_in_an_error, 0, FX_COUNT(bombs));
	tcase_add_test(tc, renders_a_chart);
	tcase_add_loop_test(tc, survives_failing_allocations, 0, 2);
	tcase_add_test(tc, four_threads_share_the_parsed_templates);
	tcase_add_test(tc, a_cancelled_render_ends);
	suite_add_tcase(s, tc);
	return s;
}

FX_UNIT_MAIN(suite)
