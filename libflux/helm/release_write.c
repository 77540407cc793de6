/* The record of a release as encoding/json writes Helm's structs. */
#include "release.h"

#include "data/base64.h"
#include "helm/engine.h"

#include <zlib.h>

#define TIME_ZERO "0001-01-01T00:00:00Z"

/* An object under construction: fields come in the order of the struct. */
struct object {
	struct fx_text *out;
	bool any;
};

static struct object begin(struct fx_text *out)
{
	fx_text_char(out, '{');
	return (struct object){out, false};
}

static void end(struct object *o)
{
	fx_text_char(o->out, '}');
}

static void key(struct object *o, const char *name)
{
	fx_text_addf(o->out, o->any ? ",\"%s\":" : "\"%s\":", name);
	o->any = true;
}

static void put_value(struct fx_text *out, struct fx_val v)
{
	const char *why = fx_v_json(out, v, true, 0);
	if (why)
		fx_render_throw(out->x, "%s", why);
}

static void put_text(struct fx_text *out, const char *s)
{
	put_value(out, fx_v_str(s));
}

static void text(struct object *o, const char *name, const char *s)
{
	key(o, name);
	put_text(o->out, s ? s : "");
}

/* Left out when empty, as the next ones. */
static void some_text(struct object *o, const char *name, const char *s)
{
	if (s && *s)
		text(o, name, s);
}

static void some_value(struct object *o, const char *name, struct fx_val v)
{
	bool empty =
	        v.kind == FX_VAL_NIL || (v.kind == FX_VAL_BOOL && !v.b) ||
	        ((v.kind == FX_VAL_STR || v.kind == FX_VAL_LIST || v.kind == FX_VAL_MAP) && fx_v_len(v) == 0);
	if (empty)
		return;
	key(o, name);
	put_value(o->out, v);
}

static void some_field(struct object *o, struct fx_val map, const char *name)
{
	struct fx_val *v = fx_v_get(map, name);
	if (v)
		some_value(o, name, *v);
}

static struct fx_val field(struct fx_val map, const char *name)
{
	struct fx_val *v = fx_v_get(map, name);
	return v ? *v : fx_v_nil();
}

static void put_base64(struct fx_text *out, const char *data, size_t len)
{
	char *enc = fx_render_alloc(out->x, fx_base64_size(len) + 1);
	fx_base64_encode_to(data, len, enc);
	fx_text_char(out, '"');
	fx_text_add(out, enc, fx_base64_size(len));
	fx_text_char(out, '"');
}

/* ---- chart ---- */

static void put_dependency(struct fx_text *out, struct fx_val d)
{
	struct object o = begin(out);
	struct fx_val name = field(d, "name"), repository = field(d, "repository");
	key(&o, "name");
	put_value(out, name.kind == FX_VAL_STR ? name : fx_v_str(""));
	some_field(&o, d, "version");
	key(&o, "repository");
	put_value(out, repository.kind == FX_VAL_STR ? repository : fx_v_str(""));
	some_field(&o, d, "condition");
	some_field(&o, d, "tags");
	some_field(&o, d, "enabled");
	some_field(&o, d, "import-values");
	some_field(&o, d, "alias");
	end(&o);
}

static void put_dependencies(struct fx_text *out, struct fx_val list)
{
	fx_text_char(out, '[');
	for (size_t i = 0; i < fx_v_len(list); i++) {
		if (i)
			fx_text_char(out, ',');
		put_dependency(out, list.list->items[i]);
	}
	fx_text_char(out, ']');
}

static void put_people(struct fx_text *out, struct fx_val list)
{
	fx_text_char(out, '[');
	for (size_t i = 0; i < fx_v_len(list); i++) {
		if (i)
			fx_text_char(out, ',');
		struct object o = begin(out);
		some_field(&o, list.list->items[i], "name");
		some_field(&o, list.list->items[i], "email");
		some_field(&o, list.list->items[i], "url");
		end(&o);
	}
	fx_text_char(out, ']');
}

