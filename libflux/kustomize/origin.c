#include "kustomize/engine.h"

#include <string.h>

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

/* path of a file as seen from where the build started, or from the top of its repository. */
static const char *display_path(struct fx_build *b, const struct fx_root *root, const char *path)
{
	if (fx_is_remote_file(path))
		return path;
	char *full = fx_path_join(b->arena, root->dir, path);
	char *out = full ? fx_path_relative(b->arena, root->clone ? root->clone : b->root->dir, full) : NULL;
	if (!out)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	return out;
}

static const char *line(struct fx_build *b, const char *indent, const char *key, const char *value)
{
	return *value ? fx_fmt(b, "%s%s: %s\n", indent, key, value) : "";
}

static const char *repo_lines(struct fx_build *b, const struct fx_root *root, const char *indent)
{
	if (!root->repo)
		return "";
	return fx_fmt(b, "%s%s", line(b, indent, "repo", root->repo),
	        line(b, indent, "ref", root->ref ? root->ref : ""));
}

static const char *configured_text(struct fx_build *b, const struct fx_root *root, const char *file,
        const struct fx_node *by, const char *indent)
{
	const struct fx_node *meta = fx_node_get(by, "metadata");
	const char *inner = fx_fmt(b, "%s  ", indent);
	return fx_fmt(b, "%s%s%sconfiguredBy:\n%s%s%s%s", repo_lines(b, root, indent),
	        line(b, indent, "configuredIn", display_path(b, root, file)), indent,
	        line(b, inner, "apiVersion", text_at(by, "apiVersion")),
	        line(b, inner, "kind", text_at(by, "kind")), line(b, inner, "name", text_at(meta, "name")),
	        line(b, inner, "namespace", text_at(meta, "namespace")));
}

void fx_origin_of_file(struct fx_build *b, struct fx_resmap *m, const struct fx_root *root, const char *path)
{
	if (!b->track)
		return;
	const char *text =
	        fx_fmt(b, "%s%s", line(b, "", "path", display_path(b, root, path)), repo_lines(b, root, ""));
	for (size_t i = 0; i < m->len; i++)
		fx_res_put_annotation(b, m->items[i], FX_ANNO_ORIGIN, text);
}

void fx_origin_of_generator(struct fx_build *b, struct fx_resmap *m, const struct fx_root *root,
        const char *file, const struct fx_node *by)
{
	if (!b->track)
		return;
	const char *text = configured_text(b, root, file, by, "");
	for (size_t i = 0; i < m->len; i++)
		fx_res_put_annotation(b, m->items[i], FX_ANNO_ORIGIN, text);
}

void fx_origin_of_transformer(struct fx_build *b, struct fx_resmap *m, const struct fx_root *root,
        const char *file, const struct fx_node *by)
{
	if (!b->track)
		return;
	const char *origin = configured_text(b, root, file, by, "");
	const char *text = configured_text(b, root, file, by, "  ");
	for (size_t i = 0; i < m->len; i++) {
		struct fx_res *r = m->items[i];
		if (fx_node_is_nil_or_empty(r->node))
			continue;
		/* What a transformer brought into being has its origin there. */
		if (!fx_res_annotation(r, FX_ANNO_ORIGIN)) {
			fx_res_put_annotation(b, r, FX_ANNO_ORIGIN, origin);
			continue;
		}
		const char *old = fx_res_annotation(r, FX_ANNO_TRANSFORMATIONS);
		fx_res_put_annotation(
		        b, r, FX_ANNO_TRANSFORMATIONS, fx_fmt(b, "%s- %s", old ? old : "", text + 2));
	}
}
