/* Fields and methods of the values that are no maps, and of maps with methods. */
#include "funcs.h"

#include "data/semver.h"

static bool named(const char *name, const char *want)
{
	return strcmp(name, want) == 0;
}

static void push_field(struct fx_render *x, struct fx_val list, const char *name, struct fx_val v)
{
	fx_v_push(x, list, fx_v_str(name));
	fx_v_push(x, list, v);
}

struct fx_val fx_obj_fields(struct fx_render *x, struct fx_val v)
{
	struct fx_val out = fx_v_list(x, 16);
	if (v.type == FX_T_KUBE_VERSION) {
		const struct fx_kube_version *k = v.obj;
		push_field(x, out, "Version", fx_v_str(k->version));
		/* Not exported by Go: %v prints it, JSON does not. */
		push_field(x, out, "normalizedVersion", fx_v_str(k->normalized));
		push_field(x, out, "Major", fx_v_str(k->major));
		push_field(x, out, "Minor", fx_v_str(k->minor));
	} else if (v.type == FX_T_CERTIFICATE) {
		const struct fx_certificate *c = v.obj;
		push_field(x, out, "Cert", c->cert);
		push_field(x, out, "Key", c->key);
	} else if (v.type == FX_T_CAPABILITIES || v.type == FX_T_HELM_VERSION) {
		static const char *const caps[] = {"KubeVersion", "APIVersions", "HelmVersion"};
		static const char *const helm[] = {
		        "Version", "GitCommit", "GitTreeState", "GoVersion", "KubeClientVersion"};
		const struct fx_val m = fx_v_mapof(v.obj, FX_T_PLAIN);
		size_t n = v.type == FX_T_CAPABILITIES ? 3 : 5;
		for (size_t i = 0; i < n; i++) {
			const char *name = v.type == FX_T_CAPABILITIES ? caps[i] : helm[i];
			push_field(x, out, name, *fx_v_get(m, name));
		}
	}
	return out;
}

bool fx_obj_string(struct fx_render *x, struct fx_val v, struct fx_val *out)
{
	static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
	        "August", "September", "October", "November", "December"};
	static const char *const days[] = {
	        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
	struct fx_text t = {.x = x};
	if (v.kind == FX_VAL_INT && v.type == FX_T_DURATION) {
		char buf[40];
		fx_text_str(&t, fx_fmt_duration(v.i, buf));
	} else if (v.kind == FX_VAL_INT && v.type == FX_T_MONTH) {
		if (v.i < 1 || v.i > 12)
			return false;
		fx_text_str(&t, months[v.i - 1]);
	} else if (v.kind == FX_VAL_INT && v.type == FX_T_WEEKDAY) {
		fx_text_str(&t, days[v.i % 7]);
	} else if (v.kind == FX_VAL_OBJ && v.type == FX_T_TIME) {
		const struct fx_time *tm = v.obj;
		fx_time_format(&t, tm, FX_TIME_STRING, strlen(FX_TIME_STRING));
		if (tm->monotonic)
			fx_text_str(&t, " m=+0.000000001");
	} else if (v.kind == FX_VAL_OBJ && v.type == FX_T_SEMVER) {
		char buf[FX_SEMVER_FORMAT_MAX];
		fx_text_str(&t, fx_semver_format(v.obj, buf));
	} else {
		return false;
	}
	*out = fx_text_val(&t);
	return true;
}

/* ---- .Values ---- */

/* The table at a dotted path; last: its last part names a table too. */
static bool table_at(struct fx_val v, struct fx_val path, bool last, struct fx_val *out)
{
	*out = v;
	for (size_t i = 0; i <= path.len;) {
		const char *p = memchr(path.s + i, '.', path.len - i);
		size_t end = p ? (size_t)(p - path.s) : path.len;
		if (!p && !last)
			return true;
		struct fx_val *at = fx_v_find(*out, path.s + i, end - i);
		if (!at || at->kind != FX_VAL_MAP)
			return false;
		*out = *at;
		i = end + 1;
	}
	return true;
}

