#include "kustomize/engine.h"

#include "data/base64.h"
#include "data/digest.h"
#include "data/json.h"
#include "data/yaml_text.h"

#include <stdlib.h>
#include <string.h>

static const char *text_at(const struct fx_node *n, const char *key)
{
	const char *t = fx_node_get_text(n, key);
	return t ? t : "";
}

/* ---- key and value pairs ---- */

struct kv {
	const char *key, *value;
	size_t len;
};

struct kvs {
	struct kv *items;
	size_t len, cap;
	struct fx_index seen;
};

static void add_pair(struct fx_build *b, struct kvs *list, const char *key, const char *value, size_t len)
{
	list->items = fx_more(b, list->items, &list->cap, list->len, sizeof(*list->items));
	list->items[list->len++] = (struct kv){key, value, len};
}

static const char *all_of(struct fx_build *b, const struct fx_node *list)
{
	struct fx_texts t = {0};
	for (uint32_t i = 0; i < list->len; i++)
		fx_texts_add(b, &t, list->items[i]->text);
	return fx_texts_join(b, &t, " ");
}

struct load_call {
	const struct fx_root *root;
	const struct fx_node *list;
	struct kvs *out;
};

static void read_env_line(struct fx_build *b, const char *s, size_t len, bool first, struct kvs *out)
{
	if (!fx_utf8_valid(s, len))
		fx_throw(b, "line has invalid utf8 bytes : %.*s", (int)len, s);
	if (first && len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		len -= 3;
	}
	/* Unicode white space in front, as Go's TrimLeftFunc(unicode.IsSpace). */
	for (;;) {
		size_t w = 0;
		if (len && (*s == ' ' || (*s >= '\t' && *s <= '\r')))
			w = 1;
		else if (len >= 2 && (memcmp(s, "\xc2\xa0", 2) == 0 || memcmp(s, "\xc2\x85", 2) == 0))
			w = 2;
		else if (len >= 3 &&
		         (memcmp(s, "\xe3\x80\x80", 3) == 0 || memcmp(s, "\xe1\x9a\x80", 3) == 0 ||
		                 (memcmp(s, "\xe2\x80", 2) == 0 && (unsigned char)s[2] <= 0x8a) ||
		                 memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0 ||
		                 memcmp(s, "\xe2\x80\xaf", 3) == 0 || memcmp(s, "\xe2\x81\x9f", 3) == 0))
			w = 3;
		if (w == 0)
			break;
		s += w;
		len -= w;
	}
	if (len == 0 || *s == '#')
		return;
	const char *eq = memchr(s, '=', len);
	size_t key_len = eq ? (size_t)(eq - s) : len;
	if (key_len == 0)
		return;
	const char *value = eq ? eq + 1 : "";
	size_t value_len = eq ? len - key_len - 1 : 0;
	add_pair(b, out, fx_strn(b, s, key_len), fx_strn(b, value, value_len), value_len);
}

/* Go's line scanner gives up at a line of this length. */
#define ENV_LINE_MAX (64 * 1024)

static void load_envs(struct fx_build *b, void *arg)
{
	struct load_call *c = arg;
	for (uint32_t i = 0; i < c->list->len; i++) {
		size_t len;
		const char *text = fx_root_load(b, c->root, c->list->items[i]->text, &len), *end = text + len;
		bool first = true;
		while (text < end) {
			const char *stop = memchr(text, '\n', (size_t)(end - text));
			const char *next = stop ? stop + 1 : end;
			if (!stop)
				stop = end;
			if (stop - text >= ENV_LINE_MAX)
				break;
			size_t n = (size_t)(stop - text);
			if (n && text[n - 1] == '\r')
				n--;
			read_env_line(b, text, n, first, c->out);
			first = false;
			text = next;
		}
	}
}

static void load_literals(struct fx_build *b, void *arg)
{
	struct load_call *c = arg;
	for (uint32_t i = 0; i < c->list->len; i++) {
		const struct fx_node *item = c->list->items[i];
		const char *eq = strchr(item->text, '=');
		if (!eq || eq == item->text)
			fx_throw(b, "invalid literal source %s, expected key=value", item->text);
		const char *value = eq + 1;
		size_t len = item->len - (size_t)(value - item->text);
		if (len >= 2 && value[0] == value[len - 1] && (value[0] == '\'' || value[0] == '"')) {
			value++;
			len -= 2;
		}
		add_pair(b, c->out, fx_strn(b, item->text, (size_t)(eq - item->text)), fx_strn(b, value, len),
		        len);
	}
}

