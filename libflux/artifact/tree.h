/*
 * An unpacked artifact: the files of an archive, immutable, counted, shared by everybody who
 * builds from it. The bytes lie in an unlinked temporary file that is mapped, so that they are
 * page cache and not private memory. Reading is safe from any thread.
 */
#ifndef FX_ARTIFACT_TREE_H
#define FX_ARTIFACT_TREE_H

#include "artifact/untar.h"

struct fx_tree;

struct fx_tree_node {
	const char *path; /* "a/b"; "" for the root */
	const char *name; /* the last element, points into path */
	bool is_dir;
	bool is_exec;
	const char *data; /* a file's bytes, a NUL behind them */
	uint64_t size;
	/* A directory's entries: private, see fx_tree_children(). */
	size_t first_child, child_count;
};

/* Receives an archive. Owned by the caller; bytes are pushed in like into fx_untar. */
struct fx_tree_builder;

/* options: only max_bytes and symlinks_fail count. */
int fx_tree_builder_new(const struct fx_untar_options *options, struct fx_tree_builder **out,
        struct fx_error *err) fx_must_use;
void fx_tree_builder_free(struct fx_tree_builder *builder);
FX_DEFINE_AUTO(tree_builder, struct fx_tree_builder, fx_tree_builder_free)
int fx_tree_builder_feed(
        struct fx_tree_builder *builder, const void *data, size_t len, struct fx_error *err) fx_must_use;
/* The archive has ended: gives the tree, with one reference that is the caller's. */
int fx_tree_builder_finish(
        struct fx_tree_builder *builder, struct fx_tree **out, struct fx_error *err) fx_must_use;

/* Unpacks what is left in an open file. */
int fx_tree_read_fd(int fd, const struct fx_untar_options *options, struct fx_tree **out,
        struct fx_error *err) fx_must_use;

struct fx_tree *fx_tree_ref(struct fx_tree *tree);
void fx_tree_unref(struct fx_tree *tree);
FX_DEFINE_AUTO(tree, struct fx_tree, fx_tree_unref)

/* Nodes are borrowed from the tree. */
const struct fx_tree_node *fx_tree_root(const struct fx_tree *tree);
/* By path: relative, clean ("" is the root). NULL: not there. */
const struct fx_tree_node *fx_tree_find(const struct fx_tree *tree, const char *path);
/* The entries of a directory, sorted by name (bytes). */
const struct fx_tree_node *fx_tree_children(
        const struct fx_tree *tree, const struct fx_tree_node *dir, size_t *out_count);
/* Bytes of all files. */
uint64_t fx_tree_size(const struct fx_tree *tree);

#endif
