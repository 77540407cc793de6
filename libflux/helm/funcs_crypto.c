/* Digests, derived passwords, versions. */
#include "funcs.h"

#include "data/semver.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <zlib.h>

static struct fx_val hex_digest(struct fx_render *x, struct fx_val s, const EVP_MD *md)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	if (EVP_Digest(s.s, s.len, out, &n, md, NULL) != 1)
		fx_render_throw(x, "out of memory");
	struct fx_text t = {.x = x};
	for (unsigned i = 0; i < n; i++)
		fx_text_addf(&t, "%02x", out[i]);
	return fx_text_val(&t);
}

static struct fx_val fn_sha1(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return hex_digest(x, a[0], EVP_sha1());
}

static struct fx_val fn_sha256(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return hex_digest(x, a[0], EVP_sha256());
}

static struct fx_val fn_sha512(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return hex_digest(x, a[0], EVP_sha512());
}

static struct fx_val fn_adler32(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%lu", adler32(1, (const Bytef *)a[0].s, a[0].len));
	return fx_text_val(&t);
}

static struct fx_val fn_uuid(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)a, (void)n;
	unsigned char b[16];
	fx_render_random(x, b, sizeof(b));
	b[6] = (b[6] & 15) | 0x40;
	b[8] = (b[8] & 63) | 0x80;
	struct fx_text t = {.x = x};
	for (int i = 0; i < 16; i++)
		fx_text_addf(&t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
	return fx_text_val(&t);
}

/* ---- versions ---- */

/* What a FX_T_SEMVER points to. */
struct version {
	struct fx_semver v; /* first: others see only this */
	const char *original;
};

/* The library that Helm links words two errors in another way. */
static _Noreturn void throw_semver(struct fx_render *x, struct fx_error *err)
{
	static const char invalid[] = "invalid semantic version", improper[] = "improper constraint: ";
	const char *msg = fx_error_message(err);
	struct fx_text t = {.x = x};
	char *copy = fx_arena_strdup(fx_render_arena(x), msg);
	fx_error_release(err);
	if (!copy)
		fx_render_throw(x, "out of memory");
	if (strncmp(copy, invalid, sizeof(invalid) - 1) == 0) {
		fx_text_str(&t, invalid);
	} else if (strncmp(copy, improper, sizeof(improper) - 1) == 0 && copy[sizeof(improper) - 1] != '"') {
		fx_text_str(&t, improper);
		fx_fmt_quote(&t, copy + sizeof(improper) - 1, strlen(copy) - sizeof(improper) + 1, false);
	} else {
		fx_text_str(&t, copy);
	}
	fx_render_throw(x, "%s", fx_text_c(&t));
}

static struct version *parse_version(struct fx_render *x, struct fx_val s)
{
	struct version *v = fx_render_alloc(x, sizeof(*v));
	struct fx_error err = FX_ERROR_INIT;
	v->original = fx_v_cstr(x, s);
	if (fx_semver_parse(v->original, &v->v, &err) != 0)
		throw_semver(x, &err);
	return v;
}

/* Its text stands behind the `v` that the old one had. */
static struct fx_val changed_version(struct fx_render *x, const struct version *old, struct version *v)
{
	char buf[FX_SEMVER_FORMAT_MAX];
	struct fx_text t = {.x = x};
	if (old->original[0] == 'v' || old->original[0] == 'V')
		fx_text_char(&t, old->original[0]);
	fx_text_str(&t, fx_semver_format(&v->v, buf));
	v->original = fx_text_c(&t);
	return fx_v_obj(v, FX_T_SEMVER);
}

static bool identifiers_ok(struct fx_val s, bool numeric_rules)
{
	size_t start = 0;
	for (size_t i = 0; i <= s.len && s.len; i++) {
		if (i < s.len && s.s[i] != '.') {
			if (!isalnum((unsigned char)s.s[i]) && s.s[i] != '-')
				return false;
			continue;
		}
		size_t digits = strspn(s.s + start, "0123456789");
		if (i == start ||
		        (numeric_rules && digits >= i - start && i - start > 1 && s.s[start] == '0'))
			return false;
		start = i + 1;
	}
	return s.len < FX_SEMVER_TEXT_MAX;
}

