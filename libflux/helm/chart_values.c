/* Values of charts coalesced, dependencies processed. Source: chart_reference sections 3 and 4 of Helm 4.2.
 */
#include "chart_internal.h"

#include "data/semver.h"

static void drop_nulls(struct fx_val map)
{
	for (size_t i = 0; i < fx_v_len(map);) {
		struct fx_entry *e = &map.map->entries[i];
		if (e->val.kind == FX_VAL_NIL) {
			fx_v_unset(map, e->key, e->len);
			continue;
		}
		if (e->val.kind == FX_VAL_MAP)
			drop_nulls(e->val);
		i++;
	}
}

static struct fx_val tables(struct fx_render *x, struct fx_val dst, struct fx_val src, bool merge)
{
	struct fx_val had = fx_v_map_copy(x, src);
	src = fx_v_map_copy(x, src);
	for (size_t i = 0; i < fx_v_len(dst); i++) {
		const struct fx_entry *e = &dst.map->entries[i];
		if (e->val.kind == FX_VAL_NIL)
			fx_v_setn(x, src, e->key, e->len, fx_v_nil());
	}
	for (size_t i = 0; i < fx_v_len(src); i++) {
		const struct fx_entry *e = &src.map->entries[i];
		struct fx_val *d = fx_v_find(dst, e->key, e->len), *orig = fx_v_find(had, e->key, e->len);
		if (d && !merge && d->kind == FX_VAL_NIL && orig && orig->kind != FX_VAL_NIL)
			fx_v_unset(dst, e->key, e->len);
		else if (!d)
			fx_v_setn(x, dst, e->key, e->len, e->val);
		else if (e->val.kind == FX_VAL_MAP && d->kind == FX_VAL_MAP)
			tables(x, *d, e->val, merge);
	}
	return dst;
}

static bool is_child(const struct fx_chart *c, const char *key)
{
	for (size_t i = 0; i < c->nchildren; i++) {
		if (strcmp(c->children[i]->name, key) == 0)
			return true;
	}
	return false;
}

static void coalesce_values(struct fx_render *x, struct fx_chart *c, struct fx_val v, bool merge)
{
	struct fx_val defaults = fx_v_deep_copy(x, c->values);
	for (size_t i = 0; i < fx_v_len(defaults); i++) {
		const struct fx_entry *e = &defaults.map->entries[i];
		struct fx_val *have = fx_v_find(v, e->key, e->len);
		if (!have) {
			if (!merge && e->val.kind == FX_VAL_NIL)
				continue;
			if (!merge && e->val.kind == FX_VAL_MAP)
				drop_nulls(e->val);
			fx_v_setn(x, v, e->key, e->len, e->val);
		} else if (have->kind == FX_VAL_NIL) {
			if (!merge)
				fx_v_unset(v, e->key, e->len);
		} else if (have->kind == FX_VAL_MAP && e->val.kind == FX_VAL_MAP) {
			bool m = merge || is_child(c, e->key);
			if (!m)
				drop_nulls(e->val);
			tables(x, *have, e->val, m);
		}
	}
}

static void globals(struct fx_render *x, struct fx_val dest, struct fx_val src)
{
	struct fx_val *d = fx_v_get(dest, "global"), *s = fx_v_get(src, "global");
	struct fx_val dg = d ? *d : fx_v_map(x), sg = s ? *s : fx_v_map(x);
	if (dg.kind != FX_VAL_MAP || sg.kind != FX_VAL_MAP)
		return;
	for (size_t i = 0; i < fx_v_len(sg); i++) {
		const struct fx_entry *e = &sg.map->entries[i];
		struct fx_val *have = fx_v_find(dg, e->key, e->len);
		if (e->val.kind == FX_VAL_MAP) {
			/* Shallow, as Helm's: what the merge below adds to inner maps shows in the parent
			 * too. */
			struct fx_val copy = fx_v_map_copy(x, e->val);
			if (!have)
				fx_v_setn(x, dg, e->key, e->len, copy);
			else if (have->kind == FX_VAL_MAP)
				*have = tables(x, copy, *have, true);
		} else if (!have || have->kind != FX_VAL_MAP) {
			fx_v_setn(x, dg, e->key, e->len, e->val);
		}
	}
	fx_v_set(x, dest, "global", dg);
}

struct fx_val fx_chart_coalesce(struct fx_render *x, struct fx_chart *c, struct fx_val v, bool merge)
{
	coalesce_values(x, c, v, merge);
	for (size_t i = 0; i < c->nchildren; i++) {
		struct fx_chart *k = c->children[i];
		struct fx_val *have = fx_v_get(v, k->name);
		if (have && have->kind != FX_VAL_MAP) {
			struct fx_text t = {.x = x};
			fx_fmt_printf(&t, fx_v_str("%t"), have, 1);
			fx_render_throw(x, "type mismatch on %s: %s", k->name, fx_text_c(&t));
		}
		struct fx_val sub = have ? *have : fx_v_map(x);
		globals(x, sub, v);
		sub = fx_chart_coalesce(x, k, sub, merge);
		fx_v_set(x, v, k->name, sub);
	}
	return v;
}

