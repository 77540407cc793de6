/* Rendered files into manifests and hooks, in the order of their installation. */
#include "chart_internal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static const char *const install_order[] = {"PriorityClass", "Namespace", "NetworkPolicy", "ResourceQuota",
        "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget", "ServiceAccount", "Secret", "SecretList",
        "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition",
        "ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role", "RoleList",
        "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController",
        "ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob",
        "IngressClass", "Ingress", "APIService", "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration"};

size_t fx_manifest_order(const char *kind)
{
	size_t i = 0;
	while (i < FX_COUNT(install_order) && strcmp(install_order[i], kind) != 0)
		i++;
	return i;
}

struct placed {
	size_t order, index;
	const char *kind;
	union {
		struct fx_manifest manifest;
		struct fx_hook hook;
	};
};

struct pile {
	struct placed *items;
	size_t len, cap;
};

static int by_kind(const void *a, const void *b)
{
	const struct placed *p = a, *q = b;
	if (p->order != q->order)
		return p->order < q->order ? -1 : 1;
	if (p->order == FX_COUNT(install_order) && strcmp(p->kind, q->kind) != 0)
		return strcmp(p->kind, q->kind);
	return p->index < q->index ? -1 : 1;
}

static struct placed *place(struct fx_render *x, struct pile *pile, const char *kind)
{
	if (pile->len == pile->cap) {
		size_t cap = pile->cap ? pile->cap * 2 : 32;
		struct placed *more = fx_render_alloc(x, cap * sizeof(*more));
		if (pile->len)
			memcpy(more, pile->items, pile->len * sizeof(*more));
		pile->items = more;
		pile->cap = cap;
	}
	struct placed *p = &pile->items[pile->len];
	*p = (struct placed){.order = fx_manifest_order(kind), .index = pile->len, .kind = kind};
	pile->len++;
	return p;
}

/* ---- pieces ---- */

bool fx_chart_blank(struct fx_val s)
{
	for (size_t i = 0, w; i < s.len; i += w) {
		if (!fx_rune_is_space(fx_rune_at(s.s + i, s.len - i, &w)))
			return false;
	}
	return true;
}

struct fx_val fx_chart_trim_left(struct fx_val s)
{
	size_t i = 0, w;
	while (i < s.len && fx_rune_is_space(fx_rune_at(s.s + i, s.len - i, &w)))
		i += w;
	return fx_v_strn(s.s + i, s.len - i);
}

