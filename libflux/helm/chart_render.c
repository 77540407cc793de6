/* Rendering of a loaded chart: the objects that templates see, sorting and printing of manifests. */
#include "chart_internal.h"
#include "schema.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>

#define KUBE_VERSION "v1.36.0"

static const char *const default_apis[] = {"v1", "admissionregistration.k8s.io/v1",
        "admissionregistration.k8s.io/v1alpha1", "admissionregistration.k8s.io/v1beta1",
        "internal.apiserver.k8s.io/v1alpha1", "apps/v1", "apps/v1beta1", "apps/v1beta2",
        "authentication.k8s.io/v1", "authentication.k8s.io/v1alpha1", "authentication.k8s.io/v1beta1",
        "authorization.k8s.io/v1", "authorization.k8s.io/v1beta1", "autoscaling/v1", "autoscaling/v2",
        "batch/v1", "batch/v1beta1", "certificates.k8s.io/v1", "certificates.k8s.io/v1beta1",
        "certificates.k8s.io/v1alpha1", "coordination.k8s.io/v1alpha2", "coordination.k8s.io/v1beta1",
        "coordination.k8s.io/v1", "discovery.k8s.io/v1", "discovery.k8s.io/v1beta1", "events.k8s.io/v1",
        "events.k8s.io/v1beta1", "extensions/v1beta1", "flowcontrol.apiserver.k8s.io/v1",
        "flowcontrol.apiserver.k8s.io/v1beta1", "flowcontrol.apiserver.k8s.io/v1beta2",
        "flowcontrol.apiserver.k8s.io/v1beta3", "networking.k8s.io/v1", "networking.k8s.io/v1beta1",
        "node.k8s.io/v1", "node.k8s.io/v1alpha1", "node.k8s.io/v1beta1", "policy/v1", "policy/v1beta1",
        "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1beta1",
        "rbac.authorization.k8s.io/v1alpha1", "resource.k8s.io/v1", "resource.k8s.io/v1beta2",
        "resource.k8s.io/v1beta1", "resource.k8s.io/v1alpha3", "scheduling.k8s.io/v1alpha2",
        "scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1", "storage.k8s.io/v1beta1", "storage.k8s.io/v1",
        "storage.k8s.io/v1alpha1", "storagemigration.k8s.io/v1beta1", "apiextensions.k8s.io/v1beta1",
        "apiextensions.k8s.io/v1"};

/* ---- capabilities ---- */

static struct fx_val kube_version(struct fx_render *x, const char *given)
{
	struct fx_kube_version *k = fx_render_zalloc(x, sizeof(*k));
	struct fx_text norm = {.x = x}, full = {.x = x};
	const char *s = given;
	while (isspace((unsigned char)*s))
		s++;
	s += *s == 'v';
	if (!isdigit((unsigned char)*s))
		fx_render_throw(
		        x, "invalid kube version '%s': could not parse \"%s\" as version", given, given);
	fx_text_addf(&full, "v%s", given + (*given == 'v'));
	fx_text_char(&norm, 'v');
	const char *p = s, *parts[2] = {"", ""};
	int count = 0;
	for (;;) {
		char *end;
		if (count == 0 && p[0] == '0' && isdigit((unsigned char)p[1]))
			fx_render_throw(x,
			        "invalid kube version '%s': illegal zero-prefixed version component \"%.*s\" "
			        "in \"%s\"",
			        given, (int)strspn(p, "0123456789"), p, given);
		unsigned long long v = strtoull(p, &end, 10);
		fx_text_addf(&norm, count ? ".%llu" : "%llu", v);
		struct fx_text part = {.x = x};
		fx_text_addf(&part, "%llu", v);
		if (count < 2)
			parts[count] = fx_text_c(&part);
		count++;
		p = end;
		if (*p != '.' || !isdigit((unsigned char)p[1]))
			break;
		p++;
	}
	if (count < 2)
		fx_render_throw(x, "invalid kube version '%s': illegal version string \"%s\"", given, given);
	k->version = fx_text_c(&full);
	k->normalized = fx_text_c(&norm);
	k->major = parts[0];
	k->minor = parts[1];
	return fx_v_obj(k, FX_T_KUBE_VERSION);
}

