/* Sprig's functions on dates and durations, and the methods of times. */
#include "funcs.h"

#include <ctype.h>
#include <math.h>
#include <time.h>

/* ---- durations ---- */

bool fx_go_duration_parse(struct fx_render *x, struct fx_val v, int64_t *out, const char **why)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", 1000000},
	        {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
	struct fx_text msg = {.x = x}, q = {.x = x};
	fx_fmt_quote(&q, v.s, v.len, false);
	fx_text_addf(&msg, "time: invalid duration %s", fx_text_c(&q));
	*why = fx_text_c(&msg);
	const char *s = fx_v_cstr(x, v);
	bool negative = *s == '-';
	double total = 0;
	uint64_t exact = 0;
	s += *s == '-' || *s == '+';
	if (strcmp(s, "0") == 0) {
		*out = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s) {
		char *end = (char *)s;
		uint64_t whole = 0;
		if (!isdigit((unsigned char)*s) && *s != '.')
			return false;
		for (; isdigit((unsigned char)*end); end++)
			whole = whole * 10 + (uint64_t)(*end - '0');
		size_t len = (size_t)(end - s);
		double frac = 0, scale = 1;
		if (*end == '.') {
			for (end++; isdigit((unsigned char)*end); end++, len++) {
				frac = frac * 10 + (*end - '0');
				scale *= 10;
			}
		}
		if (len == 0)
			return false;
		size_t n = 0;
		while (end[n] && end[n] != '.' && !isdigit((unsigned char)end[n]))
			n++;
		int64_t unit = 0;
		for (size_t i = 0; i < FX_COUNT(units); i++) {
			if (strlen(units[i].name) == n && memcmp(units[i].name, end, n) == 0)
				unit = units[i].ns;
		}
		struct fx_text m = {.x = x};
		if (n == 0)
			fx_text_addf(&m, "time: missing unit in duration %s", fx_text_c(&q));
		else if (!unit)
			fx_text_addf(
			        &m, "time: unknown unit \"%.*s\" in duration %s", (int)n, end, fx_text_c(&q));
		if (m.len) {
			*why = fx_text_c(&m);
			return false;
		}
		total += (double)whole * (double)unit;
		if (total > 9.3e18)
			return false;
		exact += whole * (uint64_t)unit + (uint64_t)(frac * ((double)unit / scale));
		s = end + n;
	}
	if (exact > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)(0 - exact) : (int64_t)exact;
	return true;
}

static struct fx_time time_add(struct fx_time t, int64_t ns)
{
	int64_t n = t.nsec + ns % 1000000000;
	t.sec += ns / 1000000000;
	if (n < 0) {
		n += 1000000000;
		t.sec--;
	} else if (n >= 1000000000) {
		n -= 1000000000;
		t.sec++;
	}
	t.nsec = (int32_t)n;
	return t;
}

static int64_t time_sub(const struct fx_time *a, const struct fx_time *b)
{
	__int128 d = ((__int128)a->sec - b->sec) * 1000000000 + (a->nsec - b->nsec);
	return d > INT64_MAX ? INT64_MAX : d < INT64_MIN ? INT64_MIN : (int64_t)d;
}

static struct fx_val duration_val(int64_t ns)
{
	return (struct fx_val){.kind = FX_VAL_INT, .type = FX_T_DURATION, .i = ns};
}

/* ---- functions ---- */

static struct fx_time time_of(struct fx_render *x, struct fx_val v)
{
	if (v.kind == FX_VAL_OBJ && v.type == FX_T_TIME)
		return *(struct fx_time *)v.obj;
	if (v.kind == FX_VAL_INT && (v.type == FX_T_PLAIN || v.type == FX_T_INT64 || v.type == FX_T_INT32))
		return (struct fx_time){.sec = v.i, .zone = "UTC"};
	return fx_render_now(x);
}

static struct fx_val formatted(struct fx_render *x, struct fx_val layout, struct fx_val v, const char *zone)
{
	struct fx_time t = time_of(x, v);
	fx_time_set_zone(x, &t, zone);
	struct fx_text out = {.x = x};
	fx_time_format(&out, &t, layout.s, layout.len);
	return fx_text_val(&out);
}

static struct fx_val fn_now(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)a, (void)n;
	return fx_time_val(x, fx_render_now(x));
}

static struct fx_val fn_date(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return formatted(x, a[0], a[1], "Local");
}

