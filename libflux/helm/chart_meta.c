/* Chart.yaml, requirements.yaml and the lock files: typed as Go's structs are, and checked as Helm checks
 * them. */
#include "chart_internal.h"

#include "data/semver.h"
#include "data/yaml.h"

#include <errno.h>
#include <stdlib.h>

enum shape { TEXT, CLEAN_TEXT, FLAG, TEXTS, CLEAN_TEXTS, TEXT_MAP, PEOPLE, DEPENDENCIES, ANYTHING, TIME };

struct field {
	const char *name;
	enum shape shape;
};

/* CLEAN: odd white space and what cannot be printed is taken out. */
static const struct field meta_fields[] = {{"name", CLEAN_TEXT}, {"home", CLEAN_TEXT},
        {"sources", CLEAN_TEXTS}, {"version", TEXT}, {"description", CLEAN_TEXT}, {"keywords", CLEAN_TEXTS},
        {"maintainers", PEOPLE}, {"icon", CLEAN_TEXT}, {"apiVersion", TEXT}, {"condition", CLEAN_TEXT},
        {"tags", CLEAN_TEXT}, {"appVersion", CLEAN_TEXT}, {"deprecated", FLAG}, {"annotations", TEXT_MAP},
        {"kubeVersion", CLEAN_TEXT}, {"dependencies", DEPENDENCIES}, {"type", TEXT}};
static const struct field person_fields[] = {
        {"name", CLEAN_TEXT}, {"email", CLEAN_TEXT}, {"url", CLEAN_TEXT}};
static const struct field dependency_fields[] = {{"name", CLEAN_TEXT}, {"version", CLEAN_TEXT},
        {"repository", CLEAN_TEXT}, {"condition", CLEAN_TEXT}, {"tags", CLEAN_TEXTS}, {"enabled", FLAG},
        {"import-values", ANYTHING}, {"alias", TEXT}};
static const struct field lock_fields[] = {
        {"generated", TIME}, {"digest", TEXT}, {"dependencies", DEPENDENCIES}};

struct decoding {
	struct fx_render *x;
	const char *file, *type; /* Go's name of the struct */
	const char *field;
};

static struct fx_val clean(struct fx_render *x, struct fx_val s)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0, w; i < s.len; i += w) {
		unsigned r = fx_rune_at(s.s + i, s.len - i, &w);
		if (fx_rune_is_space(r))
			fx_text_char(&t, ' ');
		else if (fx_rune_is_print(r))
			fx_text_rune(&t, r);
	}
	return fx_text_val(&t);
}

const char *fx_chart_json_name(struct fx_val v)
{
	return v.kind == FX_VAL_MAP    ? "object"
	       : v.kind == FX_VAL_LIST ? "array"
	       : v.kind == FX_VAL_STR  ? "string"
	       : v.kind == FX_VAL_BOOL ? "bool"
	                               : "number";
}

static _Noreturn void mismatch(const struct decoding *d, struct fx_val v, const char *want)
{
	fx_render_throw(d->x,
	        "cannot load %s: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s "
	        "into Go struct field %s.%s of type %s",
	        d->file, fx_chart_json_name(v), d->type, d->field, want);
}

/* The shortest text that gives the same 32-bit float back. */
static struct fx_val short_float(struct fx_render *x, double f)
{
	char text[64];
	struct fx_text t = {.x = x};
	for (int p = 1; p <= 9; p++) {
		snprintf(text, sizeof(text), "%.*e", p - 1, (double)(float)f);
		if (strtof(text, NULL) == (float)f)
			break;
	}
	char *e = strchr(text, 'e');
	int exp = e ? atoi(e + 1) : 0;
	if (!e || exp < -4 || exp >= 6) {
		fx_text_str(&t, text);
		return fx_text_val(&t);
	}
	fx_text_addf(&t, "%.*f",
	        (int)(e - text) > 2 + (text[0] == '-') + exp ? (int)(e - text) - 2 - (text[0] == '-') - exp
	                                                     : 0,
	        strtod(text, NULL));
	return fx_text_val(&t);
}

