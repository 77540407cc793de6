#include "builder.h"
#include "envsubst.h"
#include "manifest.h"

#include "data/digest.h"
#include "data/json.h"
#include "data/yaml.h"

#include <string.h>

struct builder {
	const struct fx_build_input *in;
	struct fx_arena *arena;
	struct fx_error *err;
};

void fx_build_output_release(struct fx_build_output *out)
{
	json_decref(out->objects);
	free(out->trace);
	*out = (struct fx_build_output)FX_BUILD_OUTPUT_INIT;
}

/* "Deployment.v1.apps/name", as kustomize prints an id: errors name resources so. */
static const char *display(struct builder *b, const struct fx_node *resource)
{
	const char *api = fx_node_get_text(resource, "apiVersion"),
	           *kind = fx_node_get_text(resource, "kind");
	const struct fx_node *name = fx_node_at(resource, "metadata", "name", NULL);
	const char *slash = api ? strrchr(api, '/') : NULL;
	int group_len = slash ? (int)(slash - api) : 0;
	const char *text = fx_arena_printf(b->arena, "%s.%s.%.*s/%s", kind ? kind : "",
	        slash ? slash + 1
	        : api ? api
	              : "",
	        group_len ? group_len : 9, group_len ? api : "[noGrp]",
	        fx_node_is_scalar(name) ? name->text : "");
	return text ? text : "";
}

static bool is_text(const struct fx_node *node)
{
	return fx_node_is_scalar(node) && !fx_node_is_null(node) && node->len > 0;
}

static int check_identity(struct builder *b, const struct fx_node *resource)
{
	if (is_text(fx_node_get(resource, "apiVersion")) && is_text(fx_node_get(resource, "kind")) &&
	        is_text(fx_node_at(resource, "metadata", "name", NULL)))
		return 0;
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	if (fx_yaml_write(resource, &text, b->err) < 0)
		return -(int)b->err->code;
	/* Data of a Secret must not reach a message. */
	bool secret = fx_node_text_is(fx_node_get(resource, "kind"), "Secret");
	return fx_fail(b->err, FX_E_INVALID, "failed to decode Kubernetes apiVersion, kind and name from: %s",
	        secret ? "a Secret" : fx_buf_str(&text));
}

static bool substitution_is_disabled(const struct fx_node *resource)
{
	static const char *const maps[] = {"labels", "annotations"};
	for (size_t i = 0; i < FX_COUNT(maps); i++)
		if (fx_node_text_is(
		            fx_node_at(resource, "metadata", maps[i], FX_MARK_SUBSTITUTE, NULL), "disabled"))
			return true;
	return false;
}

static int substitute(struct builder *b, struct fx_node **resource)
{
	/* YAML 1.1: an unquoted `yes` is a boolean. */
	static const struct fx_yaml_read options = {.dialect = FX_YAML_V2, .values = true};
	fx_cleanup(fx_auto_buf) struct fx_buf before = FX_BUF_INIT;
	fx_cleanup(fx_auto_buf) struct fx_buf after = FX_BUF_INIT_MAX(FX_ENVSUBST_OUT_MAX);
	int rc = fx_yaml_write(*resource, &before, b->err);
	if (rc < 0)
		return rc;
	if (!memchr(fx_buf_str(&before), '$', before.len))
		return 0;
	rc = fx_envsubst(
	        fx_buf_str(&before), before.len, fx_vars_lookup, b->in->vars, b->in->strict, &after, b->err);
	if (rc == 0)
		rc = fx_yaml_read(b->arena, fx_buf_str(&after), after.len, &options, resource, b->err);
	if (rc < 0)
		fx_error_wrap(b->err, "envsubst error: variable substitution failed");
	else if (!fx_node_is_map(*resource))
		rc = fx_fail(b->err, FX_E_INVALID, "envsubst error: the result is not an object");
	return rc;
}

static bool wants_substitution(const struct builder *b)
{
	const json_t *post_build = json_object_get(b->in->spec, "postBuild");
	const char *strategy = json_string_value(json_object_get(post_build, "substituteStrategy"));
	if (!b->in->vars)
		return false;
	return b->in->vars->values.len > 0 || (strategy && !strcmp(strategy, "Always"));
}

static int finish_resources(struct builder *b, struct fx_node *resources)
{
	bool with_vars = wants_substitution(b);
	for (size_t i = 0; i < resources->len; i++) {
		int rc = check_identity(b, resources->items[i]);
		if (rc < 0)
			return rc;
		if (!with_vars || substitution_is_disabled(resources->items[i]))
			continue;
		rc = substitute(b, &resources->items[i]);
		if (rc < 0) {
			fx_error_wrap(b->err, "post build failed for '%s'", display(b, resources->items[i]));
			return rc;
		}
	}
	return 0;
}

