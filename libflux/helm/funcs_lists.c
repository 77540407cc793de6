/* Sprig's lists and dictionaries. Source: Sprig 3.3 list.go and dict.go, mergo 1.0. */
#include "funcs.h"

static void need_list(struct fx_render *x, struct fx_val v, const char *what)
{
	if (v.kind == FX_VAL_NIL)
		fx_render_throw(x, "runtime error: invalid memory address or nil pointer dereference");
	if (v.kind != FX_VAL_LIST && v.kind != FX_VAL_BYTES)
		fx_render_throw(x, "Cannot %s type %s", what, fx_v_kind(v));
}

static struct fx_val fn_list(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val l = fx_v_list(x, n);
	for (size_t i = 0; i < n; i++)
		l.list->items[i] = a[i];
	l.list->len = n;
	return l;
}

static struct fx_val fn_first(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "find first on");
	return fx_v_len(a[0]) ? fx_v_item(a[0], 0) : fx_v_nil();
}

static struct fx_val fn_last(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "find last on");
	return fx_v_len(a[0]) ? fx_v_item(a[0], fx_v_len(a[0]) - 1) : fx_v_nil();
}

/* []interface {} of a part. */
static struct fx_val items_of(struct fx_render *x, struct fx_val v, size_t from, size_t to, size_t cap)
{
	struct fx_val out = fx_v_list(x, cap > to - from ? cap : to - from);
	for (size_t i = from; i < to; i++)
		out.list->items[out.list->len++] = fx_v_item(v, i);
	return out;
}

static struct fx_val fn_rest(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "find rest on");
	size_t len = fx_v_len(a[0]);
	return len ? items_of(x, a[0], 1, len, 0) : fx_v_nil_list();
}

static struct fx_val fn_initial(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "find initial on");
	size_t len = fx_v_len(a[0]);
	return len ? items_of(x, a[0], 0, len - 1, 0) : fx_v_nil_list();
}

static struct fx_val fn_append(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "push on");
	size_t len = fx_v_len(a[0]);
	FX_FN_ITEMS_CHECK(x, len);
	struct fx_val out = items_of(x, a[0], 0, len, len ? len * 2 : 1);
	out.list->items[out.list->len++] = a[1];
	return out;
}

static struct fx_val fn_prepend(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "prepend on");
	size_t len = fx_v_len(a[0]);
	struct fx_val out = fx_v_list(x, len + 1);
	fx_v_push(x, out, a[1]);
	for (size_t i = 0; i < len; i++)
		fx_v_push(x, out, fx_v_item(a[0], i));
	return out;
}

static struct fx_val fn_concat(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val out = fx_v_nil_list();
	for (size_t i = 0; i < n; i++) {
		if (a[i].kind == FX_VAL_NIL)
			fx_render_throw(
			        x, "runtime error: invalid memory address or nil pointer dereference");
		if (a[i].kind != FX_VAL_LIST && a[i].kind != FX_VAL_BYTES)
			fx_render_throw(x, "Cannot concat type %s as list", fx_v_kind(a[i]));
		if (fx_v_len(a[i]) && !out.list)
			out = fx_v_list(x, 0);
		for (size_t k = 0; k < fx_v_len(a[i]); k++)
			fx_v_push(x, out, fx_v_item(a[i], k));
		if (out.list)
			FX_FN_ITEMS_CHECK(x, out.list->len);
	}
	return out;
}

static struct fx_val fn_reverse(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "find reverse on");
	size_t len = fx_v_len(a[0]);
	struct fx_val out = fx_v_list(x, len);
	for (size_t i = len; i > 0; i--)
		fx_v_push(x, out, fx_v_item(a[0], i - 1));
	return out;
}

static bool in_list(struct fx_val list, struct fx_val v)
{
	for (size_t i = 0; i < fx_v_len(list); i++) {
		if (fx_v_deep_equal(fx_v_item(list, i), v))
			return true;
	}
	return false;
}

static struct fx_val fn_uniq(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "find uniq on");
	struct fx_val out = fx_v_list(x, 0);
	for (size_t i = 0; i < fx_v_len(a[0]); i++) {
		if (!in_list(out, fx_v_item(a[0], i)))
			fx_v_push(x, out, fx_v_item(a[0], i));
	}
	return out;
}

static struct fx_val fn_without(struct fx_render *x, const struct fx_val *a, size_t n)
{
	need_list(x, a[0], "find without on");
	struct fx_val out = fx_v_list(x, 0), drop = fn_list(x, a + 1, n - 1);
	for (size_t i = 0; i < fx_v_len(a[0]); i++) {
		if (!in_list(drop, fx_v_item(a[0], i)))
			fx_v_push(x, out, fx_v_item(a[0], i));
	}
	return out;
}

static struct fx_val fn_has(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	if (a[1].kind == FX_VAL_NIL)
		return fx_v_bool(false);
	need_list(x, a[1], "find has on");
	return fx_v_bool(in_list(a[1], a[0]));
}