struct fx_val fx_chart_capabilities(struct fx_render *x, const struct fx_chart_options *o)
{
	struct fx_val caps = fx_v_map(x), apis = fx_v_list(x, 64), helm = fx_v_map(x);
	apis.type = FX_T_VERSION_SET;
	for (size_t i = 0; i < FX_COUNT(default_apis); i++)
		fx_v_push(x, apis, fx_v_str(default_apis[i]));
	for (size_t i = 0; i < o->napi_versions; i++)
		fx_v_push(x, apis, fx_v_str(o->api_versions[i]));
	fx_v_set(x, helm, "Version", fx_v_str("v4.2"));
	fx_v_set(x, helm, "GitCommit", fx_v_str(""));
	fx_v_set(x, helm, "GitTreeState", fx_v_str(""));
	fx_v_set(x, helm, "GoVersion", fx_v_str("go1.26.0"));
	fx_v_set(x, helm, "KubeClientVersion", fx_v_str("v1.36"));
	fx_v_set(x, caps, "KubeVersion", kube_version(x, o->kube_version ? o->kube_version : KUBE_VERSION));
	fx_v_set(x, caps, "APIVersions", apis);
	fx_v_set(x, caps, "HelmVersion", fx_v_obj(helm.map, FX_T_HELM_VERSION));
	return fx_v_obj(caps.map, FX_T_CAPABILITIES);
}

/* ---- objects ---- */

static struct fx_val text_of(struct fx_val meta, const char *key)
{
	struct fx_val *v = fx_v_get(meta, key);
	return v && v->kind == FX_VAL_STR ? *v : fx_v_str("");
}

static struct fx_val list_of(struct fx_render *x, struct fx_val meta, const char *key)
{
	struct fx_val *v = fx_v_get(meta, key);
	return v && v->kind == FX_VAL_LIST ? *v : fx_v_list(x, 0);
}

static struct fx_val chart_object(struct fx_render *x, const struct fx_chart *c)
{
	static const char *const texts[][2] = {{"APIVersion", "apiVersion"}, {"AppVersion", "appVersion"},
	        {"Condition", "condition"}, {"Description", "description"}, {"Home", "home"},
	        {"Icon", "icon"}, {"KubeVersion", "kubeVersion"}, {"Tags", "tags"}, {"Type", "type"},
	        {"Version", "version"}};
	struct fx_val m = fx_v_map(x);
	for (size_t i = 0; i < FX_COUNT(texts); i++)
		fx_v_set(x, m, texts[i][0], text_of(c->meta, texts[i][1]));
	fx_v_set(x, m, "Name", fx_v_str(c->name));
	struct fx_val *ann = fx_v_get(c->meta, "annotations"), *dep = fx_v_get(c->meta, "deprecated");
	struct fx_val a = ann && ann->kind == FX_VAL_MAP ? *ann : fx_v_mapof(NULL, FX_T_PLAIN);
	a.type = FX_T_STRING_MAP;
	fx_v_set(x, m, "Annotations", a);
	fx_v_set(x, m, "Deprecated", fx_v_bool(dep && dep->kind == FX_VAL_BOOL && dep->b));
	fx_v_set(x, m, "IsRoot", fx_v_bool(c->parent == NULL));
	fx_v_set(x, m, "Keywords", list_of(x, c->meta, "keywords"));
	fx_v_set(x, m, "Sources", list_of(x, c->meta, "sources"));
	struct fx_val people = list_of(x, c->meta, "maintainers"), out = fx_v_list(x, 0),
	              deps = fx_v_list(x, 0);
	for (size_t i = 0; i < fx_v_len(people); i++) {
		struct fx_val p = fx_v_map(x), from = people.list->items[i];
		fx_v_set(x, p, "Name", text_of(from, "name"));
		fx_v_set(x, p, "Email", text_of(from, "email"));
		fx_v_set(x, p, "URL", text_of(from, "url"));
		fx_v_push(x, out, p);
	}
	for (size_t i = 0; i < fx_v_len(c->deps); i++) {
		struct fx_val d = c->deps.list->items[i], p = fx_v_map(x);
		struct fx_val *en = fx_v_get(d, "enabled"), *iv = fx_v_get(d, "import-values");
		fx_v_set(x, p, "Name", text_of(d, "name"));
		fx_v_set(x, p, "Alias", text_of(d, "alias"));
		fx_v_set(x, p, "Condition", text_of(d, "condition"));
		fx_v_set(x, p, "Repository", text_of(d, "repository"));
		fx_v_set(x, p, "Version", text_of(d, "version"));
		fx_v_set(x, p, "Tags", list_of(x, d, "tags"));
		fx_v_set(x, p, "Enabled", fx_v_bool(en && en->kind == FX_VAL_BOOL && en->b));
		fx_v_set(x, p, "ImportValues", iv && iv->kind == FX_VAL_LIST ? *iv : fx_v_list(x, 0));
		fx_v_push(x, deps, p);
	}
	fx_v_set(x, m, "Maintainers", out);
	fx_v_set(x, m, "Dependencies", deps);
	return m;
}

