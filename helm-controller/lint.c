#include "commands.h"

#include "request.h"

#include <stdio.h>

struct lint {
	const char *chart;
	unsigned problems;
};

static void report(struct lint *l, const char *where, const char *what)
{
	fprintf(stderr, "%s%s%s: %s\n", l->chart, where ? ": " : "", where ? where : "", what);
	l->problems++;
}

/* What the API server would not even look at. */
static void check_objects(struct lint *l, const struct fx_rendered *r)
{
	for (size_t i = 0; i < r->nmanifests; i++) {
		const struct fx_manifest *m = &r->manifests[i];
		bool list = strlen(m->kind) >= 4 && strcmp(m->kind + strlen(m->kind) - 4, "List") == 0;
		if (!*m->kind && !*m->api_version && !*m->name)
			continue; /* comments alone */
		if (!*m->api_version)
			report(l, m->path, "a manifest has no apiVersion");
		if (!*m->kind)
			report(l, m->path, "a manifest has no kind");
		if (!*m->name && !list)
			report(l, m->path, "a manifest has no metadata.name");
	}
	for (size_t i = 0; i < r->nhooks; i++) {
		if (!*r->hooks[i].kind)
			report(l, r->hooks[i].path, "a hook has no kind");
		if (!*r->hooks[i].name)
			report(l, r->hooks[i].path, "a hook has no metadata.name");
	}
}

static void run(struct fx_arena *arena, int argc, char **argv, struct lint *l)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_chart_request *r = fx_arena_new_of(arena, struct fx_chart_request);
	struct fx_chart *chart;
	struct fx_val values, text;
	struct fx_rendered rendered;
	int rc = r ? fx_chart_request_parse(arena, argc, argv, r, &err) : fx_fail_nomem(&err);
	l->chart = r && r->path ? r->path : "lint";
	if (rc == 0)
		rc = fx_chart_request_load(arena, r, &chart, &values, &err);
	/* Types of charts and missing dependencies are refused by the command, not by the engine. */
	if (rc == 0)
		rc = fx_chart_template(arena, chart, values, &r->options, &text, &err);
	if (rc == 0)
		rc = fx_chart_load(arena, r->path, &chart, &err);
	if (rc == 0)
		rc = fx_chart_render(arena, chart, values, &r->options, &rendered, &err);
	if (rc == 0)
		check_objects(l, &rendered);
	else
		report(l, NULL, err.code == FX_OK ? "bad arguments" : fx_error_message(&err));
}

int fx_lint_command(int argc, char **argv)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	struct lint l = {.chart = "lint"};
	if (arena)
		run(arena, argc, argv, &l);
	else
		report(&l, NULL, "out of memory");
	if (l.problems == 0)
		printf("%s: nothing to refuse\n", l.chart);
	return l.problems ? 1 : 0;
}