static struct fx_val fn_compact(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[0], "compact on");
	struct fx_val out = fx_v_list(x, 0);
	for (size_t i = 0; i < fx_v_len(a[0]); i++) {
		struct fx_val v = fx_v_item(a[0], i);
		if (!fx_v_empty(v))
			fx_v_push(x, out, v);
	}
	return out;
}

static struct fx_val fn_chunk(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	need_list(x, a[1], "chunk");
	size_t len = fx_v_len(a[1]);
	if (a[0].i <= 0)
		fx_render_throw(x, "runtime error: makeslice: len out of range");
	struct fx_val out = fx_v_list(x, 0);
	out.type = FX_T_LISTS;
	for (size_t i = 0; i < len;) {
		size_t take = len - i < (uint64_t)a[0].i ? len - i : (size_t)a[0].i;
		fx_v_push(x, out, items_of(x, a[1], i, i + take, 0));
		i += take;
	}
	return out;
}

static struct fx_val zero_item(struct fx_val list)
{
	return list.type == FX_T_STRINGS ? fx_v_str("") : list.type == FX_T_INTS ? fx_v_int(0) : fx_v_nil();
}

static struct fx_val fn_slice(struct fx_render *x, const struct fx_val *a, size_t n)
{
	if (a[0].kind == FX_VAL_NIL)
		fx_render_throw(x, "runtime error: invalid memory address or nil pointer dereference");
	if (a[0].kind != FX_VAL_LIST && a[0].kind != FX_VAL_BYTES)
		fx_render_throw(x, "list should be type of slice or array but %s", fx_v_kind(a[0]));
	size_t len = fx_v_len(a[0]);
	if (len == 0)
		return fx_v_nil();
	int64_t from = n > 1 ? fx_v_to_int(a[1]) : 0, to = n > 2 ? fx_v_to_int(a[2]) : (int64_t)len;
	size_t cap = a[0].kind == FX_VAL_LIST ? a[0].list->cap : len;
	if (from < 0 || to < from || (uint64_t)to > cap)
		fx_render_throw(x, "reflect.Value.Slice: slice index out of bounds");
	if (a[0].kind == FX_VAL_BYTES) {
		struct fx_val v = a[0];
		v.s += from;
		v.len = (uint32_t)(to - from);
		return v;
	}
	struct fx_list *l = fx_render_zalloc(x, sizeof(*l));
	l->items = a[0].list->items + from;
	l->len = (size_t)(to - from);
	l->cap = cap - (size_t)from;
	for (size_t i = len; i < (size_t)to; i++)
		a[0].list->items[i] = zero_item(a[0]);
	struct fx_val v = a[0];
	v.list = l;
	return v;
}

/* ---- dictionaries ---- */

static void set_any(struct fx_render *x, struct fx_val map, struct fx_val key, struct fx_val val)
{
	struct fx_val k = fx_v_strval(x, key);
	fx_v_setn(x, map, k.s, k.len, val);
}

static struct fx_val fn_dict(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val map = fx_v_map(x);
	for (size_t i = 0; i < n; i += 2)
		set_any(x, map, a[i], i + 1 < n ? a[i + 1] : fx_v_str(""));
	return map;
}

static struct fx_val fn_get(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	struct fx_val *v = fx_v_find(a[0], a[1].s, a[1].len);
	return v ? *v : fx_v_str("");
}

static struct fx_val fn_set(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	fx_v_setn(x, a[0], a[1].s, a[1].len, a[2]);
	return a[0];
}

static struct fx_val fn_unset(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	fx_v_unset(a[0], a[1].s, a[1].len);
	return a[0];
}

static struct fx_val fn_has_key(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(fx_v_find(a[0], a[1].s, a[1].len) != NULL);
}

static struct fx_val fn_pluck(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val out = fx_v_list(x, 0);
	for (size_t i = 1; i < n; i++) {
		struct fx_val *v = fx_v_find(a[i], a[0].s, a[0].len);
		if (v)
			fx_v_push(x, out, *v);
	}
	return out;
}

static struct fx_val fn_pick(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val out = fx_v_map(x);
	for (size_t i = 1; i < n; i++) {
		struct fx_val *v = fx_v_find(a[0], a[i].s, a[i].len);
		if (v)
			fx_v_setn(x, out, a[i].s, a[i].len, *v);
	}
	return out;
}

static struct fx_val fn_omit(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val out = fx_v_map_copy(x, a[0]);
	out.type = FX_T_PLAIN;
	for (size_t i = 1; i < n; i++)
		fx_v_unset(out, a[i].s, a[i].len);
	return out;
}

static struct fx_val fn_keys(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct fx_val out = fx_v_list(x, 0);
	out.type = FX_T_STRINGS;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < fx_v_len(a[i]); k++)
			fx_v_push(x, out, fx_v_strn(a[i].map->entries[k].key, a[i].map->entries[k].len));
	}
	return out;
}

static struct fx_val fn_values(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val out = fx_v_list(x, 0);
	for (size_t k = 0; k < fx_v_len(a[0]); k++)
		fx_v_push(x, out, a[0].map->entries[k].val);
	return out;
}