struct collected {
	struct fx_named_text *items;
	size_t len, cap;
};

const char *fx_chart_path(struct fx_render *x, const struct fx_chart *c)
{
	if (!c->parent)
		return c->name;
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%s/charts/%s", fx_chart_path(x, c->parent), c->name);
	return fx_text_c(&t);
}

static void collect_templates(
        struct fx_render *x, struct fx_chart *c, struct fx_val dot, struct collected *out)
{
	const char *path = fx_chart_path(x, c);
	struct fx_text base = {.x = x};
	fx_text_addf(&base, "%s/templates", path);
	for (size_t i = 0; i < c->templates.len; i++) {
		const struct fx_chart_file *f = &c->templates.items[i];
		const char *slash = strrchr(f->name, '/'), *file = slash ? slash + 1 : f->name;
		if (c->library && *file != '_')
			continue;
		if (out->len == out->cap) {
			size_t cap = out->cap ? out->cap * 2 : 64;
			struct fx_named_text *more = fx_render_alloc(x, cap * sizeof(*more));
			if (out->len)
				memcpy(more, out->items, out->len * sizeof(*more));
			out->items = more;
			out->cap = cap;
		}
		struct fx_text name = {.x = x};
		fx_text_addf(&name, "%s/%s", path, f->name);
		out->items[out->len++] = (struct fx_named_text){.name = fx_text_c(&name),
		        .text = f->data,
		        .len = f->len,
		        .dot = dot,
		        .base_path = fx_text_c(&base),
		        .partial = *file == '_'};
	}
}

static struct fx_val walk_charts(struct fx_render *x, struct fx_chart *c, struct fx_val values,
        struct fx_val release, struct fx_val caps, struct collected *out)
{
	struct fx_val dot = fx_v_map(x), files = fx_v_map(x), subs = fx_v_map(x);
	dot.type = FX_T_VALUES;
	files.type = FX_T_FILES;
	for (size_t i = 0; i < c->files.len; i++)
		fx_v_set(x, files, c->files.items[i].name,
		        (struct fx_val){.kind = FX_VAL_BYTES,
		                .s = c->files.items[i].data,
		                .len = (uint32_t)c->files.items[i].len});
	values.type = FX_T_VALUES;
	fx_v_set(x, dot, "Chart", chart_object(x, c));
	fx_v_set(x, dot, "Files", files);
	fx_v_set(x, dot, "Release", release);
	fx_v_set(x, dot, "Capabilities", caps);
	fx_v_set(x, dot, "Values", values);
	fx_v_set(x, dot, "Subcharts", subs);
	for (size_t i = 0; i < c->nchildren; i++) {
		struct fx_val *v =
		        strchr(c->children[i]->name, '.') ? NULL : fx_v_get(values, c->children[i]->name);
		struct fx_val sub = v && v->kind == FX_VAL_MAP ? *v : fx_v_map(x);
		fx_v_set(x, subs, c->children[i]->name,
		        walk_charts(x, c->children[i], sub, release, caps, out));
	}
	collect_templates(x, c, dot, out);
	return dot;
}

