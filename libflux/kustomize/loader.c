#include "kustomize/engine.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct resolved {
	const char *path;
	enum fx_fs_type type;
};

/* Follows links; throws upstream's text for what is not there. */
static struct resolved resolve(struct fx_build *b, const struct fx_fs *fs, const char *path)
{
	struct resolved r = {0};
	struct fx_error err = FX_ERROR_INIT;
	if (fs->ops->resolve(fs, path, b->arena, &r.path, &r.type, &err) < 0) {
		if (err.code != FX_E_NOMEM)
			fx_error_wrap(&err, "evalsymlink failure on '%s' ", path);
		fx_throw_error(b, &err);
	}
	return r;
}

static const char *join(struct fx_build *b, const char *dir, const char *path)
{
	char *p = fx_path_join(b->arena, dir, path);
	if (!p)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	return p;
}

bool fx_is_remote_file(const char *path)
{
	return strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0;
}

static struct fx_root *make_root(struct fx_build *b, const struct fx_fs *fs, const char *path)
{
	struct resolved r = {0};
	struct fx_error err = FX_ERROR_INIT;
	if (fs->ops->resolve(fs, path, b->arena, &r.path, &r.type, &err) < 0) {
		if (err.code != FX_E_NOMEM)
			fx_error_wrap(&err,
			        "must build at directory: not a valid directory: evalsymlink failure on "
			        "'%s' ",
			        path);
		fx_throw_error(b, &err);
	}
	if (r.type != FX_FS_DIR)
		fx_throw(b, "must build at directory: '%s': file is not directory", path);
	struct fx_root *root = fx_new(b, sizeof(*root));
	root->fs = fs;
	root->dir = r.path;
	return root;
}

struct fx_root *fx_root_first(struct fx_build *b, const struct fx_fs *fs, const char *path)
{
	if (!*path)
		fx_throw(b, "directory path cannot be empty");
	struct fx_root *root = make_root(b, fs, join(b, "/", path));
	root->root_only = b->opts->load_restrictor == FX_LOAD_ROOT_ONLY;
	return root;
}

/* ---- Git URLs (repospec.go) ---- */

struct repo {
	const char *url, *ref, *path;
	bool submodules;
	int timeout_ms;
};

