#include "value.h"

#include "data/json.h"
#include "data/scalar.h"

#include <math.h>
#include <stdarg.h>

void fx_text_add(struct fx_text *t, const char *s, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		size_t cap = t->cap ? t->cap : 64;
		while (cap < t->len + n + 1)
			cap *= 2;
		char *data = fx_arena_realloc(fx_render_arena(t->x), t->data, t->cap, cap);
		if (!data)
			fx_render_throw(t->x, "out of memory");
		t->data = data;
		t->cap = cap;
	}
	if (n)
		memcpy(t->data + t->len, s, n);
	t->len += n;
	t->data[t->len] = 0;
}

void fx_text_str(struct fx_text *t, const char *s)
{
	fx_text_add(t, s, strlen(s));
}

void fx_text_char(struct fx_text *t, char c)
{
	fx_text_add(t, &c, 1);
}

void fx_text_rune(struct fx_text *t, unsigned r)
{
	char b[4];
	if (r > 0x10ffff || (r >= 0xd800 && r < 0xe000))
		r = 0xfffd;
	if (r < 0x80) {
		b[0] = (char)r;
		fx_text_add(t, b, 1);
	} else if (r < 0x800) {
		b[0] = (char)(0xc0 | r >> 6);
		b[1] = (char)(0x80 | (r & 63));
		fx_text_add(t, b, 2);
	} else if (r < 0x10000) {
		b[0] = (char)(0xe0 | r >> 12);
		b[1] = (char)(0x80 | (r >> 6 & 63));
		b[2] = (char)(0x80 | (r & 63));
		fx_text_add(t, b, 3);
	} else {
		b[0] = (char)(0xf0 | r >> 18);
		b[1] = (char)(0x80 | (r >> 12 & 63));
		b[2] = (char)(0x80 | (r >> 6 & 63));
		b[3] = (char)(0x80 | (r & 63));
		fx_text_add(t, b, 4);
	}
}

void fx_text_addf(struct fx_text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = fx_arena_vprintf(fx_render_arena(t->x), fmt, ap);
	va_end(ap);
	if (!s)
		fx_render_throw(t->x, "out of memory");
	fx_text_str(t, s);
}

struct fx_val fx_text_val(struct fx_text *t)
{
	return fx_v_strn(t->data ? t->data : "", t->len);
}

const char *fx_text_c(struct fx_text *t)
{
	return t->data ? t->data : "";
}

struct fx_val fx_v_list(struct fx_render *x, size_t cap)
{
	struct fx_list *l = fx_render_zalloc(x, sizeof(*l));
	if (cap) {
		l->items = fx_render_zalloc(x, cap * sizeof(struct fx_val));
		l->cap = cap;
	}
	return (struct fx_val){.kind = FX_VAL_LIST, .list = l};
}

struct fx_val fx_v_nil_list(void)
{
	return (struct fx_val){.kind = FX_VAL_LIST, .nil = 1};
}

struct fx_val fx_v_map(struct fx_render *x)
{
	return fx_v_mapof(fx_render_zalloc(x, sizeof(struct fx_vmap)), FX_T_PLAIN);
}

struct fx_val fx_v_dup(struct fx_render *x, const char *s, size_t n)
{
	char *copy = fx_render_alloc(x, n + 1);
	if (n)
		memcpy(copy, s, n);
	copy[n] = 0;
	return fx_v_strn(copy, n);
}

void fx_v_push(struct fx_render *x, struct fx_val list, struct fx_val item)
{
	struct fx_list *l = list.list;
	if (l->len == l->cap) {
		size_t cap = l->cap ? (l->cap < 256 ? l->cap * 2 : l->cap + l->cap / 4 + 192) : 1;
		struct fx_val *items = fx_render_zalloc(x, cap * sizeof(*items));
		if (l->len)
			memcpy(items, l->items, l->len * sizeof(*items));
		l->items = items;
		l->cap = cap;
	}
	l->items[l->len++] = item;
}

struct fx_val fx_v_item(struct fx_val list, size_t i)
{
	if (list.kind == FX_VAL_BYTES || list.kind == FX_VAL_STR)
		return (struct fx_val){.kind = FX_VAL_INT, .type = FX_T_UINT8, .i = (unsigned char)list.s[i]};
	struct fx_val v = list.list->items[i];
	v.iface = list.type == FX_T_PLAIN;
	return v;
}

static int key_compare(const char *a, size_t an, const char *b, size_t bn)
{
	int c = memcmp(a, b, an < bn ? an : bn);
	return c ? c : an < bn ? -1 : an > bn;
}