static int digest_of(struct builder *b, const struct fx_node *resources, char out[FX_BUILDER_DIGEST_SIZE])
{
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	struct fx_digest sum;
	int rc = fx_kustomize_print(resources, &text, b->err);
	if (rc < 0)
		return rc;
	if (fx_buf_failed(&text))
		return fx_fail_nomem(b->err);
	rc = fx_digest_bytes(FX_DIGEST_SHA256, fx_buf_str(&text), text.len, &sum, b->err);
	if (rc == 0)
		snprintf(out, FX_BUILDER_DIGEST_SIZE, "sha256:%.64s", fx_digest_hex(&sum));
	return rc;
}

/* Lists are flattened; what is no Kubernetes object, and kustomizations, are left out. */
static int add_object(struct builder *b, json_t *objects, json_t *object)
{
	struct fx_ref ref = fx_manifest_ref(object);
	size_t kind_len = strlen(ref.kind), i;
	json_t *items = json_object_get(object, "items"), *item;
	if (kind_len > 4 && !strcmp(ref.kind + kind_len - 4, "List") && json_is_array(items)) {
		json_array_foreach (items, i, item) {
			int rc = add_object(b, objects, item);
			if (rc < 0)
				return rc;
		}
		return 0;
	}
	if (!*ref.version || !*ref.kind || !*ref.name ||
	        fx_ref_is(&ref, "kustomize.config.k8s.io", "Kustomization"))
		return 0;
	return json_array_append(objects, object) == 0 ? 0 : fx_fail_nomem(b->err);
}

static int decode(struct builder *b, const struct fx_node *resources, json_t **out)
{
	fx_auto(json) json_t *objects = json_array();
	if (!objects)
		return fx_fail_nomem(b->err);
	for (size_t i = 0; i < resources->len; i++) {
		fx_auto(json) json_t *object = fx_node_to_json(resources->items[i], b->err);
		if (!object)
			return b->err->code ? -(int)b->err->code : fx_fail_nomem(b->err);
		int rc = add_object(b, objects, object);
		if (rc < 0)
			return rc;
	}
	*out = fx_take(objects);
	return 0;
}

static int run_kustomize(struct builder *b, struct fx_trace_fs *fs, struct fx_node **out)
{
	fx_cleanup(fx_auto_buf) struct fx_buf file = FX_BUF_INIT;
	struct fx_ksfile_input generate = {
	        .fs = &fs->fs, .dir = b->in->dir, .spec = b->in->spec, .list = fx_trace_list, .list_arg = fs};
	const char *path;
	int rc = fx_ksfile_make(&generate, b->arena, &path, &file, b->err);
	if (rc < 0)
		return rc;
	char *data = fx_arena_strndup(b->arena, fx_buf_str(&file), file.len);
	if (!data)
		return fx_fail_nomem(b->err);
	fx_trace_fs_overlay(fs, path, data, file.len);
	struct fx_build_options options = fx_build_options_flux();
	options.remote = b->in->remote;
	rc = fx_kustomize_build(&fs->fs, b->in->dir, &options, b->arena, out, b->err);
	if (rc < 0)
		fx_error_wrap(b->err, "kustomize build failed");
	return rc;
}

int fx_builder_build(const struct fx_build_input *in, struct fx_build_output *out, struct fx_error *err)
{
	fx_auto(error) struct fx_error local = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(FX_BUILDER_MEMORY_MAX);
	fx_cleanup(fx_auto_trace_fs) struct fx_trace_fs fs;
	fx_cleanup(fx_auto_build_output) struct fx_build_output built = FX_BUILD_OUTPUT_INIT;
	struct builder b = {.in = in, .arena = arena, .err = err ? err : &local};
	struct fx_node *resources = NULL;
	fx_trace_fs_init(&fs, in->tree);
	if (!arena)
		return fx_fail_nomem(err);
	int rc = run_kustomize(&b, &fs, &resources);
	if (rc == 0)
		rc = finish_resources(&b, resources);
	if (rc == 0)
		rc = digest_of(&b, resources, built.digest);
	if (rc == 0)
		rc = decode(&b, resources, &built.objects);
	if (rc < 0)
		return rc;
	if (!in->remote)
		built.trace = fx_trace_take(&fs, &built.trace_len);
	*out = built;
	/* Moved out: the scope has nothing left to release.
	 * NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores) */
	built = (struct fx_build_output)FX_BUILD_OUTPUT_INIT;
	return 0;
}
