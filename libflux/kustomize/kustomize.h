/*
 * The kustomize build: files in, resources out, as kustomize 5.8.1 makes them. A pure function: no
 * network, no clock, no process-wide state, no temporary files. Any number of builds may run at once, each
 * with its own arena; a tree of files may be shared.
 */
#ifndef FX_KUSTOMIZE_KUSTOMIZE_H
#define FX_KUSTOMIZE_KUSTOMIZE_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"
#include "data/node.h"
#include "kustomize/fs.h"

/* Kustomizations below one another: stops base chains that never end. */
#define FX_KUSTOMIZE_MAX_DEPTH 100
/* Resources of one build. */
#define FX_KUSTOMIZE_MAX_RESOURCES 100000
/* Kustomizations loaded in one build, a diamond counts each time: stops exponential trees. */
#define FX_KUSTOMIZE_MAX_TARGETS 20000

/* Which files a kustomization may name. */
enum fx_load_restrictor {
	FX_LOAD_ROOT_ONLY, /* in or below its own directory */
	FX_LOAD_NONE,      /* anywhere in the tree */
};

/* What the order of the output is when the kustomization has no sortOptions. */
enum fx_build_order {
	FX_ORDER_LEGACY, /* by kind, as the command line does */
	FX_ORDER_FIFO,   /* as loaded: a library call as Flux makes it */
};

/* What openapi.path does. */
enum fx_openapi_mode {
	FX_OPENAPI_REPLACE, /* takes the place of the built-in schema: the command line */
	FX_OPENAPI_ADD,     /* adds to it: Flux's controller */
};

/*
 * Fetches what lies outside the tree. Without it remote resources and bases fail as upstream does when
 * the fetch is impossible.
 */
struct fx_remote {
	void *ctx;
	/* GET of an http(s) URL. data in the arena, NUL-terminated behind len. */
	int (*get)(void *ctx, const char *url, struct fx_arena *arena, const char **data, size_t *len,
	        struct fx_error *err);
	/* A Git repository's files: *fs is owned by the remote and must live until the build has returned;
	 * *root is the directory of the checkout in it. ref may be NULL (HEAD). */
	int (*clone)(void *ctx, const char *url, const char *ref, bool submodules, int timeout_ms,
	        struct fx_arena *arena, const struct fx_fs **fs, const char **root, struct fx_error *err);
};

struct fx_build_options {
	enum fx_load_restrictor load_restrictor;
	enum fx_build_order order;
	enum fx_openapi_mode openapi;
	bool managed_by_label;          /* also without buildMetadata */
	const char *managed_by;         /* value of the label; NULL: "kustomize-v5.8.1" */
	const struct fx_remote *remote; /* NULL: none */
	/* Receives warnings and log lines of the build (deprecated fields), without a newline. May be NULL.
	 */
	void (*warn)(void *ctx, const char *line);
	void *warn_ctx;
	/* With it a build does not stop at its first problem: this is called for each, with the directory of
	 * the kustomization it is in, while other resources, generators and components are still loaded; when
	 * all of them could be, also for each patch and other transformer that fails. The build fails then
	 * with the first one's text. Both texts live as long as the arena. May be NULL. */
	void (*problem)(void *ctx, const char *dir, const char *message);
	void *problem_ctx;
};

/* The options of Flux's kustomize-controller: FX_LOAD_NONE within the tree's wall, fifo, openapi added. */
struct fx_build_options fx_build_options_flux(void);

/*
 * Builds the kustomization in directory path (absolute, in fs). *out becomes a sequence node of the resources
 * in output order; it lives in the arena. opts NULL: all zero, as the command line without flags.
 *
 * Errors have upstream's texts ("accumulating resources: ..."), FX_E_INVALID mostly, FX_E_LIMIT beyond the
 * limits above and those of data/yaml.h, FX_E_NOMEM. Bound the memory of a build with the arena's limit.
 */
int fx_kustomize_build(const struct fx_fs *fs, const char *path, const struct fx_build_options *opts,
        struct fx_arena *arena, struct fx_node **out, struct fx_error *err) fx_must_use;

/* Appends the resources as `kustomize build` prints them: documents joined by "---\n". */
int fx_kustomize_print(const struct fx_node *resources, struct fx_buf *out, struct fx_error *err) fx_must_use;

#endif
