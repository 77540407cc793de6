/*
 * Values of the template language with Go's types as far as a chart can see them. All of a
 * render lives in its arena; a value is copied freely, what it points to is shared, as in Go.
 * One render, one thread; renders share nothing.
 *
 * A render that cannot go on (an error of the chart, memory, a limit) leaves by longjmp to its
 * entry: nothing below holds anything but arena memory when it calls fx_render_throw().
 */
#ifndef FX_HELM_VALUE_H
#define FX_HELM_VALUE_H

#include "core/arena.h"
#include "core/error.h"
#include "data/node.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes of one text. */
#define FX_TEXT_MAX (64u * 1024 * 1024)
/* Nesting of values where they are walked: a map can be put into itself. */
#define FX_VALUE_DEPTH_MAX 1000

enum fx_val_kind {
	FX_VAL_NIL,
	FX_VAL_BOOL,
	FX_VAL_INT,
	FX_VAL_FLOAT,
	FX_VAL_COMPLEX,
	FX_VAL_STR,
	FX_VAL_LIST,
	FX_VAL_MAP,
	FX_VAL_BYTES,
	FX_VAL_OBJ,
};

/* Go type behind a kind; 0 is the usual one of the kind. */
enum fx_val_type {
	FX_T_PLAIN, /* int, float64, string, []interface {}, map[string]interface {} */
	FX_T_INT64,
	FX_T_INT32,
	FX_T_UINT8,
	FX_T_UINT32,
	FX_T_UINT64,
	FX_T_DURATION,
	FX_T_MONTH,
	FX_T_WEEKDAY,
	FX_T_STRINGS,     /* []string */
	FX_T_INTS,        /* []int */
	FX_T_LISTS,       /* [][]interface {} */
	FX_T_MAPS,        /* []map[string]interface {} */
	FX_T_VERSION_SET, /* common.VersionSet */
	FX_T_STRING_MAP,  /* map[string]string */
	FX_T_VALUES,      /* common.Values */
	FX_T_FILES,       /* engine.files */
	FX_T_TIME,
	FX_T_SEMVER,
	FX_T_KUBE_VERSION,
	FX_T_CAPABILITIES,
	FX_T_HELM_VERSION,
	FX_T_CERTIFICATE,
};

struct fx_val {
	uint8_t kind;
	uint8_t type;
	uint8_t iface; /* came out of a map or list of interfaces: only error texts ask */
	uint8_t nil;   /* a nil slice */
	uint32_t len;  /* bytes of STR and BYTES */
	union {
		bool b;
		int64_t i;
		double f;
		const char *s;
		struct fx_list *list;
		struct fx_vmap *map;
		void *obj;
		const double *c;
	};
};

struct fx_list {
	struct fx_val *items;
	size_t len, cap; /* cap as Go's: what `slice` may reach */
};

struct fx_entry {
	const char *key;
	size_t len;
	struct fx_val val;
};

/* Entries sorted by the bytes of their keys. */
struct fx_vmap {
	struct fx_entry *entries;
	size_t len, cap;
};

struct fx_time {
	int64_t sec; /* since 1970 UTC */
	int32_t nsec;
	int32_t offset; /* seconds east */
	char zone[16];
	bool monotonic;
};

struct fx_certificate {
	struct fx_val cert, key;
};

struct fx_kube_version {
	const char *version, *normalized, *major, *minor;
};

struct fx_render;

/* Text under construction, in the arena. */
struct fx_text {
	struct fx_render *x;
	char *data;
	size_t len, cap;
};

/* ---- memory and errors of a render ---- */
void *fx_render_alloc(struct fx_render *x, size_t size);
void *fx_render_zalloc(struct fx_render *x, size_t size);
_Noreturn void fx_render_throw(struct fx_render *x, const char *fmt, ...) fx_printf(2, 3);
_Noreturn void fx_render_throw_err(struct fx_render *x, struct fx_error *err);
struct fx_arena *fx_render_arena(struct fx_render *x);
/* Called wherever a render goes deeper or on: throws when the C stack ends or the render is cancelled. */
void fx_render_check(struct fx_render *x);
/* Between the two, memory is scratch: it goes at the second call, but for copies of the n texts in keep
 * (which may be NULL). Not nested; an error leaves by itself. */
void fx_render_scratch_enter(struct fx_render *x);
void fx_render_scratch_leave(struct fx_render *x, const char **keep, size_t n);

void fx_text_add(struct fx_text *t, const char *s, size_t n);
void fx_text_str(struct fx_text *t, const char *s);
void fx_text_char(struct fx_text *t, char c);
void fx_text_rune(struct fx_text *t, unsigned rune);
void fx_text_addf(struct fx_text *t, const char *fmt, ...) fx_printf(2, 3);
struct fx_val fx_text_val(struct fx_text *t);
const char *fx_text_c(struct fx_text *t);

