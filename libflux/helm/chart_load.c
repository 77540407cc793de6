/* Charts from directories and archives. */
#include "chart_internal.h"
#include "chart_ignore.h"

#include "data/semver.h"
#include "data/yaml.h"

#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

/* Of Go's bufio. */
#define READER_BUFFER 4096

static void add_file(struct fx_render *x, struct fx_chart_files *fs, const char *name, const char *data,
        size_t len, const char *mod_time)
{
	if (fs->len == fs->cap) {
		size_t cap = fs->cap ? fs->cap * 2 : 32;
		struct fx_chart_file *more = fx_render_alloc(x, cap * sizeof(*more));
		if (fs->len)
			memcpy(more, fs->items, fs->len * sizeof(*more));
		fs->items = more;
		fs->cap = cap;
	}
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	fs->items[fs->len++] = (struct fx_chart_file){name, data, len, mod_time};
}

/* time.Time's JSON, in UTC as the controllers run. */
static const char *time_text(struct fx_render *x, struct timespec t)
{
	struct fx_text out = {.x = x};
	struct tm tm;
	char text[32];
	if (!gmtime_r(&t.tv_sec, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099)
		return NULL;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fx_text_str(&out, text);
	if (t.tv_nsec) {
		size_t n = (size_t)snprintf(text, sizeof(text), ".%09ld", t.tv_nsec);
		while (text[n - 1] == '0')
			n--;
		fx_text_add(&out, text, n);
	}
	fx_text_char(&out, 'Z');
	return fx_text_c(&out);
}

static const char *read_file(struct fx_render *x, const char *path, const char *name, size_t *len)
{
	fx_auto(file) FILE *f = fopen(path, "rb");
	struct stat st;
	if (!f || fstat(fileno(f), &st) != 0) {
		const char *why = strerror(errno);
		if (f)
			fclose(fx_take(f));
		fx_render_throw(x, "open %s: %s", path, why);
	}
	bool large = st.st_size > FX_CHART_FILE_MAX;
	char *data = large ? NULL : fx_arena_alloc(fx_render_arena(x), (size_t)st.st_size + 1);
	size_t n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(fx_take(f));
	if (large)
		fx_render_throw(x, "chart file \"%s\" is larger than the maximum file size %u", name,
		        FX_CHART_FILE_MAX);
	if (!data)
		fx_render_throw(x, "out of memory");
	data[n] = 0;
	*len = n;
	return data;
}

static void walk_dir(struct fx_render *x, const char *root, const char *rel,
        const struct fx_helmignore *rules, struct fx_chart_files *out, unsigned depth)
{
	struct fx_text dir = {.x = x};
	struct dirent **list;
	fx_text_addf(&dir, *rel ? "%s/%s" : "%s", root, rel);
	if (depth > 100)
		fx_render_throw(x, "directories are nested too deeply");
	int n = scandir(fx_text_c(&dir), &list, NULL, alphasort);
	const char **names = n > 0 ? fx_arena_alloc(fx_render_arena(x), (size_t)n * sizeof(char *)) : NULL;
	int kept = 0;
	for (int i = 0; i < n; i++) {
		if (names && strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
			names[kept++] = fx_arena_strdup(fx_render_arena(x), list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	for (int i = 0; i < kept; i++) {
		struct fx_text p = {.x = x}, full = {.x = x};
		struct stat st;
		if (!names[i])
			fx_render_throw(x, "out of memory");
		fx_text_addf(&p, *rel ? "%s/%s" : "%s%s", rel, names[i]);
		fx_text_addf(&full, "%s/%s", root, fx_text_c(&p));
		if (stat(fx_text_c(&full), &st) != 0)
			fx_render_throw(x, "error evaluating symlink %s: lstat: no such file or directory",
			        fx_text_c(&full));
		bool is_dir = S_ISDIR(st.st_mode);
		if (fx_helmignore_match(rules, fx_text_c(&p), is_dir))
			continue;
		if (is_dir) {
			walk_dir(x, root, fx_text_c(&p), rules, out, depth + 1);
			continue;
		}
		if (!S_ISREG(st.st_mode))
			fx_render_throw(x, "cannot load irregular file %s as it has file mode type bits set",
			        fx_text_c(&full));
		size_t len;
		const char *data = read_file(x, fx_text_c(&full), fx_text_c(&p), &len);
		add_file(x, out, fx_text_c(&p), data, len, time_text(x, st.st_mtim));
	}
}

/* ---- archives ---- */

static const char *entry_name(struct fx_render *x, const char *name)
{
	char sep = strchr(name, '\\') ? '\\' : '/';
	const char *rest = strchr(name, sep);
	if (!rest)
		return NULL;
	char *copy = (char *)fx_v_dup(x, rest + 1, strlen(rest + 1)).s;
	for (char *c = copy; *c; c++) {
		if (*c == sep)
			*c = '/';
	}
	struct fx_val clean = fx_fns_clean(x, fx_v_str(copy));
	const char *p = fx_v_cstr(x, clean);
	bool drive = isalpha((unsigned char)p[0]) && p[1] == ':' && p[2] == '/';
	if (*p == '/' || strcmp(p, ".") == 0 || strncmp(p, "..", 2) == 0 || drive)
		return NULL;
	return p;
}

static const char *read_entries(struct fx_render *x, struct archive *a, struct fx_chart_files *out)
{
	struct archive_entry *e;
	size_t total = FX_CHART_TOTAL_MAX;
	int rc;
	while ((rc = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
		if (archive_entry_filetype(e) == AE_IFDIR)
			continue;
		const char *raw = archive_entry_pathname(e);
		const char *name = raw ? entry_name(x, raw) : NULL;
		if (!name)
			return "unable to load chart archive";
		int64_t size = archive_entry_filetype(e) == AE_IFREG ? archive_entry_size(e) : 0;
		if (size < 0 || size > FX_CHART_FILE_MAX || (size_t)size > total)
			return "unable to load chart archive";
		total -= (size_t)size;
		char *data = fx_arena_alloc(fx_render_arena(x), (size_t)size + 1);
		if (!data || archive_read_data(a, data, (size_t)size) != size)
			return "unable to load chart archive";
		data[size] = 0;
		if (*name)
			add_file(x, out, name, data, (size_t)size,
			        time_text(x, (struct timespec){.tv_sec = archive_entry_mtime(e)}));
	}
	return rc == ARCHIVE_EOF && out->len ? NULL : "unable to load chart archive";
}

/* What is thrown below must not leak the reader: everything inside only fails for memory. */
static void read_archive(struct fx_render *x, const char *data, size_t len, struct fx_chart_files *out)
{
	struct archive *a = archive_read_new();
	if (!a)
		fx_render_throw(x, "out of memory");
	archive_read_support_filter_gzip(a);
	archive_read_support_format_tar(a);
	const char *why = "unable to load chart archive";
	if (archive_read_open_memory(a, data, len) == ARCHIVE_OK)
		why = read_entries(x, a, out);
	archive_read_free(a);
	if (why)
		fx_render_throw(x, "%s", why);
}

/* ---- routing ---- */

static struct fx_val parse_map(struct fx_render *x, const char *prefix, struct fx_val text)
{
	struct fx_val v;
	const char *why;
	if (!fx_v_yaml_parse(x, text, &v, &why))
		fx_render_throw(x, "%s: cannot unmarshal yaml document: %s", prefix, why);
	if (v.kind == FX_VAL_NIL)
		return fx_v_map(x);
	if (v.kind != FX_VAL_MAP)
		fx_render_throw(x,
		        "%s: cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: "
		        "json: cannot unmarshal %s into Go value of type map[string]interface {}",
		        prefix, fx_chart_json_name(v));
	return v;
}

static void merge_values(struct fx_render *x, struct fx_val dst, struct fx_val src)
{
	for (size_t i = 0; i < fx_v_len(src); i++) {
		const struct fx_entry *e = &src.map->entries[i];
		struct fx_val *d = fx_v_find(dst, e->key, e->len);
		if (d && d->kind == FX_VAL_MAP && e->val.kind == FX_VAL_MAP)
			merge_values(x, *d, e->val);
		else
			fx_v_setn(x, dst, e->key, e->len, e->val);
	}
}

/* Lines as Helm's reader hands them on: each ends in one LF, also the last one, which is lost when it has no
 * line end and fills the reader's buffers exactly. */
static struct fx_val whole_lines(struct fx_render *x, const char *text, size_t len)
{
	struct fx_text t = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0; i < len;) {
		const char *nl = memchr(text + i, '\n', len - i);
		size_t end = nl ? (size_t)(nl - text) : len, n = end - i;
		if (!nl && n % READER_BUFFER == 0)
			break;
		if (nl && n && text[end - 1] == '\r')
			n--;
		fx_text_add(&t, text + i, n);
		fx_text_char(&t, '\n');
		i = end + 1;
	}
	return fx_text_val(&t);
}

/* A line that ends a document: only blanks and a comment may follow the dashes. */
static bool is_separator(struct fx_render *x, const char *prefix, const char *line, size_t n)
{
	if (n < 3 || memcmp(line, "---", 3) != 0)
		return false;
	struct fx_val rest = fx_chart_trim_left(fx_v_strn(line + 3, n - 3));
	if (rest.len && rest.s[0] != '#')
		fx_render_throw(x, "%s: error reading yaml document: invalid Yaml document separator: %.*s",
		        prefix, (int)rest.len, rest.s);
	return true;
}

struct fx_val fx_chart_parse_values(struct fx_render *x, const char *prefix, const char *text, size_t len)
{
	struct fx_val out = fx_v_map(x), lines = whole_lines(x, text, len);
	size_t from = 0;
	for (size_t i = 0; i < lines.len;) {
		size_t end = (size_t)((const char *)memchr(lines.s + i, '\n', lines.len - i) - lines.s);
		/* A separator before anything else belongs to the document that it starts. */
		if (is_separator(x, prefix, lines.s + i, end - i) && i > from) {
			merge_values(x, out, parse_map(x, prefix, fx_v_dup(x, lines.s + from, i - from)));
			from = end + 1;
		}
		i = end + 1;
	}
	if (from < lines.len)
		merge_values(x, out, parse_map(x, prefix, fx_v_dup(x, lines.s + from, lines.len - from)));
	return out;
}

/* Where the loader is: what stands in front of an error. */
struct loading {
	const char *where; /* NULL: the chart itself */
	unsigned depth;
};

static struct fx_chart *build(
        struct fx_render *x, const struct fx_chart_files *files, struct fx_chart *parent, struct loading *l);

static void add_child(
        struct fx_render *x, struct fx_chart *c, const struct fx_chart_files *files, struct loading *l)
{
	struct fx_chart **more = fx_render_alloc(x, (c->nchildren + 1) * sizeof(struct fx_chart *));
	if (c->nchildren)
		memcpy(more, c->children, c->nchildren * sizeof(struct fx_chart *));
	c->children = more;
	c->children[c->nchildren] = build(x, files, c, l);
	c->nchildren++;
}

/* Files below charts/, grouped by their first component; they come in the order of their names. */
static void read_children(
        struct fx_render *x, struct fx_chart *c, const struct fx_chart_files *subs, struct loading *l)
{
	const char *outer = l->where;
	bool *done = fx_render_zalloc(x, subs->len + 1);
	for (size_t i = 0; i < subs->len; i++) {
		const char *name = subs->items[i].name;
		size_t n = strcspn(name, "/");
		if (done[i] || *name == '_' || *name == '.')
			continue;
		struct fx_chart_files group = {0};
		struct fx_text where = {.x = x};
		bool archive = n > 4 && memcmp(name + n - 4, ".tgz", 4) == 0;
		if (archive && name[n])
			fx_render_throw(x, "error unpacking subchart tar in %s: expected %.*s, got %s",
			        c->name, (int)n, name, name);
		if (outer)
			fx_text_addf(&where, "%s: ", outer);
		fx_text_addf(&where, "error unpacking subchart %.*s in %s", (int)n, name, c->name);
		l->where = fx_text_c(&where);
		l->depth++;
		if (archive) {
			read_archive(x, subs->items[i].data, subs->items[i].len, &group);
		} else {
			for (size_t k = i; k < subs->len; k++) {
				const char *other = subs->items[k].name;
				if (strcspn(other, "/") != n || memcmp(other, name, n) != 0)
					continue;
				done[k] = true;
				if (other[n] == '/')
					add_file(x, &group, other + n + 1, subs->items[k].data,
					        subs->items[k].len, subs->items[k].mod_time);
			}
		}
		add_child(x, c, &group, l);
		l->where = outer;
		l->depth--;
	}
}

static struct fx_chart *build(
        struct fx_render *x, const struct fx_chart_files *files, struct fx_chart *parent, struct loading *l)
{
	struct fx_chart *c = fx_render_zalloc(x, sizeof(*c));
	struct fx_chart_files subs = {0};
	c->parent = parent;
	c->values = fx_v_map(x);
	if (l->depth > FX_CHART_DEPTH_MAX)
		fx_render_throw(x, "charts are nested too deeply");
	for (size_t i = 0; i < files->len; i++) {
		if (strcmp(files->items[i].name, "Chart.yaml") != 0)
			continue;
		c->mod_time = files->items[i].mod_time;
		fx_chart_read_meta(x, c, "Chart.yaml", fx_v_strn(files->items[i].data, files->items[i].len));
	}
	if (c->meta.kind != FX_VAL_MAP)
		fx_render_throw(x, "Chart.yaml file is missing");
	bool v1 = strcmp(fx_chart_meta_text(x, c, "apiVersion"), "v1") == 0;
	for (size_t i = 0; i < files->len; i++) {
		const struct fx_chart_file *f = &files->items[i];
		const char *dot = strrchr(f->name, '.');
		if (strcmp(f->name, "Chart.yaml") == 0)
			continue;
		if (strcmp(f->name, "values.yaml") == 0) {
			c->values = fx_chart_parse_values(x, "cannot load values.yaml", f->data, f->len);
			c->has_values = true;
			c->values_text = f->data;
			c->values_len = f->len;
		} else if (strcmp(f->name, "values.schema.json") == 0) {
			c->schema = f->data;
			c->schema_len = f->len;
			c->schema_mod_time = f->mod_time;
		} else if (strcmp(f->name, "Chart.lock") == 0 || strcmp(f->name, "requirements.lock") == 0) {
			fx_chart_read_lock(x, c, f->name, fx_v_strn(f->data, f->len));
			if (f->name[0] == 'r' && v1)
				add_file(x, &c->files, f->name, f->data, f->len, f->mod_time);
		} else if (strcmp(f->name, "requirements.yaml") == 0) {
			fx_chart_read_meta(x, c, f->name, fx_v_strn(f->data, f->len));
			if (v1)
				add_file(x, &c->files, f->name, f->data, f->len, f->mod_time);
		} else if (strncmp(f->name, "templates/", 10) == 0) {
			add_file(x, &c->templates, f->name, f->data, f->len, f->mod_time);
		} else if (strncmp(f->name, "charts/", 7) == 0 && !(dot && strcmp(dot, ".prov") == 0)) {
			add_file(x, &subs, f->name + 7, f->data, f->len, f->mod_time);
		} else {
			add_file(x, &c->files, f->name, f->data, f->len, f->mod_time);
		}
	}
	fx_chart_validate(x, c);
	read_children(x, c, &subs, l);
	return c;
}

struct load_job {
	const char *path, *data;
	const struct fx_chart_file *files;
	size_t len;
	struct fx_chart *out;
	struct loading loading;
};

static void run_load(struct fx_render *x, void *arg)
{
	struct load_job *job = arg;
	struct fx_chart_files files = {0};
	struct stat st;
	if (stat(job->path, &st) != 0)
		fx_render_throw(x, "path \"%s\" not found", job->path);
	size_t len = 0;
	if (S_ISDIR(st.st_mode)) {
		struct fx_text ignore = {.x = x};
		struct fx_helmignore rules = {0};
		fx_text_addf(&ignore, "%s/.helmignore", job->path);
		const char *text = access(fx_text_c(&ignore), R_OK) == 0
		                           ? read_file(x, fx_text_c(&ignore), ".helmignore", &len)
		                           : "";
		if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
			text += 3;
			len -= 3;
		}
		fx_helmignore_read(x, text, len, &rules);
		walk_dir(x, job->path, "", &rules, &files, 0);
	} else {
		fx_auto(file) FILE *f = fopen(job->path, "rb");
		char *data = f && st.st_size <= FX_CHART_TOTAL_MAX
		                     ? fx_arena_alloc(fx_render_arena(x), (size_t)st.st_size + 1)
		                     : NULL;
		len = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
		if (f)
			fclose(fx_take(f));
		if (len < 2 || (unsigned char)data[0] != 0x1f || (unsigned char)data[1] != 0x8b)
			fx_render_throw(x, "file '%s' does not appear to be a gzipped archive", job->path);
		read_archive(x, data, len, &files);
	}
	job->out = build(x, &files, NULL, &job->loading);
}

static void run_load_archive(struct fx_render *x, void *arg)
{
	struct load_job *job = arg;
	struct fx_chart_files files = {0};
	read_archive(x, job->data, job->len, &files);
	job->out = build(x, &files, NULL, &job->loading);
}

static void run_load_files(struct fx_render *x, void *arg)
{
	struct load_job *job = arg;
	struct fx_chart_files files = {0};
	for (size_t i = 0; i < job->len; i++)
		add_file(x, &files, job->files[i].name, job->files[i].data, job->files[i].len,
		        job->files[i].mod_time);
	job->out = build(x, &files, NULL, &job->loading);
}

static int load(struct fx_arena *arena, struct load_job *job, void (*body)(struct fx_render *x, void *arg),
        struct fx_chart **out, struct fx_error *err)
{
	int rc = fx_render_run(arena, NULL, body, job, err);
	if (rc == 0)
		*out = job->out;
	else if (err && job->loading.where && err->code == FX_E_INVALID)
		return fx_error_wrap(err, "%s", job->loading.where);
	return rc;
}

int fx_chart_load(struct fx_arena *arena, const char *path, struct fx_chart **out, struct fx_error *err)
{
	struct load_job job = {.path = path};
	return load(arena, &job, run_load, out, err);
}

int fx_chart_load_archive(
        struct fx_arena *arena, const char *data, size_t len, struct fx_chart **out, struct fx_error *err)
{
	struct load_job job = {.data = data, .len = len};
	return load(arena, &job, run_load_archive, out, err);
}

int fx_chart_load_files(struct fx_arena *arena, const struct fx_chart_file *files, size_t n,
        struct fx_chart **out, struct fx_error *err)
{
	struct load_job job = {.files = files, .len = n};
	return load(arena, &job, run_load_files, out, err);
}