static int by_depth(const void *a, const void *b)
{
	const struct fx_named_text *p = a, *q = b;
	int np = 0, nq = 0;
	for (const char *s = p->name; *s; s++)
		np += *s == '/';
	for (const char *s = q->name; *s; s++)
		nq += *s == '/';
	return np != nq ? nq - np : strcmp(q->name, p->name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fx_named_text *)a)->name, ((const struct fx_named_text *)b)->name);
}

/* ---- manifests ---- */

static const char *const install_order[] = {"PriorityClass", "Namespace", "NetworkPolicy", "ResourceQuota",
        "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget", "ServiceAccount", "Secret", "SecretList",
        "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition",
        "ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role", "RoleList",
        "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController",
        "ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob",
        "IngressClass", "Ingress", "APIService", "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration"};

struct manifest {
	const char *path, *kind;
	struct fx_val text;
	size_t order, index;
	bool is_hook, is_test;
};

struct manifests {
	struct manifest *items;
	size_t len, cap;
};

static int by_kind(const void *a, const void *b)
{
	const struct manifest *p = a, *q = b;
	if (p->order != q->order)
		return p->order < q->order ? -1 : 1;
	if (p->order == FX_COUNT(install_order) && strcmp(p->kind, q->kind) != 0)
		return strcmp(p->kind, q->kind);
	return p->index < q->index ? -1 : 1;
}

static bool blank(const char *s, size_t n)
{
	for (size_t i = 0, w; i < n; i += w) {
		if (!fx_rune_is_space(fx_rune_at(s + i, n - i, &w)))
			return false;
	}
	return true;
}

static struct fx_val left_trimmed(const char *s, size_t n)
{
	size_t i = 0, w;
	while (i < n && fx_rune_is_space(fx_rune_at(s + i, n - i, &w)))
		i += w;
	return fx_v_strn(s + i, n - i);
}

/* Pieces of a file: separators are `---` and blanks at the start of any line. */
static struct fx_val split_manifest(struct fx_render *x, struct fx_val text)
{
	struct fx_val out = fx_v_list(x, 0), s = left_trimmed(text.s, text.len);
	size_t from = 0;
	for (size_t i = 0; i <= s.len;) {
		bool sep = s.len - i >= 3 && memcmp(s.s + i, "---", 3) == 0;
		if (sep || i == s.len) {
			if (!blank(s.s + from, i - from))
				fx_v_push(x, out, left_trimmed(s.s + from, i - from));
			if (!sep)
				break;
			from = i + 3;
			while (from < s.len && (s.s[from] == ' ' || s.s[from] == '\t'))
				from++;
			i = from;
		}
		const char *nl = memchr(s.s + i, '\n', s.len - i);
		i = nl ? (size_t)(nl - s.s) + 1 : s.len;
	}
	return out;
}

static struct fx_val *get_folded(struct fx_val map, const char *key)
{
	struct fx_val *v = fx_v_get(map, key);
	for (size_t i = 0; !v && i < fx_v_len(map); i++) {
		if (strcasecmp(map.map->entries[i].key, key) == 0)
			v = &map.map->entries[i].val;
	}
	return v && v->kind != FX_VAL_NIL ? v : NULL;
}

