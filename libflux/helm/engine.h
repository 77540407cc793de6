/*
 * Templates of charts in, texts out: the engine of Helm 4.2 without charts. Everything from
 * outside (clock, random bytes, lookups) is handed in. A call uses one thread and one arena;
 * any number of calls may run at once.
 */
#ifndef FX_HELM_ENGINE_H
#define FX_HELM_ENGINE_H

#include "core/arena.h"
#include "core/cancel.h"
#include "core/error.h"
#include "helm/value.h"

/*
 * The parsed templates of a chart, by file name and text: what renders of that chart need not parse again.
 * Any number of threads may render with the same one at once. Keep one for each chart digest: it grows with
 * what is rendered and drops nothing but itself.
 */
struct fx_templates;

/* Bytes that one holds at most; a file that would exceed them is parsed by each render. */
#define FX_TEMPLATES_MAX (64u * 1024 * 1024)

/* Limit for the arena of a render (fx_arena_new()): `repeat`, `until` and huge values end with an error
 * there. */
#define FX_RENDER_ARENA_MAX ((size_t)512 * 1024 * 1024)

/* NULL without memory. Counted: fx_templates_unref(). */
struct fx_templates *fx_templates_new(void) fx_must_use;
struct fx_templates *fx_templates_ref(struct fx_templates *templates);
/* NULL is accepted. */
void fx_templates_unref(struct fx_templates *templates);
/* Bytes held now. */
size_t fx_templates_bytes(struct fx_templates *templates);

/* Where a render gets from outside what is not in its input. */
struct fx_engine_options {
	/* `lookup`: *out is a node tree in arena, NULL when the object is not there. NULL: no cluster. */
	int (*lookup)(void *context, struct fx_arena *arena, const char *api, const char *kind,
	        const char *ns, const char *name, struct fx_node **out, struct fx_error *err);
	void *context;
	/* Seconds and nanoseconds since 1970; 0, 0: the clock of the system. */
	int64_t now_sec;
	int32_t now_nsec;
	/* Ends the render with an error when it is fired or its deadline passes; NULL: never. */
	const struct fx_cancel *cancel;
	/* Borrowed for the render; NULL: nothing is kept. */
	struct fx_templates *templates;
	/* Non-NULL: random bytes come from here instead of OpenSSL. */
	void (*random)(void *context, void *out, size_t n);
};

/* Runs body(x, arg) where errors thrown below it become err. The render's memory is in arena,
 * which must outlive what body hands out. */
int fx_render_run(struct fx_arena *arena, const struct fx_engine_options *options,
        void (*body)(struct fx_render *x, void *arg), void *arg, struct fx_error *err) fx_must_use;

/* Random bytes of the render. */
void fx_render_random(struct fx_render *x, void *out, size_t n);
/* The render's clock. */
struct fx_time fx_render_now(struct fx_render *x);

struct fx_named_text {
	const char *name; /* "chart/templates/x.yaml" */
	const char *text;
	size_t len;
	struct fx_val dot; /* the chart's root value */
	const char *base_path;
	bool partial;           /* parsed, not executed */
	struct fx_val rendered; /* out */
};

/* Parses all, executes those that are no partials, in the order given. */
void fx_render_files(struct fx_render *x, struct fx_named_text *files, size_t n);

#endif
