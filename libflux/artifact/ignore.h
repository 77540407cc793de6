/*
 * The exclusion rules of sources: gitignore patterns as Flux reads them from .sourceignore
 * files and spec.ignore. A list of rules, each scoped to a directory; the last one that
 * matches a path decides. Reading is thread safe, changing is not.
 *
 * Source of the behaviour: source-controller reference, section 4. It differs from git: a
 * directory that is excluded is still descended, so that a later rule can bring back a part.
 */
#ifndef FX_ARTIFACT_IGNORE_H
#define FX_ARTIFACT_IGNORE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

#define FX_IGNORE_FILE ".sourceignore"

/* A longer line ends the reading of its file. */
#define FX_IGNORE_LINE_MAX (64 * 1024)
/* Rules of one list: stops a repository whose rules would make every path slow. */
#define FX_IGNORE_RULES_MAX 20000
/* Components of a pattern or of its scope. */
#define FX_IGNORE_DEPTH_MAX 512

struct fx_ignore;

enum fx_ignore_result { FX_IGNORE_NONE, FX_IGNORE_EXCLUDE, FX_IGNORE_INCLUDE };

/* A path below the root of the source, component by component. Borrowed. */
struct fx_ignore_path {
	const char *const *names;
	size_t depth; /* number of names; 0: the root */
};

/* NULL without memory. Owned by the caller. */
struct fx_ignore *fx_ignore_new(void);
void fx_ignore_free(struct fx_ignore *ignore);
FX_DEFINE_AUTO(ignore, struct fx_ignore, fx_ignore_free)

/* Adds the rules of a file (comments and blank lines are skipped). scope: the directory that
 * they count from; copied. Errors: LIMIT, NOMEM. */
int fx_ignore_add(struct fx_ignore *ignore, const char *text, size_t len, const struct fx_ignore_path *scope,
        struct fx_error *err) fx_must_use;

/* One pattern, as it stands. */
int fx_ignore_add_pattern(struct fx_ignore *ignore, const char *pattern, size_t len,
        const struct fx_ignore_path *scope, struct fx_error *err) fx_must_use;

/* Adds rules for version control files; all: also media, archives, CI and tool files. */
int fx_ignore_add_defaults(struct fx_ignore *ignore, bool all, const struct fx_ignore_path *scope,
        struct fx_error *err) fx_must_use;

/* Number of rules; taking it and shrinking back to it later scopes rules to a part of a walk. */
size_t fx_ignore_len(const struct fx_ignore *ignore);
void fx_ignore_truncate(struct fx_ignore *ignore, size_t len);

/* What the rules say about a path. NONE: no rule matches. */
enum fx_ignore_result fx_ignore_match(
        const struct fx_ignore *ignore, const struct fx_ignore_path *path, bool is_dir);

#endif
