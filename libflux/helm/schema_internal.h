/* What the files about JSON schemas share. Private to helm/schema_*.c. */
#ifndef FX_HELM_SCHEMA_INTERNAL_H
#define FX_HELM_SCHEMA_INTERNAL_H

#include "helm/funcs.h"
#include "helm/schema.h"

/* Bits, in the order in which texts name them. */
enum fx_jtype {
	FX_J_NULL = 1,
	FX_J_BOOL = 2,
	FX_J_NUMBER = 4,
	FX_J_INTEGER = 8,
	FX_J_STRING = 16,
	FX_J_ARRAY = 32,
	FX_J_OBJECT = 64,
};

struct fx_jmember;
struct fx_schema;
struct fx_schema_resource;

/* A JSON value; objects are sorted by the bytes of their keys. Numbers keep their text. */
struct fx_jval {
	uint8_t type;
	bool b;
	bool processed; /* a schema whose resources are known */
	uint32_t len;   /* bytes, items or members */
	union {
		const char *s; /* STRING, NUMBER */
		struct fx_jval *items;
		struct fx_jmember *members;
	};
	struct fx_jval *parent;
	struct fx_schema_resource *resource; /* this value is the root of one */
	struct fx_schema *schema;            /* compiled */
};

struct fx_jmember {
	const char *key;
	uint32_t len, index;
	struct fx_jval val;
};

/* A number without rounding: 0.DIGITS * 10^point; sign 0 is zero, which has no digits. */
struct fx_decimal {
	int sign;
	const char *digits; /* neither leading nor trailing zeros */
	uint32_t n;
	int64_t point;
};

/* ---- schema_tree.c ---- */

/* NULL and *why for a text that is no JSON. */
struct fx_jval *fx_jval_parse(struct fx_render *x, const char *text, size_t len, const char **why);
struct fx_jval *fx_jval_from(struct fx_render *x, struct fx_val v);
struct fx_jval *fx_jval_find(const struct fx_jval *object, const char *key, size_t len);
static inline struct fx_jval *fx_jval_get(const struct fx_jval *object, const char *key)
{
	return fx_jval_find(object, key, strlen(key));
}
bool fx_jval_equal(struct fx_render *x, const struct fx_jval *a, const struct fx_jval *b);
/* The first item that equals an earlier one. */
bool fx_jval_duplicate(struct fx_render *x, const struct fx_jval *array, size_t *first, size_t *second);
/* The JSON pointer of a value below root, percent-encoded or not. */
void fx_jval_pointer(struct fx_text *out, const struct fx_jval *v, bool encode);
/* A token of a pointer with ~ and / escaped. */
void fx_jval_token(struct fx_text *out, const char *s, size_t n);
void fx_uri_escape(struct fx_text *out, const char *s, size_t n);

struct fx_decimal fx_decimal_of(struct fx_render *x, const struct fx_jval *number);
int fx_decimal_compare(const struct fx_decimal *a, const struct fx_decimal *b);
bool fx_decimal_is_integer(const struct fx_decimal *d);
bool fx_decimal_is_multiple(const struct fx_decimal *a, const struct fx_decimal *b);
double fx_decimal_double(struct fx_render *x, const struct fx_decimal *d);

/* ---- schema_meta.c ---- */

/* The text of a metaschema, NULL when url is none. Written with ' for ". */
const char *fx_schema_meta_text(const char *url);

/* ---- schema_uri.c ---- */

/* ref against base, without their fragments. NULL and *why for what is no URL. */
const char *fx_uri_join(struct fx_render *x, const char *base, const char *ref, const char **why);
/* net/url's Parse and the checks of formats: NULL or why not. absolute: a scheme is needed. */
const char *fx_uri_check(struct fx_render *x, const char *s, size_t n, bool absolute);
bool fx_uri_decode(struct fx_render *x, const char *s, size_t n, struct fx_val *out, const char **why);

/* ---- schema_format.c ---- */

typedef const char *fx_format_check(struct fx_render *x, const char *s, size_t n);
/* NULL: a format that nobody knows, which everything meets. */
fx_format_check *fx_format_find(const char *name, size_t len);

/* ---- schema_compile.c ---- */

struct fx_schema_list {
	struct fx_schema **items;
	size_t len;
};

/* A property, a pattern or a dependency. */
struct fx_schema_named {
	const char *key;
	uint32_t len;
	struct fx_schema *schema;
	const struct fx_jval *required; /* a list of names instead */
	struct fx_regex *regex;
};

struct fx_schema_map {
	struct fx_schema_named *items;
	size_t len;
};