static void put_metadata(struct fx_text *out, const struct fx_chart *c)
{
	static const char *const before[] = {"home", "sources", "version", "description", "keywords"};
	static const char *const after[] = {"icon", "apiVersion", "condition", "tags", "appVersion",
	        "deprecated", "annotations", "kubeVersion"};
	struct object o = begin(out);
	struct fx_val people = field(c->meta, "maintainers");
	some_text(&o, "name", c->name);
	for (size_t i = 0; i < FX_COUNT(before); i++)
		some_field(&o, c->meta, before[i]);
	if (fx_v_len(people)) {
		key(&o, "maintainers");
		put_people(out, people);
	}
	for (size_t i = 0; i < FX_COUNT(after); i++)
		some_field(&o, c->meta, after[i]);
	if (fx_v_len(c->deps)) {
		key(&o, "dependencies");
		put_dependencies(out, c->deps);
	}
	some_field(&o, c->meta, "type");
	end(&o);
}

static void put_lock(struct fx_text *out, struct fx_val lock)
{
	struct object o = begin(out);
	struct fx_val generated = field(lock, "generated"), digest = field(lock, "digest"),
	              deps = field(lock, "dependencies");
	key(&o, "generated");
	put_value(out, generated.kind == FX_VAL_STR ? generated : fx_v_str(TIME_ZERO));
	key(&o, "digest");
	put_value(out, digest.kind == FX_VAL_STR ? digest : fx_v_str(""));
	key(&o, "dependencies");
	if (deps.kind == FX_VAL_LIST)
		put_dependencies(out, deps);
	else
		fx_text_str(out, "null");
	end(&o);
}

static void put_files(struct fx_text *out, const struct fx_chart_files *files)
{
	if (files->len == 0) {
		fx_text_str(out, "null");
		return;
	}
	fx_text_char(out, '[');
	for (size_t i = 0; i < files->len; i++) {
		if (i)
			fx_text_char(out, ',');
		struct object o = begin(out);
		text(&o, "name", files->items[i].name);
		key(&o, "data");
		put_base64(out, files->items[i].data, files->items[i].len);
		some_text(&o, "modtime", files->items[i].mod_time);
		end(&o);
	}
	fx_text_char(out, ']');
}

static void put_chart(struct fx_text *out, const struct fx_chart *c)
{
	struct object o = begin(out);
	key(&o, "metadata");
	put_metadata(out, c);
	key(&o, "lock");
	if (c->lock.kind == FX_VAL_MAP)
		put_lock(out, c->lock);
	else
		fx_text_str(out, "null");
	key(&o, "templates");
	put_files(out, &c->templates);
	key(&o, "values");
	if (c->has_values || fx_v_len(c->values))
		put_value(out, c->values);
	else
		fx_text_str(out, "null");
	key(&o, "schema");
	if (c->schema)
		put_base64(out, c->schema, c->schema_len);
	else
		fx_text_str(out, "null");
	text(&o, "schemamodtime", c->schema_mod_time ? c->schema_mod_time : TIME_ZERO);
	key(&o, "files");
	put_files(out, &c->files);
	some_text(&o, "modtime", c->mod_time);
	end(&o);
}

/* ---- release ---- */

static void put_info(struct fx_text *out, const struct fx_release_info *i)
{
	struct object o = begin(out);
	some_text(&o, "first_deployed", i->first_deployed);
	some_text(&o, "last_deployed", i->last_deployed);
	some_text(&o, "deleted", i->deleted);
	some_text(&o, "description", i->description);
	some_text(&o, "status", i->status);
	some_value(&o, "notes", i->notes);
	some_value(&o, "resources", i->resources);
	end(&o);
}

