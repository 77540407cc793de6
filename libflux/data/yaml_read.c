#include "data/yaml.h"

#include "core/vec.h"
#include "data/values.h"
#include "data/yaml_comments.h"

#include <math.h>
#include <stdio.h>
#include <yaml.h>

struct anchor {
	const char *name;
	struct fx_node *node; /* NULL while its node is being read */
	size_t size;          /* nodes in it */
};

struct reader {
	struct fx_arena *arena;
	const struct fx_yaml_read *opts;
	yaml_parser_t parser;
	yaml_event_t event;
	bool have_event;
	const char *input;
	char *text; /* our copy of it, NULL when marks are no offsets (a byte order mark) */
	size_t len;
	size_t at_char, at_byte;
	FX_VEC(struct anchor) anchors;
	/* Elements of the collections that are still open; keeps the final arrays compact. */
	FX_VEC(struct fx_node *) stack;
	FX_VEC(struct fx_yaml_place) places; /* with comments */
	bool is_entry;                       /* of the node that is read next */
	size_t alias_nodes;
	size_t nodes;
	struct fx_error *err;
};

static void reader_release(struct reader *r)
{
	if (r->have_event)
		yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
	fx_vec_release(&r->anchors);
	fx_vec_release(&r->stack);
	fx_vec_release(&r->places);
}

/* Remembers where a node stands. end: of the current event. */
static int add_place(struct reader *r, struct fx_node *n, size_t line, size_t column, bool entry)
{
	struct fx_yaml_place p = {n, line, column, r->event.end_mark.line, r->event.end_mark.column, entry};
	if (!r->opts->comments)
		return 0;
	return fx_vec_push(&r->places, p) ? 0 : fx_fail_nomem(r->err);
}

static int syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	if (p->error == YAML_MEMORY_ERROR)
		return fx_fail_nomem(r->err);
	if (p->error == YAML_READER_ERROR)
		return fx_fail(r->err, FX_E_PARSE, "yaml: %s", p->problem ? p->problem : "invalid input");
	/* go-yaml counts from 0, adds one to what its scanner finds, and names no line 0. */
	size_t line = p->context_mark.line ? p->context_mark.line : p->problem_mark.line;
	const char *problem = p->problem ? p->problem : "syntax error";
	if (line == 0)
		return fx_fail(r->err, FX_E_PARSE, "yaml: %s", problem);
	line += p->error == YAML_SCANNER_ERROR;
	return fx_fail(r->err, FX_E_PARSE, "yaml: line %zu: %s", line, problem);
}

static int next_event(struct reader *r)
{
	if (r->have_event)
		yaml_event_delete(&r->event);
	r->have_event = false;
	if (!yaml_parser_parse(&r->parser, &r->event))
		return syntax_error(r);
	r->have_event = true;
	return 0;
}

static enum fx_tag tag_from_text(const char *tag)
{
	static const struct {
		const char *text;
		enum fx_tag tag;
	} tags[] = {
	        {"str", FX_TAG_STR},
	        {"int", FX_TAG_INT},
	        {"float", FX_TAG_FLOAT},
	        {"bool", FX_TAG_BOOL},
	        {"null", FX_TAG_NULL},
	        {"timestamp", FX_TAG_TIME},
	        {"binary", FX_TAG_BINARY},
	        {"merge", FX_TAG_MERGE},
	        {"map", FX_TAG_MAP},
	        {"seq", FX_TAG_SEQ},
	};
	static const char prefix[] = "tag:yaml.org,2002:";
	if (strncmp(tag, prefix, sizeof(prefix) - 1) != 0)
		return FX_TAG_OTHER;
	for (size_t i = 0; i < FX_COUNT(tags); i++) {
		if (strcmp(tag + sizeof(prefix) - 1, tags[i].text) == 0)
			return tags[i].tag;
	}
	return FX_TAG_OTHER;
}

