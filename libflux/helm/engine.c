#include "engine.h"

#include "core/clock.h"
#include "funcs.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* What the main thread is taken to have at most. */
#define MAIN_STACK_MAX (8u * 1024 * 1024)

void *fx_render_alloc(struct fx_render *x, size_t size)
{
	void *p = fx_arena_alloc(x->arena, size);
	if (!p)
		fx_render_throw(x, "out of memory");
	return p;
}

void *fx_render_zalloc(struct fx_render *x, size_t size)
{
	void *p = fx_arena_zalloc(x->arena, size);
	if (!p)
		fx_render_throw(x, "out of memory");
	return p;
}

struct fx_arena *fx_render_arena(struct fx_render *x)
{
	return x->arena;
}

/* The lowest address that a render may use. Workers have small stacks, the main thread what its limit says.
 */
static const char *stack_low(void)
{
	const char *here = __builtin_frame_address(0);
	struct rlimit limit;
	pthread_attr_t attr;
	void *low = NULL;
	size_t size = 0;
	if (gettid() == getpid()) {
		if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < MAIN_STACK_MAX)
			return here - limit.rlim_cur + 2 * FX_RENDER_STACK_RESERVE;
		return here - MAIN_STACK_MAX + 2 * FX_RENDER_STACK_RESERVE;
	}
	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return here - FX_RENDER_STACK_RESERVE;
	(void)pthread_attr_getstack(&attr, &low, &size);
	(void)pthread_attr_destroy(&attr);
	return (const char *)low + FX_RENDER_STACK_RESERVE;
}

void fx_render_check(struct fx_render *x)
{
	if ((const char *)__builtin_frame_address(0) < x->stack_low)
		fx_render_throw(x, "exceeded maximum template depth (%u)", FX_TEMPLATE_DEPTH_MAX);
	if (++x->steps % FX_RENDER_CANCEL_STEPS || !x->options->cancel)
		return;
	struct fx_error err = FX_ERROR_INIT;
	if (fx_cancel_check(x->options->cancel, &err) != 0)
		fx_render_throw_err(x, &err);
}

void fx_render_scratch_enter(struct fx_render *x)
{
	if (!x->scratch && !(x->scratch = fx_arena_new(FX_RENDER_ARENA_MAX)))
		fx_render_throw(x, "out of memory");
	x->kept = x->arena;
	x->arena = x->scratch;
}

void fx_render_scratch_leave(struct fx_render *x, const char **keep, size_t n)
{
	x->arena = x->kept;
	x->kept = NULL;
	for (size_t i = 0; i < n; i++)
		keep[i] = keep[i] ? fx_v_dup(x, keep[i], strlen(keep[i])).s : NULL;
	fx_arena_reset(x->scratch);
}

/* ---- error texts ---- */

/* Memory may be what is missing: these texts do without the render's helpers. */
struct place {
	unsigned line, column;
};

static struct place place_of(const struct fx_frame *f, const struct fx_tnode *at)
{
	struct place p = {1, 0};
	if (!f->tmpl || !at)
		return p;
	for (uint32_t i = 0; i < at->pos; i++) {
		if (f->tmpl->source[i] == '\n') {
			p.line++;
			p.column = 0;
		} else {
			p.column++;
		}
	}
	return p;
}

static const struct fx_tnode *frame_node(const struct fx_frame *f)
{
	return (f->fn || f->method) && f->fn_at ? f->fn_at : f->at;
}

static void print_level(struct fx_render *x, const struct fx_frame *f, struct fx_text *out, bool lines)
{
	const struct fx_tnode *at = frame_node(f);
	struct place p = place_of(f, at);
	fx_text_addf(out,
	        lines ? "%s:%u:%u\n  executing \"%.*s\" at <" : "template: %s:%u:%u: executing \"%.*s\" at <",
	        f->tmpl->file, p.line, p.column, (int)f->tmpl->name_len, f->tmpl->name);
	if (at)
		fx_tnode_print(out, at);
	fx_text_str(out, lines ? ">:\n    " : ">: ");
	if (f->fn || f->method)
		fx_text_addf(out, lines ? "error calling %s:%s" : "error calling %s: %s",
		        f->method ? f->method : f->fn->name, lines ? "\n" : "");
	(void)x;
}

/* From the outermost level in. The stack may be what has ended: no recursion. */
static void print_levels(
        struct fx_render *x, const struct fx_frame *innermost, struct fx_text *out, bool lines)
{
	size_t n = 0;
	for (const struct fx_frame *f = innermost; f; f = f->parent)
		n++;
	const struct fx_frame **levels = fx_render_alloc(x, n * sizeof(struct fx_frame *));
	for (const struct fx_frame *f = innermost; f; f = f->parent)
		levels[--n] = f;
	for (size_t k = 0; levels[k] != innermost; k++) {
		print_level(x, levels[k], out, lines);
		if (levels[k]->prefix)
			fx_text_str(out, levels[k]->prefix);
	}
	print_level(x, innermost, out, lines);
	if (innermost->prefix)
		fx_text_str(out, innermost->prefix);
}

