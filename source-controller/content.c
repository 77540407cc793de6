#include "source-controller/content.h"
#include "artifact/ignore.h"
#include "artifact/untar.h"
#include "core/arena.h"
#include "core/vec.h"

#include <string.h>

#define MODE_TREE 040000
#define MODE_SUBMODULE 0160000
#define MODE_TYPE 0170000
#define MODE_REGULAR 0100000
/* Names and entries of the directories that are open at one time. */
#define LISTING_BYTES_MAX (512ull * 1024 * 1024)

enum origin { FROM_NOTHING, FROM_GIT, FROM_TREE };

struct entry {
	const char *name;
	bool is_dir, is_exec;
	enum origin origin; /* NOTHING: a directory that only includes made, or a submodule's */
	git_oid oid;
	const struct fx_tree *tree;
	const struct fx_tree_node *node;
};

struct entries {
	FX_VEC(struct entry) list;
};

/* An include: what stands at a path. */
struct mount {
	char *path; /* owned */
	struct fx_tree *tree;
	const struct fx_tree_node *node;
};

struct fx_content {
	struct fx_git_scratch *scratch;
	git_oid root;
	FX_VEC(struct mount) mounts;
};

static void fx_auto_entries(struct entries *e)
{
	fx_vec_release(&e->list);
}

int fx_content_new(
        struct fx_git_scratch *scratch, const git_oid *tree, struct fx_content **out, struct fx_error *err)
{
	struct fx_content *c = calloc(1, sizeof(*c));
	if (!c)
		return fx_fail_nomem(err);
	c->scratch = scratch;
	c->root = *tree;
	*out = c;
	return 0;
}

void fx_content_free(struct fx_content *content)
{
	if (!content)
		return;
	fx_vec_foreach (struct mount, m, &content->mounts) {
		free(m->path);
		fx_tree_unref(m->tree);
	}
	fx_vec_release(&content->mounts);
	free(content);
}

static bool is_plain_name(const char *name, size_t len)
{
	return len > 0 && !memchr(name, '/', len) && !(len == 1 && name[0] == '.') &&
	       !(len == 2 && memcmp(name, "..", 2) == 0);
}

/* One entry of a raw tree: "<octal mode> <name>\0<20 bytes>". Gives what follows. */
static const char *parse_tree_entry(
        const char *p, const char *end, unsigned *mode, const char **name, const char **oid)
{
	*mode = 0;
	while (p < end && *p >= '0' && *p <= '7')
		*mode = *mode << 3 | (unsigned)(*p++ - '0');
	if (p >= end || *p++ != ' ')
		return NULL;
	const char *nul = memchr(p, '\0', (size_t)(end - p));
	if (!nul || end - nul - 1 < GIT_OID_RAWSZ || !is_plain_name(p, (size_t)(nul - p)))
		return NULL;
	*name = p;
	*oid = nul + 1;
	return nul + 1 + GIT_OID_RAWSZ;
}

static int list_git(struct fx_content *c, const git_oid *oid, struct fx_arena *arena, struct entries *out,
        struct fx_error *err)
{
	fx_cleanup(fx_auto_git_object) git_odb_object *object = NULL;
	int rc = fx_git_scratch_read(c->scratch, oid, GIT_OBJECT_TREE, FX_GIT_TREE_MAX, &object, err);
	if (rc != 0)
		return rc;
	const char *p = git_odb_object_data(object), *end = p + git_odb_object_size(object);
	while (p < end) {
		unsigned mode;
		const char *name, *raw;
		p = parse_tree_entry(p, end, &mode, &name, &raw);
		if (!p)
			return fx_fail(err, FX_E_INVALID, "malformed tree in the repository");
		unsigned type = mode & MODE_TYPE;
		if (type != MODE_TREE && type != MODE_REGULAR && type != MODE_SUBMODULE)
			continue; /* a symbolic link */
		struct entry e = {.name = fx_arena_strdup(arena, name),
		        .is_dir = type != MODE_REGULAR,
		        .is_exec = type == MODE_REGULAR && (mode & 0111),
		        .origin = type == MODE_SUBMODULE ? FROM_NOTHING : FROM_GIT};
		git_oid_fromraw(&e.oid, (const unsigned char *)raw);
		if (!e.name || !fx_vec_push(&out->list, e))
			return fx_fail_nomem(err);
	}
	return 0;
}