static struct fx_val fn_date_in_zone(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return formatted(x, a[0], a[1], fx_v_cstr(x, a[2]));
}

static struct fx_val fn_html_date(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return formatted(x, fx_v_str("2006-01-02"), a[0], "Local");
}

static struct fx_val fn_html_date_in_zone(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return formatted(x, fx_v_str("2006-01-02"), a[0], fx_v_cstr(x, a[1]));
}

static struct fx_val modified(struct fx_render *x, const struct fx_val *a, bool must)
{
	int64_t ns;
	const char *why;
	if (!fx_go_duration_parse(x, a[0], &ns, &why)) {
		if (must)
			fx_render_throw(x, "%s", why);
		return a[1];
	}
	return fx_time_val(x, time_add(*(struct fx_time *)a[1].obj, ns));
}

static struct fx_val fn_date_modify(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return modified(x, a, false);
}

static struct fx_val fn_must_date_modify(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return modified(x, a, true);
}

static struct fx_val to_date(struct fx_render *x, const struct fx_val *a, bool must)
{
	struct fx_time t;
	const char *why;
	if (!fx_go_time_parse(x, a[0], a[1], &t, &why)) {
		if (must)
			fx_render_throw(x, "%s", why);
		t = (struct fx_time){.sec = -62135596800, .zone = "UTC"};
	}
	return fx_time_val(x, t);
}

static struct fx_val fn_to_date(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_date(x, a, false);
}

static struct fx_val fn_must_to_date(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return to_date(x, a, true);
}

static struct fx_val fn_unix_epoch(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	fx_text_addf(&t, "%lld", (long long)((struct fx_time *)a[0].obj)->sec);
	return fx_text_val(&t);
}

static struct fx_val duration_text(struct fx_render *x, int64_t ns)
{
	char buf[40];
	const char *s = fx_fmt_duration(ns, buf);
	return fx_v_dup(x, s, strlen(s));
}

static struct fx_val fn_ago(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_time now = fx_render_now(x), t = time_of(x, a[0]);
	int64_t d = time_sub(&now, &t);
	if (d != INT64_MAX && d != INT64_MIN) {
		int64_t r = d % 1000000000;
		d -= r;
		d += r >= 500000000 ? 1000000000 : r <= -500000000 ? -1000000000 : 0;
	}
	return duration_text(x, d);
}

static struct fx_val fn_duration(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	int64_t s = 0;
	if (a[0].kind == FX_VAL_INT && a[0].type == FX_T_INT64)
		s = a[0].i;
	if (a[0].kind == FX_VAL_STR) {
		const char *p = fx_v_cstr(x, a[0]);
		size_t sign = *p == '-' || *p == '+';
		if (p[sign] && strspn(p + sign, "0123456789") == strlen(p + sign))
			s = strtoll(p, NULL, 10);
	}
	return duration_text(x, (int64_t)((uint64_t)s * 1000000000u));
}

static struct fx_val fn_duration_round(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	static const struct {
		int64_t ns;
		const char *name;
	} units[] = {{365 * 86400000000000, "y"}, {30 * 86400000000000, "mo"}, {86400000000000, "d"},
	        {3600000000000, "h"}, {60000000000, "m"}, {1000000000, "s"}};
	int64_t d = 0;
	const char *why;
	if (a[0].kind == FX_VAL_STR && !fx_go_duration_parse(x, a[0], &d, &why))
		d = 0;
	if (a[0].kind == FX_VAL_INT && a[0].type == FX_T_INT64)
		d = a[0].i;
	if (a[0].kind == FX_VAL_OBJ && a[0].type == FX_T_TIME) {
		struct fx_time now = fx_render_now(x);
		d = time_sub(&now, a[0].obj);
	}
	uint64_t u = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
	struct fx_text t = {.x = x};
	for (size_t i = 0; i < FX_COUNT(units); i++) {
		if (u > (uint64_t)units[i].ns) {
			fx_text_addf(
			        &t, "%llu%s", (unsigned long long)(u / (uint64_t)units[i].ns), units[i].name);
			return fx_text_val(&t);
		}
	}
	return fx_v_str("0s");
}

/* ---- methods ---- */

