/* The record of a release from its JSON: unknown fields are ignored, as Helm ignores them. */
#include "release.h"

#include "data/base64.h"
#include "helm/engine.h"
#include "helm/funcs.h"

#include <limits.h>
#include <zlib.h>

/* encoding/json finds a field also in another case. */
static struct fx_val field(struct fx_val map, const char *name)
{
	struct fx_val *v = map.kind == FX_VAL_MAP ? fx_v_get(map, name) : NULL;
	for (size_t i = 0; !v && map.kind == FX_VAL_MAP && i < fx_v_len(map); i++) {
		if (strcasecmp(map.map->entries[i].key, name) == 0)
			v = &map.map->entries[i].val;
	}
	return v ? *v : fx_v_nil();
}

static _Noreturn void mismatch(struct fx_render *x, const char *name, const char *want)
{
	fx_render_throw(x, "release record: %s is not %s", name, want);
}

static struct fx_val typed(
        struct fx_render *x, struct fx_val map, const char *name, enum fx_val_kind kind, const char *want)
{
	struct fx_val v = field(map, name);
	if (v.kind != kind && v.kind != FX_VAL_NIL)
		mismatch(x, name, want);
	return v;
}

static struct fx_val text_val(struct fx_render *x, struct fx_val map, const char *name)
{
	struct fx_val v = typed(x, map, name, FX_VAL_STR, "a string");
	return v.kind == FX_VAL_STR ? v : fx_v_str("");
}

static const char *text(struct fx_render *x, struct fx_val map, const char *name)
{
	return fx_v_cstr(x, text_val(x, map, name));
}

/* NULL for a time that is not set. */
static const char *time_of(struct fx_render *x, struct fx_val map, const char *name)
{
	const char *s = text(x, map, name);
	return *s && strcmp(s, "0001-01-01T00:00:00Z") != 0 ? s : NULL;
}

static int number(struct fx_render *x, struct fx_val map, const char *name)
{
	struct fx_val v = typed(x, map, name, FX_VAL_FLOAT, "a number");
	if (v.kind == FX_VAL_NIL)
		return 0;
	if (v.f < INT_MIN || v.f > INT_MAX || v.f != (double)(int)v.f)
		mismatch(x, name, "a whole number");
	return (int)v.f;
}

static struct fx_val texts(struct fx_render *x, struct fx_val map, const char *name)
{
	struct fx_val v = typed(x, map, name, FX_VAL_LIST, "a list");
	if (v.kind == FX_VAL_NIL)
		return fx_v_list(x, 0);
	for (size_t i = 0; i < fx_v_len(v); i++) {
		if (v.list->items[i].kind != FX_VAL_STR)
			mismatch(x, name, "a list of strings");
	}
	return v;
}

static struct fx_val bytes(struct fx_render *x, struct fx_val map, const char *name)
{
	struct fx_val s = text_val(x, map, name), out;
	size_t bad;
	if (!fx_v_base64_decode(x, s.s, s.len, &out, &bad))
		mismatch(x, name, "base64");
	return out;
}

/* ---- chart ---- */

static void read_files(struct fx_render *x, struct fx_val chart, const char *name, struct fx_chart_files *out)
{
	struct fx_val list = typed(x, chart, name, FX_VAL_LIST, "a list");
	size_t n = fx_v_len(list);
	out->items = fx_render_zalloc(x, (n + 1) * sizeof(*out->items));
	out->cap = n;
	for (size_t i = 0; i < n; i++) {
		struct fx_val f = list.list->items[i], data = bytes(x, f, "data");
		out->items[out->len++] = (struct fx_chart_file){.name = text(x, f, "name"),
		        .data = data.s,
		        .len = data.len,
		        .mod_time = time_of(x, f, "modtime")};
	}
}

static struct fx_chart *read_chart(struct fx_render *x, struct fx_val v)
{
	struct fx_chart *c = fx_render_zalloc(x, sizeof(*c));
	struct fx_val meta = typed(x, v, "metadata", FX_VAL_MAP, "an object"),
	              values = typed(x, v, "values", FX_VAL_MAP, "an object"),
	              schema = typed(x, v, "schema", FX_VAL_STR, "a string");
	c->meta = meta.kind == FX_VAL_MAP ? meta : fx_v_map(x);
	c->name = text(x, c->meta, "name");
	c->library = strcmp(text(x, c->meta, "type"), "library") == 0;
	c->deps = typed(x, c->meta, "dependencies", FX_VAL_LIST, "a list");
	c->lock = typed(x, v, "lock", FX_VAL_MAP, "an object");
	c->has_values = values.kind == FX_VAL_MAP;
	c->values = c->has_values ? values : fx_v_map(x);
	if (schema.kind == FX_VAL_STR) {
		schema = bytes(x, v, "schema");
		c->schema = schema.s;
		c->schema_len = schema.len;
	}
	c->schema_mod_time = time_of(x, v, "schemamodtime");
	c->mod_time = time_of(x, v, "modtime");
	read_files(x, v, "templates", &c->templates);
	read_files(x, v, "files", &c->files);
	return c;
}

