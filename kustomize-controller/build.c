#include "build.h"

#include "core/arena.h"
#include "core/buf.h"
#include "data/schema.h"
#include "kustomize/kustomize.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Memory of one build: a person's command may be larger than a reconcile. */
#define BUILD_MEMORY_MAX ((size_t)4 * 1024 * 1024 * 1024)

struct options {
	struct fx_build_options build;
	const char *dir;
	const char *output;
};

static void print_warning(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

static int usage_error(const char *text, const char *value, const char *legal)
{
	fprintf(stderr, "Error: illegal flag value --%s %s; legal values: [%s]\n", text, value, legal);
	return -1;
}

static int set_restrictor(struct options *o, const char *value)
{
	if (strcmp(value, "LoadRestrictionsNone") == 0)
		o->build.load_restrictor = FX_LOAD_NONE;
	else if (*value && strcmp(value, "LoadRestrictionsRootOnly") != 0)
		return usage_error("load-restrictor", value, "LoadRestrictionsRootOnly LoadRestrictionsNone");
	return 0;
}

static int set_reorder(struct options *o, const char *value)
{
	fprintf(stderr, "Flag --reorder has been deprecated, use the new 'sortOptions' field in "
	                "kustomization.yaml instead.\n");
	if (strcmp(value, "none") == 0)
		o->build.order = FX_ORDER_FIFO;
	else if (strcmp(value, "legacy") != 0)
		return usage_error("reorder", value, "legacy none");
	return 0;
}

static int set_output(struct options *o, const char *value)
{
	o->output = value;
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct options *o, const char *value);
} value_flags[] = {{"--load-restrictor", set_restrictor}, {"--reorder", set_reorder},
        {"--output", set_output}, {"-o", set_output}};

/* 1: taken, with *skip further arguments; 0: no such flag; -1: wrong value. */
static int take_value_flag(struct options *o, int argc, char **argv, int i, int *skip)
{
	for (size_t k = 0; k < FX_COUNT(value_flags); k++) {
		size_t n = strlen(value_flags[k].name);
		if (strncmp(argv[i], value_flags[k].name, n) != 0 ||
		        (argv[i][n] != '=' && argv[i][n] != '\0'))
			continue;
		const char *value = argv[i] + n + 1;
		*skip = 0;
		if (argv[i][n] == '\0') {
			if (i + 1 >= argc) {
				fprintf(stderr, "Error: flag needs an argument: %s\n", argv[i]);
				return -1;
			}
			value = argv[i + 1];
			*skip = 1;
		}
		return value_flags[k].set(o, value) < 0 ? -1 : 1;
	}
	return 0;
}

static int parse(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int skip = 0, rc = take_value_flag(o, argc, argv, i, &skip);
		if (rc < 0)
			return -1;
		if (rc > 0) {
			i += skip;
		} else if (strcmp(argv[i], "--fifo") == 0) {
			o->build.order = FX_ORDER_FIFO;
		} else if (strcmp(argv[i], "--flux") == 0) {
			struct fx_build_options flux = fx_build_options_flux();
			o->build.order = flux.order;
			o->build.openapi = flux.openapi;
			o->build.load_restrictor = flux.load_restrictor;
		} else if (strcmp(argv[i], "--enable-managedby-label") == 0) {
			o->build.managed_by_label = true;
		} else if (strcmp(argv[i], "--enable-alpha-plugins") == 0 ||
		           strcmp(argv[i], "--enable-helm") == 0 || strcmp(argv[i], "--enable-exec") == 0) {
			fprintf(stderr, "Error: %s is not supported: plugins are never run\n", argv[i]);
			return -1;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			fprintf(stderr, "Error: unknown flag: %s\n", argv[i]);
			return -1;
		} else if (o->dir) {
			fprintf(stderr, "Error: specify one path to kustomization.yaml\n");
			return -1;
		} else {
			o->dir = argv[i];
		}
	}
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(const char *path, const struct fx_buf *text, struct fx_error *err)
{
	fx_auto(file) FILE *f = fopen(path, "we");
	if (!f)
		return fx_fail_errno(err, "open %s", path);
	if (fwrite(fx_buf_str(text), 1, text->len, f) != text->len || fflush(f) != 0)
		return fx_fail_errno(err, "write %s", path);
	return 0;
}

/* ---- one file a resource, as kustomize names them ---- */

