#include "strvals.h"

#include "chart_internal.h"

#include <ctype.h>
#include <errno.h>

struct reader {
	struct fx_render *x;
	const char *s;
	size_t n, i;
	enum fx_value_source_kind kind;
	bool ended; /* in the middle of a key: no error, what was read so far counts */
};

/* Text up to a stop character, which is taken; escapes undone. *stop: 0 at the end. */
static struct fx_val read_until(struct reader *r, const char *stops, char *stop)
{
	struct fx_text t = {.x = r->x};
	fx_text_add(&t, "", 0);
	*stop = 0;
	while (r->i < r->n) {
		char c = r->s[r->i++];
		if (c == '\\' && r->kind != FX_VALUES_LITERAL) {
			if (r->i < r->n)
				fx_text_char(&t, r->s[r->i++]);
			continue;
		}
		if (c && strchr(stops, c)) {
			*stop = c;
			break;
		}
		fx_text_char(&t, c);
	}
	return fx_text_val(&t);
}

static bool same_word(struct fx_val v, const char *word)
{
	return v.len == strlen(word) && strncasecmp(v.s, word, v.len) == 0;
}

static struct fx_val typed(struct reader *r, struct fx_val v)
{
	if (r->kind != FX_VALUES_SET)
		return v;
	if (same_word(v, "true") || same_word(v, "false"))
		return fx_v_bool(v.len == 4);
	if (same_word(v, "null"))
		return fx_v_nil();
	if (same_word(v, "0"))
		return fx_v_int64(0);
	const char *s = fx_v_cstr(r->x, v);
	size_t sign = *s == '-' || *s == '+';
	if (!isdigit((unsigned char)s[sign]) || *s == '0')
		return v;
	char *end;
	errno = 0;
	long long i = strtoll(s, &end, 10);
	return *end || errno || strlen(s) != v.len ? v : fx_v_int64(i);
}

static struct fx_val file_content(struct reader *r, struct fx_val path)
{
	const char *name = fx_v_cstr(r->x, path), *start = name + strspn(name, " \t\n");
	bool input = start[0] == '-' && start[1 + strspn(start + 1, " \t\n")] == 0;
	fx_auto(file) FILE *f = fopen(input ? "/dev/stdin" : name, "rb");
	int why = errno;
	char *data = f ? fx_arena_alloc(fx_render_arena(r->x), FX_CHART_FILE_MAX + 1) : NULL;
	size_t n = data ? fread(data, 1, FX_CHART_FILE_MAX, f) : 0;
	if (f)
		fclose(fx_take(f));
	if (!data)
		fx_render_throw(r->x, "open %s: %s", name,
		        why == ENOENT   ? "no such file or directory"
		        : why == EACCES ? "permission denied"
		                        : "cannot be read");
	data[n] = 0;
	return fx_v_strn(data, n);
}

static struct fx_val final_value(struct reader *r, struct fx_val v)
{
	return r->kind == FX_VALUES_SET_FILE ? file_content(r, v) : typed(r, v);
}

/* Skips white space and one comma; true when nothing else stood before it. */
static bool skip_empty(struct reader *r)
{
	while (r->i < r->n) {
		size_t w;
		unsigned c = fx_rune_at(r->s + r->i, r->n - r->i, &w);
		if (c != ',' && !fx_rune_is_space(c))
			return false;
		r->i += w;
		if (c == ',')
			break;
	}
	return true;
}

/* The JSON value at the cursor. */
static struct fx_val json_value(struct reader *r)
{
	if (skip_empty(r))
		return fx_v_nil();
	struct fx_val v;
	const char *why;
	size_t n = fx_go_json_first(r->x, r->s + r->i, r->n - r->i, &why);
	if (why || !fx_v_json_parse(r->x, fx_v_dup(r->x, r->s + r->i, n), &v, &why))
		fx_render_throw(r->x, "%s", why);
	r->i += n;
	skip_empty(r);
	return v;
}

static struct fx_val list_value(struct reader *r)
{
	struct fx_val list = fx_v_list(r->x, 0);
	for (;;) {
		char stop;
		struct fx_val v = read_until(r, ",}", &stop);
		if (stop == 0)
			fx_render_throw(r->x, "list must terminate with '}'");
		fx_v_push(r->x, list, final_value(r, v));
		if (stop == '}')
			break;
	}
	if (r->i < r->n && r->s[r->i] == ',')
		r->i++;
	return list;
}

static struct fx_val value(struct reader *r)
{
	char stop;
	if (r->kind == FX_VALUES_JSON)
		return json_value(r);
	if (r->kind == FX_VALUES_LITERAL) {
		struct fx_val v = fx_v_strn(r->s + r->i, r->n - r->i);
		r->i = r->n;
		return v;
	}
	if (r->i < r->n && r->s[r->i] == '{') {
		r->i++;
		return list_value(r);
	}
	return final_value(r, read_until(r, ",", &stop));
}

