#include "request.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

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

/* --show-only and --api-versions take lists with commas. */
static void add_list(struct fx_arena *arena, struct fx_strings *list, const char *text)
{
	char *copy = fx_arena_strdup(arena, text), *save = NULL;
	for (char *p = copy ? strtok_r(copy, ",", &save) : NULL; p && list->len < FX_REPEATS_MAX;
	        p = strtok_r(NULL, ",", &save))
		list->items[list->len++] = p;
}

static void add_source(struct fx_chart_request *r, enum fx_value_source_kind kind, const char *text)
{
	if (r->nsources < FX_REPEATS_MAX)
		r->sources[r->nsources++] = (struct fx_value_source){kind, text};
}

static bool on(const char *value)
{
	return !value || strcmp(value, "true") == 0;
}

static int parse_flags(struct fx_arena *arena, int argc, char **argv, struct fx_chart_request *r)
{
	int c;
	while ((c = getopt_long(argc, argv, "f:n:s:a:g", flags, NULL)) != -1) {
		switch (c) {
		case OPT_VALUES: {
			struct fx_strings files = {.len = 0};
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

int fx_chart_request_parse(
        struct fx_arena *arena, int argc, char **argv, struct fx_chart_request *r, struct fx_error *err)
{
	struct fx_val name;
	r->options = (struct fx_chart_options){.ns = "default", .revision = 1};
	if (parse_flags(arena, argc, argv, r) != 0)
		return -FX_E_INVALID;
	int left = argc - optind;
	if (left < 1 || left > 2)
		return fx_fail(
		        err, FX_E_INVALID, "\"helm-controller %s\" requires at least 1 argument", argv[0]);
	r->path = argv[argc - 1];
	if (left == 2 || !r->options.release)
		r->options.release = left == 2 ? argv[optind] : "release-name";
	r->options.show_only = r->show.items;
	r->options.nshow_only = r->show.len;
	r->options.api_versions = r->apis.items;
	r->options.napi_versions = r->apis.len;
	if (!r->name_template)
		return 0;
	int rc = fx_chart_eval(arena, r->name_template, strlen(r->name_template), NULL, &name, err);
	if (rc == 0 && !(r->options.release = fx_arena_strndup(arena, name.s, name.len)))
		return fx_fail_nomem(err);
	return rc;
}

int fx_chart_request_load(struct fx_arena *arena, const struct fx_chart_request *r, struct fx_chart **chart,
        struct fx_val *values, struct fx_error *err)
{
	if (access(r->path, F_OK) != 0)
		return fx_fail(err, FX_E_NOT_FOUND, "path \"%s\" not found", r->path);
	int rc = fx_values_read(arena, r->sources, r->nsources, values, err);
	return rc == 0 ? fx_chart_load(arena, r->path, chart, err) : rc;
}