struct fx_schema {
	struct fx_schema *next; /* in the order of their finding */
	struct fx_schema_root *root;
	struct fx_jval *at;
	struct fx_schema *base; /* of its resource */
	int draft;
	int8_t boolean; /* -1: an object */
	bool all_props_seen, all_items_seen, recursive_anchor, unique_items;
	bool no_additional_props, no_additional_items; /* `false`, not a schema */
	uint8_t types;
	uint8_t enum_types;
	uint32_t items_seen;
	struct fx_schema_map dynamic_anchors; /* of a resource */
	const char *dynamic_anchor, *dynamic_ref_anchor;
	struct fx_schema *ref, *recursive_ref, *dynamic_ref;
	struct fx_schema *not_, *if_, *then_, *else_;
	struct fx_schema_list all_of, any_of, one_of, prefix_items;
	struct fx_schema *items, *additional_items, *contains, *unevaluated_items;
	struct fx_schema *additional_props, *prop_names, *unevaluated_props;
	struct fx_schema_map props, patterns, dependencies, dependent_schemas, dependent_required;
	const struct fx_jval *enum_, *const_, *required, *pattern_text, *format_name;
	struct fx_regex *pattern;
	fx_format_check *format;
	struct fx_decimal *minimum, *maximum, *exclusive_minimum, *exclusive_maximum, *multiple_of;
	/* -1: not given */
	int64_t min_length, max_length, min_items, max_items, min_props, max_props, min_contains,
	        max_contains;
};

struct fx_schema_anchor {
	struct fx_schema_anchor *next;
	const char *name;
	struct fx_jval *at;
	bool dynamic;
};

/* A schema with an address of its own. */
struct fx_schema_resource {
	struct fx_schema_resource *next;
	struct fx_jval *at;
	const char *id;
	int draft;
	struct fx_schema_anchor *anchors;
};

/* A document. */
struct fx_schema_root {
	struct fx_schema_root *next;
	const char *url;
	struct fx_jval *doc;
	struct fx_schema_resource *resources;
	bool mixed; /* not all resources are of one draft */
};

/* A compiler; metaschemas have one of their own, which asserts formats. */
struct fx_schemas {
	struct fx_render *x;
	bool meta;
	struct fx_schema_root *roots;
	struct fx_schema *first, **tail, **todo;
	size_t count, names;
	const char *failed; /* why the schema cannot be used */
	struct fx_schemas *metaschemas;
};

struct fx_schema *fx_schema_compile(struct fx_schemas *c, const char *url);
/* Metaschema of a draft, compiled. */
struct fx_schema *fx_schema_meta(struct fx_schemas *c, int draft);
/* The place of a schema: "url#pointer". */
const char *fx_schema_location(struct fx_render *x, const struct fx_schema *s);

/* ---- schema_roots.c ---- */

void fx_schema_fail(struct fx_schemas *c, const char *fmt, ...) fx_printf(2, 3);
struct fx_schema_root *fx_schema_root_add(struct fx_schemas *c, const char *url, struct fx_jval *doc);
struct fx_schema_root *fx_schema_root_load(struct fx_schemas *c, const char *url);
struct fx_schema_resource *fx_schema_resource_of(const struct fx_jval *v);
/* Where ref leads from a schema of this resource; *root: the document it is in. NULL: failed. */
struct fx_jval *fx_schema_resolve(struct fx_schemas *c, struct fx_schema_root **root,
        const struct fx_schema_resource *res, const char *ref);
/* A schema at a place where none was expected: its resources, and its own check. */
void fx_schema_ensure(struct fx_schemas *c, struct fx_schema_root *root, struct fx_jval *v);

/* ---- schema_check.c ---- */

struct fx_schema_error {
	struct fx_schema_error *next;
	const char *pointer, *message;
	struct fx_schema_error *causes, **tail;
	bool reference, group;
};

/* NULL: v meets s. resources: of the document that v is, when s is its metaschema. */
struct fx_schema_error *fx_schema_run(struct fx_schemas *c, struct fx_schema *s, const struct fx_jval *v,
        const struct fx_schema_root *resources);

/* ---- schema_report.c ---- */

/* "jsonschema validation failed with 'URL'" and the lines below it. */
void fx_schema_report(struct fx_text *out, const struct fx_schema *s, const struct fx_schema_error *e);
void fx_schema_quote(struct fx_text *out, const char *s, size_t n);
/* Numbers as an English printer writes them. */
void fx_schema_print_int(struct fx_text *out, int64_t v);
void fx_schema_print_double(struct fx_text *out, double v);

#endif