static struct fx_val fn_dig(struct fx_render *x, const struct fx_val *a, size_t n)
{
	if (n < 3)
		fx_render_throw(x, "dig needs at least three arguments");
	struct fx_val v = a[n - 1];
	for (size_t i = 0; i + 2 < n; i++) {
		if (a[i].kind != FX_VAL_STR)
			fx_render_throw(x, "interface conversion: interface {} is %s, not string",
			        a[i].kind == FX_VAL_NIL ? "nil" : fx_v_type(a[i]));
		if (v.kind != FX_VAL_MAP || v.type != FX_T_PLAIN)
			fx_render_throw(x,
			        "interface conversion: interface {} is %s, not map[string]interface {}",
			        v.kind == FX_VAL_NIL ? "nil" : fx_v_type(v));
		struct fx_val *e = fx_v_find(v, a[i].s, a[i].len);
		if (!e)
			return a[n - 2];
		v = *e;
	}
	return v;
}

/* mergo's deep merge as Sprig calls it. */
static void merge_into(
        struct fx_render *x, struct fx_val dst, struct fx_val src, bool overwrite, unsigned depth)
{
	fx_render_check(x);
	if (depth > FX_VALUE_DEPTH_MAX)
		fx_render_throw(x, "values are nested too deeply");
	for (size_t i = 0; i < fx_v_len(src); i++) {
		const struct fx_entry *e = &src.map->entries[i];
		struct fx_val *old = fx_v_find(dst, e->key, e->len);
		if (!old) {
			if (overwrite || e->val.kind != FX_VAL_NIL)
				fx_v_setn(x, dst, e->key, e->len, e->val);
			continue;
		}
		if (fx_v_is_map(*old) && fx_v_is_map(e->val) && old->map && e->val.map) {
			if (old->map != e->val.map)
				merge_into(x, *old, e->val, overwrite, depth + 1);
			continue;
		}
		if (overwrite || (fx_v_empty(*old) && e->val.kind != FX_VAL_NIL))
			*old = e->val;
	}
}

static struct fx_val merge(struct fx_render *x, const struct fx_val *a, size_t n, bool overwrite)
{
	struct fx_val dst = a[0];
	dst.type = FX_T_PLAIN;
	if (!dst.map)
		dst.map = fx_v_map(x).map;
	for (size_t i = 1; i < n; i++) {
		if (a[i].map != dst.map)
			merge_into(x, dst, a[i], overwrite, 0);
	}
	return dst;
}

static struct fx_val fn_merge(struct fx_render *x, const struct fx_val *a, size_t n)
{
	return merge(x, a, n, false);
}

static struct fx_val fn_merge_overwrite(struct fx_render *x, const struct fx_val *a, size_t n)
{
	return merge(x, a, n, true);
}

static struct fx_val fn_deep_copy(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	if (a[0].kind == FX_VAL_NIL)
		fx_render_throw(x, "reflect: call of reflect.Value.Type on zero Value");
	return fx_v_deep_copy(x, a[0]);
}

const struct fx_fn fx_fns_lists[] = {
        {"list", "A*", fn_list},
        {"tuple", "A*", fn_list},
        {"first", "A", fn_first},
        {"mustFirst", "A", fn_first},
        {"last", "A", fn_last},
        {"mustLast", "A", fn_last},
        {"rest", "A", fn_rest},
        {"mustRest", "A", fn_rest},
        {"initial", "A", fn_initial},
        {"mustInitial", "A", fn_initial},
        {"append", "AA", fn_append},
        {"mustAppend", "AA", fn_append},
        {"push", "AA", fn_append},
        {"mustPush", "AA", fn_append},
        {"prepend", "AA", fn_prepend},
        {"mustPrepend", "AA", fn_prepend},
        {"concat", "A*", fn_concat},
        {"reverse", "A", fn_reverse},
        {"mustReverse", "A", fn_reverse},
        {"uniq", "A", fn_uniq},
        {"mustUniq", "A", fn_uniq},
        {"without", "AA*", fn_without},
        {"mustWithout", "AA*", fn_without},
        {"has", "AA", fn_has},
        {"mustHas", "AA", fn_has},
        {"compact", "A", fn_compact},
        {"mustCompact", "A", fn_compact},
        {"chunk", "IA", fn_chunk},
        {"mustChunk", "IA", fn_chunk},
        {"slice", "AA*", fn_slice},
        {"mustSlice", "AA*", fn_slice},
        {"dict", "A*", fn_dict},
        {"get", "DS", fn_get},
        {"set", "DSA", fn_set},
        {"unset", "DS", fn_unset},
        {"hasKey", "DS", fn_has_key},
        {"pluck", "SD*", fn_pluck},
        {"pick", "DS*", fn_pick},
        {"omit", "DS*", fn_omit},
        {"keys", "D*", fn_keys},
        {"values", "D", fn_values},
        {"dig", "A*", fn_dig},
        {"merge", "DD*", fn_merge},
        {"mustMerge", "DD*", fn_merge},
        {"mergeOverwrite", "DD*", fn_merge_overwrite},
        {"mustMergeOverwrite", "DD*", fn_merge_overwrite},
        {"deepCopy", "A", fn_deep_copy},
        {"mustDeepCopy", "A", fn_deep_copy},
        {NULL, NULL, NULL},
};
