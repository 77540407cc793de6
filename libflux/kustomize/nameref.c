#include "kustomize/engine.h"

#include <string.h>

/* What is known of a resource before references are fixed: none of it changes on the way. */
struct known {
	struct fx_res *res;
	struct fx_id cur, org;
	struct fx_id *previous;
	size_t n_previous;
	struct fx_texts prefixes, suffixes;
};

struct candidates {
	struct known **items;
	size_t len, cap;
};

struct fixer {
	struct known *all;
	size_t n;
	struct fx_index by_previous_name; /* struct candidates */
	/* of the referrer and spec at work */
	struct known *referrer;
	struct fx_texts account_namespaces;
	const struct fx_gvk *target;
	const char *path;
};

static struct fx_texts list_of(struct fx_build *b, const struct fx_res *r, const char *key)
{
	const char *text = fx_res_annotation(r, key);
	return text ? fx_texts_split(b, text, ',') : (struct fx_texts){0};
}

static void add_candidate(struct fx_build *b, struct candidates *c, struct known *k)
{
	if (c->len && c->items[c->len - 1] == k)
		return;
	c->items = fx_more(b, c->items, &c->cap, c->len, sizeof(*c->items));
	c->items[c->len++] = k;
}

static void learn(struct fx_build *b, struct fixer *f, struct fx_resmap *m)
{
	f->n = m->len;
	f->all = fx_new(b, (m->len + 1) * sizeof(*f->all));
	for (size_t i = 0; i < m->len; i++) {
		struct known *k = &f->all[i];
		k->res = m->items[i];
		k->cur = fx_res_id(b, k->res);
		k->n_previous = fx_res_previous_ids(b, k->res, &k->previous);
		k->org = k->n_previous ? k->previous[0] : k->cur;
		k->prefixes = list_of(b, k->res, FX_ANNO_PREFIXES);
		k->suffixes = list_of(b, k->res, FX_ANNO_SUFFIXES);
		for (size_t p = 0; p < k->n_previous; p++) {
			struct candidates *c = fx_index_get(&f->by_previous_name, k->previous[p].name);
			if (!c) {
				c = fx_new(b, sizeof(*c));
				fx_index_set(b, &f->by_previous_name, k->previous[p].name, c);
			}
			add_candidate(b, c, k);
		}
	}
}

