#include "commands.h"

#include "request.h"

#include <stdio.h>

static int run(struct fx_arena *arena, int argc, char **argv, struct fx_error *err)
{
	struct fx_chart_request *r = fx_arena_new_of(arena, struct fx_chart_request);
	struct fx_chart *chart;
	struct fx_val values, out;
	int rc = r ? fx_chart_request_parse(arena, argc, argv, r, err) : fx_fail_nomem(err);
	if (rc == 0)
		rc = fx_chart_request_load(arena, r, &chart, &values, err);
	if (rc == 0)
		rc = fx_chart_template(arena, chart, values, &r->options, &out, err);
	if (rc == 0)
		fwrite(out.s, 1, out.len, stdout);
	return rc;
}

int fx_template_command(int argc, char **argv)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (arena && run(arena, argc, argv, &err) == 0)
		return 0;
	if (!arena || err.code != FX_OK)
		fprintf(stderr, "Error: %s\n", arena ? fx_error_message(&err) : "out of memory");
	return 1;
}