/* ---- making ---- */
static inline struct fx_val fx_v_nil(void)
{
	return (struct fx_val){0};
}
static inline struct fx_val fx_v_bool(bool b)
{
	return (struct fx_val){.kind = FX_VAL_BOOL, .b = b};
}
static inline struct fx_val fx_v_int(int64_t i)
{
	return (struct fx_val){.kind = FX_VAL_INT, .i = i};
}
static inline struct fx_val fx_v_int64(int64_t i)
{
	return (struct fx_val){.kind = FX_VAL_INT, .type = FX_T_INT64, .i = i};
}
static inline struct fx_val fx_v_float(double f)
{
	return (struct fx_val){.kind = FX_VAL_FLOAT, .f = f};
}
static inline struct fx_val fx_v_strn(const char *s, size_t n)
{
	return (struct fx_val){.kind = FX_VAL_STR, .s = s, .len = (uint32_t)n};
}
static inline struct fx_val fx_v_str(const char *s)
{
	return fx_v_strn(s, strlen(s));
}
static inline struct fx_val fx_v_mapof(struct fx_vmap *m, enum fx_val_type type)
{
	return (struct fx_val){.kind = FX_VAL_MAP, .type = (uint8_t)type, .map = m};
}
static inline struct fx_val fx_v_obj(void *obj, enum fx_val_type type)
{
	return (struct fx_val){.kind = FX_VAL_OBJ, .type = (uint8_t)type, .obj = obj};
}
struct fx_val fx_v_list(struct fx_render *x, size_t cap);
struct fx_val fx_v_nil_list(void);
struct fx_val fx_v_map(struct fx_render *x);
struct fx_val fx_v_dup(struct fx_render *x, const char *s, size_t n);

/* ---- lists and maps ---- */
static inline size_t fx_v_len(struct fx_val v)
{
	return v.kind == FX_VAL_LIST  ? (v.list ? v.list->len : 0)
	       : v.kind == FX_VAL_MAP ? (v.map ? v.map->len : 0)
	                              : v.len;
}
void fx_v_push(struct fx_render *x, struct fx_val list, struct fx_val item);
/* Item of a list, []byte too. */
struct fx_val fx_v_item(struct fx_val list, size_t i);
struct fx_val *fx_v_find(struct fx_val map, const char *key, size_t len);
static inline struct fx_val *fx_v_get(struct fx_val map, const char *key)
{
	return fx_v_find(map, key, strlen(key));
}
/* The key is copied. */
void fx_v_setn(struct fx_render *x, struct fx_val map, const char *key, size_t len, struct fx_val val);
void fx_v_set(struct fx_render *x, struct fx_val map, const char *key, struct fx_val val);
void fx_v_unset(struct fx_val map, const char *key, size_t len);
struct fx_val fx_v_map_copy(struct fx_render *x, struct fx_val map);
struct fx_val fx_v_deep_copy(struct fx_render *x, struct fx_val v);

/* ---- asking ---- */
static inline bool fx_v_is_map(struct fx_val v)
{
	return v.kind == FX_VAL_MAP && v.type != FX_T_STRING_MAP && v.type != FX_T_FILES;
}
static inline bool fx_v_is_str(struct fx_val v)
{
	return v.kind == FX_VAL_STR;
}
static inline bool fx_v_eq_str(struct fx_val v, const char *s)
{
	return v.kind == FX_VAL_STR && strlen(s) == v.len && memcmp(v.s, s, v.len) == 0;
}
/* Truth of the language, and Sprig's empty (which knows no pointers). */
bool fx_v_truth(struct fx_val v);
bool fx_v_empty(struct fx_val v);
/* reflect.DeepEqual. */
bool fx_v_deep_equal(struct fx_val a, struct fx_val b);
/* %T and the kind's name. */
const char *fx_v_type(struct fx_val v);
const char *fx_v_kind(struct fx_val v);
/* NUL-terminated copy. */
const char *fx_v_cstr(struct fx_render *x, struct fx_val v);

/* ---- trees ---- */
/* Plain values (fx_yaml_read.values): all numbers become float64. */
struct fx_val fx_v_from_node(struct fx_render *x, const struct fx_node *node);
/* For the YAML writer. NULL and *why when a value has no JSON form. */
struct fx_node *fx_v_to_node(struct fx_render *x, struct fx_val v, const char **why);
/* For fx_yaml_write_values(). Throws for a value that go-yaml v3 refuses. */
struct fx_node *fx_v_to_pretty_node(struct fx_render *x, struct fx_val v);

/* ---- texts (fmt) ---- */
void fx_fmt_printf(struct fx_text *out, struct fx_val format, const struct fx_val *args, size_t n);
/* %v */
void fx_fmt_v(struct fx_text *out, struct fx_val v);
void fx_fmt_sprint(struct fx_text *out, const struct fx_val *args, size_t n, bool line);
/* strconv.Quote */
void fx_fmt_quote(struct fx_text *out, const char *s, size_t n, bool ascii);
/* Sprig's strval. */
struct fx_val fx_v_strval(struct fx_render *x, struct fx_val v);
const char *fx_fmt_duration(int64_t ns, char out[40]);
/* A rune at s (n > 0 bytes left); *width its bytes; U+FFFD and 1 for a bad byte. */
unsigned fx_rune_at(const char *s, size_t n, size_t *width);
bool fx_rune_is_space(unsigned r);
bool fx_rune_is_print(unsigned r);

/* JSON as encoding/json writes it. Non-NULL: why not. */
const char *fx_v_json(struct fx_text *out, struct fx_val v, bool html, int indent);

#endif