struct fx_val fx_chart_scalar_text(struct fx_render *x, struct fx_val v)
{
	struct fx_text t = {.x = x};
	switch (v.kind) {
	case FX_VAL_STR:
		return v;
	case FX_VAL_BOOL:
		return fx_v_str(v.b ? "true" : "false");
	case FX_VAL_FLOAT:
		return short_float(x, v.f);
	case FX_VAL_INT:
		fx_fmt_v(&t, v);
		return fx_text_val(&t);
	default:
		return fx_v_str("");
	}
}

static struct fx_val text_of(const struct decoding *d, struct fx_val v)
{
	if (v.kind == FX_VAL_MAP || v.kind == FX_VAL_LIST)
		mismatch(d, v, "string");
	return fx_chart_scalar_text(d->x, v);
}

static struct fx_val texts_of(const struct decoding *d, struct fx_val v, bool cleaned)
{
	struct fx_val out = fx_v_list(d->x, 0);
	if (v.kind != FX_VAL_LIST)
		mismatch(d, v, "[]string");
	for (size_t i = 0; i < fx_v_len(v); i++) {
		struct fx_val s = text_of(d, v.list->items[i]);
		fx_v_push(d->x, out, cleaned ? clean(d->x, s) : s);
	}
	return out;
}

static struct fx_val text_map_of(const struct decoding *d, struct fx_val v)
{
	struct fx_val out = fx_v_map(d->x);
	if (v.kind != FX_VAL_MAP)
		mismatch(d, v, "map[string]string");
	for (size_t i = 0; i < fx_v_len(v); i++)
		fx_v_setn(d->x, out, v.map->entries[i].key, v.map->entries[i].len,
		        text_of(d, v.map->entries[i].val));
	return out;
}

/* encoding/json's text of a time: the zeros at the end of the fraction go. */
static struct fx_val time_of(const struct decoding *d, struct fx_val v)
{
	struct fx_text t = {.x = d->x};
	if (v.kind != FX_VAL_STR)
		fx_render_throw(d->x,
		        "cannot load %s: error unmarshaling JSON: while decoding JSON: Time.UnmarshalJSON: "
		        "input is not a JSON string",
		        d->file);
	const char *dot = memchr(v.s, '.', v.len);
	if (!dot)
		return v;
	size_t end = (size_t)(dot - v.s) + 1, keep;
	while (end < v.len && v.s[end] >= '0' && v.s[end] <= '9')
		end++;
	for (keep = end; v.s[keep - 1] == '0';)
		keep--;
	keep -= v.s[keep - 1] == '.';
	fx_text_add(&t, v.s, keep);
	fx_text_add(&t, v.s + end, v.len - end);
	return fx_text_val(&t);
}

static void decode(
        const struct decoding *d, const struct field *fields, size_t n, struct fx_val in, struct fx_val out);

static struct fx_val structs_of(
        const struct decoding *d, struct fx_val v, const char *type, const struct field *fields, size_t n)
{
	struct fx_val out = fx_v_list(d->x, 0);
	struct fx_text list = {.x = d->x}, one = {.x = d->x};
	fx_text_addf(&list, "[]*v2.%s", type);
	fx_text_addf(&one, "v2.%s", type);
	if (v.kind != FX_VAL_LIST)
		mismatch(d, v, fx_text_c(&list));
	for (size_t i = 0; i < fx_v_len(v); i++) {
		struct fx_val item = v.list->items[i], to = fx_v_map(d->x);
		struct decoding inner = {d->x, d->file, type, d->field};
		if (item.kind == FX_VAL_MAP)
			decode(&inner, fields, n, item, to);
		else if (item.kind != FX_VAL_NIL)
			mismatch(d, item, fx_text_c(&one));
		fx_v_push(d->x, out, item.kind == FX_VAL_NIL ? item : to);
	}
	return out;
}

