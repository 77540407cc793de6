/* JSON values of schemas and of what they check: trees, numbers without rounding, equality. */
#include "schema_internal.h"

#include "data/json.h"
#include "data/scalar.h"

#include <stdlib.h>

/* A decimal exponent further out is cut: no number of a chart is there. */
#define EXPONENT_MAX 1000000

/* ---- trees ---- */

static int by_key(const void *a, const void *b)
{
	const struct fx_jmember *p = a, *q = b;
	uint32_t n = p->len < q->len ? p->len : q->len;
	int c = memcmp(p->key, q->key, n);
	if (c == 0 && p->len != q->len)
		c = p->len < q->len ? -1 : 1;
	/* Of two with one key the last counts: it comes first. */
	return c ? c : p->index > q->index ? -1 : 1;
}

static void sort_members(struct fx_jval *v)
{
	uint32_t kept = 0;
	if (v->len)
		qsort(v->members, v->len, sizeof(*v->members), by_key);
	for (uint32_t i = 0; i < v->len; i++) {
		struct fx_jmember *m = &v->members[i], *last = kept ? &v->members[kept - 1] : NULL;
		if (last && last->len == m->len && memcmp(last->key, m->key, m->len) == 0)
			continue;
		v->members[kept++] = *m;
	}
	v->len = kept;
}

/* Once all children are where they stay. */
static void set_parents(struct fx_jval *v, struct fx_jval *parent)
{
	v->parent = parent;
	for (uint32_t i = 0; i < v->len && v->type == FX_J_OBJECT; i++)
		set_parents(&v->members[i].val, v);
	for (uint32_t i = 0; i < v->len && v->type == FX_J_ARRAY; i++)
		set_parents(&v->items[i], v);
}

static void from_scalar(const struct fx_node *n, struct fx_jval *out)
{
	out->s = n->text;
	out->len = n->len;
	switch (n->tag) {
	case FX_TAG_NULL:
		out->type = FX_J_NULL;
		out->len = 0;
		break;
	case FX_TAG_BOOL:
		out->type = FX_J_BOOL;
		out->b = n->text[0] == 't';
		out->len = 0;
		break;
	case FX_TAG_INT:
	case FX_TAG_FLOAT:
		out->type = FX_J_NUMBER;
		break;
	default:
		out->type = FX_J_STRING;
	}
}

static void from_node(struct fx_render *x, const struct fx_node *n, struct fx_jval *out)
{
	*out = (struct fx_jval){.type = FX_J_ARRAY, .len = n->len};
	if (n->kind == FX_NODE_SCALAR) {
		from_scalar(n, out);
		return;
	}
	if (n->kind == FX_NODE_SEQ) {
		out->items = fx_render_zalloc(x, (n->len + 1) * sizeof(*out->items));
		for (uint32_t i = 0; i < n->len; i++)
			from_node(x, n->items[i], &out->items[i]);
		return;
	}
	out->type = FX_J_OBJECT;
	out->members = fx_render_zalloc(x, (n->len + 1) * sizeof(*out->members));
	for (uint32_t i = 0; i < n->len; i++) {
		struct fx_jmember *m = &out->members[i];
		m->key = n->pairs[i].key->text;
		m->len = n->pairs[i].key->len;
		m->index = i;
		from_node(x, n->pairs[i].value, &m->val);
	}
	sort_members(out);
}

struct fx_jval *fx_jval_parse(struct fx_render *x, const char *text, size_t len, const char **why)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_node *n = NULL;
	size_t blank = 0;
	if (fx_json_read(fx_render_arena(x), text, len, &n, &err) != 0) {
		bool nomem = err.code == FX_E_NOMEM;
		const char *msg = fx_go_json_check(x, text, len);
		if (!msg && !nomem)
			msg = fx_v_dup(x, fx_error_message(&err), strlen(fx_error_message(&err))).s;
		fx_error_release(&err);
		if (nomem)
			fx_render_throw(x, "out of memory");
		/* A decoder, which Helm has here, says less than Unmarshal. */
		while (blank < len && text[blank] && strchr(" \t\r\n", text[blank]))
			blank++;
		*why = blank == len                                  ? "EOF"
		       : strstr(msg, "unexpected end of JSON input") ? "unexpected EOF"
		       : strstr(msg, "after top-level value") ? "invalid character after top-level value"
		                                              : msg;
		return NULL;
	}
	struct fx_jval *v = fx_render_alloc(x, sizeof(*v));
	from_node(x, n, v);
	set_parents(v, NULL);
	return v;
}

static void set_number(struct fx_render *x, struct fx_jval *out, const char *text, size_t n)
{
	out->type = FX_J_NUMBER;
	out->s = fx_v_dup(x, text, n).s;
	out->len = (uint32_t)n;
}

