/* Slash paths, as package path has them. */
#include "funcs.h"

static struct fx_val fn_base(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	struct fx_val s = a[0];
	if (s.len == 0)
		return fx_v_str(".");
	while (s.len && s.s[s.len - 1] == '/')
		s.len--;
	const char *p = memrchr(s.s, '/', s.len);
	if (p) {
		s.len -= (uint32_t)(p + 1 - s.s);
		s.s = p + 1;
	}
	return s.len ? s : fx_v_str("/");
}

struct fx_val fx_fns_clean(struct fx_render *x, struct fx_val s)
{
	struct fx_text t = {.x = x};
	bool rooted = s.len && s.s[0] == '/';
	fx_text_str(&t, rooted ? "/" : "");
	size_t base = t.len, dotdot = t.len;
	for (size_t i = 0; i < s.len;) {
		size_t end = i;
		while (end < s.len && s.s[end] != '/')
			end++;
		size_t n = end - i;
		if (n == 2 && memcmp(s.s + i, "..", 2) == 0) {
			if (t.len > dotdot) {
				size_t k = t.len - 1;
				while (k > dotdot && t.data[k] != '/')
					k--;
				t.len = k;
			} else if (!rooted) {
				fx_text_str(&t, t.len ? "/.." : "..");
				dotdot = t.len;
			}
		} else if (n && !(n == 1 && s.s[i] == '.')) {
			if (t.len > base || (!rooted && t.len))
				fx_text_char(&t, '/');
			fx_text_add(&t, s.s + i, n);
		}
		i = end + 1;
	}
	return t.len ? fx_text_val(&t) : fx_v_str(".");
}

static struct fx_val fn_clean(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_fns_clean(x, a[0]);
}

static struct fx_val fn_dir(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *p = memrchr(a[0].s, '/', a[0].len);
	return fx_fns_clean(x, fx_v_strn(a[0].s, p ? (size_t)(p + 1 - a[0].s) : 0));
}

static struct fx_val fn_ext(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	for (size_t i = a[0].len; i > 0 && a[0].s[i - 1] != '/'; i--) {
		if (a[0].s[i - 1] == '.')
			return fx_v_strn(a[0].s + i - 1, a[0].len - i + 1);
	}
	return fx_v_str("");
}

static struct fx_val fn_is_abs(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)x, (void)n;
	return fx_v_bool(a[0].len && a[0].s[0] == '/');
}

const struct fx_fn fx_fns_paths[] = {
        {"base", "S", fn_base},
        {"dir", "S", fn_dir},
        {"clean", "S", fn_clean},
        {"ext", "S", fn_ext},
        {"isAbs", "S", fn_is_abs},
        {"osBase", "S", fn_base},
        {"osDir", "S", fn_dir},
        {"osClean", "S", fn_clean},
        {"osExt", "S", fn_ext},
        {"osIsAbs", "S", fn_is_abs},
        {NULL, NULL, NULL},
};
