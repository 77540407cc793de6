/* Sets of named templates, and the parsed files that renders share. */
#include "engine.h"
#include "template.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* ---- sets ---- */

static size_t name_hash(const char *s, size_t n)
{
	size_t h = 1469598103934665603u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return h;
}

const struct fx_template *fx_template_find(const struct fx_template_set *set, const char *name, size_t len)
{
	for (size_t h = name_hash(name, len); set; set = set->parent) {
		if (!set->cap)
			continue;
		for (const struct fx_template_link *l = set->slots[h % set->cap]; l; l = l->next) {
			if (l->tmpl->name_len == len && memcmp(l->tmpl->name, name, len) == 0)
				return l->tmpl;
		}
	}
	return NULL;
}

static void grow(struct fx_render *x, struct fx_template_set *set)
{
	size_t cap = set->cap ? set->cap * 8 : 8;
	struct fx_template_link **slots = fx_render_zalloc(x, cap * sizeof(struct fx_template_link *));
	for (size_t i = 0; i < set->cap; i++) {
		for (struct fx_template_link *l = set->slots[i], *after; l; l = after) {
			after = l->next;
			size_t h = name_hash(l->tmpl->name, l->tmpl->name_len) % cap;
			l->next = slots[h];
			slots[h] = l;
		}
	}
	set->slots = slots;
	set->cap = cap;
}

void fx_template_set_add(struct fx_render *x, struct fx_template_set *set, const struct fx_template *t)
{
	if (!set->cap || set->len > set->cap * 2)
		grow(x, set);
	struct fx_template_link **at = &set->slots[name_hash(t->name, t->name_len) % set->cap];
	for (struct fx_template_link *l = *at; l; l = l->next) {
		if (l->tmpl->name_len == t->name_len && memcmp(l->tmpl->name, t->name, t->name_len) == 0) {
			l->tmpl = t;
			return;
		}
	}
	struct fx_template_link *l = fx_render_alloc(x, sizeof(*l));
	*l = (struct fx_template_link){*at, t};
	*at = l;
	set->len++;
}

/* An empty definition never replaces one that is not. */
static void merge_definitions(struct fx_render *x, const struct fx_template_file *file)
{
	for (size_t i = 0; i < file->len; i++) {
		const struct fx_template *t = file->items[i];
		const struct fx_template *old = fx_template_find(x->set, t->name, t->name_len);
		if (!old || !t->empty || !old->has_body || old->empty)
			fx_template_set_add(x, x->set, t);
	}
}

/* ---- parsed files ---- */

#define SLOTS 256

struct parsed {
	struct parsed *next;
	const char *name, *text;
	size_t len;
	struct fx_arena *arena; /* this, too */
	struct fx_template_file file;
};

struct fx_templates {
	atomic_uint refs;
	pthread_mutex_t lock;
	size_t bytes;
	struct parsed *slots[SLOTS];
};

struct fx_templates *fx_templates_new(void)
{
	struct fx_templates *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	atomic_init(&t->refs, 1);
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

struct fx_templates *fx_templates_ref(struct fx_templates *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void fx_templates_unref(struct fx_templates *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		for (struct parsed *p = t->slots[i], *after; p; p = after) {
			after = p->next;
			fx_arena_free(p->arena);
		}
	}
	pthread_mutex_destroy(&t->lock);
	free(t);
}

size_t fx_templates_bytes(struct fx_templates *t)
{
	pthread_mutex_lock(&t->lock);
	size_t n = t->bytes;
	pthread_mutex_unlock(&t->lock);
	return n;
}

static struct parsed *find(
        struct fx_templates *t, size_t slot, const char *name, const char *text, size_t len)
{
	pthread_mutex_lock(&t->lock);
	struct parsed *p = t->slots[slot];
	while (p && (p->len != len || strcmp(p->name, name) != 0 || memcmp(p->text, text, len) != 0))
		p = p->next;
	pthread_mutex_unlock(&t->lock);
	return p;
}

/* Two renders may parse the same file at the same time: the second one's copy is then kept beside the first.
 */
static bool keep(struct fx_templates *t, size_t slot, struct parsed *p)
{
	size_t bytes = fx_arena_used(p->arena);
	pthread_mutex_lock(&t->lock);
	bool room = bytes <= FX_TEMPLATES_MAX - t->bytes;
	if (room) {
		p->next = t->slots[slot];
		t->slots[slot] = p;
		t->bytes += bytes;
	}
	pthread_mutex_unlock(&t->lock);
	return room;
}

struct parse_job {
	struct fx_arena *scratch;
	struct parsed *parsed;
};

static void run_parse(struct fx_render *x, void *arg)
{
	struct parse_job *job = arg;
	struct parsed *p = job->parsed;
	fx_template_file_parse(x, job->scratch, p->name, p->text, p->len, &p->file);
}

/* A parsed file in an arena of its own, or NULL with err set. */
static struct parsed *parse_alone(
        struct fx_render *x, const char *name, const char *text, size_t len, struct fx_error *err)
{
	struct fx_arena *arena = fx_arena_new(FX_TEMPLATES_MAX);
	struct parsed *p = arena ? fx_arena_zalloc(arena, sizeof(*p)) : NULL;
	int rc = -1;
	if (p) {
		p->arena = arena;
		p->name = fx_arena_strdup(arena, name);
		p->text = fx_arena_strndup(arena, text, len);
		p->len = len;
	}
	if (p && p->name && p->text) {
		struct parse_job job = {x->arena, p};
		rc = fx_render_run(arena, NULL, run_parse, &job, err);
	} else {
		(void)fx_fail_nomem(err);
	}
	if (rc == 0)
		return p;
	fx_arena_free(arena);
	return NULL;
}

const struct fx_template *fx_template_parse(
        struct fx_render *x, const char *name, const char *text, size_t len)
{
	struct fx_template_file file;
	fx_template_file_parse(x, x->arena, name, text, len, &file);
	merge_definitions(x, &file);
	return file.own;
}

void fx_template_parse_file(struct fx_render *x, const char *name, const char *text, size_t len)
{
	struct fx_templates *shared = x->options->templates;
	if (!shared) {
		(void)fx_template_parse(x, name, text, len);
		return;
	}
	size_t slot = name_hash(name, strlen(name)) % SLOTS;
	struct parsed *p = find(shared, slot, name, text, len);
	if (!p) {
		struct fx_error err = FX_ERROR_INIT;
		p = parse_alone(x, name, text, len, &err);
		if (!p)
			fx_render_throw_err(x, &err);
		if (!keep(shared, slot, p)) {
			fx_arena_free(p->arena);
			(void)fx_template_parse(x, name, text, len);
			return;
		}
	}
	merge_definitions(x, &p->file);
}