static struct fx_val values_method(struct fx_render *x, struct fx_val recv, const char *name,
        const struct fx_val *a, size_t n, bool *found)
{
	*found = named(name, "YAML") || named(name, "AsMap") || named(name, "Table") ||
	         named(name, "PathValue") || named(name, "Encode");
	if (!*found || n == SIZE_MAX)
		return fx_v_nil();
	size_t want = named(name, "YAML") || named(name, "AsMap") ? 0 : 1;
	if (n != want)
		fx_render_throw(x, "wrong number of args for %s: want %zu got %zu", name, want, n);
	if (named(name, "YAML")) {
		const char *why = NULL;
		return fx_v_yaml_text(x, recv, &why);
	}
	if (named(name, "AsMap"))
		return fx_v_mapof(fx_v_len(recv) ? recv.map : fx_v_map(x).map, FX_T_PLAIN);
	if (a[0].kind != FX_VAL_STR)
		fx_render_throw(x, "wrong type for value; expected string; got %s", fx_v_type(a[0]));
	if (named(name, "Table")) {
		struct fx_val t;
		if (!table_at(recv, a[0], true, &t))
			fx_render_throw(x, "\"%s\" is not a table", fx_v_cstr(x, a[0]));
		return fx_v_mapof(t.map, FX_T_VALUES);
	}
	if (a[0].len == 0)
		fx_render_throw(x, "YAML path cannot be empty");
	struct fx_val t;
	bool table = table_at(recv, a[0], false, &t);
	const char *dot = memrchr(a[0].s, '.', a[0].len);
	size_t from = dot ? (size_t)(dot + 1 - a[0].s) : 0;
	struct fx_val *v = table ? fx_v_find(t, a[0].s + from, a[0].len - from) : NULL;
	if (!v || v->kind == FX_VAL_MAP)
		fx_render_throw(x, "\"%.*s\" is not a value", (int)(a[0].len - from), a[0].s + from);
	return *v;
}

/* ---- .Files ---- */

static struct fx_val files_lines(struct fx_render *x, struct fx_val b)
{
	struct fx_val out = fx_v_list(x, 0);
	out.type = FX_T_STRINGS;
	if (b.len == 0)
		fx_render_throw(x, "runtime error: index out of range [-1]");
	size_t len = b.len - (b.s[b.len - 1] == '\n');
	for (size_t i = 0; i <= len;) {
		const char *p = memchr(b.s + i, '\n', len - i);
		size_t end = p ? (size_t)(p - b.s) : len;
		fx_v_push(x, out, fx_v_strn(b.s + i, end - i));
		i = end + 1;
	}
	return out;
}

static struct fx_val files_as(struct fx_render *x, struct fx_val files, bool secret)
{
	struct fx_val m = fx_v_map(x);
	for (size_t i = 0; i < fx_v_len(files); i++) {
		const struct fx_entry *e = &files.map->entries[i];
		const char *slash = memrchr(e->key, '/', e->len);
		size_t from = slash ? (size_t)(slash + 1 - e->key) : 0;
		fx_v_setn(x, m, e->key + from, e->len - from,
		        secret ? fx_v_base64(x, e->val.s, e->val.len) : fx_v_strn(e->val.s, e->val.len));
	}
	const char *why = NULL;
	struct fx_val t = fx_v_yaml_text(x, m, &why);
	if (t.len && t.s[t.len - 1] == '\n')
		t.len--;
	return t;
}

static struct fx_val files_method(struct fx_render *x, struct fx_val recv, const char *name,
        const struct fx_val *a, size_t n, bool *found)
{
	static const char *const one[] = {"Get", "GetBytes", "Glob", "Lines"};
	bool takes = false;
	for (size_t i = 0; i < FX_COUNT(one); i++)
		takes = takes || named(name, one[i]);
	*found = takes || named(name, "AsConfig") || named(name, "AsSecrets");
	if (!*found || n == SIZE_MAX)
		return fx_v_nil();
	if (n != takes)
		fx_render_throw(x, "wrong number of args for %s: want %d got %zu", name, takes, n);
	if (!takes)
		return files_as(x, recv, named(name, "AsSecrets"));
	if (a[0].kind != FX_VAL_STR)
		fx_render_throw(x, "wrong type for value; expected string; got %s",
		        a[0].kind == FX_VAL_NIL ? "interface {}" : fx_v_type(a[0]));
	struct fx_val *f = fx_v_find(recv, a[0].s, a[0].len);
	if (named(name, "Get"))
		return f ? fx_v_strn(f->s, f->len) : fx_v_str("");
	if (named(name, "GetBytes"))
		return f ? *f : (struct fx_val){.kind = FX_VAL_BYTES, .s = ""};
	if (named(name, "Lines")) {
		if (f)
			return files_lines(x, *f);
		struct fx_val none = fx_v_list(x, 0);
		none.type = FX_T_STRINGS;
		return none;
	}
	struct fx_val out = fx_v_map(x);
	out.type = FX_T_FILES;
	const char *pattern = fx_v_cstr(x, a[0]);
	if (!fx_files_glob_valid(pattern))
		pattern = "**";
	for (size_t i = 0; i < fx_v_len(recv); i++) {
		const struct fx_entry *e = &recv.map->entries[i];
		if (fx_files_glob_match(pattern, fx_v_cstr(x, fx_v_strn(e->key, e->len))))
			fx_v_setn(x, out, e->key, e->len, e->val);
	}
	return out;
}