static void from_val(struct fx_render *x, struct fx_val v, struct fx_jval *out)
{
	char text[FX_NUMBER_TEXT];
	*out = (struct fx_jval){.type = FX_J_NULL};
	switch (v.kind) {
	case FX_VAL_BOOL:
		out->type = FX_J_BOOL;
		out->b = v.b;
		break;
	case FX_VAL_INT:
		set_number(x, out, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)v.i));
		break;
	case FX_VAL_FLOAT:
		set_number(x, out, text, fx_double_g(v.f, text));
		break;
	case FX_VAL_STR:
		out->type = FX_J_STRING;
		out->s = v.s;
		out->len = v.len;
		break;
	case FX_VAL_LIST:
		out->type = FX_J_ARRAY;
		out->len = (uint32_t)fx_v_len(v);
		out->items = fx_render_zalloc(x, (out->len + 1) * sizeof(*out->items));
		for (uint32_t i = 0; i < out->len; i++)
			from_val(x, v.list->items[i], &out->items[i]);
		break;
	case FX_VAL_MAP:
		out->type = FX_J_OBJECT;
		out->len = (uint32_t)fx_v_len(v);
		out->members = fx_render_zalloc(x, (out->len + 1) * sizeof(*out->members));
		for (uint32_t i = 0; i < out->len; i++) {
			const struct fx_entry *e = &v.map->entries[i];
			out->members[i].key = e->key;
			out->members[i].len = (uint32_t)e->len;
			from_val(x, e->val, &out->members[i].val);
		}
		break;
	default:
		break;
	}
}

struct fx_jval *fx_jval_from(struct fx_render *x, struct fx_val v)
{
	struct fx_jval *out = fx_render_alloc(x, sizeof(*out));
	from_val(x, v, out);
	set_parents(out, NULL);
	return out;
}

struct fx_jval *fx_jval_find(const struct fx_jval *object, const char *key, size_t len)
{
	size_t lo = 0, hi = object && object->type == FX_J_OBJECT ? object->len : 0;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		struct fx_jmember *m = &object->members[mid];
		int c = memcmp(key, m->key, len < m->len ? len : m->len);
		if (c == 0 && len == m->len)
			return &m->val;
		if (c < 0 || (c == 0 && len < m->len))
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

void fx_jval_token(struct fx_text *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '~' || s[i] == '/')
			fx_text_str(out, s[i] == '~' ? "~0" : "~1");
		else
			fx_text_char(out, s[i]);
	}
}

void fx_uri_escape(struct fx_text *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		        (c && strchr("-_.~$&+=:@/", c)))
			fx_text_char(out, (char)c);
		else
			fx_text_addf(out, "%%%02X", c);
	}
}

void fx_jval_pointer(struct fx_text *out, const struct fx_jval *v, bool encode)
{
	const struct fx_jval *p = v->parent;
	if (!p)
		return;
	fx_jval_pointer(out, p, encode);
	fx_text_char(out, '/');
	if (p->type == FX_J_ARRAY) {
		fx_text_addf(out, "%zu", (size_t)(v - p->items));
		return;
	}
	const struct fx_jmember *m =
	        (const struct fx_jmember *)((const char *)v - offsetof(struct fx_jmember, val));
	struct fx_text t = {.x = out->x};
	fx_text_add(&t, "", 0);
	fx_jval_token(&t, m->key, m->len);
	if (encode)
		fx_uri_escape(out, t.data, t.len);
	else
		fx_text_add(out, t.data, t.len);
}

/* ---- numbers ---- */

struct fx_decimal fx_decimal_of(struct fx_render *x, const struct fx_jval *number)
{
	const char *s = number->s, *end = s + number->len;
	struct fx_decimal d = {.sign = 1};
	char *digits = fx_render_alloc(x, number->len + 1);
	bool dot = false;
	int64_t exp = 0;
	if (s < end && (*s == '-' || *s == '+'))
		d.sign = *s++ == '-' ? -1 : 1;
	for (; s < end && *s != 'e' && *s != 'E'; s++) {
		if (*s == '.') {
			dot = true;
			continue;
		}
		if (d.n > 0 || *s != '0') {
			digits[d.n++] = *s;
			d.point += !dot;
		} else {
			d.point -= dot;
		}
	}
	if (s < end) {
		bool minus = s + 1 < end && s[1] == '-';
		for (s++; s < end; s++) {
			if (*s >= '0' && *s <= '9' && exp < EXPONENT_MAX)
				exp = exp * 10 + (*s - '0');
		}
		d.point += minus ? -exp : exp;
	}
	while (d.n && digits[d.n - 1] == '0')
		d.n--;
	d.digits = digits;
	if (d.n == 0)
		d = (struct fx_decimal){.digits = ""};
	return d;
}

static int compare_size(const struct fx_decimal *a, const struct fx_decimal *b)
{
	if (a->point != b->point)
		return a->point < b->point ? -1 : 1;
	int c = memcmp(a->digits, b->digits, a->n < b->n ? a->n : b->n);
	return c ? c : (a->n > b->n) - (a->n < b->n);
}

int fx_decimal_compare(const struct fx_decimal *a, const struct fx_decimal *b)
{
	if (a->sign != b->sign)
		return a->sign < b->sign ? -1 : 1;
	return a->sign == 0 ? 0 : a->sign * compare_size(a, b);
}

