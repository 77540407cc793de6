#include "kustomize/engine.h"

#include "core/map.h"
#include "data/json.h"
#include "data/yaml.h"
#include "data/yaml_text.h"

#include <stdio.h>
#include <string.h>

/* ---- errors ---- */

static void throw_message(struct fx_build *b, enum fx_error_code code, const char *message)
{
	b->code = code;
	b->message = message;
	longjmp(b->top->jump, 1);
}

static fx_noreturn void out_of_memory(struct fx_build *b)
{
	b->code = FX_E_NOMEM;
	b->message = NULL;
	longjmp(b->top->jump, 1);
}

void fx_throw(struct fx_build *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = fx_arena_vprintf(b->arena, fmt, ap);
	va_end(ap);
	if (text)
		throw_message(b, FX_E_INVALID, text);
	out_of_memory(b);
}

void fx_throw_code(struct fx_build *b, enum fx_error_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = fx_arena_vprintf(b->arena, fmt, ap);
	va_end(ap);
	if (text)
		throw_message(b, code, text);
	out_of_memory(b);
}

void fx_throw_error(struct fx_build *b, struct fx_error *err)
{
	enum fx_error_code code = err->code;
	char *text = code == FX_E_NOMEM ? NULL : fx_arena_strdup(b->arena, fx_error_message(err));
	fx_error_release(err);
	if (text)
		throw_message(b, code, text);
	out_of_memory(b);
}

const char *fx_attempt(struct fx_build *b, void (*fn)(struct fx_build *b, void *arg), void *arg)
{
	struct fx_catch here = {.outer = b->top};
	b->top = &here;
	if (setjmp(here.jump) == 0) {
		fn(b, arg);
		b->top = here.outer;
		return NULL;
	}
	b->top = here.outer;
	if (b->code == FX_E_NOMEM || b->code == FX_E_LIMIT)
		longjmp(b->top->jump, 1);
	return b->message;
}

void fx_with_prefix(
        struct fx_build *b, void (*fn)(struct fx_build *b, void *arg), void *arg, const char *fmt, ...)
{
	const char *message = fx_attempt(b, fn, arg);
	if (!message)
		return;
	enum fx_error_code code = b->code;
	va_list ap;
	va_start(ap, fmt);
	char *prefix = fx_arena_vprintf(b->arena, fmt, ap);
	va_end(ap);
	fx_throw_code(b, code, "%s%s", prefix ? prefix : "", message);
}

void fx_go_on(struct fx_build *b, const char *dir, const char *prefix,
        void (*fn)(struct fx_build *b, void *arg), void *arg)
{
	if (!b->opts->problem) {
		fn(b, arg);
		return;
	}
	const char *message = fx_attempt(b, fn, arg);
	if (!message)
		return;
	message = fx_fmt(b, "%s%s", prefix, message);
	if (!b->first_problem)
		b->first_problem = message;
	b->opts->problem(b->opts->problem_ctx, dir, message);
}

void fx_warn(struct fx_build *b, const char *fmt, ...)
{
	if (!b->opts->warn)
		return;
	va_list ap;
	va_start(ap, fmt);
	char *text = fx_arena_vprintf(b->arena, fmt, ap);
	va_end(ap);
	if (text)
		b->opts->warn(b->opts->warn_ctx, text);
}

/* ---- memory ---- */

void *fx_new(struct fx_build *b, size_t size)
{
	void *p = fx_arena_zalloc(b->arena, size);
	if (!p)
		out_of_memory(b);
	return p;
}

char *fx_strn(struct fx_build *b, const char *s, size_t len)
{
	char *p = fx_arena_strndup(b->arena, s, len);
	if (!p)
		out_of_memory(b);
	return p;
}

char *fx_str(struct fx_build *b, const char *s)
{
	return fx_strn(b, s, strlen(s));
}

char *fx_fmt(struct fx_build *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = fx_arena_vprintf(b->arena, fmt, ap);
	va_end(ap);
	if (!text)
		out_of_memory(b);
	return text;
}

void *fx_more(struct fx_build *b, void *items, size_t *cap, size_t len, size_t size)
{
	if (len < *cap)
		return items;
	size_t more = *cap ? *cap * 2 : 8;
	void *p = fx_arena_realloc(b->arena, items, *cap * size, more * size);
	if (!p)
		out_of_memory(b);
	*cap = more;
	return p;
}

const char *fx_quote(struct fx_build *b, const char *s)
{
	char *out = fx_new(b, strlen(s) * 4 + 3), *p = out;
	*p++ = '"';
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c == '\n' || c == '\t' || c == '\r') {
			*p++ = '\\';
			*p++ = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
		} else if (c < 0x20 || c == 0x7f) {
			p += sprintf(p, "\\x%02x", c);
		} else {
			*p++ = (char)c;
		}
	}
	*p++ = '"';
	*p = '\0';
	return out;
}

/* ---- nodes ---- */

struct fx_node *fx_need(struct fx_build *b, struct fx_node *n)
{
	if (!n)
		out_of_memory(b);
	return n;
}

void fx_needs(struct fx_build *b, bool ok)
{
	if (!ok)
		out_of_memory(b);
}

struct fx_node *fx_copy(struct fx_build *b, const struct fx_node *n)
{
	return fx_need(b, fx_node_copy(b->arena, n));
}

