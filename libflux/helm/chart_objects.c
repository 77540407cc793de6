/* What the templates of a chart see: .Capabilities, .Release, .Chart, .Files, .Values and .Subcharts. */
#include "chart_internal.h"

#include <ctype.h>
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

const char *fx_chart_path(struct fx_render *x, const struct fx_chart *c)
{
	if (!c->parent)
		return c->name;
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%s/charts/%s", fx_chart_path(x, c->parent), c->name);
	return fx_text_c(&t);
}

static void collect_templates(
        struct fx_render *x, struct fx_chart *c, struct fx_val dot, struct fx_chart_texts *out)
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

struct fx_val fx_chart_walk(struct fx_render *x, struct fx_chart *c, struct fx_val values,
        struct fx_val release, struct fx_val caps, struct fx_chart_texts *out)
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
		        fx_chart_walk(x, c->children[i], sub, release, caps, out));
	}
	collect_templates(x, c, dot, out);
	return dot;
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