static bool starts_with(const char *s, const char *prefix)
{
	return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

static void read_query(struct fx_build *b, const char *query, struct repo *r)
{
	const char *version = NULL;
	struct fx_texts parts = fx_texts_split(b, query, '&');
	for (size_t i = 0; i < parts.len; i++) {
		const char *p = parts.items[i];
		if (strncmp(p, "ref=", 4) == 0)
			r->ref = p + 4;
		else if (strncmp(p, "version=", 8) == 0)
			version = p + 8;
		else if (strcmp(p, "submodules=false") == 0 || strcmp(p, "submodules=0") == 0)
			r->submodules = false;
		else if (strncmp(p, "timeout=", 8) == 0 && atoi(p + 8) > 0)
			r->timeout_ms = atoi(p + 8) * 1000;
	}
	if (!r->ref || !*r->ref)
		r->ref = version;
}

/* Where the repository ends in host/owner/repo/sub/path: offset into path, 0: not a repository. */
static size_t repo_end(const char *path, bool file)
{
	const char *s = strstr(path, "_git/");
	if (s) {
		s += 5;
		s += strcspn(s, "/");
		return (size_t)(s - path);
	}
	if ((s = strstr(path, "//")))
		return (size_t)(s - path);
	if ((s = strstr(path, ".git")))
		return (size_t)(s - path) + 4;
	if (file)
		return strlen(path);
	s = strchr(path, '/');
	if (!s || !s[1])
		return 0;
	return (size_t)(s + 1 - path) + strcspn(s + 1, "/");
}

static bool parse_repo(struct fx_build *b, const char *text, struct repo *r)
{
	*r = (struct repo){.submodules = true, .timeout_ms = 27000};
	if (text[0] == '/')
		return false;
	const char *query = strchr(text, '?');
	char *s = query ? fx_strn(b, text, (size_t)(query - text)) : fx_str(b, text);
	if (query)
		read_query(b, query + 1, r);
	if (starts_with(s, "git::"))
		s += 5;
	const char *start = s;
	static const char *const schemes[] = {"ssh://", "https://", "http://", "file://"};
	const char *scheme = "";
	for (size_t i = 0; i < FX_COUNT(schemes); i++)
		if (starts_with(s, schemes[i]))
			scheme = schemes[i];
	s += strlen(scheme);
	bool file = strcmp(scheme, "file://") == 0;
	size_t user = 0;
	if (isalpha((unsigned char)s[0])) {
		while (isalnum((unsigned char)s[user]) || s[user] == '-')
			user++;
		user = s[user] == '@' ? user + 1 : 0;
	}
	const char *host = s + user;
	bool github = starts_with(host, "github.com/") || starts_with(host, "github.com:");
	if (!*scheme && !user && !github)
		return false;
	const char *path = host;
	if (!file) {
		size_t slash = strcspn(host, "/"), colon = strcspn(host, ":");
		bool scp = !*scheme && host[colon] == ':' && colon < slash;
		path = host + (scp || (github && host[colon] == ':') ? colon : slash);
		if (!*path)
			return false;
		path++;
	}
	size_t end = repo_end(path, file);
	if (end == 0)
		return false;
	const char *sub = path + end;
	while (*sub == '/')
		sub++;
	r->path = fx_path_clean(b->arena, *sub ? sub : ".");
	if (!r->path || strncmp(r->path, "..", 2) == 0)
		return false;
	if (github && !user && strcmp(scheme, "ssh://") != 0)
		r->url = fx_fmt(b, "https://github.com/%.*s", (int)end, path);
	else
		r->url = fx_strn(b, start, (size_t)(path + end - start));
	return true;
}

static struct fx_root *clone(
        struct fx_build *b, const struct fx_root *from, const char *path, const struct repo *r)
{
	for (const struct fx_root *p = from; p; p = p->referrer)
		if (p->repo && strncmp(p->repo, path, strlen(path)) == 0)
			fx_throw(
			        b, "cycle detected: URI '%s' referenced by previous URI '%s'", path, p->repo);
	if (!b->opts->remote || !b->opts->remote->clone)
		fx_throw_code(b, FX_E_UNSUPPORTED,
		        "no 'git' program on path: remote bases are disabled; cannot fetch '%s'", r->url);
	const struct fx_fs *fs = NULL;
	const char *top = NULL;
	struct fx_error err = FX_ERROR_INIT;
	const struct fx_remote *remote = b->opts->remote;
	if (remote->clone(
	            remote->ctx, r->url, r->ref, r->submodules, r->timeout_ms, b->arena, &fs, &top, &err) < 0)
		fx_throw_error(b, &err);
	struct fx_root *checkout = make_root(b, fs, top);
	struct resolved dir = resolve(b, fs, join(b, checkout->dir, r->path));
	if (dir.type != FX_FS_DIR)
		fx_throw(
		        b, "'%s' refers to file '%s'; expecting directory", dir.path, fx_path_base(dir.path));
	if (!fx_path_is_below(dir.path, checkout->dir))
		fx_throw(b, "%s refers to directory outside of repo %s", fx_quote(b, dir.path),
		        fx_quote(b, checkout->dir));
	struct fx_root *root = fx_new(b, sizeof(*root));
	*root = (struct fx_root){.fs = fs,
	        .dir = dir.path,
	        .clone = checkout->dir,
	        .repo = path,
	        .ref = r->ref,
	        .root_only = true};
	return root;
}

struct fx_root *fx_root_next(struct fx_build *b, const struct fx_root *from, const char *path)
{
	struct repo repo;
	struct fx_root *root;
	if (!*path)
		fx_throw(b, "new root cannot be empty");
	if (parse_repo(b, path, &repo)) {
		root = clone(b, from, path, &repo);
	} else {
		if (path[0] == '/')
			fx_throw(b, "new root '%s' cannot be absolute", path);
		root = make_root(b, from->fs, join(b, from->dir, path));
		root->clone = from->clone;
		root->repo = from->repo;
		root->ref = from->ref;
		root->root_only = from->root_only;
		if (from->clone && !fx_path_is_below(root->dir, from->clone))
			fx_throw(b,
			        "security; bases in kustomizations found in cloned git repos must be within "
			        "the repo, but base '%s' is "
			        "outside '%s'",
			        root->dir, from->clone);
		for (const struct fx_root *p = from; p && p->fs == root->fs; p = p->referrer)
			if (fx_path_is_below(p->dir, root->dir))
				fx_throw(b, "cycle detected: candidate root '%s' contains visited root '%s'",
				        root->dir, p->dir);
	}
	root->referrer = from;
	root->depth = from->depth + 1;
	if (root->depth > FX_KUSTOMIZE_MAX_DEPTH)
		fx_throw_code(
		        b, FX_E_LIMIT, "kustomizations are nested deeper than %d", FX_KUSTOMIZE_MAX_DEPTH);
	return root;
}

/* ---- files ---- */

static const char *get_remote(struct fx_build *b, const char *url, size_t *len)
{
	const struct fx_remote *remote = b->opts->remote;
	if (!remote || !remote->get)
		fx_throw_code(b, FX_E_UNSUPPORTED, "Get \"%s\": remote files are disabled", url);
	const char *data;
	struct fx_error err = FX_ERROR_INIT;
	if (remote->get(remote->ctx, url, b->arena, &data, len, &err) < 0)
		fx_throw_error(b, &err);
	return data;
}

const char *fx_root_load(struct fx_build *b, const struct fx_root *root, const char *path, size_t *len)
{
	if (fx_is_remote_file(path))
		return get_remote(b, path, len);
	const char *full = join(b, root->dir, path);
	if (root->root_only) {
		struct resolved r = resolve(b, root->fs, full);
		if (r.type == FX_FS_DIR)
			fx_throw(b, "'%s' must resolve to a file", full);
		char *dir = fx_path_dir(b->arena, r.path);
		if (!dir || !fx_path_is_below(dir, root->dir))
			fx_throw(b, "security; file '%s' is not in or below '%s'", full, root->dir);
		full = r.path;
	}
	const char *data;
	struct fx_error err = FX_ERROR_INIT;
	if (root->fs->ops->read(root->fs, full, b->arena, &data, len, &err) < 0)
		fx_throw_error(b, &err);
	return data;
}
