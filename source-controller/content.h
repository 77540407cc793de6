/*
 * What goes into an artifact: the tree of a Git commit with the trees of other artifacts (the
 * includes) laid into it, seen as one directory tree that is never written to disk, and its way
 * through the ignore rules into an archive. One content, one worker.
 *
 * Source: source-controller reference, sections 3.4, 4 and 6.6.
 */
#ifndef FX_SOURCE_CONTENT_H
#define FX_SOURCE_CONTENT_H

#include "artifact/targz.h"
#include "artifact/tree.h"
#include "source-controller/git/scratch.h"

/* Directories above each other, and entries of all directories: stop hostile trees. What is archived has also
 * to be within what consumers unpack (FX_UNTAR_BYTES_MAX, FX_UNTAR_ENTRIES_MAX). */
#define FX_CONTENT_DEPTH_MAX 256
#define FX_CONTENT_ENTRIES_MAX 5000000

struct fx_content;

/* scratch: borrowed for the content's life. Owned by the caller. */
int fx_content_new(struct fx_git_scratch *scratch, const git_oid *tree, struct fx_content **out,
        struct fx_error *err) fx_must_use;
void fx_content_free(struct fx_content *content);
FX_DEFINE_AUTO(content, struct fx_content, fx_content_free)

/* Lays from_path of tree ("" for all of it) at to_path; a reference to tree is kept. to_path is
 * resolved beneath the root: `..` stops there. Errors: NOT_FOUND (no from_path), EXISTS (something is
 * there already), INVALID (a file in the way). */
int fx_content_include(struct fx_content *content, struct fx_tree *tree, const char *from_path,
        const char *to_path, struct fx_error *err) fx_must_use;

/* Writes everything that is not ignored. rules: spec.ignore, NULL when unset. */
int fx_content_archive(struct fx_content *content, const char *rules, struct fx_targz *targz,
        struct fx_error *err) fx_must_use;

#endif