/* ---- release ---- */

static void read_hooks(struct fx_render *x, struct fx_val v, struct fx_release *out)
{
	struct fx_val list = typed(x, v, "hooks", FX_VAL_LIST, "a list");
	out->hooks = fx_render_zalloc(x, (fx_v_len(list) + 1) * sizeof(*out->hooks));
	for (size_t i = 0; i < fx_v_len(list); i++) {
		struct fx_val h = list.list->items[i], run = typed(x, h, "last_run", FX_VAL_MAP, "an object");
		out->hooks[out->nhooks++] = (struct fx_hook){.name = text(x, h, "name"),
		        .kind = text(x, h, "kind"),
		        .path = text(x, h, "path"),
		        .manifest = text_val(x, h, "manifest"),
		        .events = texts(x, h, "events"),
		        .delete_policies = texts(x, h, "delete_policies"),
		        .output_log_policies = texts(x, h, "output_log_policies"),
		        .weight = number(x, h, "weight"),
		        .started_at = time_of(x, run, "started_at"),
		        .completed_at = time_of(x, run, "completed_at"),
		        .phase = text(x, run, "phase")};
	}
}

struct parse_job {
	const char *json;
	size_t len;
	struct fx_release out;
};

static void run_parse(struct fx_render *x, void *arg)
{
	struct parse_job *job = arg;
	struct fx_release *r = &job->out;
	struct fx_val v;
	const char *why;
	if (!fx_v_json_parse(x, fx_v_strn(job->json, job->len), &v, &why))
		fx_render_throw(x, "release record: %s", why);
	if (v.kind != FX_VAL_MAP)
		mismatch(x, "it", "an object");
	struct fx_val info = typed(x, v, "info", FX_VAL_MAP, "an object"),
	              chart = typed(x, v, "chart", FX_VAL_MAP, "an object");
	r->name = text(x, v, "name");
	r->ns = text(x, v, "namespace");
	r->version = number(x, v, "version");
	r->info = (struct fx_release_info){.first_deployed = time_of(x, info, "first_deployed"),
	        .last_deployed = time_of(x, info, "last_deployed"),
	        .deleted = time_of(x, info, "deleted"),
	        .description = text(x, info, "description"),
	        .status = text(x, info, "status"),
	        .notes = text_val(x, info, "notes"),
	        .resources = typed(x, info, "resources", FX_VAL_MAP, "an object")};
	r->chart = chart.kind == FX_VAL_MAP ? read_chart(x, chart) : NULL;
	r->config = typed(x, v, "config", FX_VAL_MAP, "an object");
	r->manifest = text_val(x, v, "manifest");
	read_hooks(x, v, r);
	r->apply_method = text(x, v, "apply_method");
	r->labels = fx_v_nil();
}

int fx_release_parse(
        struct fx_arena *arena, const char *json, size_t len, struct fx_release *out, struct fx_error *err)
{
	/* Texts without escapes are borrowed from the input. */
	struct parse_job job = {.json = fx_arena_strndup(arena, json, len), .len = len};
	if (!job.json)
		return fx_fail_nomem(err);
	int rc = fx_render_run(arena, NULL, run_parse, &job, err);
	if (rc == 0)
		*out = job.out;
	return rc;
}

static int unpack(const char *data, size_t len, struct fx_buf *out, struct fx_error *err)
{
	z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)len};
	unsigned char chunk[32 * 1024];
	int rc = inflateInit2(&z, MAX_WBITS + 16);
	if (rc != Z_OK)
		return fx_fail_nomem(err);
	while (rc == Z_OK) {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		rc = inflate(&z, Z_NO_FLUSH);
		if (rc == Z_OK || rc == Z_STREAM_END)
			fx_buf_add(out, chunk, sizeof(chunk) - z.avail_out);
		if (fx_buf_failed(out))
			break;
	}
	inflateEnd(&z);
	if (fx_buf_failed(out))
		return fx_fail(err, FX_E_LIMIT, "release record: unpacks to more than %u bytes",
		        FX_RELEASE_JSON_MAX);
	return rc == Z_STREAM_END ? 0 : fx_fail(err, FX_E_PARSE, "release record: gzip: invalid data");
}

int fx_release_decode(
        struct fx_arena *arena, const char *text_in, size_t len, struct fx_release *out, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf json = FX_BUF_INIT_MAX(FX_RELEASE_JSON_MAX);
	size_t n = 0;
	fx_autofree char *raw = fx_base64_decode(text_in, len, &n);
	if (!raw)
		return fx_fail(err, FX_E_PARSE, "release record: illegal base64 data");
	if (n <= 3 || memcmp(raw, "\x1f\x8b\x08", 3) != 0)
		return fx_release_parse(arena, raw, n, out, err);
	int rc = unpack(raw, n, &json, err);
	return rc < 0 ? rc : fx_release_parse(arena, json.data ? json.data : "", json.len, out, err);
}