bool fx_decimal_is_integer(const struct fx_decimal *d)
{
	return (int64_t)d->n <= d->point || d->sign == 0;
}

__extension__ typedef unsigned __int128 wide;

static uint64_t mod_mul(uint64_t a, uint64_t b, uint64_t m)
{
	return (uint64_t)((wide)a * b % m);
}

bool fx_decimal_is_multiple(const struct fx_decimal *a, const struct fx_decimal *b)
{
	if (a->sign == 0)
		return true;
	/* Both as integers times a power of ten. */
	int64_t ea = a->point - a->n, eb = b->point - b->n;
	if (b->sign == 0 || b->n > 18 || eb > ea)
		return false;
	uint64_t m = 0, rest = 0, ten = 10;
	for (uint32_t i = 0; i < b->n; i++)
		m = m * 10 + (uint64_t)(b->digits[i] - '0');
	for (uint32_t i = 0; i < a->n; i++)
		rest = (mod_mul(rest, 10, m) + (uint64_t)(a->digits[i] - '0')) % m;
	ten %= m;
	for (uint64_t e = (uint64_t)(ea - eb); e; e >>= 1) {
		if (e & 1)
			rest = mod_mul(rest, ten, m);
		ten = mod_mul(ten, ten, m);
	}
	return rest == 0;
}

double fx_decimal_double(struct fx_render *x, const struct fx_decimal *d)
{
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%s0.%.*se%lld", d->sign < 0 ? "-" : "", (int)d->n, d->digits, (long long)d->point);
	return strtod(fx_text_c(&t), NULL);
}

/* ---- equality ---- */

bool fx_jval_equal(struct fx_render *x, const struct fx_jval *a, const struct fx_jval *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == FX_J_NUMBER) {
		if (a->len == b->len && memcmp(a->s, b->s, a->len) == 0)
			return true;
		struct fx_decimal p = fx_decimal_of(x, a), q = fx_decimal_of(x, b);
		return fx_decimal_compare(&p, &q) == 0;
	}
	if (a->len != b->len)
		return false;
	if (a->type == FX_J_BOOL)
		return a->b == b->b;
	if (a->type == FX_J_STRING)
		return memcmp(a->s, b->s, a->len) == 0;
	for (uint32_t i = 0; i < a->len && a->type == FX_J_ARRAY; i++) {
		if (!fx_jval_equal(x, &a->items[i], &b->items[i]))
			return false;
	}
	for (uint32_t i = 0; i < a->len && a->type == FX_J_OBJECT; i++) {
		const struct fx_jmember *p = &a->members[i], *q = &b->members[i];
		if (p->len != q->len || memcmp(p->key, q->key, p->len) != 0 ||
		        !fx_jval_equal(x, &p->val, &q->val))
			return false;
	}
	return true;
}

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

static uint64_t hash(struct fx_render *x, uint64_t h, const struct fx_jval *v)
{
	h = mix(h, &v->type, 1);
	if (v->type == FX_J_NUMBER) {
		struct fx_decimal d = fx_decimal_of(x, v);
		h = mix(h, d.digits, d.n);
		return mix(mix(h, &d.point, sizeof(d.point)), &d.sign, sizeof(d.sign));
	}
	h = mix(h, &v->len, sizeof(v->len));
	if (v->type == FX_J_BOOL)
		return mix(h, &v->b, 1);
	if (v->type == FX_J_STRING)
		return mix(h, v->s, v->len);
	for (uint32_t i = 0; i < v->len && v->type == FX_J_ARRAY; i++)
		h = hash(x, h, &v->items[i]);
	for (uint32_t i = 0; i < v->len && v->type == FX_J_OBJECT; i++)
		h = hash(x, mix(h, v->members[i].key, v->members[i].len), &v->members[i].val);
	return h;
}

struct hashed {
	uint64_t hash;
	size_t index;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *p = a, *q = b;
	if (p->hash != q->hash)
		return p->hash < q->hash ? -1 : 1;
	return p->index < q->index ? -1 : 1;
}

bool fx_jval_duplicate(struct fx_render *x, const struct fx_jval *array, size_t *first, size_t *second)
{
	/* Items of one hash are compared pair by pair, but not for ever. */
	size_t tries = 0, n = array->len;
	struct hashed *h = fx_render_alloc(x, (n + 1) * sizeof(*h));
	for (size_t i = 0; i < n; i++)
		h[i] = (struct hashed){hash(x, 0xcbf29ce484222325u, &array->items[i]), i};
	if (n)
		qsort(h, n, sizeof(*h), by_hash);
	*second = SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n && h[k].hash == h[i].hash && h[k].index < *second; k++) {
			if (++tries > FX_SCHEMA_STEPS_MAX)
				fx_render_throw(x, "the values take too many steps to check");
			if (!fx_jval_equal(x, &array->items[h[i].index], &array->items[h[k].index]))
				continue;
			*first = h[i].index;
			*second = h[k].index;
		}
	}
	return *second != SIZE_MAX;
}
