/* Manifests, hooks and CRDs as the text that `helm template` prints. */
#include "chart_internal.h"
#include "chart_ignore.h"

#include <ctype.h>

static void print_document(struct fx_text *out, const char *path, struct fx_val text)
{
	fx_text_addf(out, "---\n# Source: %s\n", path);
	fx_text_add(out, text.s, text.len);
	fx_text_char(out, '\n');
}

struct fx_val fx_rendered_manifest(struct fx_render *x, const struct fx_rendered *r, bool crds)
{
	struct fx_text out = {.x = x};
	fx_text_add(&out, "", 0);
	for (size_t i = 0; crds && i < r->ncrds; i++)
		print_document(&out, r->crds[i].path, fx_v_strn(r->crds[i].data, r->crds[i].len));
	for (size_t i = 0; i < r->nmanifests; i++)
		print_document(&out, r->manifests[i].path, r->manifests[i].text);
	return fx_text_val(&out);
}

static struct fx_val show_only(struct fx_render *x, struct fx_val text, const struct fx_chart_options *o)
{
	struct fx_val pieces = fx_chart_split(x, text);
	struct fx_text out = {.x = x};
	fx_text_add(&out, "", 0);
	for (size_t k = 0; k < o->nshow_only; k++) {
		bool any = false;
		for (size_t i = 0; i < fx_v_len(pieces); i++) {
			struct fx_val p = pieces.list->items[i];
			const char *src = memmem(p.s, p.len, "# Source: ", 10);
			if (!src)
				continue;
			src += 10;
			const char *end = memchr(src, '\n', (size_t)(p.s + p.len - src));
			const char *slash = memchr(src, '/', (size_t)((end ? end : p.s + p.len) - src));
			if (!slash || !end)
				continue;
			const char *rest = fx_v_dup(x, slash + 1, (size_t)(end - slash - 1)).s;
			if (!fx_path_pattern_valid(o->show_only[k]) || !fx_path_match(o->show_only[k], rest))
				continue;
			any = true;
			fx_text_str(&out, "---\n");
			fx_text_add(&out, p.s, p.len);
			fx_text_char(&out, '\n');
		}
		if (!any)
			fx_render_throw(x, "could not find template %s in chart", o->show_only[k]);
	}
	return fx_text_val(&out);
}

static struct fx_val trimmed(struct fx_val v)
{
	v = fx_chart_trim_left(v);
	while (v.len && isspace((unsigned char)v.s[v.len - 1]))
		v.len--;
	return v;
}

struct fx_val fx_rendered_print(
        struct fx_render *x, const struct fx_rendered *r, const struct fx_chart_options *o)
{
	struct fx_text out = {.x = x};
	struct fx_val body = trimmed(fx_rendered_manifest(x, r, o->include_crds));
	fx_text_add(&out, body.s, body.len);
	fx_text_char(&out, '\n');
	for (size_t i = 0; i < r->nhooks && !o->no_hooks; i++) {
		if (!(o->skip_tests && fx_hook_on(&r->hooks[i], "test")))
			print_document(&out, r->hooks[i].path, r->hooks[i].manifest);
	}
	return o->nshow_only ? show_only(x, fx_text_val(&out), o) : fx_text_val(&out);
}
