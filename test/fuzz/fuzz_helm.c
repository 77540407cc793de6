/*
 * libFuzzer targets of the template language, chosen by FX_FUZZ at compile time: 11 a template, parsed and
 * executed, 12 the --set grammars (the first byte chooses), 13 versions and constraints (constraint, NUL,
 * version), 14 regular expressions (expression, NUL, text), 15 TOML and JSON in.
 */
#include "core/clock.h"
#include "data/regex.h"
#include "data/semver.h"
#include "helm/chart.h"
#include "helm/funcs.h"
#include "helm/strvals.h"

#include <string.h>

#define MEMORY_MAX (256u * 1024 * 1024)
/* A template can loop for long within the memory it has. */
#define TEMPLATE_MS 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct job {
	const char *text;
	size_t len;
};

static const char *second_part(const uint8_t *data, size_t size, size_t *first, size_t *second)
{
	const uint8_t *nul = memchr(data, 0, size);
	*first = nul ? (size_t)(nul - data) : size;
	*second = nul ? size - *first - 1 : 0;
	return (const char *)data + (nul ? *first + 1 : 0);
}

static void set_random(void *context, void *out, size_t n)
{
	(void)context;
	memset(out, 7, n);
}

static fx_unused void run_template(struct fx_render *x, void *arg)
{
	const struct job *job = arg;
	struct fx_val dot = fx_v_map(x), values = fx_v_map(x), list = fx_v_list(x, 0);
	for (int i = 0; i < 3; i++)
		fx_v_push(x, list, fx_v_float(i));
	fx_v_set(x, values, "s", fx_v_str("text"));
	fx_v_set(x, values, "l", list);
	fx_v_set(x, values, "m", fx_v_map(x));
	fx_v_set(x, values, "nil", fx_v_nil());
	fx_v_set(x, dot, "Values", values);
	struct fx_named_text file = {.name = "c/templates/t.yaml",
	        .text = job->text,
	        .len = job->len,
	        .dot = dot,
	        .base_path = "c/templates"};
	fx_render_files(x, &file, 1);
}

static fx_unused void fuzz_template(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	struct fx_error err = FX_ERROR_INIT;
	struct fx_cancel *cancel = fx_cancel_new(NULL, fx_now_ms() + TEMPLATE_MS);
	struct fx_engine_options options = {.random = set_random, .now_sec = 1700000000, .cancel = cancel};
	struct job job = {(const char *)data, size};
	(void)!fx_render_run(arena, &options, run_template, &job, &err);
	fx_error_release(&err);
	fx_cancel_unref(cancel);
}

static fx_unused void fuzz_strvals(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	static const enum fx_value_source_kind kinds[] = {
	        FX_VALUES_SET, FX_VALUES_STRING, FX_VALUES_JSON, FX_VALUES_LITERAL};
	if (size == 0)
		return;
	struct fx_error err = FX_ERROR_INIT;
	struct fx_val out;
	char *text = fx_arena_strndup(arena, (const char *)data + 1, size - 1);
	struct fx_value_source source = {kinds[data[0] % FX_COUNT(kinds)], text};
	(void)!fx_values_read(arena, &source, 1, &out, &err);
	fx_error_release(&err);
}

static fx_unused void fuzz_semver(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	size_t n, m;
	const char *text = second_part(data, size, &n, &m);
	char *constraint = fx_arena_strndup(arena, (const char *)data, n),
	     *version = fx_arena_strndup(arena, text, m);
	struct fx_semver_constraint *c = NULL;
	struct fx_semver v;
	char out[FX_SEMVER_FORMAT_MAX];
	bool ok = fx_semver_parse(version, &v, NULL) == 0;
	if (ok)
		fx_semver_format(&v, out);
	if (fx_semver_constraint_parse(constraint, &c, NULL) == 0 && ok)
		(void)fx_semver_constraint_check(c, &v);
	fx_semver_constraint_free(c);
}

static fx_unused void fuzz_regex(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	size_t n, m;
	const char *text = second_part(data, size, &n, &m);
	struct fx_regex *re;
	if (n < 200 && fx_regex_compile(arena, (const char *)data, n, false, &re, NULL) == 0)
		(void)!fx_regex_search(re, text, m, 0, NULL);
}

static fx_unused void run_decode(struct fx_render *x, void *arg)
{
	const struct job *job = arg;
	struct fx_val out, text = fx_v_strn(job->text, job->len);
	const char *why;
	(void)fx_v_toml_parse(x, text, &out);
	if (fx_v_json_parse(x, text, &out, &why)) {
		struct fx_text t = {.x = x};
		(void)fx_v_json(&t, out, true, 2);
	}
}

static fx_unused void fuzz_decode(struct fx_arena *arena, const uint8_t *data, size_t size)
{
	struct fx_error err = FX_ERROR_INIT;
	struct job job = {fx_arena_strndup(arena, (const char *)data, size), size};
	(void)!fx_render_run(arena, NULL, run_decode, &job, &err);
	fx_error_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(MEMORY_MAX);
#if FX_FUZZ == 11
	fuzz_template(arena, data, size);
#elif FX_FUZZ == 12
	fuzz_strvals(arena, data, size);
#elif FX_FUZZ == 13
	fuzz_semver(arena, data, size);
#elif FX_FUZZ == 14
	fuzz_regex(arena, data, size);
#else
	fuzz_decode(arena, data, size);
#endif
	return 0;
}
