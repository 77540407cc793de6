/* Rendering of a loaded chart, step by step as Helm's install does it. */
#include "chart_internal.h"
#include "schema.h"

#include <ctype.h>
#include <stdlib.h>

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

static void check_kube_version(struct fx_render *x, const struct fx_chart *c, struct fx_val caps)
{
	struct fx_val want = fx_v_str(fx_chart_meta_text(x, c, "kubeVersion"));
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

/* ---- templates ---- */

struct sortable {
	struct fx_named_text text;
	size_t depth, index;
};

/* The deepest first, so that the templates of a parent replace those of its children. */
static int by_depth(const void *a, const void *b)
{
	const struct sortable *p = a, *q = b;
	if (p->depth != q->depth)
		return p->depth > q->depth ? -1 : 1;
	int c = strcmp(q->text.name, p->text.name);
	return c ? c : p->index > q->index ? -1 : 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fx_chart_file *)a)->name, ((const struct fx_chart_file *)b)->name);
}

/* Of two with one name the later one counts. */
static void sort_templates(struct fx_render *x, struct fx_chart_texts *t)
{
	struct sortable *s = fx_render_alloc(x, (t->len + 1) * sizeof(*s));
	for (size_t i = 0; i < t->len; i++) {
		s[i] = (struct sortable){.text = t->items[i], .index = i};
		for (const char *p = s[i].text.name; *p; p++)
			s[i].depth += *p == '/';
	}
	size_t n = t->len, kept = 0;
	if (n)
		qsort(s, n, sizeof(*s), by_depth);
	for (size_t i = 0; i < n; i++) {
		if (!kept || strcmp(t->items[kept - 1].name, s[i].text.name) != 0)
			t->items[kept++] = s[i].text;
	}
	t->len = kept;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);
	return n >= k && strcmp(s + n - k, tail) == 0;
}

/* The notes of the chart, and of its children when asked for, are no manifests. */
static void take_notes(struct fx_render *x, const struct fx_chart *c, const struct fx_chart_options *o,
        struct fx_chart_files *files, struct fx_text *notes)
{
	struct fx_text own = {.x = x};
	size_t kept = 0;
	fx_text_addf(&own, "%s/templates/NOTES.txt", c->name);
	fx_text_add(notes, "", 0);
	for (size_t i = 0; i < files->len; i++) {
		const struct fx_chart_file *f = &files->items[i];
		if (!ends_with(f->name, "NOTES.txt")) {
			files->items[kept++] = *f;
			continue;
		}
		if (!o->sub_notes && strcmp(f->name, fx_text_c(&own)) != 0)
			continue;
		if (notes->len)
			fx_text_char(notes, '\n');
		fx_text_add(notes, f->data, f->len);
	}
	files->len = kept;
}

static bool is_crd_file(const char *name)
{
	const char *dot = strrchr(name, '.');
	return strncmp(name, "crds/", 5) == 0 && dot &&
	       (!strcasecmp(dot, ".yaml") || !strcasecmp(dot, ".yml") || !strcasecmp(dot, ".json"));
}

static void collect_crds(struct fx_render *x, const struct fx_chart *c, struct fx_rendered *out, size_t *cap)
{
	for (size_t i = 0; i < c->files.len; i++) {
		const struct fx_chart_file *f = &c->files.items[i];
		struct fx_text path = {.x = x};
		if (!is_crd_file(f->name))
			continue;
		if (out->ncrds == *cap) {
			*cap = *cap ? *cap * 2 : 16;
			struct fx_crd *more = fx_render_alloc(x, *cap * sizeof(*more));
			if (out->ncrds)
				memcpy(more, out->crds, out->ncrds * sizeof(*more));
			out->crds = more;
		}
		fx_text_addf(&path, "%s/%s", fx_chart_path(x, c), f->name);
		out->crds[out->ncrds++] = (struct fx_crd){f->name, fx_text_c(&path), f->data, f->len};
	}
	for (size_t i = 0; i < c->nchildren; i++)
		collect_crds(x, c->children[i], out, cap);
}

/* ---- the whole ---- */

static struct fx_val render_values(
        struct fx_render *x, struct fx_chart *c, struct fx_val user, const struct fx_chart_options *o)
{
	struct fx_val values = fx_chart_coalesce(x, c, fx_v_deep_copy(x, user), false);
	struct fx_text report = {.x = x};
	if (!o->skip_schema)
		check_schemas(x, c, values, &report);
	if (report.len)
		fx_render_throw(x,
		        "values don't meet the specifications of the schema(s) in the following "
		        "chart(s):\n%s",
		        fx_text_c(&report));
	return values;
}