static size_t map_place(const struct fx_vmap *m, const char *key, size_t len, bool *found)
{
	size_t lo = 0, hi = m->len;
	*found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = key_compare(m->entries[mid].key, m->entries[mid].len, key, len);
		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct fx_val *fx_v_find(struct fx_val map, const char *key, size_t len)
{
	if (map.kind != FX_VAL_MAP || !map.map)
		return NULL;
	bool found;
	size_t i = map_place(map.map, key, len, &found);
	return found ? &map.map->entries[i].val : NULL;
}

void fx_v_setn(struct fx_render *x, struct fx_val map, const char *key, size_t len, struct fx_val val)
{
	struct fx_vmap *m = map.map;
	if (!m)
		fx_render_throw(x, "assignment to entry in nil map");
	bool found;
	size_t i = map_place(m, key, len, &found);
	val.iface = 0;
	if (found) {
		m->entries[i].val = val;
		return;
	}
	if (m->len == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 8;
		struct fx_entry *e = fx_render_alloc(x, cap * sizeof(*e));
		if (m->len)
			memcpy(e, m->entries, m->len * sizeof(*e));
		m->entries = e;
		m->cap = cap;
	}
	memmove(m->entries + i + 1, m->entries + i, (m->len - i) * sizeof(*m->entries));
	m->entries[i] = (struct fx_entry){fx_v_dup(x, key, len).s, len, val};
	m->len++;
}

void fx_v_set(struct fx_render *x, struct fx_val map, const char *key, struct fx_val val)
{
	fx_v_setn(x, map, key, strlen(key), val);
}

void fx_v_unset(struct fx_val map, const char *key, size_t len)
{
	if (map.kind != FX_VAL_MAP || !map.map)
		return;
	bool found;
	struct fx_vmap *m = map.map;
	size_t i = map_place(m, key, len, &found);
	if (!found)
		return;
	memmove(m->entries + i, m->entries + i + 1, (m->len - i - 1) * sizeof(*m->entries));
	m->len--;
}

struct fx_val fx_v_map_copy(struct fx_render *x, struct fx_val map)
{
	struct fx_val out = fx_v_map(x);
	size_t n = fx_v_len(map);
	if (n) {
		out.map->entries = fx_render_alloc(x, n * sizeof(struct fx_entry));
		memcpy(out.map->entries, map.map->entries, n * sizeof(struct fx_entry));
		out.map->len = out.map->cap = n;
	}
	out.type = map.type;
	return out;
}

struct fx_val fx_v_deep_copy(struct fx_render *x, struct fx_val v)
{
	if (v.kind == FX_VAL_MAP) {
		if (!v.map)
			return v;
		struct fx_val out = fx_v_map_copy(x, v);
		for (size_t i = 0; i < out.map->len; i++)
			out.map->entries[i].val = fx_v_deep_copy(x, out.map->entries[i].val);
		return out;
	}
	if (v.kind == FX_VAL_LIST && v.list) {
		struct fx_val out = fx_v_list(x, v.list->cap);
		out.type = v.type;
		for (size_t i = 0; i < v.list->len; i++)
			out.list->items[i] = fx_v_deep_copy(x, v.list->items[i]);
		out.list->len = v.list->len;
		return out;
	}
	return v;
}

bool fx_v_truth(struct fx_val v)
{
	switch (v.kind) {
	case FX_VAL_NIL:
		return false;
	case FX_VAL_BOOL:
		return v.b;
	case FX_VAL_INT:
		return v.i != 0;
	case FX_VAL_FLOAT:
		return v.f != 0;
	case FX_VAL_COMPLEX:
		return v.c[0] != 0 || v.c[1] != 0;
	case FX_VAL_OBJ:
		return true;
	default:
		return fx_v_len(v) > 0;
	}
}

bool fx_v_empty(struct fx_val v)
{
	return !fx_v_truth(v);
}

static bool time_equal(const struct fx_time *a, const struct fx_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec && a->offset == b->offset &&
	       strcmp(a->zone, b->zone) == 0;
}

bool fx_v_deep_equal(struct fx_val a, struct fx_val b)
{
	if (a.kind != b.kind || a.type != b.type)
		return false;
	switch (a.kind) {
	case FX_VAL_NIL:
		return true;
	case FX_VAL_BOOL:
		return a.b == b.b;
	case FX_VAL_INT:
		return a.i == b.i;
	case FX_VAL_FLOAT:
		return a.f == b.f;
	case FX_VAL_COMPLEX:
		return a.c[0] == b.c[0] && a.c[1] == b.c[1];
	case FX_VAL_STR:
	case FX_VAL_BYTES:
		return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
	case FX_VAL_LIST:
		if (!a.list != !b.list || fx_v_len(a) != fx_v_len(b))
			return false;
		for (size_t i = 0; i < fx_v_len(a); i++) {
			if (!fx_v_deep_equal(a.list->items[i], b.list->items[i]))
				return false;
		}
		return true;
	case FX_VAL_MAP:
		if (!a.map != !b.map || fx_v_len(a) != fx_v_len(b))
			return false;
		for (size_t i = 0; i < fx_v_len(a); i++) {
			const struct fx_entry *p = &a.map->entries[i], *q = &b.map->entries[i];
			if (p->len != q->len || memcmp(p->key, q->key, p->len) != 0 ||
			        !fx_v_deep_equal(p->val, q->val))
				return false;
		}
		return true;
	default:
		if (a.type == FX_T_TIME)
			return time_equal(a.obj, b.obj);
		return a.obj == b.obj;
	}
}

const char *fx_v_type(struct fx_val v)
{
	static const char *const special[] = {
	        [FX_T_INT64] = "int64",
	        [FX_T_INT32] = "int32",
	        [FX_T_UINT8] = "uint8",
	        [FX_T_UINT32] = "uint32",
	        [FX_T_UINT64] = "uint64",
	        [FX_T_DURATION] = "time.Duration",
	        [FX_T_MONTH] = "time.Month",
	        [FX_T_WEEKDAY] = "time.Weekday",
	        [FX_T_STRINGS] = "[]string",
	        [FX_T_INTS] = "[]int",
	        [FX_T_LISTS] = "[][]interface {}",
	        [FX_T_MAPS] = "[]map[string]interface {}",
	        [FX_T_VERSION_SET] = "common.VersionSet",
	        [FX_T_STRING_MAP] = "map[string]string",
	        [FX_T_VALUES] = "common.Values",
	        [FX_T_FILES] = "engine.files",
	        [FX_T_TIME] = "time.Time",
	        [FX_T_SEMVER] = "*semver.Version",
	        [FX_T_KUBE_VERSION] = "common.KubeVersion",
	        [FX_T_CAPABILITIES] = "*common.Capabilities",
	        [FX_T_HELM_VERSION] = "common.HelmVersion",
	        [FX_T_CERTIFICATE] = "sprig.certificate",
	};
	static const char *const plain[] = {"<nil>", "bool", "int", "float64", "complex128", "string",
	        "[]interface {}", "map[string]interface {}", "[]uint8", "?"};
	return v.type != FX_T_PLAIN ? special[v.type] : plain[v.kind];
}

const char *fx_v_kind(struct fx_val v)
{
	static const char *const names[] = {"invalid", "bool", "int", "float64", "complex128", "string",
	        "slice", "map", "slice", "struct"};
	if (v.kind == FX_VAL_INT)
		return v.type == FX_T_DURATION                          ? "int64"
		       : v.type == FX_T_MONTH || v.type == FX_T_WEEKDAY ? "int"
		                                                        : fx_v_type(v);
	if (v.kind == FX_VAL_OBJ && (v.type == FX_T_SEMVER || v.type == FX_T_CAPABILITIES))
		return "ptr";
	return names[v.kind];
}

const char *fx_v_cstr(struct fx_render *x, struct fx_val v)
{
	return v.s[v.len] == 0 && strlen(v.s) == v.len ? v.s : fx_v_dup(x, v.s, v.len).s;
}

static struct fx_val scalar_from_node(struct fx_render *x, const struct fx_node *n)
{
	switch (n->tag) {
	case FX_TAG_NULL:
		return fx_v_nil();
	case FX_TAG_BOOL:
		return fx_v_bool(n->len > 0 && n->text[0] == 't');
	case FX_TAG_INT:
	case FX_TAG_FLOAT:
		return fx_v_float(strtod(fx_v_cstr(x, fx_v_strn(n->text, n->len)), NULL));
	default:
		return fx_v_strn(n->text, n->len);
	}
}

struct fx_val fx_v_from_node(struct fx_render *x, const struct fx_node *n)
{
	if (!n)
		return fx_v_nil();
	if (n->kind == FX_NODE_SCALAR)
		return scalar_from_node(x, n);
	if (n->kind == FX_NODE_SEQ) {
		struct fx_val list = fx_v_list(x, 0);
		for (size_t i = 0; i < n->len; i++)
			fx_v_push(x, list, fx_v_from_node(x, n->items[i]));
		return list;
	}
	struct fx_val map = fx_v_map(x);
	for (size_t i = 0; i < n->len; i++)
		fx_v_setn(x, map, n->pairs[i].key->text, n->pairs[i].key->len,
		        fx_v_from_node(x, n->pairs[i].value));
	return map;
}

static void *need(struct fx_render *x, void *p)
{
	if (!p)
		fx_render_throw(x, "out of memory");
	return p;
}

static bool text_is_integer(const char *s)
{
	if (*s == '-')
		s++;
	size_t n = strspn(s, "0123456789");
	return s[n] == 0 && n > 0;
}

/* The text is what the JSON encoder writes; its type is found again as the YAML reader would. */
static struct fx_node *float_node(struct fx_render *x, double f)
{
	char text[FX_NUMBER_TEXT];
	size_t n = fx_double_json(f, text);
	struct fx_scalar s = fx_scalar_resolve(FX_YAML_V2, text, n);
	bool whole = text_is_integer(text) && s.tag == FX_TAG_INT;
	if (whole && s.i == 0 && !s.is_unsigned)
		n = (size_t)snprintf(text, sizeof(text), "0");
	else if (!whole)
		n = fx_double_g(f, text);
	return need(x, fx_node_new_scalar_len(fx_render_arena(x), whole ? FX_TAG_INT : FX_TAG_FLOAT,
	                       fx_v_dup(x, text, n).s, n));
}

static struct fx_node *string_node(struct fx_render *x, struct fx_val v)
{
	/* What JSON cannot carry becomes U+FFFD on the way. */
	struct fx_text t = {.x = x};
	for (size_t i = 0, w; i < v.len; i += w) {
		unsigned r = fx_rune_at(v.s + i, v.len - i, &w);
		if (w == 1 && r == 0xfffd)
			fx_text_rune(&t, r);
		else
			fx_text_add(&t, v.s + i, w);
	}
	struct fx_val s = fx_text_val(&t);
	struct fx_node *n = need(x, fx_node_new_scalar_len(fx_render_arena(x), FX_TAG_STR, s.s, s.len));
	n->style = FX_STYLE_DOUBLE;
	return n;
}

struct fx_node *fx_v_to_node(struct fx_render *x, struct fx_val v, const char **why)
{
	struct fx_arena *a = fx_render_arena(x);
	switch (v.kind) {
	case FX_VAL_NIL:
		return need(x, fx_node_new_null(a));
	case FX_VAL_BOOL:
		return need(x, fx_node_new_bool(a, v.b));
	case FX_VAL_INT:
		return need(x, fx_node_new_int(a, v.i));
	case FX_VAL_FLOAT:
		if (isnan(v.f) || isinf(v.f)) {
			*why = fx_arena_printf(a, "json: unsupported value: %s",
			        isnan(v.f) ? "NaN"
			        : v.f > 0  ? "+Inf"
			                   : "-Inf");
			return NULL;
		}
		return float_node(x, v.f);
	case FX_VAL_STR:
		return string_node(x, v);
	case FX_VAL_LIST: {
		if (!v.list)
			return need(x, fx_node_new_null(a));
		struct fx_node *seq = need(x, fx_node_new_seq(a));
		for (size_t i = 0; i < v.list->len; i++) {
			struct fx_node *item = fx_v_to_node(x, v.list->items[i], why);
			if (!item)
				return NULL;
			if (!fx_node_append(a, seq, item))
				need(x, NULL);
		}
		return seq;
	}
	case FX_VAL_MAP: {
		if (!v.map)
			return need(x, fx_node_new_null(a));
		struct fx_node *map = need(x, fx_node_new_map(a));
		for (size_t i = 0; i < v.map->len; i++) {
			const struct fx_entry *e = &v.map->entries[i];
			struct fx_node *val = fx_v_to_node(x, e->val, why);
			if (!val)
				return NULL;
			if (!fx_node_add_pair(a, map, string_node(x, fx_v_strn(e->key, e->len)), val))
				need(x, NULL);
		}
		return map;
	}
	default: {
		/* Structs, times and bytes have their JSON form only. */
		struct fx_text t = {.x = x};
		*why = fx_v_json(&t, v, true, 0);
		if (*why)
			return NULL;
		struct fx_node *n = NULL;
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;

		if (fx_json_read(a, t.data, t.len, &n, &err) != 0)
			*why = fx_arena_strdup(a, fx_error_message(&err));
		return n;
	}
	}
}
