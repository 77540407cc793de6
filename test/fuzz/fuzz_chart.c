/*
 * libFuzzer targets of charts, chosen by FX_FUZZ at compile time: 21 a JSON schema and a value (schema, NUL,
 * value), 22 the JSON of a release record, read and written, 23 a record as it stands in a Secret, 24 a chart
 * archive, loaded and rendered, 25 Chart.yaml and values.yaml (Chart.yaml, NUL, values.yaml).
 */
#include "helm/chart.h"
#include "helm/release.h"
#include "helm/schema.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (256u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static fx_unused const char *second_part(const uint8_t *data, size_t size, size_t *first, size_t *second)
{
	const uint8_t *nul = memchr(data, 0, size);
	*first = nul ? (size_t)(nul - data) : size;
	*second = nul ? size - *first - 1 : 0;
	return (const char *)data + (nul ? *first + 1 : 0);
}

struct job {
	const char *schema, *value;
	size_t schema_len, value_len;
};

static fx_unused void run_schema(struct fx_render *x, void *arg)
{
	const struct job *j = arg;
	(void)!fx_schema_check_json(x, j->schema, j->schema_len, j->value, j->value_len);
}

/* What was read must be written, and read again. */
static fx_unused void round_trip(struct fx_arena *arena, const struct fx_release *r)
{
	fx_auto(buf) struct fx_buf json = FX_BUF_INIT, again = FX_BUF_INIT;
	struct fx_release back;
	if (fx_release_json(r, &json, NULL) != 0)
		return;
	if (fx_release_parse(arena, fx_buf_str(&json), json.len, &back, NULL) != 0 ||
	        fx_release_json(&back, &again, NULL) != 0 || again.len != json.len ||
	        (json.len && memcmp(again.data, json.data, json.len) != 0))
		abort();
}

static fx_unused void render(struct fx_arena *arena, struct fx_chart *chart)
{
	static const struct fx_chart_options options = {.release = "r", .ns = "n", .revision = 1};
	struct fx_val out;
	(void)!fx_chart_template(arena, chart, (struct fx_val){0}, &options, &out, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(MEMORY_MAX);
	fx_unused struct fx_release r;
	fx_unused struct fx_chart *chart;
	if (!arena)
		return 0;
#if FX_FUZZ == 21
	struct job j = {.schema = (const char *)data};
	j.value = second_part(data, size, &j.schema_len, &j.value_len);
	(void)!fx_render_run(arena, NULL, run_schema, &j, NULL);
#elif FX_FUZZ == 22
	if (fx_release_parse(arena, (const char *)data, size, &r, NULL) == 0)
		round_trip(arena, &r);
#elif FX_FUZZ == 23
	if (fx_release_decode(arena, (const char *)data, size, &r, NULL) == 0)
		round_trip(arena, &r);
#elif FX_FUZZ == 24
	if (fx_chart_load_archive(arena, (const char *)data, size, &chart, NULL) == 0)
		render(arena, chart);
#else
	size_t n, m;
	const char *values = second_part(data, size, &n, &m);
	const struct fx_chart_file files[] = {{.name = "Chart.yaml", .data = (const char *)data, .len = n},
	        {.name = "values.yaml", .data = values, .len = m},
	        {.name = "templates/v.yaml", .data = "v: {{ .Values | toJson }}\n", .len = 26}};
	if (fx_chart_load_files(arena, files, FX_COUNT(files), &chart, NULL) == 0)
		render(arena, chart);
#endif
	return 0;
}
