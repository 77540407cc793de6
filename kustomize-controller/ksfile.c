#include "ksfile.h"

#include "data/json.h"
#include "data/yaml.h"

#include <string.h>
#include <strings.h>

static const char *const file_names[] = {"kustomization.yaml", "kustomization.yml", "Kustomization"};

/* Fields of a kustomization; others are dropped, as decoding into a struct does. */
static const char *const known_fields[] = {"apiVersion", "kind", "metadata", "openapi", "namePrefix",
        "nameSuffix", "namespace", "commonLabels", "labels", "commonAnnotations", "patchesStrategicMerge",
        "patches", "patchesJson6902", "replicas", "images", "imageTags", "replacements", "resources", "crds",
        "components", "bases", "configMapGenerator", "secretGenerator", "generatorOptions", "configurations",
        "generators", "transformers", "validators", "vars", "sortOptions", "helmGlobals", "helmCharts",
        "helmChartInflationGenerator", "buildMetadata"};

struct generator {
	const struct fx_ksfile_input *in;
	struct fx_arena *arena;
	struct fx_node *file;
	struct fx_error *err;
};

static int file_type(struct generator *g, const char *path, enum fx_fs_type *type)
{
	const char *resolved;
	return g->in->fs->ops->resolve(g->in->fs, path, g->arena, &resolved, type, NULL);
}

static bool is_file(struct generator *g, const char *path)
{
	enum fx_fs_type type;
	return path && file_type(g, path, &type) == 0 && type == FX_FS_FILE;
}

/* The kustomization file of a directory, NULL when there is none. */
static const char *find_file(struct generator *g, const char *dir)
{
	for (size_t i = 0; i < FX_COUNT(file_names); i++) {
		const char *path = fx_path_join(g->arena, dir, file_names[i]);
		if (is_file(g, path))
			return path;
	}
	return NULL;
}

static bool is_known(const struct fx_node *key)
{
	for (size_t i = 0; i < FX_COUNT(known_fields); i++)
		if (fx_node_text_is(key, known_fields[i]))
			return true;
	return false;
}

static int read_values(struct generator *g, const char *path, bool all, struct fx_node **out)
{
	const char *data;
	size_t len;
	static const struct fx_yaml_read options = {.values = true};
	int rc = g->in->fs->ops->read(g->in->fs, path, g->arena, &data, &len, g->err);
	if (rc < 0)
		return rc;
	return all ? fx_yaml_read_all(g->arena, data, len, &options, out, g->err)
	           : fx_yaml_read(g->arena, data, len, &options, out, g->err);
}

static bool set_text(struct generator *g, const char *key, const char *text)
{
	struct fx_node *value = fx_node_new_str(g->arena, text);
	return value && fx_node_set(g->arena, g->file, key, value);
}

static bool set_header(struct generator *g)
{
	return (fx_node_get(g->file, "apiVersion") ||
	               set_text(g, "apiVersion", "kustomize.config.k8s.io/v1beta1")) &&
	       (fx_node_get(g->file, "kind") || set_text(g, "kind", "Kustomization"));
}

/* The sequence at key, made when it is not there. */
static struct fx_node *list_at(struct generator *g, const char *key)
{
	struct fx_node *list = fx_node_get(g->file, key);
	if (fx_node_is_seq(list))
		return list;
	list = fx_node_new_seq(g->arena);
	return list && fx_node_set(g->arena, g->file, key, list) ? list : NULL;
}

static bool append_text(struct generator *g, struct fx_node *list, const char *text)
{
	struct fx_node *item = list ? fx_node_new_str(g->arena, text) : NULL;
	return item && fx_node_append(g->arena, list, item);
}

static int load_file(struct generator *g, const char *path)
{
	int rc = read_values(g, path, false, &g->file);
	if (rc < 0)
		return rc;
	if (fx_node_is_null(g->file))
		g->file = fx_node_new_map(g->arena);
	if (!fx_node_is_map(g->file))
		return fx_fail(g->err, FX_E_INVALID, "%s is not a map", fx_path_base(path));
	for (size_t i = g->file->len; i > 0; i--)
		if (!is_known(g->file->pairs[i - 1].key))
			fx_node_unset_at(g->file, i - 1);
	if (!set_header(g))
		return fx_fail_nomem(g->err);
	if (fx_node_is_nil_or_empty(fx_node_get(g->file, "resources"))) {
		fx_node_unset(g->file, "buildMetadata");
		if (!append_text(g, list_at(g, "buildMetadata"), "originAnnotations"))
			return fx_fail_nomem(g->err);
	}
	return 0;
}