static struct fx_val duration_field(struct fx_render *x, struct fx_val d, const char *name, bool *found)
{
	*found = true;
	if (strcmp(name, "Hours") == 0)
		return fx_v_float((double)d.i / 3600e9);
	if (strcmp(name, "Minutes") == 0)
		return fx_v_float((double)d.i / 60e9);
	if (strcmp(name, "Seconds") == 0)
		return fx_v_float((double)(d.i / 1000000000) + (double)(d.i % 1000000000) / 1e9);
	if (strcmp(name, "Milliseconds") == 0)
		return fx_v_int64(d.i / 1000000);
	if (strcmp(name, "Microseconds") == 0)
		return fx_v_int64(d.i / 1000);
	if (strcmp(name, "Nanoseconds") == 0)
		return fx_v_int64(d.i);
	if (strcmp(name, "String") == 0)
		return duration_text(x, d.i);
	*found = false;
	return fx_v_nil();
}

static struct fx_val add_date(struct fx_render *x, const struct fx_time *t, const struct fx_val *a)
{
	struct fx_civil c = fx_civil_of(t);
	int64_t m = c.month - 1 + a[1].i, y = c.year + a[0].i + (m >= 0 ? m / 12 : (m - 11) / 12);
	m = (m % 12 + 12) % 12;
	struct fx_time out = *t;
	out.sec = (fx_civil_days(y, (int)m + 1, 1) + c.day - 1 + a[2].i) * 86400 + c.hour * 3600 +
	          c.min * 60 + c.sec - t->offset;
	out.monotonic = false;
	return fx_time_val(x, out);
}

/* Methods that a template cannot call, and fields that it cannot see. */
static void check_callable(struct fx_render *x, const char *name)
{
	static const char *const refused[][2] = {
	        {"Date", "function Date has 3 return values; should be 1 or 2"},
	        {"Clock", "function Clock has 3 return values; should be 1 or 2"},
	        {"ISOWeek", "invalid function signature for ISOWeek: second return value should be error; is "
	                    "int"},
	        {"Zone", "invalid function signature for Zone: second return value should be error; is int"},
	        {"ZoneBounds", "invalid function signature for ZoneBounds: second return value should be "
	                       "error; is time.Time"},
	        {"wall", "wall is an unexported field of struct type time.Time"},
	        {"ext", "ext is an unexported field of struct type time.Time"},
	        {"loc", "loc is an unexported field of struct type time.Time"},
	};
	for (size_t i = 0; i < FX_COUNT(refused); i++)
		if (strcmp(refused[i][0], name) == 0)
			fx_render_throw(x, "%s", refused[i][1]);
}