static struct fx_val head_text(struct fx_render *x, struct fx_val map, const char *key, const char *path)
{
	struct fx_val *v = get_folded(map, key);
	if (!v)
		return fx_v_str("");
	if (v->kind == FX_VAL_MAP || v->kind == FX_VAL_LIST)
		fx_render_throw(x,
		        "YAML parse error on %s: error unmarshaling JSON: while decoding JSON: json: cannot "
		        "unmarshal %s into Go struct field SimpleHead.%s of type string",
		        path, v->kind == FX_VAL_MAP ? "object" : "array", key);
	return fx_v_strval(x, *v);
}

static bool known_event(struct fx_val s)
{
	static const char *const events[] = {"pre-install", "post-install", "pre-delete", "post-delete",
	        "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback", "test", "test-success"};
	for (size_t i = 0; i < FX_COUNT(events); i++) {
		if (strlen(events[i]) == s.len && strncasecmp(events[i], s.s, s.len) == 0)
			return true;
	}
	return false;
}

/* False: an event is unknown and the document goes away. */
static bool read_hook(struct fx_val hook, struct manifest *m)
{
	m->is_hook = true;
	for (size_t i = 0; i <= hook.len;) {
		const char *c = memchr(hook.s + i, ',', hook.len - i);
		size_t end = c ? (size_t)(c - hook.s) : hook.len, to = end;
		while (i < to && isspace((unsigned char)hook.s[i]))
			i++;
		while (to > i && isspace((unsigned char)hook.s[to - 1]))
			to--;
		struct fx_val e = fx_v_strn(hook.s + i, to - i);
		if (!known_event(e))
			return false;
		m->is_test = m->is_test || (e.len >= 4 && strncasecmp(e.s, "test", 4) == 0);
		i = end + 1;
	}
	return true;
}

/* What sorting needs to know of a manifest. False: an event of its hook is unknown. */
static bool read_head(struct fx_render *x, const char *path, struct fx_val text, struct manifest *m)
{
	struct fx_val doc;
	const char *why;
	/* The tree of a manifest is many times its text and is only looked at. */
	fx_render_scratch_enter(x);
	if (!fx_v_yaml_parse(x, text, &doc, &why))
		fx_render_throw(x, "YAML parse error on %s: %s", path, why);
	if (doc.kind != FX_VAL_MAP && doc.kind != FX_VAL_NIL)
		fx_render_throw(x,
		        "YAML parse error on %s: error unmarshaling JSON: while decoding JSON: json: cannot "
		        "unmarshal %s into Go value of type util.SimpleHead",
		        path,
		        doc.kind == FX_VAL_LIST   ? "array"
		        : doc.kind == FX_VAL_STR  ? "string"
		        : doc.kind == FX_VAL_BOOL ? "bool"
		                                  : "number");
	m->kind = fx_v_cstr(x, head_text(x, doc, "kind", path));
	(void)head_text(x, doc, "apiVersion", path);
	struct fx_val *meta = get_folded(doc, "metadata");
	if (meta && meta->kind != FX_VAL_MAP)
		fx_render_throw(x,
		        "YAML parse error on %s: error unmarshaling JSON: while decoding JSON: json: cannot "
		        "unmarshal %s into Go struct field SimpleHead.metadata",
		        path, fx_v_kind(*meta));
	struct fx_val *ann = meta ? get_folded(*meta, "annotations") : NULL;
	if (meta)
		(void)head_text(x, *meta, "name", path);
	if (ann && ann->kind != FX_VAL_MAP)
		fx_render_throw(x,
		        "YAML parse error on %s: error unmarshaling JSON: while decoding JSON: json: cannot "
		        "unmarshal %s into Go struct field .metadata.annotations",
		        path, fx_v_kind(*ann));
	for (size_t i = 0; ann && i < fx_v_len(*ann); i++)
		(void)head_text(x, *ann, ann->map->entries[i].key, path);
	struct fx_val *hook = ann ? fx_v_get(*ann, "helm.sh/hook") : NULL;
	bool known = !hook || read_hook(fx_v_strval(x, hook->kind == FX_VAL_NIL ? fx_v_str("") : *hook), m);
	m->kind = fx_render_scratch_leave(x, m->kind);
	return known;
}