/* libyaml counts characters. Offsets are asked for in rising order, so that the way is never gone twice. */
static size_t byte_offset(struct reader *r, size_t index)
{
	while (r->at_char < index && r->at_byte < r->len) {
		r->at_byte++;
		while (r->at_byte < r->len && ((unsigned char)r->input[r->at_byte] & 0xc0) == 0x80)
			r->at_byte++;
		r->at_char++;
	}
	return r->at_byte;
}

/* Go-yaml does not know the escape `\/`, libyaml does. */
static bool has_escaped_slash(struct reader *r)
{
	size_t from = byte_offset(r, r->event.start_mark.index), to = byte_offset(r, r->event.end_mark.index);
	for (size_t i = from; i + 1 < to; i++) {
		if (r->input[i] != '\\')
			continue;
		if (r->input[i + 1] == '/')
			return true;
		i++;
	}
	return false;
}

/* The scalar's text inside our copy of the input when it stands there as it is, else a copy. */
static const char *keep_text(struct reader *r, enum fx_node_style style)
{
	const char *value = (const char *)r->event.data.scalar.value;
	size_t len = r->event.data.scalar.length;
	if (len == 0)
		return "";
	if (style == FX_STYLE_PLAIN || style == FX_STYLE_SINGLE || style == FX_STYLE_DOUBLE) {
		size_t at = byte_offset(r, r->event.start_mark.index) + (style == FX_STYLE_PLAIN ? 0 : 1);
		if (at + len <= r->len && memcmp(r->text + at, value, len) == 0) {
			r->text[at + len] = '\0';
			return r->text + at;
		}
	}
	return fx_arena_strndup(r->arena, value, len);
}

/* Rewrites a plain scalar of the v2 dialect as a JSON value. */
static int make_value(struct reader *r, struct fx_node *n)
{
	if (n->tagged && n->tag == FX_TAG_BINARY) {
		struct fx_value_text decoded;
		if (fx_value_text_make(n, false, &decoded, r->err) < 0)
			return -1;
		char *text = fx_arena_strndup(r->arena, decoded.text, decoded.len);
		if (text)
			fx_node_set_text(n, FX_TAG_STR, text, decoded.len);
		fx_value_text_release(&decoded);
		return text ? 0 : fx_fail_nomem(r->err);
	}
	bool is_text =
	        n->tagged ? n->tag == FX_TAG_STR || n->tag == FX_TAG_OTHER : n->style != FX_STYLE_PLAIN;
	if (is_text) {
		n->tag = FX_TAG_STR;
		return 0;
	}
	struct fx_scalar v = fx_scalar_resolve(r->opts->dialect, n->text, n->len);
	if (n->tagged && n->tag != v.tag && !(n->tag == FX_TAG_FLOAT && v.tag == FX_TAG_INT) &&
	        n->tag != FX_TAG_TIME)
		return fx_fail(r->err, FX_E_PARSE, "yaml: line %u: cannot decode `%s` as its tag says",
		        n->line, n->text);
	char number[FX_NUMBER_TEXT];
	switch (v.tag) {
	case FX_TAG_BOOL:
		fx_node_set_text(n, FX_TAG_BOOL, v.b ? "true" : "false", v.b ? 4 : 5);
		return 0;
	case FX_TAG_NULL:
		fx_node_set_text(n, FX_TAG_NULL, "null", 4);
		return 0;
	case FX_TAG_INT:
		snprintf(number, sizeof(number), v.is_unsigned ? "%llu" : "%lld", (long long)v.i);
		break;
	case FX_TAG_FLOAT:
		if (isnan(v.f) || isinf(v.f))
			return fx_fail(r->err, FX_E_INVALID, "json: unsupported value: %s",
			        isnan(v.f) ? "NaN"
			        : v.f > 0  ? "+Inf"
			                   : "-Inf");
		fx_double_json(v.f, number);
		break;
	default:
		n->tag = FX_TAG_STR;
		return 0;
	}
	n->tag = (uint8_t)v.tag;
	if (fx_node_text_is(n, number))
		return 0;
	char *text = fx_arena_strdup(r->arena, number);
	if (!text)
		return fx_fail_nomem(r->err);
	fx_node_set_text(n, v.tag, text, strlen(text));
	return 0;
}

