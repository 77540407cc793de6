#include "source.h"

#include "kube/object.h"

#include <string.h>

const struct fx_ks_source_kind fx_ks_source_kinds[FX_KS_SOURCES] = {{"GitRepository", "gitrepositories"},
        {"OCIRepository", "ocirepositories"}, {"Bucket", "buckets"},
        {"ExternalArtifact", "externalartifacts"}};

static int source_index(const char *kind)
{
	for (int i = 0; i < FX_KS_SOURCES; i++)
		if (!strcmp(fx_ks_source_kinds[i].kind, kind))
			return i;
	return -1;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static const char *source_namespace(const struct fx_ks_run *run)
{
	const char *ns = fx_json_str_at(run->spec, "sourceRef", "namespace");
	return ns && *ns ? ns : run->reconcile->namespace_;
}

void fx_ks_artifact_release(struct fx_ks_artifact *artifact)
{
	free(artifact->url);
	free(artifact->digest);
	free(artifact->revision);
	free(artifact->origin_revision);
	*artifact = (struct fx_ks_artifact){0};
}

static int read_source(struct fx_ks_run *run, int index, const char *ns, const char *name, json_t **out,
        struct fx_error *err)
{
	struct fx_reflector *image = run->ks->sources[index];
	if (image && !fx_ks_gate(run->ks, FX_KS_GATE_DIRECT_SOURCE_FETCH) && fx_reflector_is_synced(image))
		return fx_reflector_get_json(image, ns, name, out, err);
	struct fx_kube_path path = {.group = "source.toolkit.fluxcd.io",
	        .version = "v1",
	        .resource = fx_ks_source_kinds[index].resource,
	        .namespace_ = ns,
	        .name = name};
	return fx_kube_get(run->ks->manager->kube, &path, run->reconcile->cancel, out, err);
}

static bool copy_artifact(const json_t *artifact, struct fx_ks_artifact *out)
{
	fx_ks_state_set_text(&out->url, or_empty(fx_json_str_at(artifact, "url")));
	fx_ks_state_set_text(&out->digest, or_empty(fx_json_str_at(artifact, "digest")));
	fx_ks_state_set_text(&out->revision, or_empty(fx_json_str_at(artifact, "revision")));
	fx_ks_state_set_text(&out->origin_revision,
	        or_empty(fx_json_str_at(artifact, "metadata", "org.opencontainers.image.revision")));
	return out->url && out->digest && out->revision && out->origin_revision;
}

enum fx_ks_source_result fx_ks_source_find(struct fx_ks_run *run, struct fx_error *err)
{
	const char *kind = or_empty(fx_json_str_at(run->spec, "sourceRef", "kind"));
	const char *name = or_empty(fx_json_str_at(run->spec, "sourceRef", "name"));
	const char *ns = source_namespace(run);
	int index = source_index(kind);
	if (run->ks->flags->no_cross_namespace_refs && strcmp(ns, run->reconcile->namespace_) != 0) {
		fx_fail(err, FX_E_FORBIDDEN,
		        "can't access '%s/%s/%s', cross-namespace references have been blocked", kind, ns,
		        name);
		return FX_KS_SOURCE_DENIED;
	}
	if (!strcmp(kind, "ExternalArtifact") && !fx_ks_gate(run->ks, FX_KS_GATE_EXTERNAL_ARTIFACT)) {
		fx_fail(err, FX_E_FORBIDDEN,
		        "can't access '%s/%s/%s', ExternalArtifact feature gate is disabled", kind, ns, name);
		return FX_KS_SOURCE_DENIED;
	}
	if (index < 0) {
		fx_fail(err, FX_E_UNSUPPORTED, "source `%s` kind '%s' not supported", name, kind);
		return FX_KS_SOURCE_FAILED;
	}
	fx_auto(json) json_t *source = NULL;
	int rc = read_source(run, index, ns, name, &source, err);
	if (rc == -FX_E_NOT_FOUND) {
		/* What a cache of Flux says, and what the API server says. */
		bool direct = fx_ks_gate(run->ks, FX_KS_GATE_DIRECT_SOURCE_FETCH);
		fx_fail(err, FX_E_NOT_FOUND, "%s.source.toolkit.fluxcd.io \"%s\" not found",
		        direct ? fx_ks_source_kinds[index].resource : kind, name);
		return FX_KS_SOURCE_NOT_FOUND;
	}
	if (rc < 0) {
		fx_error_wrap(err, "unable to get source '%s/%s'", ns, name);
		return FX_KS_SOURCE_FAILED;
	}
	const json_t *artifact = fx_json_at(source, "status", "artifact");
	if (!json_is_object(artifact))
		return FX_KS_SOURCE_NO_ARTIFACT;
	if (copy_artifact(artifact, &run->artifact))
		return FX_KS_SOURCE_OK;
	fx_fail_nomem(err);
	return FX_KS_SOURCE_FAILED;
}

int fx_ks_source_tree(struct fx_ks_run *run, struct fx_tree **out, struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf source = FX_BUF_INIT;
	fx_buf_addf(&source, "%s/%s/%s", or_empty(fx_json_str_at(run->spec, "sourceRef", "kind")),
	        source_namespace(run), or_empty(fx_json_str_at(run->spec, "sourceRef", "name")));
	struct fx_fetcher *fetcher =
	        strstr(run->artifact.url, "//source-watcher") ? run->ks->watcher_fetcher : run->ks->fetcher;
	return fx_fetch(fetcher, fx_buf_str(&source), run->artifact.url, run->artifact.digest,
	        run->reconcile->cancel, out, err);
}

static const struct fx_tree_node *find(const struct fx_fs *fs, const char *path)
{
	const struct fx_ks_tree_fs *t = (const struct fx_ks_tree_fs *)fs;
	return *path == '/' ? fx_tree_find(t->tree, path + 1) : NULL;
}

static int tree_resolve(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **out,
        enum fx_fs_type *type, struct fx_error *err)
{
	const struct fx_tree_node *node = find(fs, path);
	if (!node)
		return fx_fail(err, FX_E_NOT_FOUND, "%s: no such file or directory", path);
	*out = fx_arena_strdup(arena, path);
	*type = node->is_dir ? FX_FS_DIR : FX_FS_FILE;
	return *out ? 0 : fx_fail_nomem(err);
}

static int tree_read(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **data,
        size_t *len, struct fx_error *err)
{
	const struct fx_tree_node *node = find(fs, path);
	(void)arena;
	if (!node)
		return fx_fail(err, FX_E_NOT_FOUND, "open %s: no such file or directory", path);
	if (node->is_dir)
		return fx_fail(err, FX_E_INVALID, "read %s: is a directory", path);
	if (node->size > FX_FS_MAX_FILE)
		return fx_fail(err, FX_E_LIMIT, "%s is larger than %u bytes", path, FX_FS_MAX_FILE);
	*data = node->data;
	*len = (size_t)node->size;
	return 0;
}

static int tree_list(void *arg, const char *dir, struct fx_arena *arena, struct fx_ksfile_entry **out,
        size_t *count, struct fx_error *err)
{
	const struct fx_ks_tree_fs *t = arg;
	const struct fx_tree_node *node = find(&t->fs, dir);
	if (!node || !node->is_dir)
		return fx_fail(err, FX_E_NOT_FOUND, "open %s: no such directory", dir);
	size_t n;
	const struct fx_tree_node *children = fx_tree_children(t->tree, node, &n);
	struct fx_ksfile_entry *entries = fx_arena_alloc(arena, (n + 1) * sizeof(*entries));
	if (!entries)
		return fx_fail_nomem(err);
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct fx_ksfile_entry){children[i].name, children[i].is_dir};
	*out = entries;
	*count = n;
	return 0;
}

static const struct fx_fs_ops tree_ops = {.resolve = tree_resolve, .read = tree_read};

void fx_ks_tree_fs_init(struct fx_ks_tree_fs *fs, const struct fx_tree *tree)
{
	*fs = (struct fx_ks_tree_fs){.fs = {.ops = &tree_ops}, .tree = tree};
	fs->view = (struct fx_tree_view){.fs = &fs->fs, .list = tree_list, .list_arg = fs};
}