/* The number up to `]`; negative: the text has ended. */
static int64_t list_index(struct reader *r)
{
	char stop;
	struct fx_val v = read_until(r, "]", &stop);
	if (stop == 0) {
		r->ended = true;
		return -1;
	}
	const char *s = fx_v_cstr(r->x, v), *digits = s + (*s == '-' || *s == '+');
	errno = 0;
	long i = strtol(s, NULL, 10);
	if (!*digits || strspn(digits, "0123456789") != strlen(digits) || strlen(s) != v.len)
		fx_render_throw(r->x, "error parsing index: strconv.Atoi: parsing \"%s\": invalid syntax", s);
	if (errno)
		fx_render_throw(
		        r->x, "error parsing index: strconv.Atoi: parsing \"%s\": value out of range", s);
	if (i < 0)
		fx_render_throw(r->x, "negative %ld index not allowed", i);
	return i;
}

static void key(struct reader *r, struct fx_val map, unsigned depth);

/* have: NULL when the key is not there; a null that is there is no map. */
static struct fx_val sub_map(struct reader *r, const struct fx_val *old, unsigned depth)
{
	struct fx_val have = old ? *old : fx_v_map(r->x);
	if (have.kind != FX_VAL_MAP)
		fx_render_throw(r->x,
		        "unable to parse key: interface conversion: interface {} is %s, not "
		        "map[string]interface {}",
		        have.kind == FX_VAL_NIL ? "nil" : fx_v_type(have));
	key(r, have, depth);
	return have;
}

static void set_item(struct reader *r, struct fx_val list, int64_t i, struct fx_val v)
{
	if (i > FX_STRVALS_INDEX_MAX)
		fx_render_throw(r->x, "index of %lld is greater than maximum supported index of %d",
		        (long long)i, FX_STRVALS_INDEX_MAX);
	while ((int64_t)fx_v_len(list) <= i)
		fx_v_push(r->x, list, fx_v_nil());
	list.list->items[i] = v;
}

static struct fx_val as_list(struct reader *r, struct fx_val v)
{
	if (v.kind == FX_VAL_NIL)
		return fx_v_list(r->x, 0);
	if (v.kind != FX_VAL_LIST)
		fx_render_throw(r->x,
		        "unable to parse key: interface conversion: interface {} is %s, not []interface {}",
		        fx_v_type(v));
	return v;
}

/* What follows `[i]` goes into list. */
static struct fx_val list_item(
        struct reader *r, struct fx_val list, int64_t i, unsigned depth, unsigned lists)
{
	char stop;
	struct fx_val text = read_until(r, "[.=", &stop);
	if (lists > FX_STRVALS_LISTS_MAX)
		fx_render_throw(r->x, "lists are nested deeper than %d", FX_STRVALS_LISTS_MAX);
	if (text.len)
		fx_render_throw(r->x, "unexpected data at end of array index: \"%s\"", fx_v_cstr(r->x, text));
	struct fx_val have = i < (int64_t)fx_v_len(list) ? list.list->items[i] : fx_v_nil(), v;
	if (stop == 0) {
		r->ended = true;
		return list;
	}
	if (stop == '=') {
		v = value(r);
	} else if (stop == '[') {
		int64_t next = list_index(r);
		if (r->ended)
			return list;
		v = list_item(r, as_list(r, have), next, depth, lists + 1);
	} else {
		v = have.kind == FX_VAL_MAP ? have : fx_v_map(r->x);
		if (have.kind != FX_VAL_MAP && i < (int64_t)fx_v_len(list))
			list.list->items[i] = v;
		key(r, v, depth);
	}
	if (!r->ended)
		set_item(r, list, i, v);
	return list;
}

static void key(struct reader *r, struct fx_val map, unsigned depth)
{
	char stop;
	struct fx_val k = read_until(r, r->kind == FX_VALUES_LITERAL ? "=[." : "=[,.", &stop), v;
	if (stop == 0) {
		r->ended = true;
		if (k.len == 0)
			return;
		fx_render_throw(r->x, "key \"%s\" has no value", fx_v_cstr(r->x, k));
	}
	if (stop == ',')
		fx_render_throw(r->x, "key \"%s\" has no value (cannot end with ,)", fx_v_cstr(r->x, k));
	struct fx_val *have = fx_v_find(map, k.s, k.len), old = have ? *have : fx_v_nil();
	if (stop == '=') {
		bool at_end = r->i == r->n && r->kind != FX_VALUES_JSON && r->kind != FX_VALUES_LITERAL;
		v = value(r);
		r->ended = at_end;
	} else if (stop == '[') {
		int64_t i = list_index(r);
		if (r->ended)
			return;
		if (have && have->kind == FX_VAL_NIL)
			fx_render_throw(r->x, "unable to parse key: interface conversion: interface {} is "
			                      "nil, not []interface {}");
		v = list_item(r, as_list(r, old), i, depth, 0);
	} else {
		if (depth >= FX_STRVALS_NEST_MAX)
			fx_render_throw(r->x,
			        "value name nested level is greater than maximum supported nested level of "
			        "%d",
			        FX_STRVALS_NEST_MAX);
		v = sub_map(r, have, depth + 1);
		if (fx_v_len(v) == 0) {
			if (r->ended)
				return;
			fx_render_throw(r->x, "key map \"%s\" has no value", fx_v_cstr(r->x, k));
		}
	}
	if (k.len)
		fx_v_setn(r->x, map, k.s, k.len, v);
}