static void load_files(struct fx_build *b, void *arg)
{
	struct load_call *c = arg;
	for (uint32_t i = 0; i < c->list->len; i++) {
		const char *source = c->list->items[i]->text, *eq = strchr(source, '='), *key, *path = source;
		if (eq && strchr(eq + 1, '='))
			fx_throw(b, "source %s key name or file path contains '='", fx_quote(b, source));
		if (eq == source)
			fx_throw(b, "missing key name for file path %s in source %s", fx_quote(b, source + 1),
			        fx_quote(b, source));
		if (eq && !eq[1])
			fx_throw(b, "missing file path for key name %s in source %s",
			        fx_quote(b, fx_strn(b, source, (size_t)(eq - source))), fx_quote(b, source));
		if (eq) {
			key = fx_strn(b, source, (size_t)(eq - source));
			path = eq + 1;
		} else {
			char *clean = fx_path_clean(b->arena, source);
			key = clean ? fx_path_base(clean) : source;
		}
		size_t len;
		const char *data = fx_root_load(b, c->root, path, &len);
		add_pair(b, c->out, key, data, len);
	}
}

static void load_pairs(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *args, struct kvs *out)
{
	struct load_call c = {.root = root, .out = out};
	if (fx_node_is_seq(c.list = fx_node_get(args, "envs")) && c.list->len)
		fx_with_prefix(
		        b, load_envs, &c, "loading KV pairs: env source files: [%s]: ", all_of(b, c.list));
	if (fx_node_is_seq(c.list = fx_node_get(args, "literals")) && c.list->len)
		fx_with_prefix(
		        b, load_literals, &c, "loading KV pairs: literal sources [%s]: ", all_of(b, c.list));
	if (fx_node_is_seq(c.list = fx_node_get(args, "files")) && c.list->len)
		fx_with_prefix(
		        b, load_files, &c, "loading KV pairs: file sources: [%s]: ", all_of(b, c.list));
	for (size_t i = 0; i < out->len; i++) {
		if (fx_index_get(&out->seen, out->items[i].key))
			fx_throw(b, "configmap %s illegally repeats the key `%s`", text_at(args, "name"),
			        out->items[i].key);
		fx_index_set(b, &out->seen, out->items[i].key, out);
	}
}

/* ---- the object ---- */

#define BASE64_COLUMNS 70

/* go-yaml's base64: lines of 70 when there is more than one. */
static const char *base64(struct fx_build *b, const char *data, size_t len, size_t *out_len)
{
	size_t size = fx_base64_size(len), n = 0;
	char *line = fx_new(b, size), *out = fx_new(b, size + size / BASE64_COLUMNS + 1);
	fx_base64_encode_to(data, len, line);
	for (size_t at = 0; at < size; at += BASE64_COLUMNS) {
		size_t part = size - at < BASE64_COLUMNS ? size - at : BASE64_COLUMNS;
		memcpy(out + n, line + at, part);
		n += part;
		if (size >= BASE64_COLUMNS)
			out[n++] = '\n';
	}
	*out_len = n;
	return out;
}

static struct fx_node *data_map(struct fx_build *b, struct fx_res *r, const char *field)
{
	struct fx_node *map = fx_node_get(r->node, field);
	if (!map) {
		map = fx_need(b, fx_node_new_map(b->arena));
		fx_set(b, r->node, field, map);
	}
	return map;
}

static void add_data(struct fx_build *b, struct fx_res *r, const struct kv *kv, bool secret)
{
	bool plain = !secret && fx_utf8_valid(kv->value, kv->len);
	size_t len = kv->len;
	const char *text = plain ? kv->value : base64(b, kv->value, kv->len, &len);
	struct fx_node *value = fx_need(b, fx_node_new_scalar_len(b->arena, FX_TAG_STR, text, len));
	if (len && memchr(text, '\n', len))
		value->style = FX_STYLE_LITERAL;
	struct fx_node *map = data_map(b, r, plain || secret ? "data" : "binaryData");
	/* Keys were checked to be different. */
	fx_needs(b, fx_node_add_pair(b->arena, map, fx_scalar(b, FX_TAG_NONE, kv->key), value));
}

static int compare_kvs(const void *x, const void *y)
{
	return strcmp(((const struct kv *)x)->key, ((const struct kv *)y)->key);
}

static bool is_true(const struct fx_node *options, const char *key)
{
	return strcmp(text_at(options, key), "true") == 0;
}

static void add_options_map(struct fx_build *b, struct fx_res *r, const struct fx_node *own,
        const struct fx_node *global, const char *field)
{
	struct fx_node *merged = fx_need(b, fx_node_new_map(b->arena));
	const struct fx_node *sources[] = {fx_node_get(own, field), fx_node_get(global, field)};
	for (size_t s = 0; s < 2; s++)
		for (uint32_t i = 0; fx_node_is_map(sources[s]) && i < sources[s]->len; i++) {
			const struct fx_pair *p = &sources[s]->pairs[i];
			if (!fx_node_get(merged, p->key->text))
				fx_set(b, merged, p->key->text,
				        fx_need(b, fx_node_new_scalar_len(b->arena, FX_TAG_STR,
				                           p->value->text, p->value->len)));
		}
	if (merged->len)
		fx_set(b, fx_need_map(b, r->node, "metadata"), field, merged);
}