static struct fx_val shaped(const struct decoding *d, enum shape shape, struct fx_val v)
{
	switch (shape) {
	case TEXT:
		return text_of(d, v);
	case CLEAN_TEXT:
		return clean(d->x, text_of(d, v));
	case FLAG:
		if (v.kind != FX_VAL_BOOL)
			mismatch(d, v, "bool");
		return v;
	case TEXTS:
	case CLEAN_TEXTS:
		return texts_of(d, v, shape == CLEAN_TEXTS);
	case TEXT_MAP:
		return text_map_of(d, v);
	case PEOPLE:
		return structs_of(d, v, "Maintainer", person_fields, FX_COUNT(person_fields));
	case DEPENDENCIES:
		return structs_of(d, v, "Dependency", dependency_fields, FX_COUNT(dependency_fields));
	case TIME:
		return time_of(d, v);
	case ANYTHING:
		if (v.kind != FX_VAL_LIST)
			mismatch(d, v, "[]interface {}");
		return v;
	}
	return v;
}

static void decode(
        const struct decoding *d, const struct field *fields, size_t n, struct fx_val in, struct fx_val out)
{
	for (size_t i = 0; i < fx_v_len(in); i++) {
		const struct fx_entry *e = &in.map->entries[i];
		const struct field *f = NULL;
		for (size_t k = 0; k < n && !f; k++)
			f = strcmp(e->key, fields[k].name) == 0 ? &fields[k] : NULL;
		for (size_t k = 0; k < n && !f; k++)
			f = strcasecmp(e->key, fields[k].name) == 0 ? &fields[k] : NULL;
		if (!f)
			continue;
		struct fx_text path = {.x = d->x};
		if (d->field)
			fx_text_addf(&path, "%s.", d->field);
		fx_text_str(&path, f->name);
		struct decoding inner = {d->x, d->file, d->type, fx_text_c(&path)};
		bool list =
		        f->shape != TEXT && f->shape != CLEAN_TEXT && f->shape != FLAG && f->shape != TIME;
		if (e->val.kind != FX_VAL_NIL)
			fx_v_set(d->x, out, f->name, shaped(&inner, f->shape, e->val));
		else if (list)
			fx_v_unset(out, f->name, strlen(f->name));
	}
}

/* As fx_v_from_node, but whole numbers stay integers: their texts differ from those of floats. */
static struct fx_val from_node(struct fx_render *x, const struct fx_node *n)
{
	if (n->kind == FX_NODE_SCALAR) {
		char *end;
		errno = 0;
		long long i = n->tag == FX_TAG_INT ? strtoll(n->text, &end, 10) : 0;
		bool fits = n->tag == FX_TAG_INT && errno == 0 && *end == 0;
		return fits ? fx_v_int64(i) : fx_v_from_node(x, n);
	}
	struct fx_val out = n->kind == FX_NODE_MAP ? fx_v_map(x) : fx_v_list(x, n->len);
	for (uint32_t i = 0; i < n->len; i++) {
		if (n->kind == FX_NODE_MAP)
			fx_v_setn(x, out, n->pairs[i].key->text, n->pairs[i].key->len,
			        from_node(x, n->pairs[i].value));
		else
			fx_v_push(x, out, from_node(x, n->items[i]));
	}
	return out;
}

bool fx_chart_parse_yaml(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	struct fx_yaml_read opts = {.dialect = FX_YAML_V2, .values = true};
	*out = fx_v_nil();
	if (fx_yaml_read(fx_render_arena(x), text.s, text.len, &opts, &n, &err) == 0) {
		if (n)
			*out = from_node(x, n);
		return true;
	}
	bool nomem = err.code == FX_E_NOMEM;
	char *copy = fx_arena_printf(
	        fx_render_arena(x), "error converting YAML to JSON: %s", fx_error_message(&err));
	fx_error_release(&err);
	if (nomem || !copy)
		fx_render_throw(x, "out of memory");
	*why = copy;
	return false;
}

