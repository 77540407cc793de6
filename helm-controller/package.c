#include "commands.h"

#include "helm/package.h"
#include "helm/strvals.h"

#include <getopt.h>
#include <stdio.h>

#define FILES_MAX 256

enum flag { OPT_VERSION = 256, OPT_APP_VERSION };

static const struct option flags[] = {{"version", required_argument, NULL, OPT_VERSION},
        {"app-version", required_argument, NULL, OPT_APP_VERSION},
        {"destination", required_argument, NULL, 'd'}, {"values", required_argument, NULL, 'f'},
        {NULL, 0, NULL, 0}};

struct request {
	struct fx_chart_package_options options;
	struct fx_value_source files[FILES_MAX];
	size_t nfiles;
	const char *dir;
};

static int parse(int argc, char **argv, struct request *r, struct fx_error *err)
{
	int c;
	while ((c = getopt_long(argc, argv, "d:f:", flags, NULL)) != -1) {
		switch (c) {
		case OPT_VERSION:
			r->options.version = optarg;
			break;
		case OPT_APP_VERSION:
			r->options.app_version = optarg;
			break;
		case 'd':
			r->dir = optarg;
			break;
		case 'f':
			if (r->nfiles == FILES_MAX)
				return fx_fail(err, FX_E_LIMIT, "more than %d values files", FILES_MAX);
			r->files[r->nfiles++] = (struct fx_value_source){FX_VALUES_FILE, optarg};
			break;
		default:
			return -FX_E_INVALID;
		}
	}
	return argc - optind == 1
	               ? 0
	               : fx_fail(err, FX_E_INVALID, "\"helm-controller package\" requires 1 argument");
}

static int write_file(const char *path, const struct fx_buf *data, struct fx_error *err)
{
	fx_auto(file) FILE *f = fopen(path, "wb");
	if (!f || fwrite(data->data, 1, data->len, f) != data->len || fflush(f) != 0)
		return fx_fail_errno(err, "%s", path);
	return 0;
}

static int run(struct fx_arena *arena, int argc, char **argv, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	struct request *r = fx_arena_new_of(arena, struct request);
	struct fx_chart *chart;
	int rc = r ? parse(argc, argv, r, err) : fx_fail_nomem(err);
	if (rc == 0)
		rc = fx_chart_load(arena, argv[argc - 1], &chart, err);
	if (rc == 0 && r->nfiles)
		rc = fx_values_read(arena, r->files, r->nfiles, &r->options.values, err);
	if (rc == 0)
		rc = fx_chart_package(chart, &r->options, &out, err);
	if (rc < 0)
		return rc;
	const char *name = fx_chart_package_name(arena, chart, &r->options);
	const char *path = name ? fx_arena_printf(arena, "%s/%s", r->dir ? r->dir : ".", name) : NULL;
	rc = path ? write_file(path, &out, err) : fx_fail_nomem(err);
	if (rc == 0)
		printf("%s\n", path);
	return rc;
}

int fx_package_command(int argc, char **argv)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (arena && run(arena, argc, argv, &err) == 0)
		return 0;
	if (!arena || err.code != FX_OK)
		fprintf(stderr, "Error: %s\n", arena ? fx_error_message(&err) : "out of memory");
	return 1;
}