static struct fx_val version_set_method(struct fx_render *x, struct fx_val recv, const char *name,
        const struct fx_val *a, size_t n, bool *found)
{
	*found = named(name, "Has");
	if (!*found || n == SIZE_MAX)
		return fx_v_nil();
	if (n != 1)
		fx_render_throw(x, "wrong number of args for Has: want 1 got %zu", n);
	if (a[0].kind != FX_VAL_STR)
		fx_render_throw(x, "wrong type for value; expected string; got %s",
		        a[0].kind == FX_VAL_NIL ? "interface {}" : fx_v_type(a[0]));
	for (size_t i = 0; i < fx_v_len(recv); i++) {
		struct fx_val e = recv.list->items[i];
		if (e.len == a[0].len && memcmp(e.s, a[0].s, e.len) == 0)
			return fx_v_bool(true);
	}
	return fx_v_bool(false);
}

static struct fx_val kube_version_field(
        struct fx_render *x, struct fx_val recv, const char *name, bool *found)
{
	const struct fx_kube_version *k = recv.obj;
	*found = true;
	if (named(name, "String"))
		return fx_v_str(k->normalized);
	if (named(name, "Version") || named(name, "GitVersion"))
		return fx_v_str(k->version);
	if (named(name, "Major"))
		return fx_v_str(k->major);
	if (named(name, "Minor"))
		return fx_v_str(k->minor);
	if (named(name, "normalizedVersion"))
		fx_render_throw(
		        x, "normalizedVersion is an unexported field of struct type common.KubeVersion");
	*found = false;
	return fx_v_nil();
}

struct fx_val fx_obj_field(struct fx_render *x, struct fx_val recv, const char *name_s, size_t len,
        const struct fx_val *a, size_t n, bool *found)
{
	char name[64];
	*found = false;
	if (len >= sizeof(name))
		return fx_v_nil();
	memcpy(name, name_s, len);
	name[len] = 0;
	switch (recv.type) {
	case FX_T_VALUES:
		return values_method(x, recv, name, a, n, found);
	case FX_T_FILES:
		return files_method(x, recv, name, a, n, found);
	case FX_T_VERSION_SET:
		return version_set_method(x, recv, name, a, n, found);
	case FX_T_KUBE_VERSION:
		return kube_version_field(x, recv, name, found);
	case FX_T_CERTIFICATE: {
		const struct fx_certificate *c = recv.obj;
		*found = named(name, "Cert") || named(name, "Key");
		return named(name, "Cert") ? c->cert : c->key;
	}
	case FX_T_CAPABILITIES:
	case FX_T_HELM_VERSION: {
		struct fx_val *f = fx_v_get(fx_v_mapof(recv.obj, FX_T_PLAIN), name);
		*found = f != NULL;
		if (!f && recv.type == FX_T_CAPABILITIES && named(name, "Copy")) {
			*found = true;
			return recv;
		}
		struct fx_val v = f ? *f : fx_v_nil();
		if (v.type == FX_T_KUBE_VERSION)
			v.len = 1; /* found in place */
		return v;
	}
	case FX_T_SEMVER:
		return fx_semver_field(x, recv, name, a, n, found);
	default:
		return fx_time_field(x, recv, name, a, n, found);
	}
}
