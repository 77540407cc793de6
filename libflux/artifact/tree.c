#include "artifact/tree.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/map.h"
#include "core/vec.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define SPOOL_BYTES (64 * 1024)
/* Paths and nodes of one tree: what the most entries of an archive can need. */
#define INDEX_BYTES_MAX (1024ull * 1024 * 1024)

struct fx_tree {
	atomic_size_t refs;
	struct fx_arena *arena;     /* paths */
	struct fx_tree_node *nodes; /* breadth first: the entries of a directory lie side by side */
	size_t node_count;
	char *map;
	size_t map_len;
	uint64_t size;
};

/* A node while the archive is read; offset: of its bytes in the spool. */
struct draft {
	struct fx_tree_node node;
	size_t parent_len; /* of the path's directory part */
	uint64_t offset;
};

struct fx_tree_builder {
	struct fx_untar *untar;
	struct fx_arena *arena;
	FX_VEC(struct draft) drafts;
	struct fx_map by_path; /* index into drafts, plus one */
	struct draft *file;    /* under way; points into drafts */
	int spool;
	uint64_t spool_len;
	char *pending; /* not written yet */
	size_t pending_len;
	uint64_t size;
};

static int spool_open(struct fx_error *err)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("artifact", MFD_CLOEXEC);
	return fd < 0 ? fx_fail_errno(err, "cannot create a temporary file") : fd;
}

static int spool_flush(struct fx_tree_builder *b, struct fx_error *err)
{
	for (size_t at = 0; at < b->pending_len;) {
		ssize_t n = write(b->spool, b->pending + at, b->pending_len - at);
		if (n < 0)
			return fx_fail_errno(err, "cannot write unpacked artifact");
		at += (size_t)n;
	}
	b->pending_len = 0;
	return 0;
}

static int spool_add(struct fx_tree_builder *b, const char *data, size_t len, struct fx_error *err)
{
	while (len > 0) {
		if (b->pending_len == SPOOL_BYTES) {
			int rc = spool_flush(b, err);
			if (rc != 0)
				return rc;
		}
		size_t n = SPOOL_BYTES - b->pending_len < len ? SPOOL_BYTES - b->pending_len : len;
		memcpy(b->pending + b->pending_len, data, n);
		b->pending_len += n;
		b->spool_len += n;
		data += n;
		len -= n;
	}
	return 0;
}

/* The draft of a path, made as a directory when it is new; NULL without memory. */
static struct draft *draft_get(struct fx_tree_builder *b, const char *path, size_t len)
{
	char *copy = fx_arena_strndup(b->arena, path, len);
	if (!copy)
		return NULL;
	size_t index = (size_t)fx_map_get(&b->by_path, copy);
	if (index > 0)
		return &b->drafts.items[index - 1];
	const char *slash = strrchr(copy, '/');
	struct draft d = {.node = {.path = copy, .name = slash ? slash + 1 : copy, .is_dir = true},
	        .parent_len = slash ? (size_t)(slash - copy) : 0};
	if (!fx_vec_push(&b->drafts, d) || !fx_map_set(&b->by_path, copy, (void *)b->drafts.len))
		return NULL;
	return &b->drafts.items[b->drafts.len - 1];
}

/* The directories above a path; one that is a file is an error. */
static int parents_add(struct fx_tree_builder *b, const char *path, struct fx_error *err)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct draft *d = draft_get(b, path, (size_t)(slash - path));
		if (!d)
			return fx_fail_nomem(err);
		if (!d->node.is_dir)
			return fx_fail(err, FX_E_INVALID, "tar entry %s lies below a file", path);
	}
	return 0;
}

static int file_end(struct fx_tree_builder *b, struct fx_error *err)
{
	if (!b->file)
		return 0;
	b->file = NULL;
	return spool_add(b, "", 1, err);
}