struct fx_node *fx_scalar(struct fx_build *b, enum fx_tag tag, const char *text)
{
	return fx_need(b, fx_node_new_scalar(b->arena, tag, text));
}

void fx_set(struct fx_build *b, struct fx_node *map, const char *key, struct fx_node *value)
{
	fx_needs(b, fx_node_set(b->arena, map, key, value));
}

struct fx_node *fx_need_map(struct fx_build *b, struct fx_node *map, const char *key)
{
	struct fx_node *n = fx_node_get(map, key);
	if (n && n->kind == FX_NODE_MAP)
		return n;
	if (n && n->tag != FX_TAG_NULL)
		fx_wrong_kind(b, "MappingNode", n);
	if (n) {
		*n = (struct fx_node){.kind = FX_NODE_MAP, .tag = FX_TAG_MAP};
		return n;
	}
	n = fx_need(b, fx_node_new_map(b->arena));
	fx_set(b, map, key, n);
	return n;
}

void fx_wrong_kind(struct fx_build *b, const char *expected, const struct fx_node *n)
{
	static const char *const names[] = {"ScalarNode", "MappingNode", "SequenceNode"};
	if (!n)
		fx_throw(b, "wrong node kind: expected %s but got : node contents:\nnull\n", expected);
	fx_throw(b, "wrong node kind: expected %s but got %s: node contents:\n%s", expected, names[n->kind],
	        fx_yaml_text(b, n));
}

void fx_set_scalar(struct fx_build *b, struct fx_node *n, const char *text, enum fx_tag tag)
{
	if (n->kind != FX_NODE_SCALAR)
		fx_wrong_kind(b, "ScalarNode", n);
	n->tagged = false;
	fx_node_set_text(n, tag, text, strlen(text));
}

static const char *take_text(struct fx_build *b, struct fx_buf *buf)
{
	char *text = fx_arena_strndup(b->arena, fx_buf_str(buf), buf->len);
	fx_buf_release(buf);
	if (!text)
		out_of_memory(b);
	return text;
}

const char *fx_yaml_text(struct fx_build *b, const struct fx_node *n)
{
	struct fx_buf buf = FX_BUF_INIT;
	struct fx_error err = FX_ERROR_INIT;
	if (fx_yaml_write(n, &buf, &err) < 0) {
		fx_buf_release(&buf);
		fx_throw_error(b, &err);
	}
	return take_text(b, &buf);
}

const char *fx_node_json(struct fx_build *b, const struct fx_node *n, unsigned flags)
{
	struct fx_buf buf = FX_BUF_INIT;
	struct fx_error err = FX_ERROR_INIT;
	if (fx_json_write(n, flags, &buf, &err) < 0) {
		fx_buf_release(&buf);
		fx_throw_error(b, &err);
	}
	return take_text(b, &buf);
}

/* ---- index ---- */

static size_t hash(const char *s)
{
	return (size_t)fx_hash(s, strlen(s));
}

static struct fx_index_slot *find_slot(const struct fx_index *index, const char *key)
{
	size_t i = hash(key) & (index->cap - 1);
	while (index->slots[i].key && strcmp(index->slots[i].key, key) != 0)
		i = (i + 1) & (index->cap - 1);
	return &index->slots[i];
}

void *fx_index_get(const struct fx_index *index, const char *key)
{
	return index->cap ? find_slot(index, key)->value : NULL;
}

void fx_index_set(struct fx_build *b, struct fx_index *index, const char *key, void *value)
{
	if (index->len * 4 >= index->cap * 3) {
		struct fx_index bigger = {.cap = index->cap ? index->cap * 2 : 16};
		bigger.slots = fx_new(b, bigger.cap * sizeof(*bigger.slots));
		for (size_t i = 0; i < index->cap; i++)
			if (index->slots[i].key)
				*find_slot(&bigger, index->slots[i].key) = index->slots[i];
		bigger.len = index->len;
		*index = bigger;
	}
	struct fx_index_slot *slot = find_slot(index, key);
	if (!slot->key)
		index->len++;
	*slot = (struct fx_index_slot){key, value};
}

/* ---- texts ---- */

void fx_texts_add(struct fx_build *b, struct fx_texts *list, const char *text)
{
	list->items = fx_more(b, list->items, &list->cap, list->len, sizeof(*list->items));
	list->items[list->len++] = text;
}

struct fx_texts fx_texts_split(struct fx_build *b, const char *text, char sep)
{
	struct fx_texts out = {0};
	for (;;) {
		const char *end = strchr(text, sep);
		fx_texts_add(b, &out, end ? fx_strn(b, text, (size_t)(end - text)) : fx_str(b, text));
		if (!end)
			return out;
		text = end + 1;
	}
}

const char *fx_texts_join(struct fx_build *b, const struct fx_texts *list, const char *sep)
{
	size_t size = 1;
	for (size_t i = 0; i < list->len; i++)
		size += strlen(list->items[i]) + strlen(sep);
	char *out = fx_new(b, size), *p = out;
	for (size_t i = 0; i < list->len; i++) {
		if (i)
			p = stpcpy(p, sep);
		p = stpcpy(p, list->items[i]);
	}
	return out;
}