static bool has_extension(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static bool is_text(const struct fx_node *node)
{
	return fx_node_is_scalar(node) && !fx_node_is_null(node) && node->len > 0;
}

/* A document must be a Kubernetes object; lists of objects need no name. */
static int check_document(struct generator *g, const char *path, const struct fx_node *doc)
{
	if (fx_node_is_nil_or_empty(doc))
		return 0;
	const char *missing = NULL;
	const struct fx_node *kind = fx_node_get(doc, "kind");
	if (!fx_node_is_map(doc))
		missing = "an object";
	else if (!is_text(kind))
		missing = "kind";
	else if (!fx_node_is_seq(fx_node_get(doc, "items")) &&
	         !is_text(fx_node_at(doc, "metadata", "name", NULL)))
		missing = "metadata.name";
	if (!missing)
		return 0;
	return fx_fail(
	        g->err, FX_E_INVALID, "failed to decode Kubernetes YAML from %s: missing %s", path, missing);
}

static int check_manifest(struct generator *g, const char *path)
{
	struct fx_node *docs;
	int rc = read_values(g, path, true, &docs);
	if (rc < 0) {
		fx_error_wrap(g->err, "failed to decode Kubernetes YAML from %s", path);
		return rc;
	}
	for (size_t i = 0; rc == 0 && i < docs->len; i++)
		rc = check_document(g, path, docs->items[i]);
	return rc;
}

static int add_resource(struct generator *g, const char *path)
{
	struct fx_node *list = list_at(g, "resources");
	if (list && list->len >= FX_KSFILE_RESOURCES_MAX)
		return fx_fail(g->err, FX_E_LIMIT, "more than %d manifests below %s", FX_KSFILE_RESOURCES_MAX,
		        g->in->dir);
	const char *relative = fx_path_relative(g->arena, g->in->dir, path);
	const char *text = relative ? fx_arena_printf(g->arena, "./%s", relative) : NULL;
	return text && append_text(g, list, text) ? 0 : fx_fail_nomem(g->err);
}

static int scan(struct generator *g, const char *dir, int depth);

static int scan_entry(struct generator *g, const char *dir, const struct fx_ksfile_entry *entry, int depth)
{
	const char *path = fx_path_join(g->arena, dir, entry->name);
	if (!path)
		return fx_fail_nomem(g->err);
	if (entry->is_dir)
		return find_file(g, path) ? add_resource(g, path) : scan(g, path, depth + 1);
	if (!has_extension(entry->name))
		return 0;
	int rc = check_manifest(g, path);
	return rc < 0 ? rc : add_resource(g, path);
}

static int scan(struct generator *g, const char *dir, int depth)
{
	if (depth > FX_KSFILE_DEPTH_MAX)
		return fx_fail(
		        g->err, FX_E_LIMIT, "directories are nested more than %d deep", FX_KSFILE_DEPTH_MAX);
	struct fx_ksfile_entry *entries;
	size_t count;
	int rc = g->in->list(g->in->list_arg, dir, g->arena, &entries, &count, g->err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = scan_entry(g, dir, &entries[i], depth);
	return rc;
}

/* A build without resources is an error, an empty directory is not. */
static int generate_file(struct generator *g)
{
	g->file = fx_node_new_map(g->arena);
	if (!g->file || !set_header(g))
		return fx_fail_nomem(g->err);
	int rc = scan(g, g->in->dir, 0);
	if (rc < 0)
		return rc;
	if (!fx_node_get(g->file, "resources") && !set_text(g, "namespace", "_placeholder"))
		return fx_fail_nomem(g->err);
	return 0;
}

bool fx_ksfile_is_local(const char *component)
{
	static const char *const remote[] = {
	        "git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/"};
	if (*component == '/' || !strncasecmp(component, "file:///", 8))
		return false;
	for (size_t i = 0; i < FX_COUNT(remote); i++)
		if (!strncasecmp(component, remote[i], strlen(remote[i])))
			return false;
	return true;
}

static int merge_components(struct generator *g)
{
	bool ignore_missing = json_is_true(json_object_get(g->in->spec, "ignoreMissingComponents"));
	size_t i;
	json_t *component;
	json_array_foreach (json_object_get(g->in->spec, "components"), i, component) {
		const char *path = json_string_value(component);
		if (!path || !fx_ksfile_is_local(path))
			return fx_fail(g->err, FX_E_INVALID, "component path '%s' must be local and relative",
			        path ? path : "");
		enum fx_fs_type type;
		const char *full = fx_path_join(g->arena, g->in->dir, path);
		if (ignore_missing && full && file_type(g, full, &type) < 0)
			continue;
		if (!append_text(g, list_at(g, "components"), path))
			return fx_fail_nomem(g->err);
	}
	return 0;
}

static struct fx_node *find_image(const struct fx_node *images, const char *name)
{
	for (size_t i = 0; i < images->len; i++)
		if (fx_node_text_is(fx_node_get(images->items[i], "name"), name))
			return images->items[i];
	return NULL;
}

/* Sets or, when the text is empty, removes a field of a map. */
static bool set_or_unset(struct generator *g, struct fx_node *map, const char *key, const char *text)
{
	if (!text || !*text) {
		fx_node_unset(map, key);
		return true;
	}
	struct fx_node *value = fx_node_new_str(g->arena, text);
	return value && fx_node_set(g->arena, map, key, value);
}

static bool merge_image(struct generator *g, struct fx_node *images, const json_t *image)
{
	const char *name = json_string_value(json_object_get(image, "name"));
	const char *new_name = json_string_value(json_object_get(image, "newName"));
	const char *tag = json_string_value(json_object_get(image, "newTag"));
	const char *digest = json_string_value(json_object_get(image, "digest"));
	struct fx_node *to = find_image(images, name ? name : "");
	if (!to) {
		to = fx_node_from_json(g->arena, image);
		return to && fx_node_append(g->arena, images, to);
	}
	if (new_name && *new_name && !set_or_unset(g, to, "newName", new_name))
		return false;
	/* Tag and digest are one choice: naming one clears the other. */
	if ((tag && *tag) || (digest && *digest))
		return set_or_unset(g, to, "newTag", tag) && set_or_unset(g, to, "digest", digest);
	return true;
}

static int merge_images(struct generator *g)
{
	size_t i;
	json_t *image;
	json_array_foreach (json_object_get(g->in->spec, "images"), i, image) {
		struct fx_node *images = list_at(g, "images");
		if (!images || !merge_image(g, images, image))
			return fx_fail_nomem(g->err);
	}
	return 0;
}

static int merge_patches(struct generator *g)
{
	size_t i;
	json_t *patch;
	json_array_foreach (json_object_get(g->in->spec, "patches"), i, patch) {
		struct fx_node *list = list_at(g, "patches");
		struct fx_node *item = fx_node_from_json(g->arena, patch);
		if (!list || !item || !fx_node_append(g->arena, list, item))
			return fx_fail_nomem(g->err);
	}
	return 0;
}

static int merge_texts(struct generator *g)
{
	static const char *const fields[][2] = {
	        {"targetNamespace", "namespace"}, {"namePrefix", "namePrefix"}, {"nameSuffix", "nameSuffix"}};
	for (size_t i = 0; i < FX_COUNT(fields); i++) {
		const char *text = json_string_value(json_object_get(g->in->spec, fields[i][0]));
		if (text && *text && !set_text(g, fields[i][1], text))
			return fx_fail_nomem(g->err);
	}
	return 0;
}

static int merge_build_metadata(struct generator *g)
{
	const json_t *metadata = json_object_get(g->in->spec, "buildMetadata");
	if (json_array_size(metadata) == 0)
		return 0;
	struct fx_node *list = fx_node_from_json(g->arena, metadata);
	return list && fx_node_set(g->arena, g->file, "buildMetadata", list) ? 0 : fx_fail_nomem(g->err);
}

int fx_ksfile_make(const struct fx_ksfile_input *in, struct fx_arena *arena, const char **out_path,
        struct fx_buf *text, struct fx_error *err)
{
	static int (*const merges[])(struct generator *) = {
	        merge_texts, merge_patches, merge_components, merge_images, merge_build_metadata};
	struct generator g = {.in = in, .arena = arena, .err = err};
	const char *path = find_file(&g, in->dir);
	int rc = path ? load_file(&g, path) : generate_file(&g);
	for (size_t i = 0; rc == 0 && i < FX_COUNT(merges); i++)
		rc = merges[i](&g);
	if (rc < 0)
		return rc;
	if (!path)
		path = fx_path_join(arena, in->dir, file_names[0]);
	if (!path)
		return fx_fail_nomem(err);
	rc = fx_yaml_write(g.file, text, err);
	if (rc < 0)
		return rc;
	*out_path = path;
	return fx_buf_failed(text) ? fx_fail_nomem(err) : 0;
}