struct fx_val fx_time_field(struct fx_render *x, struct fx_val recv, const char *name, const struct fx_val *a,
        size_t n, bool *found)
{
	static const struct {
		const char *name, *args;
	} methods[] = {{"Year", ""}, {"Month", ""}, {"Day", ""}, {"Hour", ""}, {"Minute", ""}, {"Second", ""},
	        {"Nanosecond", ""}, {"YearDay", ""}, {"Weekday", ""}, {"Unix", ""}, {"UnixNano", ""},
	        {"UnixMilli", ""}, {"UnixMicro", ""}, {"UTC", ""}, {"Local", ""}, {"String", ""},
	        {"IsZero", ""}, {"Format", "S"}, {"AddDate", "III"}, {"Add", "L"}, {"Sub", "T"},
	        {"Before", "T"}, {"After", "T"}, {"Equal", "T"}, {"Compare", "T"}, {"Truncate", "L"},
	        {"Round", "L"}};
	*found = false;
	if (recv.kind == FX_VAL_INT && recv.type == FX_T_DURATION)
		return duration_field(x, recv, name, found);
	if (recv.kind == FX_VAL_INT) {
		struct fx_val s;
		*found = strcmp(name, "String") == 0 && fx_obj_string(x, recv, &s);
		return *found ? s : fx_v_nil();
	}
	check_callable(x, name);
	const char *args = NULL;
	for (size_t i = 0; i < FX_COUNT(methods); i++) {
		if (strcmp(methods[i].name, name) == 0)
			args = methods[i].args;
	}
	*found = args != NULL;
	if (!args || n == SIZE_MAX)
		return fx_v_nil();
	if (n != strlen(args))
		fx_render_throw(x, "wrong number of args for %s: want %zu got %zu", name, strlen(args), n);
	for (size_t i = 0; i < n; i++) {
		bool ok = args[i] == 'S'   ? a[i].kind == FX_VAL_STR
		          : args[i] == 'I' ? a[i].kind == FX_VAL_INT && a[i].type == FX_T_PLAIN
		          : args[i] == 'L' ? a[i].kind == FX_VAL_INT && a[i].type == FX_T_DURATION
		                           : a[i].kind == FX_VAL_OBJ && a[i].type == FX_T_TIME;
		if (!ok)
			fx_render_throw(x, "wrong type for value; expected %s; got %s", fx_fn_type(args[i]),
			        fx_v_type(a[i]));
	}
	const struct fx_time *t = recv.obj;
	struct fx_civil c = fx_civil_of(t);
	const struct {
		const char *name;
		int64_t v;
		enum fx_val_type type;
	} numbers[] = {{"Year", c.year, 0}, {"Month", c.month, FX_T_MONTH}, {"Day", c.day, 0},
	        {"Hour", c.hour, 0}, {"Minute", c.min, 0}, {"Second", c.sec, 0}, {"Nanosecond", t->nsec, 0},
	        {"YearDay", c.yday, 0}, {"Weekday", c.wday, FX_T_WEEKDAY}, {"Unix", t->sec, FX_T_INT64},
	        {"UnixNano", (int64_t)((uint64_t)t->sec * 1000000000u + (uint64_t)t->nsec), FX_T_INT64},
	        {"UnixMilli", (int64_t)((uint64_t)t->sec * 1000u + (uint64_t)(t->nsec / 1000000)),
	                FX_T_INT64},
	        {"UnixMicro", (int64_t)((uint64_t)t->sec * 1000000u + (uint64_t)(t->nsec / 1000)),
	                FX_T_INT64}};
	for (size_t i = 0; i < FX_COUNT(numbers); i++) {
		if (strcmp(numbers[i].name, name) == 0)
			return (struct fx_val){
			        .kind = FX_VAL_INT, .type = (uint8_t)numbers[i].type, .i = numbers[i].v};
	}
	if (strcmp(name, "Format") == 0) {
		struct fx_text out = {.x = x};
		fx_time_format(&out, t, a[0].s, a[0].len);
		return fx_text_val(&out);
	}
	if (strcmp(name, "AddDate") == 0)
		return add_date(x, t, a);
	if (strcmp(name, "Add") == 0)
		return fx_time_val(x, time_add(*t, a[0].i));
	if (strcmp(name, "String") == 0) {
		struct fx_val s = fx_v_nil();
		(void)fx_obj_string(x, recv, &s);
		return s;
	}
	if (strcmp(name, "IsZero") == 0)
		return fx_v_bool(t->sec == -62135596800 && t->nsec == 0);
	if (strcmp(name, "UTC") == 0 || strcmp(name, "Local") == 0) {
		struct fx_time u = *t;
		fx_time_set_zone(x, &u, "UTC");
		return fx_time_val(x, u);
	}
	if (strcmp(name, "Truncate") == 0 || strcmp(name, "Round") == 0) {
		int64_t d = a[0].i;
		if (d <= 0)
			return recv;
		__int128 since = ((__int128)t->sec + 62135596800) * 1000000000 + t->nsec;
		int64_t r = (int64_t)(since % d);
		struct fx_time u = time_add(*t, name[0] == 'R' && r >= d - r ? d - r : -r);
		u.monotonic = false;
		return fx_time_val(x, u);
	}
	int64_t d = time_sub(t, a[0].obj);
	if (strcmp(name, "Sub") == 0)
		return duration_val(d);
	if (strcmp(name, "Compare") == 0)
		return fx_v_int(d < 0 ? -1 : d > 0);
	return fx_v_bool(name[0] == 'B' ? d < 0 : name[0] == 'A' ? d > 0 : d == 0);
}

const struct fx_fn fx_fns_dates[] = {
        {"now", "", fn_now},
        {"date", "SA", fn_date},
        {"dateInZone", "SAS", fn_date_in_zone},
        {"date_in_zone", "SAS", fn_date_in_zone},
        {"htmlDate", "A", fn_html_date},
        {"htmlDateInZone", "AS", fn_html_date_in_zone},
        {"dateModify", "ST", fn_date_modify},
        {"date_modify", "ST", fn_date_modify},
        {"mustDateModify", "ST", fn_must_date_modify},
        {"must_date_modify", "ST", fn_must_date_modify},
        {"toDate", "SS", fn_to_date},
        {"mustToDate", "SS", fn_must_to_date},
        {"unixEpoch", "T", fn_unix_epoch},
        {"ago", "A", fn_ago},
        {"duration", "A", fn_duration},
        {"durationRound", "A", fn_duration_round},
        {NULL, NULL, NULL},
};