static void deep_merge(struct fx_render *x, struct fx_val dst, struct fx_val src)
{
	for (size_t i = 0; i < fx_v_len(src); i++) {
		const struct fx_entry *e = &src.map->entries[i];
		struct fx_val *d = fx_v_find(dst, e->key, e->len);
		if (d && d->kind == FX_VAL_MAP && e->val.kind == FX_VAL_MAP)
			deep_merge(x, *d, e->val);
		else
			fx_v_setn(x, dst, e->key, e->len, e->val);
	}
}

struct read_job {
	const struct fx_value_source *sources;
	size_t n;
	struct fx_val out;
	const struct fx_value_source *current;
};

static void read_source(struct fx_render *x, const struct fx_value_source *s, struct fx_val out)
{
	struct reader r = {.x = x, .s = s->text, .n = strlen(s->text), .kind = s->kind};
	if (s->kind == FX_VALUES_FILE) {
		r.kind = FX_VALUES_SET_FILE;
		struct fx_val text = file_content(&r, fx_v_str(s->text));
		struct fx_text prefix = {.x = x};
		fx_text_addf(&prefix, "failed to parse %s", s->text);
		deep_merge(x, out, fx_chart_parse_values(x, fx_text_c(&prefix), text.s, text.len));
		return;
	}
	size_t lead = strspn(s->text, " \t\n");
	if (s->kind == FX_VALUES_JSON && s->text[lead] == '{') {
		struct fx_val v;
		const char *why;
		if (!fx_v_json_parse(x, fx_v_str(s->text), &v, &why) || v.kind != FX_VAL_MAP)
			fx_render_throw(x, "failed parsing --set-json data JSON: %s", s->text);
		deep_merge(x, out, v);
		return;
	}
	while (r.i < r.n && !r.ended)
		key(&r, out, 0);
}

static void run_read(struct fx_render *x, void *arg)
{
	struct read_job *job = arg;
	job->out = fx_v_map(x);
	for (int kind = FX_VALUES_FILE; kind <= FX_VALUES_LITERAL; kind++) {
		for (size_t i = 0; i < job->n; i++) {
			if ((int)job->sources[i].kind != kind)
				continue;
			job->current = &job->sources[i];
			read_source(x, job->current, job->out);
		}
	}
}

/* The flag in front of what is wrong with it. */
static void name_source(const struct fx_value_source *s, struct fx_error *err)
{
	static const char *const flags[] = {[FX_VALUES_SET] = "--set",
	        [FX_VALUES_STRING] = "--set-string",
	        [FX_VALUES_SET_FILE] = "--set-file",
	        [FX_VALUES_LITERAL] = "--set-literal"};
	if (err->code != FX_E_INVALID)
		return;
	if (s->kind == FX_VALUES_JSON && s->text[strspn(s->text, " \t\n")] != '{')
		fx_fail(err, FX_E_INVALID, "failed parsing --set-json data %s", s->text);
	else if (s->kind != FX_VALUES_JSON && s->kind != FX_VALUES_FILE)
		fx_error_wrap(err, "failed parsing %s data", flags[s->kind]);
}

int fx_values_read(struct fx_arena *arena, const struct fx_value_source *sources, size_t n,
        struct fx_val *out, struct fx_error *err)
{
	struct read_job job = {sources, n, {0}, NULL};
	int rc = fx_render_run(arena, NULL, run_read, &job, err);
	if (rc == 0)
		*out = job.out;
	else if (err && job.current)
		name_source(job.current, err);
	return rc;
}

static void run_json(struct fx_render *x, void *arg)
{
	struct fx_val *v = arg;
	struct fx_text t = {.x = x};
	const char *why = fx_v_json(&t, *v, false, 0);
	if (why)
		fx_render_throw(x, "%s", why);
	*v = fx_text_val(&t);
}

int fx_values_json(struct fx_arena *arena, struct fx_val value, struct fx_val *out, struct fx_error *err)
{
	int rc = fx_render_run(arena, NULL, run_json, &value, err);
	if (rc == 0)
		*out = value;
	return rc;
}