static int read_scalar(struct reader *r, struct fx_node **out)
{
	static const enum fx_node_style styles[] = {
	        [YAML_ANY_SCALAR_STYLE] = FX_STYLE_PLAIN,
	        [YAML_PLAIN_SCALAR_STYLE] = FX_STYLE_PLAIN,
	        [YAML_SINGLE_QUOTED_SCALAR_STYLE] = FX_STYLE_SINGLE,
	        [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = FX_STYLE_DOUBLE,
	        [YAML_LITERAL_SCALAR_STYLE] = FX_STYLE_LITERAL,
	        [YAML_FOLDED_SCALAR_STYLE] = FX_STYLE_FOLDED,
	};
	enum fx_node_style style = styles[r->event.data.scalar.style];
	const char *text = keep_text(r, style);
	if (style == FX_STYLE_DOUBLE && has_escaped_slash(r))
		return fx_fail(r->err, FX_E_PARSE, "yaml: line %zu: found unknown escape character",
		        r->event.start_mark.line + 1);
	struct fx_node *n =
	        text ? fx_node_new_scalar_len(r->arena, FX_TAG_STR, text, r->event.data.scalar.length) : NULL;
	if (!n)
		return fx_fail_nomem(r->err);
	n->style = (uint8_t)style;
	n->line = (uint32_t)r->event.start_mark.line + 1;
	const char *tag = (const char *)r->event.data.scalar.tag;
	if (tag && strcmp(tag, "!") != 0) {
		n->tagged = true;
		n->tag = (uint8_t)tag_from_text(tag);
	} else if (style == FX_STYLE_PLAIN && !tag) {
		n->tag = (uint8_t)fx_scalar_tag(FX_YAML_V3, n->text, n->len);
	}
	if (r->opts->values && n->tag != FX_TAG_MERGE)
		if (make_value(r, n) < 0)
			return -1;
	*out = n;
	return add_place(r, n, r->event.start_mark.line, r->event.start_mark.column, r->is_entry);
}

static int read_node(struct reader *r, int depth, struct fx_node **out);

/* Only as a key does `<<` mean a merge. */
static int push_value(struct reader *r, struct fx_node *n)
{
	if (r->opts->values && n->kind == FX_NODE_SCALAR && n->tag == FX_TAG_MERGE)
		n->tag = FX_TAG_STR;
	return fx_vec_push(&r->stack, n) ? 0 : fx_fail_nomem(r->err);
}

static int push(struct reader *r, struct fx_node *n)
{
	return fx_vec_push(&r->stack, n) ? 0 : fx_fail_nomem(r->err);
}

static int read_seq(struct reader *r, int depth, struct fx_node *seq)
{
	size_t base = r->stack.len;
	for (;;) {
		if (next_event(r) < 0)
			return -1;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		struct fx_node *item;
		r->is_entry = seq->style != FX_STYLE_FLOW;
		if (read_node(r, depth + 1, &item) < 0 || push_value(r, item) < 0)
			return -1;
	}
	size_t n = r->stack.len - base;
	if (n && !(seq->items = fx_arena_alloc(r->arena, n * sizeof(*seq->items))))
		return fx_fail_nomem(r->err);
	if (n)
		memcpy(seq->items, r->stack.items + base, n * sizeof(*seq->items));
	seq->len = seq->cap = (uint32_t)n;
	r->stack.len = base;
	return 0;
}

static bool is_merge_key(const struct fx_node *key)
{
	return key->kind == FX_NODE_SCALAR && key->tag == FX_TAG_MERGE;
}

/* Adds the pairs of src to map; replace: those that are there already are overwritten. */
static int merge_map(struct reader *r, struct fx_node *map, const struct fx_node *src, bool replace)
{
	if (!fx_node_is_map(src))
		return fx_fail(r->err, FX_E_PARSE, "map merge requires map or sequence of maps as the value");
	for (uint32_t i = 0; i < src->len; i++) {
		const struct fx_pair *p = &src->pairs[i];
		struct fx_pair *have =
		        p->key->kind == FX_NODE_SCALAR ? fx_node_pair(map, p->key->text, p->key->len) : NULL;
		if (have && replace)
			have->value = p->value;
		if (have)
			continue;
		if (!fx_node_add_pair(r->arena, map, p->key, p->value))
			return fx_fail_nomem(r->err);
	}
	return 0;
}

static int merge_value(struct reader *r, struct fx_node *map, const struct fx_node *value, bool replace)
{
	if (!fx_node_is_seq(value))
		return merge_map(r, map, value, replace);
	/* Earlier maps win over later ones. */
	for (uint32_t k = 0; k < value->len; k++) {
		uint32_t i = replace ? value->len - 1 - k : k;
		if (fx_node_is_seq(value->items[i]))
			return fx_fail(r->err, FX_E_PARSE, "invalid map merge: received a nested sequence");
		if (merge_map(r, map, value->items[i], replace) < 0)
			return -1;
	}
	return 0;
}

/* Go-yaml v2 takes pairs and merges in their order; in v3 written keys win wherever they stand. */
static int resolve_merges(struct reader *r, struct fx_node *map)
{
	uint32_t merges = 0;
	for (uint32_t i = 0; i < map->len; i++)
		merges += is_merge_key(map->pairs[i].key);
	if (merges == 0)
		return 0;
	if (merges > 1 && r->opts->dialect == FX_YAML_V3)
		return fx_fail(r->err, FX_E_PARSE, "duplicate merge key");
	struct fx_node old = *map;
	map->pairs = NULL;
	map->len = map->cap = 0;
	struct fx_node *merged = NULL;
	for (uint32_t i = 0; i < old.len; i++) {
		struct fx_pair *p = &old.pairs[i];
		if (is_merge_key(p->key)) {
			if (r->opts->dialect == FX_YAML_V3)
				merged = p->value;
			else if (merge_value(r, map, p->value, true) < 0)
				return -1;
			continue;
		}
		struct fx_pair *have = r->opts->dialect == FX_YAML_V2 && p->key->kind == FX_NODE_SCALAR
		                               ? fx_node_pair(map, p->key->text, p->key->len)
		                               : NULL;
		if (have)
			have->value = p->value;
		else if (!fx_node_add_pair(r->arena, map, p->key, p->value))
			return fx_fail_nomem(r->err);
	}
	return merged ? merge_value(r, map, merged, false) : 0;
}

/* Maps with more pairs than this get their duplicate keys found by sorting. */
#define SMALL_MAP 16

static int compare_keys(const void *a, const void *b)
{
	const struct fx_pair *x = *(const struct fx_pair *const *)a, *y = *(const struct fx_pair *const *)b;
	size_t n = x->key->len < y->key->len ? x->key->len : y->key->len;
	int c = memcmp(x->key->text, y->key->text, n);
	if (c == 0)
		c = x->key->len < y->key->len ? -1 : x->key->len > y->key->len;
	return c ? c : x < y ? -1 : x > y;
}

static int drop_marked(struct reader *r, struct fx_node *map, uint32_t index)
{
	if (r->opts->unique_keys)
		return fx_fail(r->err, FX_E_PARSE,
		        "yaml: unmarshal errors:\n  line %u: key \"%s\" already set in map",
		        map->pairs[index].key->line, map->pairs[index].key->text);
	map->pairs[index].key = NULL;
	return 0;
}

/* values: of equal keys the last value stays. */
static int drop_duplicates(struct reader *r, struct fx_node *map)
{
	if (map->len <= SMALL_MAP) {
		for (uint32_t i = 0; i < map->len; i++)
			for (uint32_t k = i + 1; k < map->len; k++)
				if (map->pairs[i].key && map->pairs[k].key &&
				        fx_node_same_text(map->pairs[i].key, map->pairs[k].key) &&
				        drop_marked(r, map, i) < 0)
					return -1;
	} else {
		fx_autofree struct fx_pair **sorted = malloc(map->len * sizeof(*sorted));
		if (!sorted)
			return fx_fail_nomem(r->err);
		for (uint32_t i = 0; i < map->len; i++)
			sorted[i] = &map->pairs[i];
		qsort(sorted, map->len, sizeof(*sorted), compare_keys);
		for (uint32_t i = 0; i + 1 < map->len; i++)
			if (fx_node_same_text(sorted[i]->key, sorted[i + 1]->key) &&
			        drop_marked(r, map, (uint32_t)(sorted[i] - map->pairs)) < 0)
				return -1;
	}
	uint32_t n = 0;
	for (uint32_t i = 0; i < map->len; i++)
		if (map->pairs[i].key)
			map->pairs[n++] = map->pairs[i];
	map->len = n;
	return 0;
}

static int make_keys_strings(struct reader *r, struct fx_node *map)
{
	for (uint32_t i = 0; i < map->len; i++) {
		struct fx_node *k = map->pairs[i].key;
		if (is_merge_key(k))
			continue;
		if (k->kind != FX_NODE_SCALAR || k->tag == FX_TAG_NULL)
			return fx_fail(r->err, FX_E_PARSE, "yaml: line %u: unsupported map key", k->line);
		k->tag = FX_TAG_STR;
	}
	return 0;
}

static int read_map(struct reader *r, int depth, struct fx_node *map)
{
	size_t base = r->stack.len;
	for (;;) {
		if (next_event(r) < 0)
			return -1;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			break;
		struct fx_node *key, *value;
		r->is_entry = map->style != FX_STYLE_FLOW;
		if (read_node(r, depth + 1, &key) < 0 || push(r, key) < 0)
			return -1;
		r->is_entry = false;
		if (next_event(r) < 0 || read_node(r, depth + 1, &value) < 0 || push_value(r, value) < 0)
			return -1;
	}
	size_t n = (r->stack.len - base) / 2;
	if (n && !(map->pairs = fx_arena_alloc(r->arena, n * sizeof(*map->pairs))))
		return fx_fail_nomem(r->err);
	/* A pair is two node pointers, key first. */
	for (size_t i = 0; i < n; i++)
		map->pairs[i] =
		        (struct fx_pair){r->stack.items[base + 2 * i], r->stack.items[base + 2 * i + 1]};
	map->len = map->cap = (uint32_t)n;
	r->stack.len = base;
	if (r->opts->values && make_keys_strings(r, map) < 0)
		return -1;
	if (!r->opts->anchors && resolve_merges(r, map) < 0)
		return -1;
	return r->opts->values ? drop_duplicates(r, map) : 0;
}

/* A node that shares the content of the anchored one and knows its name. */
static struct fx_node *alias_node(struct reader *r, const struct anchor *a)
{
	struct fx_node *n = fx_arena_alloc(r->arena, sizeof(*n));
	struct fx_comments *c = fx_arena_new_of(r->arena, struct fx_comments);
	if (!n || !c)
		return NULL;
	*n = *a->node;
	n->comments = c;
	c->alias = a->name;
	return n;
}

static int read_alias(struct reader *r, struct fx_node **out)
{
	const char *name = (const char *)r->event.data.alias.anchor;
	for (size_t i = r->anchors.len; i-- > 0;) {
		struct anchor *a = &r->anchors.items[i];
		if (strcmp(a->name, name) != 0)
			continue;
		if (!a->node)
			return fx_fail(r->err, FX_E_PARSE, "yaml: anchor '%s' value contains itself", name);
		r->alias_nodes += a->size;
		r->nodes += a->size;
		if (r->alias_nodes > FX_YAML_MAX_ALIAS_NODES)
			return fx_fail(r->err, FX_E_LIMIT,
			        "yaml: document contains excessive aliasing (more than %d nodes)",
			        FX_YAML_MAX_ALIAS_NODES);
		*out = r->opts->anchors ? alias_node(r, a) : fx_node_copy(r->arena, a->node);
		return *out ? 0 : fx_fail_nomem(r->err);
	}
	return fx_fail(r->err, FX_E_PARSE, "yaml: unknown anchor '%s' referenced", name);
}

/* Remembers an anchor before its node is read, so that a reference to itself is seen. */
static int add_anchor(struct reader *r, const yaml_char_t *name, size_t *index)
{
	*index = SIZE_MAX;
	if (!name)
		return 0;
	struct anchor a = {.name = fx_arena_strdup(r->arena, (const char *)name)};
	*index = r->anchors.len;
	return a.name && fx_vec_push(&r->anchors, a) ? 0 : fx_fail_nomem(r->err);
}

/* Reads the node that starts with the current event. */
static int read_node(struct reader *r, int depth, struct fx_node **out)
{
	if (depth > FX_YAML_MAX_DEPTH)
		return fx_fail(r->err, FX_E_LIMIT, "yaml: line %zu: nested deeper than %d levels",
		        r->event.start_mark.line + 1, FX_YAML_MAX_DEPTH);
	size_t anchor = SIZE_MAX, first = r->nodes++;
	uint32_t line = (uint32_t)r->event.start_mark.line + 1;
	int rc = 0;
	switch (r->event.type) {
	case YAML_ALIAS_EVENT:
		return read_alias(r, out);
	case YAML_SCALAR_EVENT:
		if (add_anchor(r, r->event.data.scalar.anchor, &anchor) < 0)
			return -1;
		rc = read_scalar(r, out);
		break;
	case YAML_SEQUENCE_START_EVENT:
		if (add_anchor(r, r->event.data.sequence_start.anchor, &anchor) < 0)
			return -1;
		if (!(*out = fx_node_new_seq(r->arena)))
			return fx_fail_nomem(r->err);
		(*out)->line = line;
		if (r->event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE)
			(*out)->style = FX_STYLE_FLOW;
		rc = read_seq(r, depth, *out);
		break;
	case YAML_MAPPING_START_EVENT:
		if (add_anchor(r, r->event.data.mapping_start.anchor, &anchor) < 0)
			return -1;
		if (!(*out = fx_node_new_map(r->arena)))
			return fx_fail_nomem(r->err);
		(*out)->line = line;
		if (r->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE)
			(*out)->style = FX_STYLE_FLOW;
		rc = read_map(r, depth, *out);
		break;
	default:
		return fx_fail(r->err, FX_E_INTERNAL, "yaml: unexpected event %d", (int)r->event.type);
	}
	if (rc < 0)
		return -1;
	if ((*out)->kind != FX_NODE_SCALAR && (*out)->style == FX_STYLE_FLOW &&
	        add_place(r, *out, line - 1, 0, false) < 0)
		return -1;
	if (anchor != SIZE_MAX && r->opts->anchors) {
		struct fx_comments *c = fx_arena_new_of(r->arena, struct fx_comments);
		if (!c)
			return fx_fail_nomem(r->err);
		c->anchor = r->anchors.items[anchor].name;
		(*out)->comments = c;
	}
	if (anchor != SIZE_MAX) {
		r->anchors.items[anchor].node = *out;
		r->anchors.items[anchor].size = r->nodes - first;
	}
	return 0;
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Two bytes of UTF-16 are three of UTF-8 at most. A surrogate without its other half ends up as bytes
 * that the parser refuses. */
static int decode_utf16(struct reader *r, const unsigned char *text, size_t len, bool big)
{
	char *out = fx_arena_alloc(r->arena, len / 2 * 3 + 1);
	size_t n = 0;
	if (!out)
		return fx_fail_nomem(r->err);
	if (len % 2)
		return fx_fail(r->err, FX_E_PARSE, "yaml: incomplete UTF-16 character");
	for (size_t i = 0; i < len; i += 2) {
		uint32_t c = (uint32_t)text[i + !big] << 8 | text[i + big];
		if (c >= 0xd800 && c < 0xdc00 && i + 3 < len) {
			uint32_t low = (uint32_t)text[i + 2 + !big] << 8 | text[i + 2 + big];
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				i += 2;
			}
		}
		n += put_utf8(out + n, c);
	}
	r->input = out;
	r->len = n;
	return 0;
}

/* A byte order mark says what the text is written in, and is no part of it. Editors of Windows write
 * UTF-8 with one, its shell redirects into UTF-16. */
static int decode_input(struct reader *r, const char *text, size_t len)
{
	bool big = len >= 2 && memcmp(text, "\xfe\xff", 2) == 0;
	if (big || (len >= 2 && memcmp(text, "\xff\xfe", 2) == 0))
		return decode_utf16(r, (const unsigned char *)text + 2, len - 2, big);
	size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	r->input = text + mark;
	r->len = len - mark;
	return 0;
}

static int reader_init(struct reader *r, const char *text, size_t len)
{
	if (!yaml_parser_initialize(&r->parser))
		return fx_fail_nomem(r->err);
	if (len > FX_YAML_MAX_BYTES) {
		return fx_fail(r->err, FX_E_LIMIT, "yaml: input of %zu bytes is larger than %u", len,
		        FX_YAML_MAX_BYTES);
	}
	if (decode_input(r, text, len) < 0)
		return -1;
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->input, r->len);
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	r->text = fx_arena_strndup(r->arena, r->input, r->len);
	return r->text ? 0 : fx_fail_nomem(r->err);
}