static int on_entry(void *arg, const struct fx_untar_entry *entry, struct fx_error *err)
{
	struct fx_tree_builder *b = arg;
	int rc = file_end(b, err);
	if (rc == 0)
		rc = parents_add(b, entry->path, err);
	if (rc != 0)
		return rc;
	size_t before = b->drafts.len;
	struct draft *d = draft_get(b, entry->path, strlen(entry->path));
	if (!d)
		return fx_fail_nomem(err);
	bool is_new = b->drafts.len > before;
	if (!is_new && d->node.is_dir != entry->is_dir)
		return fx_fail(err, FX_E_INVALID, "tar entry %s is a file and a directory", entry->path);
	if (entry->is_dir)
		return 0;
	d->node.is_dir = false;
	d->node.is_exec = (entry->mode & 0111) != 0;
	b->size += entry->size - d->node.size;
	d->node.size = entry->size;
	d->offset = b->spool_len;
	b->file = d;
	return 0;
}

static int on_data(void *arg, const void *data, size_t len, struct fx_error *err)
{
	return spool_add(arg, data, len, err);
}

int fx_tree_builder_new(
        const struct fx_untar_options *options, struct fx_tree_builder **out, struct fx_error *err)
{
	fx_auto(tree_builder) struct fx_tree_builder *b = calloc(1, sizeof(*b));
	if (!b)
		return fx_fail_nomem(err);
	b->spool = -1;
	struct fx_untar_options own = {.max_bytes = options ? options->max_bytes : 0,
	        .symlinks_fail = options && options->symlinks_fail,
	        .on_entry = on_entry,
	        .on_data = on_data,
	        .arg = b};
	b->untar = fx_untar_new(&own);
	b->arena = fx_arena_new(INDEX_BYTES_MAX);
	b->pending = malloc(SPOOL_BYTES);
	if (!b->untar || !b->arena || !b->pending || !draft_get(b, "", 0))
		return fx_fail_nomem(err);
	int spool = spool_open(err);
	if (spool < 0)
		return spool;
	b->spool = spool;
	*out = fx_take(b);
	return 0;
}

void fx_tree_builder_free(struct fx_tree_builder *builder)
{
	if (!builder)
		return;
	fx_untar_free(builder->untar);
	fx_arena_free(builder->arena);
	fx_vec_release(&builder->drafts);
	fx_map_release(&builder->by_path);
	free(builder->pending);
	if (builder->spool >= 0)
		close(builder->spool);
	free(builder);
}

int fx_tree_builder_feed(struct fx_tree_builder *builder, const void *data, size_t len, struct fx_error *err)
{
	return fx_untar_feed(builder->untar, data, len, err);
}