static struct entry entry_of_node(
        const struct fx_tree *tree, const struct fx_tree_node *node, const char *name)
{
	return (struct entry){.name = name,
	        .is_dir = node->is_dir,
	        .is_exec = node->is_exec,
	        .origin = FROM_TREE,
	        .tree = tree,
	        .node = node};
}

static int list_tree(const struct entry *dir, struct entries *out, struct fx_error *err)
{
	size_t count;
	const struct fx_tree_node *nodes = fx_tree_children(dir->tree, dir->node, &count);
	for (size_t i = 0; i < count; i++) {
		struct entry e = entry_of_node(dir->tree, &nodes[i], nodes[i].name);
		if (!fx_vec_push(&out->list, e))
			return fx_fail_nomem(err);
	}
	return 0;
}

static struct entry *find_entry(struct entries *entries, const char *name, size_t len)
{
	fx_vec_foreach (struct entry, e, &entries->list) {
		if (strncmp(e->name, name, len) == 0 && e->name[len] == '\0')
			return e;
	}
	return NULL;
}

/* Lays what the includes have below path over its entries. */
static int overlay(struct fx_content *c, const char *path, struct fx_arena *arena, struct entries *out,
        struct fx_error *err)
{
	size_t len = strlen(path);
	fx_vec_foreach (struct mount, m, &c->mounts) {
		if (len > 0 && (strncmp(m->path, path, len) != 0 || m->path[len] != '/'))
			continue;
		const char *name = m->path + (len ? len + 1 : 0);
		size_t name_len = strcspn(name, "/");
		bool here = name[name_len] == '\0';
		struct entry *old = find_entry(out, name, name_len);
		if (old && !here)
			continue;
		struct entry e = {.name = fx_arena_strndup(arena, name, name_len), .is_dir = true};
		if (here)
			e = entry_of_node(m->tree, m->node, e.name);
		if (!e.name)
			return fx_fail_nomem(err);
		if (old)
			*old = e;
		else if (!fx_vec_push(&out->list, e))
			return fx_fail_nomem(err);
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* The entries of a directory, sorted by name. Names are in the arena or the trees. */
static int list(struct fx_content *c, const struct entry *dir, const char *path, struct fx_arena *arena,
        struct entries *out, struct fx_error *err)
{
	int rc = 0;
	if (dir->origin == FROM_GIT)
		rc = list_git(c, &dir->oid, arena, out, err);
	else if (dir->origin == FROM_TREE)
		rc = list_tree(dir, out, err);
	if (rc == 0)
		rc = overlay(c, path, arena, out, err);
	if (rc == 0 && out->list.len > 0)
		qsort(out->list.items, out->list.len, sizeof(struct entry), by_name);
	return rc;
}

/* `..` and empty elements go, as when a path is resolved beneath a root. Owned. */
static char *clean(const char *path)
{
	char *out = malloc(strlen(path) + 1);
	size_t len = 0;
	while (out && *path) {
		size_t n = strcspn(path, "/");
		if (n == 2 && memcmp(path, "..", 2) == 0) {
			while (len > 0 && out[--len] != '/')
				;
		} else if (n > 0 && !(n == 1 && *path == '.')) {
			if (len > 0)
				out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	if (out)
		out[len] = '\0';
	return out;
}

/* May an include go to path? An empty directory may be in its place, a file above it may not. */
static int check_place(struct fx_content *c, const char *path, bool is_dir, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(LISTING_BYTES_MAX);
	struct entry at = {.is_dir = true, .origin = FROM_GIT, .oid = c->root};
	fx_autofree char *so_far = calloc(1, strlen(path) + 1);
	if (!arena || !so_far)
		return fx_fail_nomem(err);
	for (size_t from = 0, len;; from += len + 1) {
		fx_cleanup(fx_auto_entries) struct entries entries = {0};
		int rc = list(c, &at, so_far, arena, &entries, err);
		if (rc != 0)
			return rc;
		if (from >= strlen(path))
			return entries.list.len > 0 ? fx_fail(err, FX_E_EXISTS, "'%s' exists", path) : 0;
		len = strcspn(path + from, "/");
		const struct entry *next = find_entry(&entries, path + from, len);
		if (!next)
			return 0;
		memcpy(so_far, path, from + len);
		if (!next->is_dir && (path[from + len] || is_dir))
			return fx_fail(err, FX_E_INVALID, "'%s' is not a directory", so_far);
		if (!next->is_dir)
			return 0; /* a file takes a file's place */
		at = *next;
	}
}

int fx_content_include(struct fx_content *content, struct fx_tree *tree, const char *from_path,
        const char *to_path, struct fx_error *err)
{
	fx_autofree char *from = clean(from_path), *to = clean(to_path);
	if (!from || !to)
		return fx_fail_nomem(err);
	const struct fx_tree_node *node = fx_tree_find(tree, from);
	if (!node)
		return fx_fail(err, FX_E_NOT_FOUND, "no such file or directory");
	if (!*to)
		return fx_fail(err, FX_E_EXISTS, "the root of the source exists");
	int rc = check_place(content, to, node->is_dir, err);
	if (rc != 0)
		return rc;
	struct mount m = {.path = to, .tree = tree, .node = node};
	if (!fx_vec_push(&content->mounts, m))
		return fx_fail_nomem(err);
	fx_tree_ref(tree);
	to = NULL;
	return 0;
}

/* A walk in progress. */
struct walk {
	struct fx_content *content;
	struct fx_targz *targz;       /* NULL: only looks for rules */
	const struct fx_ignore *spec; /* spec.ignore: after all files */
	struct fx_ignore *files;      /* of the directories above, outermost first */
	const struct fx_ignore *defaults;
	bool found_rules;
	size_t entries;         /* seen */
	size_t archived;        /* of them */
	uint64_t archive_bytes; /* of their content */
	char path[FX_TARGZ_PATH_MAX + 1];
	const char *names[FX_CONTENT_DEPTH_MAX];
};

typedef int use_fn(void *arg, const void *data, uint64_t size, struct fx_error *err);

/* Hands the bytes of a file to fn. */
static int with_file(struct walk *w, const struct entry *e, use_fn *fn, void *arg, struct fx_error *err)
{
	if (e->origin == FROM_TREE)
		return fn(arg, e->node->data, e->node->size, err);
	fx_cleanup(fx_auto_git_object) git_odb_object *object = NULL;
	int rc = fx_git_scratch_read(
	        w->content->scratch, &e->oid, GIT_OBJECT_BLOB, FX_GIT_BLOB_MAX, &object, err);
	return rc ? rc : fn(arg, git_odb_object_data(object), git_odb_object_size(object), err);
}

struct rules_arg {
	struct fx_ignore *ignore;
	struct fx_ignore_path scope;
};

static int add_rules(void *arg, const void *data, uint64_t size, struct fx_error *err)
{
	struct rules_arg *a = arg;
	return fx_ignore_add(a->ignore, data, (size_t)size, &a->scope, err);
}

struct file_arg {
	struct walk *walk;
	bool is_exec;
};

static int add_file(void *arg, const void *data, uint64_t size, struct fx_error *err)
{
	struct file_arg *a = arg;
	a->walk->archive_bytes += size;
	if (a->walk->archive_bytes > FX_UNTAR_BYTES_MAX)
		return fx_fail(err, FX_E_LIMIT,
		        "the source has more than %llu bytes: leave files out with spec.ignore",
		        (unsigned long long)FX_UNTAR_BYTES_MAX);
	int rc = fx_targz_add_file(a->walk->targz, a->walk->path, a->is_exec, size, err);
	return rc ? rc : fx_targz_write(a->walk->targz, data, (size_t)size, err);
}

/* The rule that comes last decides: spec.ignore, files from the innermost out, defaults. */
static bool is_ignored(const struct walk *w, size_t depth, bool is_dir)
{
	struct fx_ignore_path path = {w->names, depth};
	const struct fx_ignore *const lists[] = {w->spec, w->files, w->defaults};
	for (size_t i = 0; i < FX_COUNT(lists); i++) {
		enum fx_ignore_result result = fx_ignore_match(lists[i], &path, is_dir);
		if (result != FX_IGNORE_NONE)
			return result == FX_IGNORE_EXCLUDE;
	}
	return false;
}

static int walk_dir(struct walk *w, const struct entry *dir, size_t depth, struct fx_error *err);

/* An entry at w->path: written unless ignored, and descended even then. */
static int walk_entry(struct walk *w, const struct entry *e, size_t depth, struct fx_error *err)
{
	int rc = 0;
	if (w->targz && !is_ignored(w, depth, e->is_dir)) {
		struct file_arg arg = {w, e->is_exec};
		if (++w->archived > FX_UNTAR_ENTRIES_MAX)
			return fx_fail(err, FX_E_LIMIT,
			        "the source has more than %d files and folders: leave some out with "
			        "spec.ignore",
			        FX_UNTAR_ENTRIES_MAX);
		rc = e->is_dir ? fx_targz_add_dir(w->targz, w->path, err)
		               : with_file(w, e, add_file, &arg, err);
	}
	if (rc == 0 && e->is_dir && (w->targz || strcmp(e->name, ".git") != 0))
		rc = walk_dir(w, e, depth, err);
	return rc;
}

static int walk_dir(struct walk *w, const struct entry *dir, size_t depth, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(LISTING_BYTES_MAX);
	fx_cleanup(fx_auto_entries) struct entries entries = {0};
	size_t len = strlen(w->path), rules = fx_ignore_len(w->files);
	if (!arena)
		return fx_fail_nomem(err);
	if (depth >= FX_CONTENT_DEPTH_MAX)
		return fx_fail(err, FX_E_LIMIT, "directories deeper than %d levels", FX_CONTENT_DEPTH_MAX);
	int rc = list(w->content, dir, w->path, arena, &entries, err);
	w->entries += entries.list.len;
	if (w->entries > FX_CONTENT_ENTRIES_MAX)
		return fx_fail(
		        err, FX_E_LIMIT, "the source has more than %d entries", FX_CONTENT_ENTRIES_MAX);
	const struct entry *file = find_entry(&entries, FX_IGNORE_FILE, strlen(FX_IGNORE_FILE));
	if (rc == 0 && file && !file->is_dir) {
		struct rules_arg arg = {w->files, {w->names, depth}};
		rc = with_file(w, file, add_rules, &arg, err);
	}
	if (fx_ignore_len(w->files) > rules)
		w->found_rules = true;
	for (size_t i = 0; rc == 0 && i < entries.list.len && !(w->found_rules && !w->targz); i++) {
		const struct entry *e = &entries.list.items[i];
		if (!w->targz && !e->is_dir)
			continue;
		if (len + strlen(e->name) + 2 > sizeof(w->path))
			return fx_fail(err, FX_E_LIMIT, "a path in the source is longer than %d bytes",
			        FX_TARGZ_PATH_MAX);
		snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "/" : "", e->name);
		w->names[depth] = e->name;
		rc = walk_entry(w, e, depth + 1, err);
	}
	w->path[len] = '\0';
	fx_ignore_truncate(w->files, rules);
	return rc;
}

static int walk_all(struct walk *w, struct fx_error *err)
{
	struct entry root = {.name = "", .is_dir = true, .origin = FROM_GIT, .oid = w->content->root};
	w->path[0] = '\0';
	w->entries = w->archived = 0;
	w->archive_bytes = 0;
	return walk_dir(w, &root, 0, err);
}

int fx_content_archive(
        struct fx_content *content, const char *rules, struct fx_targz *targz, struct fx_error *err)
{
	fx_auto(ignore) struct fx_ignore *spec = fx_ignore_new();
	fx_auto(ignore) struct fx_ignore *files = fx_ignore_new();
	fx_auto(ignore) struct fx_ignore *defaults = fx_ignore_new();
	fx_autofree struct walk *w = calloc(1, sizeof(*w));
	if (!spec || !files || !defaults || !w)
		return fx_fail_nomem(err);
	*w = (struct walk){.content = content, .spec = spec, .files = files, .defaults = defaults};
	int rc = rules ? fx_ignore_add(spec, rules, strlen(rules), NULL, err) : 0;
	/* One rule anywhere replaces most of the defaults, so they must be known before. */
	if (rc == 0 && fx_ignore_len(spec) == 0)
		rc = walk_all(w, err);
	if (rc == 0)
		rc = fx_ignore_add_defaults(defaults, !w->found_rules && fx_ignore_len(spec) == 0, NULL, err);
	if (rc == 0)
		rc = fx_targz_add_dir(targz, ".", err);
	w->targz = targz;
	w->found_rules = false;
	return rc ? rc : walk_all(w, err);
}
