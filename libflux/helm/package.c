#include "package.h"

#include "chart_internal.h"
#include "data/semver.h"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

/* What Helm puts into the header of the gzip stream. */
#define GZIP_COMMENT "Helm"
#define GZIP_EXTRA "+aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo="
#define FILE_MODE 0644

struct package_job {
	const struct fx_chart *chart;
	const struct fx_chart_package_options *options;
	struct archive *archive;
};

static void put(struct fx_render *x, struct package_job *job, const char *base, const char *name,
        const char *data, size_t len)
{
	struct fx_text path = {.x = x};
	fx_text_addf(&path, "%s/%s", base, name);
	const char *full = fx_text_c(&path);
	struct archive_entry *e = archive_entry_new();
	if (!e)
		fx_render_throw(x, "out of memory");
	archive_entry_set_pathname(e, full);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, FILE_MODE);
	archive_entry_set_size(e, (la_int64_t)len);
	archive_entry_set_mtime(e, job->options->mod_time, 0);
	bool ok = archive_write_header(job->archive, e) == ARCHIVE_OK &&
	          archive_write_data(job->archive, data, len) == (la_ssize_t)len;
	archive_entry_free(e);
	if (!ok)
		fx_render_throw(x, "cannot write %s to the archive", name);
}

static void put_yaml(
        struct fx_render *x, struct package_job *job, const char *base, const char *name, struct fx_val v)
{
	const char *why = NULL;
	struct fx_val text = fx_v_yaml_text(x, v, &why);
	if (why)
		fx_render_throw(x, "%s: %s", name, why);
	put(x, job, base, name, text.s, text.len);
}

static bool empty(struct fx_val v)
{
	return v.kind == FX_VAL_NIL || (v.kind == FX_VAL_BOOL && !v.b) ||
	       ((v.kind == FX_VAL_STR || v.kind == FX_VAL_LIST || v.kind == FX_VAL_MAP) && fx_v_len(v) == 0);
}

/* Without what encoding/json leaves out. */
static struct fx_val without_empty(struct fx_render *x, struct fx_val map, bool dependency)
{
	struct fx_val out = fx_v_map(x);
	for (size_t i = 0; i < fx_v_len(map); i++) {
		const struct fx_entry *e = &map.map->entries[i];
		if (!empty(e->val))
			fx_v_set(x, out, e->key, e->val);
	}
	if (dependency && !fx_v_get(out, "name"))
		fx_v_set(x, out, "name", fx_v_str(""));
	if (dependency && !fx_v_get(out, "repository"))
		fx_v_set(x, out, "repository", fx_v_str(""));
	return out;
}

static struct fx_val structs(struct fx_render *x, struct fx_val list, bool dependency)
{
	struct fx_val out = fx_v_list(x, fx_v_len(list));
	for (size_t i = 0; i < fx_v_len(list); i++)
		fx_v_push(x, out, without_empty(x, list.list->items[i], dependency));
	return out;
}

static struct fx_val metadata(
        struct fx_render *x, const struct fx_chart *c, bool v1, const struct fx_chart_package_options *o)
{
	struct fx_val m = without_empty(x, c->meta, false), *people = fx_v_get(m, "maintainers");
	if (people)
		*people = structs(x, *people, false);
	fx_v_unset(m, "dependencies", strlen("dependencies"));
	if (!v1 && fx_v_len(c->deps))
		fx_v_set(x, m, "dependencies", structs(x, c->deps, true));
	if (!c->parent && o->version)
		fx_v_set(x, m, "version", fx_v_str(o->version));
	if (!c->parent && o->app_version)
		fx_v_set(x, m, "appVersion", fx_v_str(o->app_version));
	return m;
}

static void put_lock(struct fx_render *x, struct package_job *job, const char *base, struct fx_val lock)
{
	struct fx_val out = fx_v_map_copy(x, lock), *deps = fx_v_get(out, "dependencies");
	if (!fx_v_get(out, "generated"))
		fx_v_set(x, out, "generated", fx_v_str("0001-01-01T00:00:00Z"));
	if (!fx_v_get(out, "digest"))
		fx_v_set(x, out, "digest", fx_v_str(""));
	fx_v_set(x, out, "dependencies", deps ? structs(x, *deps, true) : fx_v_nil());
	put_yaml(x, job, base, "Chart.lock", out);
}

