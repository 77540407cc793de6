#include "template.h"

#include "helm/chart.h"
#include "helm/strvals.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

/* Flags that may be given more than once, each. */
#define REPEATS_MAX 256

enum flag {
	OPT_VALUES = 'f',
	OPT_NAMESPACE = 'n',
	OPT_SHOW_ONLY = 's',
	OPT_API_VERSIONS = 'a',
	OPT_GENERATE_NAME = 'g',
	OPT_SET = 256,
	OPT_SET_STRING,
	OPT_SET_FILE,
	OPT_SET_JSON,
	OPT_SET_LITERAL,
	OPT_KUBE_VERSION,
	OPT_INCLUDE_CRDS,
	OPT_SKIP_CRDS,
	OPT_IS_UPGRADE,
	OPT_NO_HOOKS,
	OPT_SKIP_TESTS,
	OPT_SKIP_SCHEMA,
	OPT_NAME_TEMPLATE,
	OPT_DEBUG,
	OPT_IGNORED,
	OPT_IGNORED_VALUE,
};

static const struct option flags[] = {
        {"values", required_argument, NULL, OPT_VALUES},
        {"namespace", required_argument, NULL, OPT_NAMESPACE},
        {"show-only", required_argument, NULL, OPT_SHOW_ONLY},
        {"api-versions", required_argument, NULL, OPT_API_VERSIONS},
        {"generate-name", no_argument, NULL, OPT_GENERATE_NAME},
        {"set", required_argument, NULL, OPT_SET},
        {"set-string", required_argument, NULL, OPT_SET_STRING},
        {"set-file", required_argument, NULL, OPT_SET_FILE},
        {"set-json", required_argument, NULL, OPT_SET_JSON},
        {"set-literal", required_argument, NULL, OPT_SET_LITERAL},
        {"kube-version", required_argument, NULL, OPT_KUBE_VERSION},
        {"include-crds", optional_argument, NULL, OPT_INCLUDE_CRDS},
        {"skip-crds", no_argument, NULL, OPT_SKIP_CRDS},
        {"is-upgrade", optional_argument, NULL, OPT_IS_UPGRADE},
        {"no-hooks", optional_argument, NULL, OPT_NO_HOOKS},
        {"skip-tests", optional_argument, NULL, OPT_SKIP_TESTS},
        {"skip-schema-validation", optional_argument, NULL, OPT_SKIP_SCHEMA},
        {"name-template", required_argument, NULL, OPT_NAME_TEMPLATE},
        {"debug", no_argument, NULL, OPT_IGNORED},
        {"render-subchart-notes", no_argument, NULL, OPT_IGNORED},
        {"validate", no_argument, NULL, OPT_IGNORED},
        {"dry-run", optional_argument, NULL, OPT_IGNORED},
        {NULL, 0, NULL, 0},
};

struct strings {
	const char *items[REPEATS_MAX];
	size_t len;
};

struct request {
	struct strings show, apis;
	struct fx_value_source sources[REPEATS_MAX];
	size_t nsources;
	struct fx_chart_options options;
	const char *name_template;
};

/* --show-only and --api-versions take lists with commas. */
static void add_list(struct fx_arena *arena, struct strings *list, const char *text)
{
	char *copy = fx_arena_strdup(arena, text), *save = NULL;
	for (char *p = copy ? strtok_r(copy, ",", &save) : NULL; p && list->len < REPEATS_MAX;
	        p = strtok_r(NULL, ",", &save))
		list->items[list->len++] = p;
}

static void add_source(struct request *r, enum fx_value_source_kind kind, const char *text)
{
	if (r->nsources < REPEATS_MAX)
		r->sources[r->nsources++] = (struct fx_value_source){kind, text};
}

static bool on(const char *value)
{
	return !value || strcmp(value, "true") == 0;
}