static void put_hook(struct fx_text *out, const struct fx_hook *h)
{
	struct object o = begin(out);
	some_text(&o, "name", h->name);
	some_text(&o, "kind", h->kind);
	some_text(&o, "path", h->path);
	some_value(&o, "manifest", h->manifest);
	some_value(&o, "events", h->events);
	key(&o, "last_run");
	struct object run = begin(out);
	some_text(&run, "started_at", h->started_at);
	some_text(&run, "completed_at", h->completed_at);
	text(&run, "phase", h->phase);
	end(&run);
	if (h->weight) {
		key(&o, "weight");
		fx_text_addf(out, "%d", h->weight);
	}
	some_value(&o, "delete_policies", h->delete_policies);
	some_value(&o, "output_log_policies", h->output_log_policies);
	end(&o);
}

static void put_release(struct fx_text *out, const struct fx_release *r)
{
	struct object o = begin(out);
	some_text(&o, "name", r->name);
	key(&o, "info");
	put_info(out, &r->info);
	if (r->chart) {
		key(&o, "chart");
		put_chart(out, r->chart);
	}
	some_value(&o, "config", r->config);
	some_value(&o, "manifest", r->manifest);
	if (r->nhooks) {
		key(&o, "hooks");
		fx_text_char(out, '[');
		for (size_t i = 0; i < r->nhooks; i++) {
			if (i)
				fx_text_char(out, ',');
			put_hook(out, &r->hooks[i]);
		}
		fx_text_char(out, ']');
	}
	if (r->version) {
		key(&o, "version");
		fx_text_addf(out, "%d", r->version);
	}
	some_text(&o, "namespace", r->ns);
	some_text(&o, "apply_method", r->apply_method);
	end(&o);
}

struct write_job {
	const struct fx_release *release;
	struct fx_buf *out;
};

static void run_write(struct fx_render *x, void *arg)
{
	struct write_job *job = arg;
	struct fx_text t = {.x = x};
	put_release(&t, job->release);
	fx_buf_add(job->out, t.data, t.len);
	if (fx_buf_failed(job->out))
		fx_render_throw(x, "out of memory");
}

int fx_release_json(const struct fx_release *r, struct fx_buf *out, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(4 * (size_t)FX_RELEASE_JSON_MAX);
	struct write_job job = {r, out};
	if (!arena)
		return fx_fail_nomem(err);
	return fx_render_run(arena, NULL, run_write, &job, err);
}

/* As compress/gzip writes at its best level: no name, no time, an unknown system. */
static int pack(const struct fx_buf *in, struct fx_buf *out)
{
	z_stream z = {0};
	gz_header head = {.os = 255};
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return -1;
	deflateSetHeader(&z, &head);
	size_t bound = deflateBound(&z, in->len);
	int rc = Z_MEM_ERROR;
	if (fx_buf_reserve(out, bound)) {
		z.next_in = (Bytef *)in->data;
		z.avail_in = (uInt)in->len;
		z.next_out = (Bytef *)out->data + out->len;
		z.avail_out = (uInt)bound;
		rc = deflate(&z, Z_FINISH);
		out->len += z.total_out;
	}
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -1;
}

int fx_release_encode(const struct fx_release *r, struct fx_buf *out, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf json = FX_BUF_INIT_MAX(FX_RELEASE_JSON_MAX);
	fx_auto(buf) struct fx_buf packed = FX_BUF_INIT;
	int rc = fx_release_json(r, &json, err);
	if (rc < 0)
		return rc;
	if (pack(&json, &packed) != 0)
		return fx_fail_nomem(err);
	size_t size = fx_base64_size(packed.len);
	if (size > FX_RELEASE_SECRET_MAX)
		return fx_fail_kind(err, FX_E_LIMIT, FX_KIND_USER,
		        "release record of %zu bytes: may not be more than %u bytes", size,
		        FX_RELEASE_SECRET_MAX);
	if (!fx_buf_reserve(out, size))
		return fx_fail_nomem(err);
	fx_base64_encode_to(packed.data, packed.len, out->data + out->len);
	out->len += size;
	out->data[out->len] = 0;
	return 0;
}