static int depth_of(const char *path)
{
	int depth = *path != '\0';
	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* Breadth first, the entries of one directory together and by name; the root comes first. */
static int draft_compare(const void *a, const void *b)
{
	const struct draft *x = a, *y = b;
	int c = depth_of(x->node.path) - depth_of(y->node.path);
	if (c)
		return c;
	size_t shorter = x->parent_len < y->parent_len ? x->parent_len : y->parent_len;
	c = memcmp(x->node.path, y->node.path, shorter);
	if (c)
		return c;
	if (x->parent_len != y->parent_len)
		return x->parent_len < y->parent_len ? -1 : 1;
	return strcmp(x->node.name, y->node.name);
}

static int link_nodes(struct fx_tree_builder *b, struct fx_tree *tree, struct fx_error *err)
{
	size_t n = b->drafts.len;
	fx_map_release(&b->by_path);
	b->by_path = (struct fx_map)FX_MAP_INIT;
	qsort(b->drafts.items, n, sizeof(struct draft), draft_compare);
	for (size_t i = 0; i < n; i++) {
		struct draft *d = &b->drafts.items[i];
		tree->nodes[i] = d->node;
		if (!d->node.is_dir)
			tree->nodes[i].data = tree->map + d->offset;
		else if (!fx_map_set(&b->by_path, d->node.path, &tree->nodes[i]))
			return fx_fail_nomem(err);
		if (i == 0)
			continue;
		fx_autofree char *parent_path = strndup(d->node.path, d->parent_len);
		struct fx_tree_node *parent = parent_path ? fx_map_get(&b->by_path, parent_path) : NULL;
		if (!parent)
			return fx_fail_nomem(err);
		if (parent->child_count++ == 0)
			parent->first_child = i;
	}
	return 0;
}

int fx_tree_builder_finish(struct fx_tree_builder *b, struct fx_tree **out, struct fx_error *err)
{
	int rc = fx_untar_finish(b->untar, err);
	if (rc == 0)
		rc = file_end(b, err);
	if (rc == 0)
		rc = spool_flush(b, err);
	if (rc != 0)
		return rc;
	fx_auto(tree) struct fx_tree *tree = calloc(1, sizeof(*tree));
	if (!tree)
		return fx_fail_nomem(err);
	tree->refs = 1;
	tree->node_count = b->drafts.len;
	tree->size = b->size;
	tree->nodes = calloc(b->drafts.len, sizeof(*tree->nodes));
	if (!tree->nodes)
		return fx_fail_nomem(err);
	if (b->spool_len > 0) {
		void *map = mmap(NULL, b->spool_len, PROT_READ, MAP_SHARED, b->spool, 0);
		if (map == MAP_FAILED)
			return fx_fail_errno(err, "cannot map unpacked artifact");
		tree->map = map;
		tree->map_len = b->spool_len;
	}
	rc = link_nodes(b, tree, err);
	if (rc != 0)
		return rc;
	tree->arena = fx_take(b->arena);
	*out = fx_take(tree);
	return 0;
}

int fx_tree_read_fd(
        int fd, const struct fx_untar_options *options, struct fx_tree **out, struct fx_error *err)
{
	fx_auto(tree_builder) struct fx_tree_builder *b = NULL;
	fx_autofree char *buf = malloc(SPOOL_BYTES);
	if (!buf)
		return fx_fail_nomem(err);
	int rc = fx_tree_builder_new(options, &b, err);
	while (rc == 0) {
		ssize_t n = read(fd, buf, SPOOL_BYTES);
		if (n < 0)
			return fx_fail_errno(err, "cannot read artifact");
		if (n == 0)
			return fx_tree_builder_finish(b, out, err);
		rc = fx_tree_builder_feed(b, buf, (size_t)n, err);
	}
	return rc;
}

struct fx_tree *fx_tree_ref(struct fx_tree *tree)
{
	atomic_fetch_add(&tree->refs, 1);
	return tree;
}

void fx_tree_unref(struct fx_tree *tree)
{
	if (!tree || atomic_fetch_sub(&tree->refs, 1) != 1)
		return;
	if (tree->map)
		munmap(tree->map, tree->map_len);
	fx_arena_free(tree->arena);
	free(tree->nodes);
	free(tree);
}

const struct fx_tree_node *fx_tree_root(const struct fx_tree *tree)
{
	return &tree->nodes[0];
}

const struct fx_tree_node *fx_tree_children(
        const struct fx_tree *tree, const struct fx_tree_node *dir, size_t *out_count)
{
	*out_count = dir->child_count;
	return tree->nodes + dir->first_child;
}

static const struct fx_tree_node *find_child(
        const struct fx_tree *tree, const struct fx_tree_node *dir, const char *name, size_t len)
{
	size_t low = dir->first_child, high = low + dir->child_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *other = tree->nodes[middle].name;
		int c = strncmp(name, other, len);
		if (c == 0 && other[len])
			c = -1;
		if (c == 0)
			return &tree->nodes[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct fx_tree_node *fx_tree_find(const struct fx_tree *tree, const char *path)
{
	const struct fx_tree_node *node = fx_tree_root(tree);
	while (node && *path) {
		size_t len = strcspn(path, "/");
		node = find_child(tree, node, path, len);
		path += len + (path[len] == '/');
	}
	return node;
}

uint64_t fx_tree_size(const struct fx_tree *tree)
{
	return tree->size;
}