/* ---- dependencies ---- */

bool fx_chart_version_ok(struct fx_render *x, struct fx_val constraint, struct fx_val version)
{
	struct fx_semver_constraint *c = NULL;
	struct fx_semver v;
	bool ok = fx_semver_constraint_parse(fx_v_cstr(x, constraint), &c, NULL) == 0 &&
	          fx_semver_parse(fx_v_cstr(x, version), &v, NULL) == 0 && fx_semver_constraint_check(c, &v);
	fx_semver_constraint_free(c);
	return ok;
}

static const char *text_at(struct fx_render *x, struct fx_val map, const char *key)
{
	struct fx_val *v = fx_v_get(map, key);
	return v && v->kind == FX_VAL_STR ? fx_v_cstr(x, *v) : "";
}

static bool meets(struct fx_render *x, struct fx_val req, const struct fx_chart *c)
{
	const char *version = text_at(x, req, "version");
	return strcmp(text_at(x, req, "name"), c->name) == 0 && *version &&
	       fx_chart_version_ok(x, fx_v_str(version), fx_v_str(text_at(x, c->meta, "version")));
}

void fx_chart_check(struct fx_render *x, struct fx_chart *c)
{
	if (c->library)
		fx_render_throw(x, "library charts are not installable");
	struct fx_text missing = {.x = x};
	bool any = false;
	for (size_t i = 0; i < fx_v_len(c->deps); i++) {
		const char *name = text_at(x, c->deps.list->items[i], "name");
		if (is_child(c, name))
			continue;
		fx_text_addf(&missing, any ? ", %s" : "%s", name);
		any = true;
	}
	if (any)
		fx_render_throw(x,
		        "an error occurred while checking for chart dependencies. You may need to run 'helm "
		        "dependency build' to fetch missing dependencies: found in Chart.yaml, but missing "
		        "in charts/ directory: %s",
		        fx_text_c(&missing));
}

static struct fx_chart *copy_chart(struct fx_render *x, const struct fx_chart *c, struct fx_chart *parent)
{
	struct fx_chart *out = fx_render_alloc(x, sizeof(*out));
	*out = *c;
	out->parent = parent;
	out->deps = fx_v_deep_copy(x, c->deps);
	out->children = fx_render_alloc(x, (c->nchildren + 1) * sizeof(struct fx_chart *));
	for (size_t i = 0; i < c->nchildren; i++)
		out->children[i] = copy_chart(x, c->children[i], out);
	return out;
}

static struct fx_val *path_value(struct fx_val v, const char *path)
{
	struct fx_val *at = NULL;
	for (;;) {
		size_t n = strcspn(path, ".");
		at = fx_v_find(v, path, n);
		if (!at || !path[n])
			return at;
		if (at->kind != FX_VAL_MAP)
			return NULL;
		v = *at;
		path += n + 1;
	}
}

static void apply_tags(struct fx_val req, struct fx_val cv, bool *enabled)
{
	struct fx_val *table = fx_v_get(cv, "tags"), *tags = fx_v_get(req, "tags");
	bool yes = false, no = false;
	if (!table || table->kind != FX_VAL_MAP || !tags || tags->kind != FX_VAL_LIST)
		return;
	for (size_t i = 0; i < fx_v_len(*tags); i++) {
		struct fx_val t = tags->list->items[i];
		struct fx_val *b = t.kind == FX_VAL_STR ? fx_v_find(*table, t.s, t.len) : NULL;
		if (b && b->kind == FX_VAL_BOOL) {
			yes = yes || b->b;
			no = no || !b->b;
		}
	}
	if (yes)
		*enabled = true;
	else if (no)
		*enabled = false;
}

static void apply_condition(
        struct fx_render *x, struct fx_val req, struct fx_val cv, const char *path, bool *enabled)
{
	const char *s = text_at(x, req, "condition");
	while (*s == ' ' || *s == '\t' || *s == '\n')
		s++;
	while (*s) {
		size_t n = strcspn(s, ",");
		if (n) {
			struct fx_text p = {.x = x};
			fx_text_addf(&p, "%s%.*s", path, (int)n, s);
			while (!s[n] && p.len && (p.data[p.len - 1] == ' ' || p.data[p.len - 1] == '\n'))
				p.data[--p.len] = 0;
			struct fx_val *v = path_value(cv, fx_text_c(&p));
			if (v && v->kind == FX_VAL_BOOL) {
				*enabled = v->b;
				return;
			}
		}
		s += n + (s[n] == ',');
	}
}

static void select_children(struct fx_render *x, struct fx_chart *c)
{
	size_t n = 0, reqs = fx_v_len(c->deps);
	struct fx_chart **out = fx_render_alloc(x, (c->nchildren + reqs + 1) * sizeof(struct fx_chart *));
	for (size_t i = 0; i < c->nchildren; i++) {
		bool matched = false;
		for (size_t k = 0; k < reqs; k++)
			matched = matched || meets(x, c->deps.list->items[k], c->children[i]);
		if (!matched)
			out[n++] = c->children[i];
	}
	for (size_t k = 0; k < reqs; k++) {
		struct fx_val req = c->deps.list->items[k];
		const char *alias = text_at(x, req, "alias");
		for (size_t i = 0; i < c->nchildren; i++) {
			if (!meets(x, req, c->children[i]))
				continue;
			out[n] = copy_chart(x, c->children[i], c);
			if (*alias)
				out[n]->name = alias;
			n++;
			break;
		}
		if (*alias)
			fx_v_set(x, req, "name", fx_v_str(alias));
	}
	c->children = out;
	c->nchildren = n;
}

