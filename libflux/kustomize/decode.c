#include "kustomize/engine.h"

#include "data/json.h"
#include "data/scalar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What Go's decoder of JSON makes of values that it reads into a struct. */

#define YAML_ERROR "error unmarshaling JSON: while decoding JSON: json: "
const struct fx_decoding fx_decoding_yaml = {.error = YAML_ERROR, .coerce = true},
                         fx_decoding_yaml_strict = {.error = YAML_ERROR, .coerce = true, .strict = true},
                         fx_decoding_yaml_v3 = {
                                 .error = "yaml: unmarshal errors: ", .coerce = true, .exact = true};

struct decoder {
	struct fx_build *b;
	const struct fx_decoding *how;
};

static const char *type_of(const struct fx_node *n)
{
	if (n->kind == FX_NODE_MAP)
		return "object";
	if (n->kind == FX_NODE_SEQ)
		return "array";
	return n->tag == FX_TAG_BOOL                            ? "bool"
	       : n->tag == FX_TAG_INT || n->tag == FX_TAG_FLOAT ? "number"
	                                                        : "string";
}

static fx_noreturn void wrong_type(
        const struct decoder *d, const struct fx_node *n, const char *path, const char *type)
{
	fx_throw(d->b, "%scannot unmarshal %s into Go struct field %s of type %s", d->how->error, type_of(n),
	        path, type);
}

static struct fx_node *decode_object(const struct decoder *d, const struct fx_node *n,
        const struct fx_field *fields, const char *path, const char *go);

/* A number or boolean as text, where the string that is wanted allows it. */
static struct fx_node *to_string(const struct decoder *d, struct fx_node *n, const char *path)
{
	struct fx_scalar s;
	char number[FX_NUMBER_TEXT];
	if (n->tag == FX_TAG_STR)
		return n;
	if (!d->how->coerce || n->kind != FX_NODE_SCALAR ||
	        (n->tag != FX_TAG_BOOL && n->tag != FX_TAG_INT && n->tag != FX_TAG_FLOAT))
		wrong_type(d, n, path, "string");
	if (n->tag == FX_TAG_FLOAT && fx_scalar_value(n, false, &s, NULL) == 0 && s.tag == FX_TAG_FLOAT)
		return fx_scalar(d->b, FX_TAG_STR, fx_strn(d->b, number, fx_double_g(s.f, number)));
	return fx_scalar(d->b, FX_TAG_STR, fx_node_json(d->b, n, FX_JSON_GO));
}

/* An integer, also one that is written as 1.0 or 1e3. */
static struct fx_node *to_int(const struct decoder *d, struct fx_node *n, const char *path)
{
	if (n->tag == FX_TAG_INT)
		return n;
	const char *text = n->tag == FX_TAG_FLOAT ? fx_node_json(d->b, n, FX_JSON_GO) : "";
	const char *digits = text + (*text == '-');
	if (!*digits || digits[strspn(digits, "0123456789")])
		wrong_type(d, n, path, "int64");
	return fx_scalar(d->b, FX_TAG_INT, text);
}

static void decode_strings(const struct decoder *d, struct fx_node *n, const char *path, bool list)
{
	if (n->kind != (list ? FX_NODE_SEQ : FX_NODE_MAP))
		wrong_type(d, n, path, list ? "[]string" : "map[string]string");
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_node **item = list ? &n->items[i] : &n->pairs[i].value;
		*item = (*item)->tag == FX_TAG_NULL ? fx_scalar(d->b, FX_TAG_STR, "")
		                                    : to_string(d, *item, path);
	}
}

static struct fx_node *decode_list(
        const struct decoder *d, const struct fx_node *n, const struct fx_field *f, const char *path)
{
	struct fx_node *out = fx_need(d->b, fx_node_new_seq(d->b->arena));
	if (n->kind != FX_NODE_SEQ)
		wrong_type(d, n, path, fx_fmt(d->b, "[]types.%s", f->go));
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_node *item = n->items[i]->tag == FX_TAG_NULL
		                               ? fx_need(d->b, fx_node_new_map(d->b->arena))
		                               : decode_object(d, n->items[i], f->sub, path, f->go);
		fx_needs(d->b, fx_node_append(d->b->arena, out, item));
	}
	return out;
}

static struct fx_node *decode_value(
        const struct decoder *d, struct fx_node *n, const struct fx_field *f, const char *path)
{
	struct fx_decoding exact = *d->how;
	struct decoder inner = {d->b, &exact};
	if (f->within && !exact.exact) {
		exact.coerce = false;
		d = &inner;
	}
	switch (f->type) {
	case FX_FIELD_STR:
		return to_string(d, n, path);
	case FX_FIELD_BOOL:
		if (n->tag != FX_TAG_BOOL)
			wrong_type(d, n, path, "bool");
		return n;
	case FX_FIELD_INT:
		return to_int(d, n, path);
	case FX_FIELD_STRS:
	case FX_FIELD_MAP:
		decode_strings(d, n, path, f->type == FX_FIELD_STRS);
		return n;
	case FX_FIELD_OBJECT:
		return decode_object(d, n, f->sub, path, f->go);
	case FX_FIELD_LIST:
		return decode_list(d, n, f, path);
	case FX_FIELD_ANY:
		break;
	}
	return n;
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp((*(const struct fx_pair *const *)a)->key->text,
	        (*(const struct fx_pair *const *)b)->key->text);
}

static struct fx_node *decode_object(const struct decoder *d, const struct fx_node *n,
        const struct fx_field *fields, const char *path, const char *go)
{
	struct fx_build *b = d->b;
	if (n->kind != FX_NODE_MAP)
		wrong_type(d, n, path, fx_fmt(b, "types.%s", go));
	struct fx_node *out = fx_need(b, fx_node_new_map(b->arena));
	/* The decoder sees the keys sorted: of two spellings the later one wins. */
	const struct fx_pair **pairs = fx_new(b, (n->len + 1) * sizeof(*pairs));
	for (uint32_t i = 0; i < n->len; i++)
		pairs[i] = &n->pairs[i];
	qsort(pairs, n->len, sizeof(*pairs), compare_pairs);
	for (uint32_t i = 0; i < n->len; i++) {
		const char *key = pairs[i]->key->text;
		const struct fx_field *f = fields;
		while (f->name && (d->how->exact ? strcmp : strcasecmp)(f->name, key) != 0)
			f++;
		if (!f->name && d->how->strict)
			fx_throw(b, "%sunknown field %s", d->how->error, fx_quote(b, key));
		if (!f->name || pairs[i]->value->tag == FX_TAG_NULL)
			continue;
		/* The struct at hand, then all fields that lead here. */
		const char *fields_above = path[strcspn(path, ".")] ? strchr(path, '.') : "";
		const char *inner = fx_fmt(b, "%s%s%s%s.%s", go, fields_above, f->within ? "." : "",
		        f->within ? f->within : "", f->name);
		fx_set(b, out, f->name, decode_value(d, pairs[i]->value, f, inner));
	}
	return out;
}

struct fx_node *fx_decode(struct fx_build *b, const struct fx_decoding *how, const struct fx_node *n,
        const struct fx_field *fields, const char *go)
{
	if (fx_node_is_null(n))
		return fx_need(b, fx_node_new_map(b->arena));
	return decode_object(&(struct decoder){b, how}, n, fields, go, go);
}