static bool is_in(const struct fx_texts *list, const char *text)
{
	for (size_t i = 0; i < list->len; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

/* A role binding may speak of accounts in other namespaces. */
static void read_account_namespaces(struct fx_build *b, struct fixer *f)
{
	struct fx_res *r = f->referrer->res;
	f->account_namespaces = (struct fx_texts){0};
	if (strcmp(f->referrer->cur.gvk.kind, "RoleBinding") != 0)
		return;
	const struct fx_node *subjects = fx_node_get(r->node, "subjects");
	for (uint32_t i = 0; fx_node_is_seq(subjects) && i < subjects->len; i++) {
		const struct fx_node *s = subjects->items[i], *ns = fx_node_get(s, "namespace");
		if (!fx_node_text_is(fx_node_get(s, "kind"), "ServiceAccount") || !ns)
			continue;
		if (ns->tag == FX_TAG_NULL || ns->kind != FX_NODE_SCALAR || ns->len == 0)
			fx_throw(b, "Invalid Input: namespace is blank for resource %s",
			        fx_quote(b, fx_id_text(b, &f->referrer->cur)));
		fx_texts_add(b, &f->account_namespaces, ns->text);
	}
}

static bool may_refer(const struct fixer *f, const struct known *k)
{
	const struct fx_id *from = &f->referrer->cur;
	if (from->gvk.cluster || k->cur.gvk.cluster)
		return true;
	return strcmp(fx_id_namespace(from), fx_id_namespace(&k->cur)) == 0 ||
	       is_in(&f->account_namespaces, k->cur.ns);
}

static bool previous_selected(const struct known *k, const struct fx_gvk *sel)
{
	for (size_t i = 0; i < k->n_previous; i++)
		if (fx_gvk_selected(&k->previous[i].gvk, sel))
			return true;
	return false;
}

static bool same_ending(const struct fx_texts *a, const struct fx_texts *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	size_t n = a->len < b->len ? a->len : b->len;
	for (size_t i = 1; i <= n; i++)
		if (strcmp(a->items[a->len - i], b->items[b->len - i]) != 0)
			return false;
	return true;
}

static bool same_context(const struct known *a, const struct known *b, bool allow_empty)
{
	bool prefixes = (allow_empty && (!a->prefixes.len || !b->prefixes.len)) ||
	                same_ending(&a->prefixes, &b->prefixes);
	bool suffixes = (allow_empty && (!a->suffixes.len || !b->suffixes.len)) ||
	                same_ending(&a->suffixes, &b->suffixes);
	return prefixes && suffixes;
}

static void keep_same_context(struct candidates *c, const struct known *referrer, bool allow_empty)
{
	size_t n = 0;
	for (size_t i = 0; i < c->len; i++)
		if (same_context(c->items[i], referrer, allow_empty))
			c->items[n++] = c->items[i];
	c->len = n;
}

static bool role_ref(const struct fixer *f, struct fx_gvk *out)
{
	size_t n = strlen(f->path), m = strlen("roleRef/name");
	if (n < m || strcmp(f->path + n - m, "roleRef/name") != 0)
		return false;
	const struct fx_node *ref = fx_node_get(f->referrer->res->node, "roleRef");
	const struct fx_node *group = fx_node_get(ref, "apiGroup"), *kind = fx_node_get(ref, "kind");
	if (!fx_node_is_scalar(group) || !fx_node_is_scalar(kind))
		return false;
	*out = (struct fx_gvk){.group = group->text, .version = "", .kind = kind->text};
	return true;
}

/* GroupedBy...Namespace: the cluster-scoped are not in any group. */
static bool namespace_filter(const struct known *k, const char *ns, bool original)
{
	const struct fx_id *id = original ? &k->org : &k->cur;
	return !k->cur.gvk.cluster && strcmp(fx_id_namespace(id), ns) == 0;
}

static bool any_in_namespace(const struct fixer *f, const char *ns)
{
	for (size_t i = 0; i < f->n; i++)
		if (may_refer(f, &f->all[i]) && namespace_filter(&f->all[i], ns, true))
			return true;
	return false;
}

static struct fx_res *pick(
        struct fx_build *b, const struct fixer *f, const char *name, const char *ns, bool with_namespace)
{
	const struct candidates *named = fx_index_get(&f->by_previous_name, name);
	struct candidates c = {0};
	struct fx_gvk role;
	if (!named)
		return NULL;
	bool has_role = role_ref(f, &role), original = ns && any_in_namespace(f, ns);
	for (size_t i = 0; i < named->len; i++) {
		struct known *k = named->items[i];
		if (!may_refer(f, k) || (ns && !namespace_filter(k, ns, original)) ||
		        !previous_selected(k, f->target) || (has_role && !previous_selected(k, &role)))
			continue;
		bool same_ns = f->referrer->cur.gvk.cluster || k->cur.gvk.cluster ||
		               strcmp(k->cur.gvk.kind, "ServiceAccount") == 0 ||
		               strcmp(fx_id_namespace(&f->referrer->cur), fx_id_namespace(&k->cur)) == 0;
		if (same_ns)
			add_candidate(b, &c, k);
	}
	if (c.len == 1)
		return c.items[0]->res;
	keep_same_context(&c, f->referrer, true);
	if (c.len > 1)
		keep_same_context(&c, f->referrer, false);
	if (c.len == 0)
		return NULL;
	for (size_t i = 1; i < c.len; i++) {
		if (strcmp(c.items[0]->cur.name, c.items[i]->cur.name) == 0 &&
		        (!with_namespace || strcmp(c.items[0]->cur.ns, c.items[i]->cur.ns) == 0))
			continue;
		struct fx_texts ids = {0};
		for (size_t k = 0; k < c.len; k++)
			fx_texts_add(b, &ids, fx_id_text(b, &c.items[k]->cur));
		fx_throw(b, "found multiple possible referrals: %s\n", fx_texts_join(b, &ids, ", "));
	}
	return c.items[0]->res;
}

static void set_scalar(struct fx_build *b, struct fixer *f, struct fx_node *n)
{
	struct fx_res *r = pick(b, f, n->text, NULL, false);
	if (r && !fx_node_text_is(n, fx_res_name(r)))
		fx_set_scalar(b, n, fx_res_name(r), FX_TAG_NONE);
}

static void put(struct fx_build *b, struct fx_node *map, const char *key, const char *text)
{
	struct fx_node *n = fx_node_get(map, key);
	if (fx_node_is_scalar(n))
		fx_set_scalar(b, n, text, FX_TAG_NONE);
	else
		fx_set(b, map, key, fx_scalar(b, FX_TAG_NONE, text));
}

static void set_map(struct fx_build *b, struct fixer *f, struct fx_node *n)
{
	const struct fx_node *name = fx_node_get(n, "name"), *ns = fx_node_get(n, "namespace");
	if (!name)
		fx_throw(b, "path config error; no 'name' field in node");
	const char *old = name->kind == FX_NODE_SCALAR ? name->text : "";
	struct fx_res *r = pick(b, f, old, ns ? ns->kind == FX_NODE_SCALAR ? ns->text : "" : NULL, true);
	if (!r || (strcmp(fx_res_name(r), old) == 0 && !*fx_res_namespace(r)))
		return;
	put(b, n, "name", fx_res_name(r));
	if (*fx_res_namespace(r))
		put(b, n, "namespace", fx_res_namespace(r));
}

static void set_reference(struct fx_build *b, struct fx_node *n, void *ctx)
{
	struct fixer *f = ctx;
	if (fx_node_is_null(n))
		return;
	if (n->kind == FX_NODE_SCALAR) {
		set_scalar(b, f, n);
	} else if (n->kind == FX_NODE_MAP) {
		set_map(b, f, n);
	} else {
		for (uint32_t i = 0; i < n->len; i++) {
			if (fx_node_is_null(n->items[i]))
				continue;
			if (n->items[i]->kind == FX_NODE_SCALAR)
				set_scalar(b, f, n->items[i]);
			else if (n->items[i]->kind == FX_NODE_MAP)
				set_map(b, f, n->items[i]);
			else
				fx_throw(b, "node must be a scalar, sequence or map");
		}
	}
}

struct visit_call {
	struct fixer *f;
	const struct fx_fieldspec *spec;
};

static void visit(struct fx_build *b, void *arg)
{
	struct visit_call *c = arg;
	fx_fieldspec_visit(b, c->spec, c->f->referrer->res, -1, FX_TAG_NONE, true, set_reference, c->f);
}

void fx_fix_name_references(struct fx_build *b, struct fx_resmap *m, const struct fx_config *config)
{
	struct fixer f = {0};
	learn(b, &f, m);
	for (size_t i = 0; i < f.n; i++) {
		f.referrer = &f.all[i];
		read_account_namespaces(b, &f);
		for (size_t t = 0; t < config->n_refs; t++) {
			f.target = &config->refs[t].target;
			const struct fx_fieldspecs *specs = &config->refs[t].referrers;
			for (size_t s = 0; s < specs->len; s++) {
				if (!fx_gvk_selected(&f.referrer->org.gvk, &specs->items[s].gvk))
					continue;
				f.path = specs->items[s].path;
				struct visit_call c = {&f, &specs->items[s]};
				fx_with_prefix(b, visit, &c,
				        "updating name reference in '%s' field of '%s': ", f.path,
				        fx_id_text(b, &f.referrer->cur));
			}
		}
	}
}