static struct fx_val parse_map(struct fx_render *x, const char *file, struct fx_val text, const char *type)
{
	struct fx_val v;
	const char *why;
	if (!fx_chart_parse_yaml(x, text, &v, &why))
		fx_render_throw(x, "cannot load %s: %s", file, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_map(x);
	if (v.kind != FX_VAL_MAP)
		fx_render_throw(x,
		        "cannot load %s: error unmarshaling JSON: while decoding JSON: json: cannot "
		        "unmarshal "
		        "%s into Go value of type v2.%s",
		        file, fx_chart_json_name(v), type);
	return v;
}

void fx_chart_read_meta(struct fx_render *x, struct fx_chart *c, const char *file, struct fx_val text)
{
	struct decoding d = {x, file, "Metadata", NULL};
	if (c->meta.kind != FX_VAL_MAP)
		c->meta = fx_v_map(x);
	decode(&d, meta_fields, FX_COUNT(meta_fields), parse_map(x, file, text, "Metadata"), c->meta);
	struct fx_val *deps = fx_v_get(c->meta, "dependencies"), *api = fx_v_get(c->meta, "apiVersion");
	c->deps = deps ? *deps : fx_v_nil();
	if ((!api || api->len == 0) && strcmp(file, "Chart.yaml") == 0)
		fx_v_set(x, c->meta, "apiVersion", fx_v_str("v1"));
}

void fx_chart_read_lock(struct fx_render *x, struct fx_chart *c, const char *file, struct fx_val text)
{
	struct decoding d = {x, file, "Lock", NULL};
	c->lock = fx_v_map(x);
	decode(&d, lock_fields, FX_COUNT(lock_fields), parse_map(x, file, text, "Lock"), c->lock);
}

const char *fx_chart_meta_text(struct fx_render *x, const struct fx_chart *c, const char *key)
{
	struct fx_val *v = fx_v_get(c->meta, key);
	return v && v->kind == FX_VAL_STR ? fx_v_cstr(x, *v) : "";
}

/* ---- checks ---- */

static const char *text_at(struct fx_render *x, struct fx_val map, const char *key)
{
	struct fx_val *v = fx_v_get(map, key);
	return v && v->kind == FX_VAL_STR ? fx_v_cstr(x, *v) : "";
}

static const char *dependency_key(struct fx_render *x, struct fx_val dependency)
{
	const char *alias = text_at(x, dependency, "alias");
	return *alias ? alias : text_at(x, dependency, "name");
}

static void validate_dependencies(struct fx_render *x, const struct fx_chart *c)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	struct fx_val seen = fx_v_map(x);
	for (size_t i = 0; i < fx_v_len(c->deps); i++) {
		struct fx_val d = c->deps.list->items[i];
		if (d.kind != FX_VAL_MAP)
			fx_render_throw(x, "validation: dependencies must not contain empty or null nodes");
		const char *alias = text_at(x, d, "alias"), *key = dependency_key(x, d);
		if (strspn(alias, allowed) != strlen(alias))
			fx_render_throw(x,
			        "validation: dependency \"%s\" has disallowed characters in the alias",
			        text_at(x, d, "name"));
		if (fx_v_get(seen, key))
			fx_render_throw(
			        x, "validation: more than one dependency with name or alias \"%s\"", key);
		fx_v_set(x, seen, key, d);
	}
}

void fx_chart_validate(struct fx_render *x, struct fx_chart *c)
{
	c->name = fx_chart_meta_text(x, c, "name");
	const char *version = fx_chart_meta_text(x, c, "version"), *type = fx_chart_meta_text(x, c, "type");
	struct fx_val *people = fx_v_get(c->meta, "maintainers");
	struct fx_semver v;
	if (!*c->name)
		fx_render_throw(x, "validation: chart.metadata.name is required");
	if (strcmp(c->name, ".") == 0 || strcmp(c->name, "..") == 0)
		fx_render_throw(x, "validation: chart.metadata.name \"%s\" is not allowed", c->name);
	if (strchr(c->name, '/'))
		fx_render_throw(x, "validation: chart.metadata.name \"%s\" is invalid", c->name);
	if (!*version)
		fx_render_throw(x, "validation: chart.metadata.version is required");
	if (fx_semver_parse(version, &v, NULL) != 0)
		fx_render_throw(x, "validation: chart.metadata.version \"%s\" is invalid", version);
	if (*type && strcmp(type, "application") != 0 && strcmp(type, "library") != 0)
		fx_render_throw(x, "validation: chart.metadata.type must be application or library");
	c->library = strcmp(type, "library") == 0;
	for (size_t i = 0; people && i < fx_v_len(*people); i++) {
		if (people->list->items[i].kind != FX_VAL_MAP)
			fx_render_throw(x, "validation: maintainers must not contain empty or null nodes");
	}
	validate_dependencies(x, c);
}