static void put_chart(
        struct fx_render *x, struct package_job *job, const struct fx_chart *c, const char *prefix)
{
	struct fx_text base = {.x = x};
	const char *why = NULL;
	bool v1 = strcmp(fx_chart_meta_text(x, c, "apiVersion"), "v1") == 0;
	fx_text_addf(&base, "%s%s", prefix, c->name);
	const char *dir = fx_text_c(&base);
	put_yaml(x, job, dir, "Chart.yaml", metadata(x, c, v1, job->options));
	if (strcmp(fx_chart_meta_text(x, c, "apiVersion"), "v2") == 0 && c->lock.kind == FX_VAL_MAP)
		put_lock(x, job, dir, c->lock);
	if (!c->parent && job->options->values.kind == FX_VAL_MAP)
		put_yaml(x, job, dir, "values.yaml", job->options->values);
	else if (c->has_values)
		put(x, job, dir, "values.yaml", c->values_text, c->values_len);
	if (c->schema) {
		struct fx_val ignored;
		if (!fx_v_json_parse(x, fx_v_strn(c->schema, c->schema_len), &ignored, &why))
			fx_render_throw(x, "invalid JSON in values.schema.json");
		put(x, job, dir, "values.schema.json", c->schema, c->schema_len);
	}
	for (size_t i = 0; i < c->templates.len; i++)
		put(x, job, dir, c->templates.items[i].name, c->templates.items[i].data,
		        c->templates.items[i].len);
	for (size_t i = 0; i < c->files.len; i++)
		put(x, job, dir, c->files.items[i].name, c->files.items[i].data, c->files.items[i].len);
	struct fx_text sub = {.x = x};
	fx_text_addf(&sub, "%s/charts/", dir);
	for (size_t i = 0; i < c->nchildren; i++)
		put_chart(x, job, c->children[i], fx_text_c(&sub));
}

static void run_package(struct fx_render *x, void *arg)
{
	struct package_job *job = arg;
	struct fx_semver v;
	const char *version = job->options->version;
	if (version && fx_semver_parse(version, &v, NULL) != 0)
		fx_render_throw(x, "chart.metadata.version \"%s\" is invalid", version);
	put_chart(x, job, job->chart, "");
}

static la_ssize_t add_bytes(struct archive *a fx_unused, void *buf, const void *data, size_t len)
{
	fx_buf_add(buf, data, len);
	return fx_buf_failed(buf) ? -1 : (la_ssize_t)len;
}

static int write_tar(struct package_job *job, struct fx_buf *tar, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(4 * (size_t)FX_CHART_TOTAL_MAX);
	job->archive = archive_write_new();
	if (!arena || !job->archive) {
		archive_write_free(job->archive);
		return fx_fail_nomem(err);
	}
	archive_write_set_format_pax_restricted(job->archive);
	archive_write_set_bytes_per_block(job->archive, 0);
	int rc = archive_write_open(job->archive, tar, NULL, add_bytes, NULL) == ARCHIVE_OK
	                 ? fx_render_run(arena, NULL, run_package, job, err)
	                 : fx_fail_nomem(err);
	bool closed = archive_write_close(job->archive) == ARCHIVE_OK;
	archive_write_free(job->archive);
	return rc < 0 ? rc : closed && !fx_buf_failed(tar) ? 0 : fx_fail_nomem(err);
}

static int compress_to(const struct fx_buf *tar, struct fx_buf *out, struct fx_error *err)
{
	z_stream z = {0};
	gz_header head = {.os = 255,
	        .comment = (Bytef *)GZIP_COMMENT,
	        .extra = (Bytef *)GZIP_EXTRA,
	        .extra_len = sizeof(GZIP_EXTRA) - 1};
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) !=
	        Z_OK)
		return fx_fail_nomem(err);
	deflateSetHeader(&z, &head);
	size_t bound = deflateBound(&z, tar->len);
	int rc = Z_MEM_ERROR;
	if (fx_buf_reserve(out, bound)) {
		z.next_in = (Bytef *)tar->data;
		z.avail_in = (uInt)tar->len;
		z.next_out = (Bytef *)out->data + out->len;
		z.avail_out = (uInt)bound;
		rc = deflate(&z, Z_FINISH);
		out->len += z.total_out;
	}
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : fx_fail_nomem(err);
}

int fx_chart_package(const struct fx_chart *chart, const struct fx_chart_package_options *options,
        struct fx_buf *out, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf tar = FX_BUF_INIT_MAX(2 * (size_t)FX_CHART_TOTAL_MAX);
	struct package_job job = {.chart = chart, .options = options};
	int rc = write_tar(&job, &tar, err);
	return rc < 0 ? rc : compress_to(&tar, out, err);
}

const char *fx_chart_package_name(
        struct fx_arena *arena, const struct fx_chart *chart, const struct fx_chart_package_options *options)
{
	struct fx_val *v = fx_v_get(chart->meta, "version");
	const char *version = options->version             ? options->version
	                      : v && v->kind == FX_VAL_STR ? fx_arena_strndup(arena, v->s, v->len)
	                                                   : "";
	return version ? fx_arena_printf(arena, "%s-%s.tgz", chart->name, version) : NULL;
}