struct fx_val fx_chart_split(struct fx_render *x, struct fx_val text)
{
	struct fx_val out = fx_v_list(x, 0), s = fx_chart_trim_left(text);
	size_t from = 0;
	for (size_t i = 0; i <= s.len;) {
		bool sep = s.len - i >= 3 && memcmp(s.s + i, "---", 3) == 0;
		if (sep || i == s.len) {
			struct fx_val piece = fx_v_strn(s.s + from, i - from);
			if (!fx_chart_blank(piece))
				fx_v_push(x, out, fx_chart_trim_left(piece));
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

/* ---- the head of a manifest ---- */

static struct fx_val *get_folded(struct fx_val map, const char *key)
{
	struct fx_val *v = fx_v_get(map, key);
	for (size_t i = 0; !v && i < fx_v_len(map); i++) {
		if (strcasecmp(map.map->entries[i].key, key) == 0)
			v = &map.map->entries[i].val;
	}
	return v && v->kind != FX_VAL_NIL ? v : NULL;
}

static _Noreturn void bad_head(struct fx_render *x, const char *path, struct fx_val v, const char *into)
{
	fx_render_throw(x,
	        "YAML parse error on %s: error unmarshaling JSON: while decoding JSON: json: cannot "
	        "unmarshal "
	        "%s into Go %s",
	        path, fx_chart_json_name(v), into);
}

static struct fx_val head_text(
        struct fx_render *x, struct fx_val map, const char *key, const char *path, const char *field)
{
	struct fx_val *v = get_folded(map, key);
	struct fx_text into = {.x = x};
	if (!v)
		return fx_v_str("");
	if (v->kind != FX_VAL_MAP && v->kind != FX_VAL_LIST)
		return fx_chart_scalar_text(x, *v);
	fx_text_addf(&into, "struct field %s of type string", field);
	bad_head(x, path, *v, fx_text_c(&into));
}

/* What sorting and hooks need to know of a manifest. */
enum { KIND, API_VERSION, NAME, HOOK, WEIGHT, DELETE_POLICY, LOG_POLICY, HEAD_TEXTS };

static const char *const hook_annotations[] = {[HOOK] = "helm.sh/hook",
        [WEIGHT] = "helm.sh/hook-weight",
        [DELETE_POLICY] = "helm.sh/hook-delete-policy",
        [LOG_POLICY] = "helm.sh/hook-output-log-policy"};

static void read_annotations(
        struct fx_render *x, const char *path, struct fx_val annotations, const char *head[HEAD_TEXTS])
{
	for (size_t i = 0; i < fx_v_len(annotations); i++) {
		const struct fx_entry *e = &annotations.map->entries[i];
		const char *text = "";
		if (e->val.kind == FX_VAL_MAP || e->val.kind == FX_VAL_LIST)
			bad_head(x, path, e->val, "struct field .metadata.annotations of type string");
		for (size_t k = HOOK; k < HEAD_TEXTS; k++) {
			if (strcmp(hook_annotations[k], e->key) != 0)
				continue;
			text = fx_v_cstr(x, fx_chart_scalar_text(x, e->val));
			head[k] = text;
		}
	}
}

static void read_document(
        struct fx_render *x, const char *path, struct fx_val text, const char *head[HEAD_TEXTS])
{
	struct fx_val doc;
	const char *why;
	if (!fx_chart_parse_yaml(x, text, &doc, &why))
		fx_render_throw(x, "YAML parse error on %s: %s", path, why);
	if (doc.kind != FX_VAL_MAP && doc.kind != FX_VAL_NIL)
		bad_head(x, path, doc, "value of type util.SimpleHead");
	head[API_VERSION] = fx_v_cstr(x, head_text(x, doc, "apiVersion", path, "SimpleHead.apiVersion"));
	head[KIND] = fx_v_cstr(x, head_text(x, doc, "kind", path, "SimpleHead.kind"));
	struct fx_val *meta = get_folded(doc, "metadata");
	if (!meta)
		return;
	if (meta->kind != FX_VAL_MAP)
		bad_head(x, path, *meta,
		        "struct field SimpleHead.metadata of type struct { Name string "
		        "\"json:\\\"name\\\"\"; "
		        "Annotations map[string]string \"json:\\\"annotations\\\"\" }");
	struct fx_val *ann = get_folded(*meta, "annotations");
	if (ann && ann->kind != FX_VAL_MAP)
		bad_head(x, path, *ann, "struct field .metadata.annotations of type map[string]string");
	if (ann)
		read_annotations(x, path, *ann, head);
	head[NAME] = fx_v_cstr(x, head_text(x, *meta, "name", path, ".metadata.name"));
}

/* The tree of a manifest is many times its text and is only looked at. */
static void read_head(struct fx_render *x, const char *path, struct fx_val text, const char *head[HEAD_TEXTS])
{
	fx_render_scratch_enter(x);
	read_document(x, path, text, head);
	fx_render_scratch_leave(x, head, HEAD_TEXTS);
}

/* ---- hooks ---- */

static struct fx_val lower_items(struct fx_render *x, struct fx_val text)
{
	struct fx_val out = fx_v_list(x, 0);
	for (size_t i = 0; i <= text.len;) {
		const char *c = memchr(text.s + i, ',', text.len - i);
		size_t end = c ? (size_t)(c - text.s) : text.len, to = end, w;
		struct fx_val item = fx_chart_trim_left(fx_v_strn(text.s + i, to - i));
		while (item.len && isspace((unsigned char)item.s[item.len - 1]))
			item.len--;
		struct fx_text low = {.x = x};
		fx_text_add(&low, "", 0);
		for (size_t k = 0; k < item.len; k += w)
			fx_text_rune(&low, fx_rune_lower(fx_rune_at(item.s + k, item.len - k, &w)));
		fx_v_push(x, out, fx_text_val(&low));
		i = end + 1;
	}
	return out;
}

/* False: an event is unknown and the document goes away. */
static bool read_events(struct fx_render *x, struct fx_val text, struct fx_val *out)
{
	static const char *const known[] = {"pre-install", "post-install", "pre-delete", "post-delete",
	        "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback", "test", "test-success"};
	*out = lower_items(x, text);
	for (size_t i = 0; i < fx_v_len(*out); i++) {
		struct fx_val *e = &out->list->items[i];
		size_t k = 0;
		while (k < FX_COUNT(known) && !fx_v_eq_str(*e, known[k]))
			k++;
		if (k == FX_COUNT(known))
			return false;
		if (k == FX_COUNT(known) - 1)
			*e = fx_v_str("test");
	}
	return true;
}

static struct fx_val policies(struct fx_render *x, const char *text)
{
	return text ? lower_items(x, fx_v_str(text)) : fx_v_list(x, 0);
}

/* strconv.Atoi; what is no number is 0. */
static int weight_of(const char *s)
{
	char *end;
	if (!s || isspace((unsigned char)*s))
		return 0;
	errno = 0;
	long n = strtol(s, &end, 10);
	return *s && !*end && errno == 0 && n >= INT_MIN && n <= INT_MAX ? (int)n : 0;
}

static void add_piece(
        struct fx_render *x, const char *path, struct fx_val text, struct pile *manifests, struct pile *hooks)
{
	const char *head[HEAD_TEXTS] = {[KIND] = "", [API_VERSION] = "", [NAME] = ""};
	struct fx_val events;
	read_head(x, path, text, head);
	if (!head[HOOK]) {
		place(x, manifests, head[KIND])->manifest = (struct fx_manifest){.path = path,
		        .api_version = head[API_VERSION],
		        .kind = head[KIND],
		        .name = head[NAME],
		        .text = text};
		return;
	}
	if (!read_events(x, fx_v_str(head[HOOK]), &events))
		return;
	place(x, hooks, head[KIND])->hook = (struct fx_hook){.path = path,
	        .kind = head[KIND],
	        .name = head[NAME],
	        .manifest = text,
	        .events = events,
	        .weight = weight_of(head[WEIGHT]),
	        .delete_policies = policies(x, head[DELETE_POLICY]),
	        .output_log_policies = policies(x, head[LOG_POLICY]),
	        .phase = ""};
}

bool fx_hook_on(const struct fx_hook *hook, const char *event)
{
	for (size_t i = 0; i < fx_v_len(hook->events); i++) {
		if (fx_v_eq_str(hook->events.list->items[i], event))
			return true;
	}
	return false;
}

void fx_chart_sort(struct fx_render *x, const struct fx_chart_file *files, size_t n, struct fx_rendered *out)
{
	struct pile manifests = {0}, hooks = {0};
	for (size_t i = 0; i < n; i++) {
		struct fx_val text = fx_v_strn(files[i].data, files[i].len);
		const char *slash = strrchr(files[i].name, '/'), *base = slash ? slash + 1 : files[i].name;
		if (*base == '_' || fx_chart_blank(text))
			continue;
		struct fx_val pieces = fx_chart_split(x, text);
		for (size_t k = 0; k < fx_v_len(pieces); k++)
			add_piece(x, files[i].name, pieces.list->items[k], &manifests, &hooks);
	}
	if (manifests.len)
		qsort(manifests.items, manifests.len, sizeof(*manifests.items), by_kind);
	if (hooks.len)
		qsort(hooks.items, hooks.len, sizeof(*hooks.items), by_kind);
	out->manifests = fx_render_zalloc(x, (manifests.len + 1) * sizeof(*out->manifests));
	for (out->nmanifests = 0; out->nmanifests < manifests.len; out->nmanifests++)
		out->manifests[out->nmanifests] = manifests.items[out->nmanifests].manifest;
	out->hooks = fx_render_zalloc(x, (hooks.len + 1) * sizeof(*out->hooks));
	for (out->nhooks = 0; out->nhooks < hooks.len; out->nhooks++)
		out->hooks[out->nhooks] = hooks.items[out->nhooks].hook;
}