static void enable(struct fx_render *x, struct fx_chart *c, struct fx_val v, const char *path)
{
	if (c->deps.kind != FX_VAL_LIST || !c->deps.list)
		return;
	select_children(x, c);
	struct fx_val cv = fx_chart_coalesce(x, c, fx_v_deep_copy(x, v), false), kept = fx_v_list(x, 0);
	for (size_t i = 0; i < fx_v_len(c->deps); i++) {
		struct fx_val req = c->deps.list->items[i];
		bool enabled = true;
		apply_tags(req, cv, &enabled);
		apply_condition(x, req, cv, path, &enabled);
		fx_v_set(x, req, "enabled", fx_v_bool(enabled));
		if (enabled) {
			fx_v_push(x, kept, req);
			continue;
		}
		size_t n = 0;
		for (size_t k = 0; k < c->nchildren; k++) {
			if (strcmp(c->children[k]->name, text_at(x, req, "name")) != 0)
				c->children[n++] = c->children[k];
		}
		c->nchildren = n;
	}
	/* Nothing left counts as no dependencies at all: their defaults are not folded into the parent then.
	 */
	c->deps = fx_v_len(kept) ? kept : fx_v_nil();
	for (size_t i = 0; i < c->nchildren; i++) {
		struct fx_text p = {.x = x};
		fx_text_addf(&p, "%s%s.", path, c->children[i]->name);
		enable(x, c->children[i], cv, fx_text_c(&p));
	}
}

static struct fx_val nested(struct fx_render *x, const char *path, struct fx_val table)
{
	const char *dot;
	if (strcmp(path, ".") == 0)
		return table;
	while ((dot = strrchr(path, '.'))) {
		struct fx_val m = fx_v_map(x);
		fx_v_set(x, m, dot + 1, table);
		table = m;
		path = fx_v_dup(x, path, (size_t)(dot - path)).s;
	}
	struct fx_val m = fx_v_map(x);
	fx_v_set(x, m, path, table);
	return m;
}

/* One entry of import-values; what the chart's object shows of it goes to seen. */
static void import_item(struct fx_render *x, const char *name, const struct fx_val *item, struct fx_val mv,
        struct fx_val out, struct fx_val seen)
{
	struct fx_text child = {.x = x}, from = {.x = x}, parent = {.x = x};
	if (item->kind == FX_VAL_MAP) {
		struct fx_val *c = fx_v_get(*item, "child"), *p = fx_v_get(*item, "parent");
		fx_fmt_v(&child, c ? *c : fx_v_nil());
		fx_fmt_v(&parent, p ? *p : fx_v_nil());
		fx_text_addf(&from, "%s.%s", name, fx_text_c(&child));
	} else if (item->kind == FX_VAL_STR) {
		fx_text_addf(&child, "exports.%s", fx_v_cstr(x, *item));
		fx_text_str(&parent, ".");
		fx_text_addf(&from, "%s.%s", name, fx_text_c(&child));
	} else {
		return;
	}
	struct fx_val pair = fx_v_map(x);
	fx_v_set(x, pair, "child", fx_text_val(&child));
	fx_v_set(x, pair, "parent", fx_text_val(&parent));
	pair.type = FX_T_STRING_MAP;
	fx_v_push(x, seen, pair);
	struct fx_val *t = path_value(mv, fx_text_c(&from));
	if (t && t->kind == FX_VAL_MAP)
		tables(x, out, nested(x, fx_text_c(&parent), fx_v_deep_copy(x, *t)), true);
}

static void import_values(struct fx_render *x, struct fx_chart *c)
{
	for (size_t i = 0; i < c->nchildren; i++)
		import_values(x, c->children[i]);
	if (c->deps.kind != FX_VAL_LIST || !c->deps.list)
		return;
	struct fx_val mv = fx_chart_coalesce(x, c, fx_v_map(x), true), out = fx_v_map(x);
	for (size_t i = 0; i < fx_v_len(c->deps); i++) {
		struct fx_val req = c->deps.list->items[i], *list = fx_v_get(req, "import-values");
		struct fx_val seen = fx_v_list(x, 0);
		for (size_t k = 0; list && list->kind == FX_VAL_LIST && k < fx_v_len(*list); k++)
			import_item(x, text_at(x, req, "name"), &list->list->items[k], mv, out, seen);
		if (list)
			*list = seen;
	}
	c->values = tables(x, fx_v_deep_copy(x, mv), out, true);
}

void fx_chart_process_deps(struct fx_render *x, struct fx_chart *c, struct fx_val user)
{
	enable(x, c, user, "");
	import_values(x, c);
}