/* The namespace a resource is in, NULL for one of the cluster. */
static const char *namespace_of(const struct fx_node *r)
{
	static const struct fx_schema_set schema = FX_SCHEMA_BUILTIN;
	const char *ns = fx_node_get_text(fx_node_get(r, "metadata"), "namespace");
	const char *version = fx_node_get_text(r, "apiVersion"), *kind = fx_node_get_text(r, "kind");
	if (fx_schema_is_cluster_scoped(&schema, version ? version : "", kind ? kind : ""))
		return NULL;
	return ns && *ns ? ns : "default";
}

static bool has_several_namespaces(const struct fx_node *resources)
{
	const char *first = NULL;
	for (uint32_t i = 0; i < resources->len; i++) {
		const char *ns = namespace_of(resources->items[i]);
		if (first && ns && strcmp(first, ns) != 0)
			return true;
		first = first ? first : ns;
	}
	return false;
}

/* NAMESPACE_GROUP_VERSION_KIND_NAME.yaml in lower case, without what is empty. */
static void add_file_name(struct fx_buf *to, const struct fx_node *r, const char *ns)
{
	const char *version = fx_node_get_text(r, "apiVersion"), *kind = fx_node_get_text(r, "kind");
	const char *name = fx_node_get_text(fx_node_get(r, "metadata"), "name"), *slash;
	size_t start = to->len;
	if (ns)
		fx_buf_addf(to, "%s_", ns);
	if (version && (slash = strchr(version, '/'))) {
		fx_buf_addf(to, "%.*s_", (int)(slash - version), version);
		version = slash + 1;
	}
	if (version && *version)
		fx_buf_addf(to, "%s_", version);
	fx_buf_addf(to, "%s_%s.yaml", kind ? kind : "", name ? name : "");
	for (size_t i = start; i < to->len && !fx_buf_failed(to); i++)
		to->data[i] = (char)tolower((unsigned char)to->data[i]);
}

static int write_folder(const char *folder, const struct fx_node *resources, struct fx_error *err)
{
	bool several = has_several_namespaces(resources);
	for (uint32_t i = 0; i < resources->len; i++) {
		const struct fx_node *r = resources->items[i];
		struct fx_node one = {
		        .kind = FX_NODE_SEQ, .len = 1, .items = (struct fx_node *[]){resources->items[i]}};
		fx_auto(buf) struct fx_buf path = FX_BUF_INIT, text = FX_BUF_INIT;
		fx_buf_addf(&path, "%s/", folder);
		size_t start = path.len;
		add_file_name(&path, r, several ? namespace_of(r) : NULL);
		if (fx_buf_failed(&path))
			return fx_fail_nomem(err);
		if (strchr(fx_buf_str(&path) + start, '/'))
			return fx_fail(
			        err, FX_E_INVALID, "'%s' is no name of a file", fx_buf_str(&path) + start);
		int rc = fx_kustomize_print(&one, &text, err);
		if (rc == 0)
			rc = write_file(fx_buf_str(&path), &text, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int write_output(const struct options *o, const struct fx_node *resources, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	struct stat st;
	if (o->output && stat(o->output, &st) == 0 && S_ISDIR(st.st_mode))
		return write_folder(o->output, resources, err);
	int rc = fx_kustomize_print(resources, &text, err);
	if (rc < 0)
		return rc;
	if (o->output)
		return write_file(o->output, &text, err);
	return write_all(STDOUT_FILENO, fx_buf_str(&text), text.len) < 0 ? fx_fail_errno(err, "write") : 0;
}

static int build(const struct options *o, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(BUILD_MEMORY_MAX);
	fx_auto(fs) struct fx_fs *fs = NULL;
	struct fx_node *resources;
	char cwd[PATH_MAX];
	if (!arena)
		return fx_fail_nomem(err);
	int rc = fx_fs_new_disk("/", &fs, err);
	if (rc < 0)
		return rc;
	if (!getcwd(cwd, sizeof(cwd)))
		return fx_fail_errno(err, "getcwd");
	const char *dir = o->dir ? o->dir : ".";
	char *path = *dir ? fx_path_join(arena, cwd, dir) : fx_arena_strdup(arena, "");
	if (!path)
		return fx_fail_nomem(err);
	if ((rc = fx_kustomize_build(fs, path, &o->build, arena, &resources, err)) < 0)
		return rc;
	return write_output(o, resources, err);
}

int fx_build_command(int argc, char **argv)
{
	struct options o = {.build = {.warn = print_warning}};
	const char *managed_by = getenv("KUSTOMIZE_ENABLE_MANAGEDBY_LABEL");
	o.build.managed_by_label = managed_by && strcmp(managed_by, "on") == 0;
	if (parse(&o, argc, argv) < 0)
		return 1;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (build(&o, &err) < 0) {
		fprintf(stderr, "Error: %s\n", fx_error_message(&err));
		return 1;
	}
	return 0;
}