static void render_chart(struct fx_render *x, struct fx_chart *c, struct fx_val user,
        const struct fx_chart_options *o, struct fx_rendered *out, const char **stage)
{
	struct fx_chart_texts texts = {0};
	struct fx_text notes = {.x = x};
	size_t cap = 0;
	*stage = "chart dependencies processing failed";
	fx_chart_process_deps(x, c, user);
	*stage = NULL;
	struct fx_val caps = fx_chart_capabilities(x, o);
	out->values = render_values(x, c, user, o);
	check_kube_version(x, c, caps);
	fx_chart_walk(x, c, out->values, fx_chart_release(x, o), caps, &texts);
	sort_templates(x, &texts);
	fx_render_files(x, texts.items, texts.len);
	struct fx_chart_files files = {
	        .items = fx_render_alloc(x, (texts.len + 1) * sizeof(struct fx_chart_file))};
	for (size_t i = 0; i < texts.len; i++) {
		const struct fx_named_text *t = &texts.items[i];
		if (!t->partial)
			files.items[files.len++] = (struct fx_chart_file){.name = t->name,
			        .data = t->rendered.s ? t->rendered.s : "",
			        .len = t->rendered.len};
	}
	if (files.len)
		qsort(files.items, files.len, sizeof(*files.items), by_name);
	take_notes(x, c, o, &files, &notes);
	out->notes = fx_text_val(&notes);
	collect_crds(x, c, out, &cap);
	fx_chart_sort(x, files.items, files.len, out);
}

struct render_job {
	struct fx_chart *chart;
	struct fx_val values;
	const struct fx_chart_options *options;
	struct fx_rendered rendered;
	struct fx_val text;
	const char *stage; /* what an error of the moment is about, or NULL */
};

static void run_render(struct fx_render *x, void *arg)
{
	struct render_job *job = arg;
	check_name(x, job->options->release);
	render_chart(x, job->chart, job->values.kind == FX_VAL_MAP ? job->values : fx_v_map(x), job->options,
	        &job->rendered, &job->stage);
	job->rendered.manifest = fx_rendered_manifest(x, &job->rendered, job->options->include_crds);
}

static void run_template(struct fx_render *x, void *arg)
{
	struct render_job *job = arg;
	check_name(x, job->options->release);
	fx_chart_check(x, job->chart);
	render_chart(x, job->chart, job->values.kind == FX_VAL_MAP ? job->values : fx_v_map(x), job->options,
	        &job->rendered, &job->stage);
	job->text = fx_rendered_print(x, &job->rendered, job->options);
}

static int run_job(struct fx_arena *arena, struct render_job *job,
        void (*body)(struct fx_render *x, void *arg), struct fx_error *err)
{
	int rc = fx_render_run(arena, job->options->engine, body, job, err);
	if (rc < 0 && err && job->stage && err->code == FX_E_INVALID)
		return fx_error_wrap(err, "%s", job->stage);
	return rc;
}

int fx_chart_render(struct fx_arena *arena, struct fx_chart *chart, struct fx_val values,
        const struct fx_chart_options *options, struct fx_rendered *out, struct fx_error *err)
{
	struct render_job job = {.chart = chart, .values = values, .options = options};
	int rc = run_job(arena, &job, run_render, err);
	if (rc == 0)
		*out = job.rendered;
	return rc;
}

int fx_chart_template(struct fx_arena *arena, struct fx_chart *chart, struct fx_val values,
        const struct fx_chart_options *options, struct fx_val *out, struct fx_error *err)
{
	struct render_job job = {.chart = chart, .values = values, .options = options};
	int rc = run_job(arena, &job, run_template, err);
	if (rc == 0)
		*out = job.text;
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
	struct fx_chart_file files[2] = {{"templates/out.yaml", caller, sizeof(caller) - 1, NULL},
	        {"templates/_expr.tpl", job->text, job->len, NULL}};
	struct fx_chart chart = {
	        .meta = meta, .name = "expr", .templates = {files, 2, 2}, .deps = fx_v_nil_list()};
	struct fx_val user = job->values ? fx_v_from_node(x, job->values) : fx_v_map(x);
	if (user.kind != FX_VAL_MAP)
		user = fx_v_map(x);
	struct fx_chart_texts list = {0};
	fx_chart_walk(
	        x, &chart, user, fx_chart_release(x, &options), fx_chart_capabilities(x, &options), &list);
	sort_templates(x, &list);
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