static void add_manifest(struct fx_render *x, const char *path, struct fx_val text, struct manifests *out)
{
	struct manifest m = {.path = path, .text = text, .index = out->len};
	if (!read_head(x, path, text, &m))
		return;
	while (m.order < FX_COUNT(install_order) && strcmp(install_order[m.order], m.kind) != 0)
		m.order++;
	if (out->len == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 64;
		struct manifest *more = fx_render_alloc(x, cap * sizeof(*more));
		if (out->len)
			memcpy(more, out->items, out->len * sizeof(*more));
		out->items = more;
		out->cap = cap;
	}
	out->items[out->len++] = m;
}

static void print_document(struct fx_text *out, const char *path, struct fx_val text)
{
	fx_text_addf(out, "---\n# Source: %s\n", path);
	fx_text_add(out, text.s, text.len);
	fx_text_char(out, '\n');
}

static bool is_crd_file(const char *name)
{
	const char *dot = strrchr(name, '.');
	return strncmp(name, "crds/", 5) == 0 && dot &&
	       (!strcasecmp(dot, ".yaml") || !strcasecmp(dot, ".yml") || !strcasecmp(dot, ".json"));
}

static void print_crds(struct fx_render *x, const struct fx_chart *c, struct fx_text *out)
{
	for (size_t i = 0; i < c->files.len; i++) {
		const struct fx_chart_file *f = &c->files.items[i];
		struct fx_text path = {.x = x};
		if (!is_crd_file(f->name))
			continue;
		fx_text_addf(&path, "%s/%s", fx_chart_path(x, c), f->name);
		print_document(out, fx_text_c(&path), fx_v_strn(f->data, f->len));
	}
	for (size_t i = 0; i < c->nchildren; i++)
		print_crds(x, c->children[i], out);
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);
	return n >= k && strcmp(s + n - k, tail) == 0;
}

static struct fx_val show_only(struct fx_render *x, struct fx_val text, const struct fx_chart_options *o)
{
	struct fx_val pieces = split_manifest(x, text);
	struct fx_text out = {.x = x};
	fx_text_add(&out, "", 0);
	for (size_t k = 0; k < o->nshow_only; k++) {
		bool any = false;
		for (size_t i = 0; i < fx_v_len(pieces); i++) {
			struct fx_val p = pieces.list->items[i];
			const char *src = memmem(p.s, p.len, "# Source: ", 10);
			if (!src)
				continue;
			src += 10;
			const char *end = memchr(src, '\n', (size_t)(p.s + p.len - src));
			const char *slash = memchr(src, '/', (size_t)((end ? end : p.s + p.len) - src));
			if (!slash || !end)
				continue;
			const char *rest = fx_v_dup(x, slash + 1, (size_t)(end - slash - 1)).s;
			if (fnmatch(o->show_only[k], rest, FNM_PATHNAME) != 0)
				continue;
			any = true;
			fx_text_str(&out, "---\n");
			fx_text_add(&out, p.s, p.len);
			fx_text_char(&out, '\n');
		}
		if (!any)
			fx_render_throw(x, "could not find template %s in chart", o->show_only[k]);
	}
	return fx_text_val(&out);
}

static void trim_both(struct fx_val *v)
{
	*v = left_trimmed(v->s, v->len);
	while (v->len && isspace((unsigned char)v->s[v->len - 1]))
		v->len--;
}