struct fx_res *fx_generate(struct fx_build *b, const struct fx_root *root, const struct fx_node *args,
        const struct fx_node *global, bool secret)
{
	struct fx_res *r = fx_res_new(b, fx_need(b, fx_node_new_map(b->arena)));
	const char *name = text_at(args, "name"), *ns = text_at(args, "namespace");
	const struct fx_node *own = fx_node_get(args, "options");
	fx_set(b, r->node, "apiVersion", fx_scalar(b, FX_TAG_NONE, "v1"));
	fx_set(b, r->node, "kind", fx_scalar(b, FX_TAG_NONE, secret ? "Secret" : "ConfigMap"));
	if (!*name)
		fx_throw(b, "a configmap must have a name");
	fx_res_set_name(b, r, name);
	if (*ns)
		fx_res_set_namespace(b, r, ns);
	struct kvs pairs = {0};
	load_pairs(b, root, args, &pairs);
	if (secret) {
		const char *type = text_at(args, "type");
		fx_set(b, r->node, "type", fx_scalar(b, FX_TAG_STR, *type ? type : "Opaque"));
		data_map(b, r, "data");
	}
	if (pairs.len)
		qsort(pairs.items, pairs.len, sizeof(*pairs.items), compare_kvs);
	for (size_t i = 0; i < pairs.len; i++)
		add_data(b, r, &pairs.items[i], secret);
	add_options_map(b, r, own, global, "labels");
	add_options_map(b, r, own, global, "annotations");
	if (is_true(own, "immutable") || is_true(global, "immutable"))
		fx_set(b, r->node, "immutable", fx_scalar(b, FX_TAG_BOOL, "true"));
	if (!is_true(own, "disableNameSuffixHash") && !is_true(global, "disableNameSuffixHash"))
		fx_res_set_annotation(b, r, FX_ANNO_HASH, "enabled");
	const char *behavior = text_at(args, "behavior");
	if (*behavior)
		fx_res_set_annotation(b, r, FX_ANNO_BEHAVIOR, behavior);
	return r;
}

/* ---- hashes ---- */

static void set_or_empty(struct fx_build *b, struct fx_node *to, const char *key, struct fx_node *value)
{
	fx_set(b, to, key, value ? value : fx_scalar(b, FX_TAG_STR, ""));
}

static const char *hash_input(struct fx_build *b, struct fx_res *r)
{
	const char *kind = fx_res_kind(r);
	struct fx_node *in = fx_need(b, fx_node_new_map(b->arena));
	bool secret = strcmp(kind, "Secret") == 0;
	if (!secret && strcmp(kind, "ConfigMap") != 0)
		return fx_node_json(b, r->node, FX_JSON_GO);
	fx_set(b, in, "kind", fx_scalar(b, FX_TAG_STR, kind));
	fx_set(b, in, "name", fx_scalar(b, FX_TAG_STR, ""));
	set_or_empty(b, in, "data", fx_node_get(r->node, "data"));
	if (secret) {
		set_or_empty(b, in, "type", fx_node_get(r->node, "type"));
		if (fx_node_get(r->node, "stringData"))
			fx_set(b, in, "stringData", fx_node_get(r->node, "stringData"));
	} else if (fx_node_is_map(fx_node_get(r->node, "binaryData"))) {
		fx_set(b, in, "binaryData", fx_node_get(r->node, "binaryData"));
	}
	return fx_node_json(b, in, FX_JSON_GO);
}

void fx_transform_hash(struct fx_build *b, struct fx_resmap *m)
{
	for (size_t i = 0; i < m->len; i++) {
		struct fx_res *r = m->items[i];
		const char *mark = fx_res_annotation(r, FX_ANNO_HASH);
		if (!mark || strcmp(mark, "enabled") != 0)
			continue;
		const char *in = hash_input(b, r);
		struct fx_digest sum;
		struct fx_error err = FX_ERROR_INIT;
		if (fx_digest_bytes(FX_DIGEST_SHA256, in, strlen(in), &sum, &err) < 0)
			fx_throw_error(b, &err);
		const char *hex = fx_digest_hex(&sum);
		char suffix[11];
		for (int k = 0; k < 10; k++) {
			/* Digits and vowels that could make words or look like numbers are replaced. */
			static const char map[] = "gh2k456789mbcdtf";
			suffix[k] = map[hex[k] <= '9' ? hex[k] - '0' : hex[k] - 'a' + 10];
		}
		suffix[10] = '\0';
		fx_res_store_id(b, r);
		fx_res_set_name(b, r, fx_fmt(b, "%s-%s", fx_res_name(r), suffix));
	}
	m->ids_valid = false;
}