static struct fx_val set_part(struct fx_render *x, const struct version *old, bool pre, struct fx_val s)
{
	struct version *out = fx_render_alloc(x, sizeof(*out));
	*out = *old;
	if (s.kind != FX_VAL_STR)
		fx_render_throw(x, "wrong type for value; expected string; got %s",
		        s.kind == FX_VAL_NIL ? "interface {}" : fx_v_type(s));
	if (!identifiers_ok(s, pre))
		fx_render_throw(x, pre ? "invalid prerelease string" : "invalid metadata string");
	snprintf(pre ? out->v.pre : out->v.meta, FX_SEMVER_TEXT_MAX, "%s", fx_v_cstr(x, s));
	return changed_version(x, old, out);
}

static struct fx_val fn_semver(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return fx_v_obj(parse_version(x, a[0]), FX_T_SEMVER);
}

static struct fx_val fn_semver_compare(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_semver_constraint *c = NULL;
	struct fx_error err = FX_ERROR_INIT;
	if (fx_semver_constraint_parse(fx_v_cstr(x, a[0]), &c, &err) != 0)
		throw_semver(x, &err);
	struct fx_semver v;
	int rc = fx_semver_parse(fx_v_cstr(x, a[1]), &v, &err);
	bool ok = rc == 0 && fx_semver_constraint_check(c, &v);
	fx_semver_constraint_free(c);
	if (rc != 0)
		throw_semver(x, &err);
	return fx_v_bool(ok);
}

struct fx_val fx_semver_field(struct fx_render *x, struct fx_val recv, const char *name,
        const struct fx_val *a, size_t n, bool *found)
{
	static const char *const names[] = {"Major", "Minor", "Patch", "Prerelease", "Metadata", "String",
	        "Original", "IncMajor", "IncMinor", "IncPatch", "Compare", "Equal", "LessThan", "GreaterThan",
	        "SetPrerelease", "SetMetadata"};
	const struct fx_semver *v = recv.obj;
	size_t k = 0;
	while (k < FX_COUNT(names) && strcmp(names[k], name) != 0)
		k++;
	*found = k < FX_COUNT(names);
	if (!*found || n == SIZE_MAX)
		return fx_v_nil();
	if (n != (k >= 10))
		fx_render_throw(x, "wrong number of args for %s: want %d got %zu", name, k >= 10, n);
	if (k < 3)
		return (struct fx_val){.kind = FX_VAL_INT,
		        .type = FX_T_UINT64,
		        .i = (int64_t)(k == 0   ? v->major
		                       : k == 1 ? v->minor
		                                : v->patch)};
	if (k < 5)
		return fx_v_str(k == 3 ? v->pre : v->meta);
	if (k == 6)
		return fx_v_str(((const struct version *)recv.obj)->original);
	if (k >= 14)
		return set_part(x, recv.obj, k == 14, a[0]);
	if (k == 5) {
		struct fx_val s = fx_v_nil();
		(void)fx_obj_string(x, recv, &s);
		return s;
	}
	if (k < 10) {
		struct version *next = fx_render_alloc(x, sizeof(*next));
		struct fx_semver *out = &next->v;
		*out = *v;
		if (k == 7)
			out->major++, out->minor = out->patch = 0;
		else if (k == 8)
			out->minor++, out->patch = 0;
		else if (!v->pre[0])
			out->patch++;
		out->pre[0] = out->meta[0] = 0;
		return changed_version(x, recv.obj, next);
	}
	if (a[0].kind != FX_VAL_OBJ || a[0].type != FX_T_SEMVER)
		fx_render_throw(x, "wrong type for value; expected *semver.Version; got %s", fx_v_type(a[0]));
	int c = fx_semver_compare(v, a[0].obj);
	return k == 10 ? fx_v_int(c < 0 ? -1 : c > 0) : fx_v_bool(k == 11 ? c == 0 : k == 12 ? c < 0 : c > 0);
}

const struct fx_fn fx_fns_crypto[] = {
        {"sha1sum", "S", fn_sha1},
        {"sha256sum", "S", fn_sha256},
        {"sha512sum", "S", fn_sha512},
        {"adler32sum", "S", fn_adler32},
        {"uuidv4", "", fn_uuid},
        {"semver", "S", fn_semver},
        {"semverCompare", "SS", fn_semver_compare},
        {NULL, NULL, NULL},
};
