#include "value.h"

#include <stdarg.h>

void fx_text_add(struct fx_text *t, const char *s, size_t n)
{
	if (n > FX_TEXT_MAX - t->len)
		fx_render_throw(t->x, "a text is longer than %u bytes", FX_TEXT_MAX);
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
	fx_render_check(x);
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

static bool deep_equal(struct fx_val a, struct fx_val b, int depth)
{
	/* Only values that hold themselves are this deep: they are taken to be equal there, as Go takes them.
	 */
	if (depth > FX_VALUE_DEPTH_MAX)
		return true;
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
			if (!deep_equal(a.list->items[i], b.list->items[i], depth + 1))
				return false;
		}
		return true;
	case FX_VAL_MAP:
		if (!a.map != !b.map || fx_v_len(a) != fx_v_len(b))
			return false;
		for (size_t i = 0; i < fx_v_len(a); i++) {
			const struct fx_entry *p = &a.map->entries[i], *q = &b.map->entries[i];
			if (p->len != q->len || memcmp(p->key, q->key, p->len) != 0 ||
			        !deep_equal(p->val, q->val, depth + 1))
				return false;
		}
		return true;
	default:
		if (a.type == FX_T_TIME)
			return time_equal(a.obj, b.obj);
		return a.obj == b.obj;
	}
}

bool fx_v_deep_equal(struct fx_val a, struct fx_val b)
{
	return deep_equal(a, b, 0);
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