static int parse_flags(struct fx_arena *arena, int argc, char **argv, struct request *r)
{
	int c;
	while ((c = getopt_long(argc, argv, "f:n:s:a:g", flags, NULL)) != -1) {
		switch (c) {
		case OPT_VALUES: {
			struct strings files = {.len = 0};
			add_list(arena, &files, optarg);
			for (size_t i = 0; i < files.len; i++)
				add_source(r, FX_VALUES_FILE, files.items[i]);
			break;
		}
		case OPT_NAMESPACE:
			r->options.ns = optarg;
			break;
		case OPT_SHOW_ONLY:
			add_list(arena, &r->show, optarg);
			break;
		case OPT_API_VERSIONS:
			add_list(arena, &r->apis, optarg);
			break;
		case OPT_GENERATE_NAME:
			r->options.release = "release-name";
			break;
		case OPT_SET:
			add_source(r, FX_VALUES_SET, optarg);
			break;
		case OPT_SET_STRING:
			add_source(r, FX_VALUES_STRING, optarg);
			break;
		case OPT_SET_FILE:
			add_source(r, FX_VALUES_SET_FILE, optarg);
			break;
		case OPT_SET_JSON:
			add_source(r, FX_VALUES_JSON, optarg);
			break;
		case OPT_SET_LITERAL:
			add_source(r, FX_VALUES_LITERAL, optarg);
			break;
		case OPT_KUBE_VERSION:
			r->options.kube_version = optarg;
			break;
		case OPT_INCLUDE_CRDS:
			r->options.include_crds = on(optarg);
			break;
		case OPT_IS_UPGRADE:
			r->options.is_upgrade = on(optarg);
			break;
		case OPT_NO_HOOKS:
			r->options.no_hooks = on(optarg);
			break;
		case OPT_SKIP_TESTS:
			r->options.skip_tests = on(optarg);
			break;
		case OPT_SKIP_SCHEMA:
			r->options.skip_schema = on(optarg);
			break;
		case OPT_NAME_TEMPLATE:
			r->name_template = optarg;
			break;
		case OPT_SKIP_CRDS:
		case OPT_IGNORED:
			break;
		default:
			return -1;
		}
	}
	return 0;
}

static int run(struct fx_arena *arena, int argc, char **argv, struct request *r, struct fx_error *err)
{
	struct fx_chart *chart;
	struct fx_val values, out;
	int left = argc - optind;
	if (left < 1 || left > 2)
		return fx_fail(
		        err, FX_E_INVALID, "\"helm-controller template\" requires at least 1 argument");
	r->options.release = left == 2 ? argv[optind] : "release-name";
	r->options.show_only = r->show.items;
	r->options.nshow_only = r->show.len;
	r->options.api_versions = r->apis.items;
	r->options.napi_versions = r->apis.len;
	struct fx_val name;
	if (r->name_template) {
		if (fx_chart_eval(arena, r->name_template, strlen(r->name_template), NULL, &name, err) != 0)
			return -1;
		r->options.release = fx_arena_strndup(arena, name.s, name.len);
	}
	/* As Helm goes: is there a chart, can the values be read, is it a good one. */
	if (access(argv[argc - 1], F_OK) != 0)
		return fx_fail(err, FX_E_NOT_FOUND, "path \"%s\" not found", argv[argc - 1]);
	if (fx_values_read(arena, r->sources, r->nsources, &values, err) != 0)
		return -1;
	if (fx_chart_load(arena, argv[argc - 1], &chart, err) != 0)
		return -1;
	if (fx_chart_template(arena, chart, values, &r->options, &out, err) != 0)
		return -1;
	fwrite(out.s, 1, out.len, stdout);
	return 0;
}

int fx_template_command(int argc, char **argv)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_RENDER_ARENA_MAX);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct request *r = arena ? fx_arena_zalloc(arena, sizeof(*r)) : NULL;
	if (!r) {
		fprintf(stderr, "Error: out of memory\n");
		return 1;
	}
	r->options = (struct fx_chart_options){.ns = "default", .revision = 1};
	if (parse_flags(arena, argc, argv, r) != 0)
		return 1;
	if (run(arena, argc, argv, r, &err) != 0) {
		fprintf(stderr, "Error: %s\n", fx_error_message(&err));
		return 1;
	}
	return 0;
}