static struct fx_val print_all(
        struct fx_render *x, struct fx_chart *c, const struct manifests *m, const struct fx_chart_options *o)
{
	struct fx_text body = {.x = x}, out = {.x = x};
	fx_text_add(&body, "", 0);
	if (o->include_crds)
		print_crds(x, c, &body);
	for (size_t i = 0; i < m->len; i++) {
		if (!m->items[i].is_hook)
			print_document(&body, m->items[i].path, m->items[i].text);
	}
	struct fx_val trimmed = fx_text_val(&body);
	trim_both(&trimmed);
	fx_text_add(&out, trimmed.s, trimmed.len);
	fx_text_char(&out, '\n');
	for (size_t i = 0; i < m->len && !o->no_hooks; i++) {
		if (m->items[i].is_hook && !(o->skip_tests && m->items[i].is_test))
			print_document(&out, m->items[i].path, m->items[i].text);
	}
	return o->nshow_only ? show_only(x, fx_text_val(&out), o) : fx_text_val(&out);
}

struct fx_val fx_chart_release(struct fx_render *x, const struct fx_chart_options *o)
{
	struct fx_val r = fx_v_map(x);
	fx_v_set(x, r, "Name", fx_v_str(o->release));
	fx_v_set(x, r, "Namespace", fx_v_str(o->ns));
	fx_v_set(x, r, "Revision", fx_v_int(o->revision));
	fx_v_set(x, r, "IsUpgrade", fx_v_bool(o->is_upgrade));
	fx_v_set(x, r, "IsInstall", fx_v_bool(!o->is_upgrade));
	fx_v_set(x, r, "Service", fx_v_str("Helm"));
	return r;
}

static void check_name(struct fx_render *x, const char *name)
{
	size_t n = strlen(name);
	bool ok = n > 0 && n <= 53;
	for (size_t i = 0; ok && i < n; i++) {
		bool word = islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]);
		bool edge = i == 0 || i + 1 == n || name[i - 1] == '.' || name[i + 1] == '.';
		ok = word || (!edge && name[i] == '-') ||
		     (name[i] == '.' && i > 0 && i + 1 < n && name[i - 1] != '-' && name[i - 1] != '.');
	}
	if (n == 0)
		fx_render_throw(x, "release name check failed: no name provided");
	if (!ok)
		fx_render_throw(x,
		        "release name check failed: release name \"%s\": invalid release name, must match "
		        "regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the "
		        "length must not be longer than 53",
		        name);
}

struct template_job {
	struct fx_chart *chart;
	struct fx_val values;
	const struct fx_chart_options *options;
	struct fx_val out;
};

static void check_kube_version(struct fx_render *x, const struct fx_chart *c, struct fx_val caps)
{
	struct fx_val want = text_of(c->meta, "kubeVersion");
	const struct fx_kube_version *k = fx_v_get(fx_v_mapof(caps.obj, 0), "KubeVersion")->obj;
	if (want.len && !fx_chart_version_ok(x, want, fx_v_str(k->normalized)))
		fx_render_throw(x, "chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
		        fx_v_cstr(x, want), k->version);
}

static void check_schemas(
        struct fx_render *x, const struct fx_chart *c, struct fx_val values, struct fx_text *out)
{
	const char *report = c->schema ? fx_schema_check(x, c->schema, c->schema_len, values) : NULL;
	if (report)
		fx_text_addf(out, "%s:\n%s", c->name, report);
	for (size_t i = 0; i < c->nchildren; i++) {
		struct fx_val *v = fx_v_get(values, c->children[i]->name);
		if (!v || v->kind == FX_VAL_NIL)
			continue;
		if (v->kind == FX_VAL_MAP)
			check_schemas(x, c->children[i], *v, out);
		else
			fx_text_addf(out, "%s:\ninvalid type for values: expected object (map), got %s\n",
			        c->children[i]->name, fx_v_type(*v));
	}
}