static void make_error(struct fx_render *x, const char *msg)
{
	struct fx_text out = {.x = x};
	const struct fx_frame *f = x->frame;
	if (!f) {
		fx_text_str(&out, msg);
	} else if (x->user_error) {
		const struct fx_frame *top = f;
		while (top->parent)
			top = top->parent;
		struct place p = place_of(top, frame_node(top));
		fx_text_addf(
		        &out, "execution error at (%s:%u:%u): %s", top->tmpl->file, p.line, p.column, msg);
	} else {
		/* Helm breaks the chain into lines when each level of it reads as a template error. */
		bool lines = !f->fn && !f->method;
		for (const struct fx_frame *g = f; g; g = g->parent)
			lines = lines && !g->prefix;
		print_levels(x, f, &out, lines);
		fx_text_str(&out, msg);
	}
	fx_fail(x->err, FX_E_INVALID, "%s", fx_text_c(&out));
}

_Noreturn void fx_render_throw(struct fx_render *x, const char *fmt, ...)
{
	static const char nomem[] = "out of memory";
	/* An error while an error text is made is one of memory. */
	if (x->err->code == FX_OK) {
		va_list ap;
		va_start(ap, fmt);
		char *msg = strcmp(fmt, nomem) == 0 ? NULL : fx_arena_vprintf(x->arena, fmt, ap);
		va_end(ap);
		fx_fail_nomem(x->err);
		if (msg && msg[0] == '\1') {
			/* A parse error: "\1file:line: message". */
			char *file = msg + 1, *tail = strstr(file, ": ");
			char *last = tail;
			for (char *k = tail; k && (k = strstr(k + 1, ": "));)
				last = k;
			*tail = 0;
			/* Helm shortens the parser's message, but not within tpl. */
			bool in_tpl = x->frame && x->frame->prefix;
			if (in_tpl)
				msg = fx_arena_printf(x->arena, "template: %s: %s", file, tail + 2);
			else
				msg = fx_arena_printf(x->arena, "parse error at (%s): %s", file, last + 2);
		}
		if (msg) {
			make_error(x, msg);
		}
	}
	longjmp(x->escape, 1);
}

_Noreturn void fx_render_throw_err(struct fx_render *x, struct fx_error *err)
{
	char *copy = err->code == FX_E_NOMEM ? NULL : fx_arena_strdup(x->arena, fx_error_message(err));
	fx_error_release(err);
	if (!copy)
		fx_render_throw(x, "out of memory");
	fx_render_throw(x, "%s", copy);
}

int fx_render_run(struct fx_arena *arena, const struct fx_engine_options *options,
        void (*body)(struct fx_render *x, void *arg), void *arg, struct fx_error *err)
{
	fx_auto(error) struct fx_error own = FX_ERROR_INIT;
	static const struct fx_engine_options none = {0};
	struct fx_template_set set = {0};
	struct fx_render x = {
	        .arena = arena, .options = options ? options : &none, .err = err ? err : &own, .set = &set};
	x.stack_low = stack_low();
	/* Set before any jump back: it may have come into being after setjmp(). */
	struct fx_render *volatile kept = &x;
	volatile int rc = 0;
	if (setjmp(x.escape) == 0)
		body(&x, arg);
	else
		rc = -(int)kept->err->code;
	fx_arena_free(kept->scratch);
	return rc;
}

void fx_render_random(struct fx_render *x, void *out, size_t n)
{
	if (x->options->random)
		x->options->random(x->options->context, out, n);
	else if (RAND_bytes(out, (int)n) != 1)
		fx_render_throw(x, "no random bytes");
}

struct fx_time fx_render_now(struct fx_render *x)
{
	struct timespec ts = {.tv_sec = x->options->now_sec, .tv_nsec = x->options->now_nsec};
	if (!ts.tv_sec && !ts.tv_nsec)
		clock_gettime(CLOCK_REALTIME, &ts);
	return (struct fx_time){
	        .sec = ts.tv_sec, .nsec = (int32_t)ts.tv_nsec, .zone = "UTC", .monotonic = true};
}

/* Every `<no value>` goes, also one that the author wrote. */
struct fx_val fx_v_without_no_value(struct fx_text *t)
{
	static const char mark[] = "<no value>";
	const size_t n = sizeof(mark) - 1;
	const char *first = t->len ? memmem(t->data, t->len, mark, n) : NULL;
	if (!first)
		return fx_text_val(t);
	size_t to = (size_t)(first - t->data);
	for (size_t i = to; i < t->len;) {
		if (t->data[i] == '<' && i + n <= t->len && memcmp(t->data + i, mark, n) == 0) {
			i += n;
			continue;
		}
		t->data[to++] = t->data[i++];
	}
	t->len = to;
	if (t->data)
		t->data[to] = 0;
	return fx_text_val(t);
}

void fx_render_files(struct fx_render *x, struct fx_named_text *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fx_template_parse_file(x, files[i].name, files[i].text, files[i].len);
	for (size_t i = 0; i < n; i++) {
		if (files[i].partial)
			continue;
		struct fx_val t = fx_v_map(x);
		t.type = FX_T_VALUES;
		fx_v_set(x, t, "Name", fx_v_str(files[i].name));
		fx_v_set(x, t, "BasePath", fx_v_str(files[i].base_path));
		fx_v_set(x, files[i].dot, "Template", t);
		files[i].rendered = fx_template_text(x,
		        fx_template_find(x->set, files[i].name, strlen(files[i].name)), files[i].dot, true);
	}
}