/* Reads the next document; *out is NULL at the end of the stream. */
static int read_document(struct reader *r, struct fx_node **out)
{
	*out = NULL;
	if (next_event(r) < 0)
		return -1;
	if (r->event.type == YAML_STREAM_START_EVENT && next_event(r) < 0)
		return -1;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return 0;
	if (next_event(r) < 0)
		return -1;
	r->anchors.len = 0;
	r->alias_nodes = r->nodes = 0;
	return read_node(r, 0, out);
}

static const struct fx_yaml_read defaults;

int fx_yaml_read(struct fx_arena *arena, const char *text, size_t len, const struct fx_yaml_read *opts,
        struct fx_node **out, struct fx_error *err)
{
	fx_cleanup(reader_release) struct reader r = {
	        .arena = arena, .opts = opts ? opts : &defaults, .err = err};
	struct fx_node *node = NULL;
	if (reader_init(&r, text, len) < 0 || read_document(&r, &node) < 0)
		return err ? -(int)err->code : -1;
	/* The document must also end properly; what follows it is not looked at. */
	if (node && next_event(&r) < 0)
		return err ? -(int)err->code : -1;
	if (node && r.places.len &&
	        !fx_yaml_attach_comments(arena, r.input, r.len, r.places.items, r.places.len))
		return fx_fail_nomem(err);
	*out = node;
	return 0;
}

int fx_yaml_read_all(struct fx_arena *arena, const char *text, size_t len, const struct fx_yaml_read *opts,
        struct fx_node **out, struct fx_error *err)
{
	fx_cleanup(reader_release) struct reader r = {
	        .arena = arena, .opts = opts ? opts : &defaults, .err = err};
	struct fx_node *list = fx_node_new_seq(arena);
	if (!list)
		return fx_fail_nomem(err);
	if (reader_init(&r, text, len) < 0)
		return err ? -(int)err->code : -1;
	for (;;) {
		struct fx_node *node;
		if (read_document(&r, &node) < 0)
			return err ? -(int)err->code : -1;
		if (!node)
			break;
		if (!fx_node_append(arena, list, node))
			return fx_fail_nomem(err);
		if (next_event(&r) < 0)
			return err ? -(int)err->code : -1;
	}
	*out = list;
	return 0;
}