static void run_template(struct fx_render *x, void *arg)
{
	struct template_job *job = arg;
	struct fx_chart *c = job->chart;
	check_name(x, job->options->release);
	struct fx_val user = job->values.kind == FX_VAL_MAP ? job->values : fx_v_map(x);
	fx_chart_check(x, c);
	fx_chart_process_deps(x, c, user);
	struct fx_val caps = fx_chart_capabilities(x, job->options);
	struct fx_val values = fx_chart_coalesce(x, c, fx_v_deep_copy(x, user), false);
	struct fx_text report = {.x = x};
	if (!job->options->skip_schema)
		check_schemas(x, c, values, &report);
	if (report.len)
		fx_render_throw(x,
		        "values don't meet the specifications of the schema(s) in the following "
		        "chart(s):\n%s",
		        fx_text_c(&report));
	check_kube_version(x, c, caps);
	struct collected files = {0};
	walk_charts(x, c, values, fx_chart_release(x, job->options), caps, &files);
	if (files.len)
		qsort(files.items, files.len, sizeof(*files.items), by_depth);
	fx_render_files(x, files.items, files.len);
	if (files.len)
		qsort(files.items, files.len, sizeof(*files.items), by_name);
	struct manifests m = {0};
	for (size_t i = 0; i < files.len; i++) {
		const struct fx_named_text *f = &files.items[i];
		if (f->partial || ends_with(f->name, "NOTES.txt") ||
		        blank(f->rendered.s ? f->rendered.s : "", f->rendered.len))
			continue;
		struct fx_val pieces = split_manifest(x, f->rendered);
		for (size_t k = 0; k < fx_v_len(pieces); k++)
			add_manifest(x, f->name, pieces.list->items[k], &m);
	}
	if (m.len)
		qsort(m.items, m.len, sizeof(*m.items), by_kind);
	job->out = print_all(x, c, &m, job->options);
}

int fx_chart_template(struct fx_arena *arena, struct fx_chart *chart, struct fx_val values,
        const struct fx_chart_options *options, struct fx_val *out, struct fx_error *err)
{
	struct template_job job = {chart, values, options, {0}};
	int rc = fx_render_run(arena, options->engine, run_template, &job, err);
	if (rc == 0)
		*out = job.out;
	return rc;
}

struct eval_job {
	const char *text;
	size_t len;
	const struct fx_node *values;
	struct fx_val out;
};

static void run_eval(struct fx_render *x, void *arg)
{
	static const struct fx_chart_options options = {.release = "rel", .ns = "ns", .revision = 1};
	static const char caller[] = "{{ include \"expr/templates/_expr.tpl\" . }}";
	struct eval_job *job = arg;
	struct fx_val meta = fx_v_map(x);
	fx_v_set(x, meta, "apiVersion", fx_v_str("v2"));
	fx_v_set(x, meta, "version", fx_v_str("0.1.0"));
	struct fx_chart_file files[2] = {{"templates/out.yaml", caller, sizeof(caller) - 1},
	        {"templates/_expr.tpl", job->text, job->len}};
	struct fx_chart chart = {
	        .meta = meta, .name = "expr", .templates = {files, 2, 2}, .deps = fx_v_nil_list()};
	struct fx_val user = job->values ? fx_v_from_node(x, job->values) : fx_v_map(x);
	if (user.kind != FX_VAL_MAP)
		user = fx_v_map(x);
	struct collected list = {0};
	walk_charts(
	        x, &chart, user, fx_chart_release(x, &options), fx_chart_capabilities(x, &options), &list);
	qsort(list.items, list.len, sizeof(*list.items), by_depth);
	fx_render_files(x, list.items, list.len);
	for (size_t i = 0; i < list.len; i++) {
		if (!list.items[i].partial)
			job->out = list.items[i].rendered;
	}
	if (!job->out.s)
		job->out = fx_v_str("");
}

int fx_chart_eval(struct fx_arena *arena, const char *text, size_t len, const struct fx_node *values,
        struct fx_val *out, struct fx_error *err)
{
	struct eval_job job = {text, len, values, {0}};
	int rc = fx_render_run(arena, NULL, run_eval, &job, err);
	if (rc == 0)
		*out = job.out;
	return rc;
}
