/* Times: dates, zones of the host's database, Go's layouts. */
#include "funcs.h"

#include <ctype.h>
#include <math.h>
#include <time.h>

struct fx_val fx_time_val(struct fx_render *x, struct fx_time t)
{
	struct fx_time *p = fx_render_alloc(x, sizeof(*p));
	*p = t;
	return fx_v_obj(p, FX_T_TIME);
}

/* ---- civil dates ---- */

int64_t fx_civil_days(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int month_days(int64_t y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return m == 2 && leap(y) ? 29 : days[m - 1];
}

struct fx_civil fx_civil_of(const struct fx_time *t)
{
	int64_t s = t->sec + t->offset, days = s / 86400, rest = s % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	struct fx_civil c = {
	        .hour = (int)(rest / 3600), .min = (int)(rest / 60 % 60), .sec = (int)(rest % 60)};
	c.wday = (int)(((days + 4) % 7 + 7) % 7);
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
	        doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c.year = yoe + era * 400 + (c.month <= 2);
	c.yday = (int)(days - fx_civil_days(c.year, 1, 1)) + 1;
	return c;
}

/* ---- zones ---- */

static int64_t be(const unsigned char *p, int n)
{
	uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

/* Offset and abbreviation of t from the TZif version 2 data. Rules after its last transition are not asked.
 */
static bool zone_lookup(const unsigned char *d, size_t n, struct fx_time *t)
{
	if (n < 44 || memcmp(d, "TZif", 4) != 0)
		return false;
	size_t skip = 44 + (size_t)be(d + 32, 4) * 5 + (size_t)be(d + 36, 4) * 6 + (size_t)be(d + 40, 4) +
	              (size_t)be(d + 28, 4) * 8 + (size_t)be(d + 24, 4) + (size_t)be(d + 20, 4);
	if (d[4] < '2' || skip + 44 > n)
		return false;
	d += skip;
	n -= skip;
	size_t times = (size_t)be(d + 32, 4), types = (size_t)be(d + 36, 4), chars = (size_t)be(d + 40, 4);
	const unsigned char *at = d + 44, *idx = at + times * 8, *type = idx + times,
	                    *abbr = type + types * 6;
	if (types == 0 || times > n || types > 256 || (size_t)(abbr - d) + chars > n)
		return false;
	size_t k = 0;
	for (size_t i = 0; i < times && be(at + i * 8, 8) <= t->sec; i++)
		k = idx[i];
	if (k >= types || type[k * 6 + 5] >= chars)
		return false;
	t->offset = (int32_t)be(type + k * 6, 4);
	snprintf(t->zone, sizeof(t->zone), "%.*s", (int)(chars - type[k * 6 + 5]),
	        (const char *)abbr + type[k * 6 + 5]);
	return true;
}

void fx_time_set_zone(struct fx_render *x, struct fx_time *t, const char *name)
{
	t->offset = 0;
	snprintf(t->zone, sizeof(t->zone), "UTC");
	if (!*name || strcmp(name, "UTC") == 0 || strcmp(name, "Local") == 0 || strstr(name, "..") ||
	        name[0] == '/' || strchr(name, '\\') || strlen(name) > 200)
		return;
	char path[256];
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	fx_auto(file) FILE *f = fopen(path, "rb");
	if (!f)
		return;
	unsigned char *data = fx_render_alloc(x, 65536);
	size_t n = fread(data, 1, 65536, f);
	zone_lookup(data, n, t);
}

/* ---- layouts ---- */

enum chunk {
	CH_NONE,
	CH_LONG_MONTH,
	CH_MONTH,
	CH_NUM_MONTH,
	CH_ZERO_MONTH,
	CH_LONG_WEEKDAY,
	CH_WEEKDAY,
	CH_DAY,
	CH_UNDER_DAY,
	CH_ZERO_DAY,
	CH_UNDER_YDAY,
	CH_ZERO_YDAY,
	CH_HOUR,
	CH_HOUR12,
	CH_ZERO_HOUR12,
	CH_MINUTE,
	CH_ZERO_MINUTE,
	CH_SECOND,
	CH_ZERO_SECOND,
	CH_LONG_YEAR,
	CH_YEAR,
	CH_PM,
	CH_LOWER_PM,
	CH_TZ,
	CH_OFFSET,
	CH_FRAC0,
	CH_FRAC9,
};

struct layout_chunk {
	enum chunk kind;
	size_t at, len;
	int digits;                      /* of a fraction */
	bool iso, colon, hours, seconds; /* of an offset */
};

static bool at_text(const char *s, size_t n, size_t i, const char *want)
{
	size_t k = strlen(want);
	return n - i >= k && memcmp(s + i, want, k) == 0;
}

static bool lower_follows(const char *s, size_t n, size_t i)
{
	return i < n && s[i] >= 'a' && s[i] <= 'z';
}

static const struct {
	const char *text;
	enum chunk kind;
} simple_chunks[] = {{"January", CH_LONG_MONTH}, {"Monday", CH_LONG_WEEKDAY}, {"MST", CH_TZ},
        {"01", CH_ZERO_MONTH}, {"02", CH_ZERO_DAY}, {"03", CH_ZERO_HOUR12}, {"04", CH_ZERO_MINUTE},
        {"05", CH_ZERO_SECOND}, {"06", CH_YEAR}, {"002", CH_ZERO_YDAY}, {"15", CH_HOUR}, {"1", CH_NUM_MONTH},
        {"2006", CH_LONG_YEAR}, {"2", CH_DAY}, {"__2", CH_UNDER_YDAY}, {"3", CH_HOUR12}, {"4", CH_MINUTE},
        {"5", CH_SECOND}, {"PM", CH_PM}, {"pm", CH_LOWER_PM}};

static const struct {
	const char *text;
	bool iso, colon, hours, seconds;
} offsets[] = {{"-07:00:00", 0, 1, 0, 1}, {"-070000", 0, 0, 0, 1}, {"-07:00", 0, 1, 0, 0},
        {"-0700", 0, 0, 0, 0}, {"-07", 0, 0, 1, 0}, {"Z07:00:00", 1, 1, 0, 1}, {"Z070000", 1, 0, 0, 1},
        {"Z07:00", 1, 1, 0, 0}, {"Z0700", 1, 0, 0, 0}, {"Z07", 1, 0, 1, 0}};

static bool chunk_here(const char *s, size_t n, size_t i, struct layout_chunk *c)
{
	*c = (struct layout_chunk){.at = i};
	for (size_t k = 0; k < FX_COUNT(simple_chunks); k++) {
		if (at_text(s, n, i, simple_chunks[k].text)) {
			c->kind = simple_chunks[k].kind;
			c->len = strlen(simple_chunks[k].text);
			return true;
		}
	}
	if (at_text(s, n, i, "Jan") && !lower_follows(s, n, i + 3)) {
		c->kind = CH_MONTH;
		c->len = 3;
		return true;
	}
	if (at_text(s, n, i, "Mon") && !lower_follows(s, n, i + 3)) {
		c->kind = CH_WEEKDAY;
		c->len = 3;
		return true;
	}
	if (at_text(s, n, i, "_2")) {
		if (at_text(s, n, i, "_2006")) {
			c->at = i + 1;
			c->kind = CH_LONG_YEAR;
			c->len = 4;
			return true;
		}
		c->kind = CH_UNDER_DAY;
		c->len = 2;
		return true;
	}
	for (size_t k = 0; k < FX_COUNT(offsets); k++) {
		if (at_text(s, n, i, offsets[k].text)) {
			c->kind = CH_OFFSET;
			c->len = strlen(offsets[k].text);
			c->iso = offsets[k].iso;
			c->colon = offsets[k].colon;
			c->hours = offsets[k].hours;
			c->seconds = offsets[k].seconds;
			return true;
		}
	}
	if ((s[i] == '.' || s[i] == ',') && i + 1 < n && (s[i + 1] == '0' || s[i + 1] == '9')) {
		size_t k = i + 1;
		while (k < n && s[k] == s[i + 1])
			k++;
		if (k < n && isdigit((unsigned char)s[k]))
			return false;
		c->kind = s[i + 1] == '0' ? CH_FRAC0 : CH_FRAC9;
		c->len = k - i;
		c->digits = (int)(k - i - 1);
		return true;
	}
	return false;
}

static bool next_chunk(const char *s, size_t n, size_t i, struct layout_chunk *c)
{
	for (; i < n; i++) {
		if (chunk_here(s, n, i, c))
			return true;
	}
	*c = (struct layout_chunk){.at = n};
	return false;
}

static const char *const month_names[] = {"January", "February", "March", "April", "May", "June", "July",
        "August", "September", "October", "November", "December"};
static const char *const day_names[] = {
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static void format_offset(struct fx_text *out, const struct layout_chunk *c, int offset)
{
	if (c->iso && offset == 0) {
		fx_text_char(out, 'Z');
		return;
	}
	int o = offset < 0 ? -offset : offset;
	fx_text_addf(out, "%c%02d", offset < 0 ? '-' : '+', o / 3600);
	if (c->hours)
		return;
	fx_text_addf(out, c->colon ? ":%02d" : "%02d", o / 60 % 60);
	if (c->seconds)
		fx_text_addf(out, c->colon ? ":%02d" : "%02d", o % 60);
}

static void format_fraction(struct fx_text *out, const struct layout_chunk *c, char sep, int nsec)
{
	char d[16];
	snprintf(d, sizeof(d), "%09d", nsec);
	int n = c->digits > 9 ? 9 : c->digits;
	if (c->kind == CH_FRAC9) {
		while (n > 0 && d[n - 1] == '0')
			n--;
		if (n == 0)
			return;
	}
	fx_text_char(out, sep);
	fx_text_add(out, d, (size_t)n);
	for (; n < c->digits && c->kind == CH_FRAC0; n++)
		fx_text_char(out, '0');
}

static void format_chunk(struct fx_text *out, const struct layout_chunk *c, const struct fx_time *t,
        const struct fx_civil *v, char first)
{
	int h12 = v->hour % 12 ? v->hour % 12 : 12;
	switch (c->kind) {
	case CH_LONG_MONTH:
		fx_text_str(out, month_names[v->month - 1]);
		return;
	case CH_MONTH:
		fx_text_add(out, month_names[v->month - 1], 3);
		return;
	case CH_NUM_MONTH:
		fx_text_addf(out, "%d", v->month);
		return;
	case CH_ZERO_MONTH:
		fx_text_addf(out, "%02d", v->month);
		return;
	case CH_LONG_WEEKDAY:
		fx_text_str(out, day_names[v->wday]);
		return;
	case CH_WEEKDAY:
		fx_text_add(out, day_names[v->wday], 3);
		return;
	case CH_DAY:
		fx_text_addf(out, "%d", v->day);
		return;
	case CH_UNDER_DAY:
		fx_text_addf(out, "%2d", v->day);
		return;
	case CH_ZERO_DAY:
		fx_text_addf(out, "%02d", v->day);
		return;
	case CH_UNDER_YDAY:
		fx_text_addf(out, "%3d", v->yday);
		return;
	case CH_ZERO_YDAY:
		fx_text_addf(out, "%03d", v->yday);
		return;
	case CH_HOUR:
		fx_text_addf(out, "%02d", v->hour);
		return;
	case CH_HOUR12:
		fx_text_addf(out, "%d", h12);
		return;
	case CH_ZERO_HOUR12:
		fx_text_addf(out, "%02d", h12);
		return;
	case CH_MINUTE:
		fx_text_addf(out, "%d", v->min);
		return;
	case CH_ZERO_MINUTE:
		fx_text_addf(out, "%02d", v->min);
		return;
	case CH_SECOND:
		fx_text_addf(out, "%d", v->sec);
		return;
	case CH_ZERO_SECOND:
		fx_text_addf(out, "%02d", v->sec);
		return;
	case CH_LONG_YEAR:
		fx_text_addf(out, v->year < 0 ? "%05lld" : "%04lld", (long long)v->year);
		return;
	case CH_YEAR:
		fx_text_addf(out, "%02d", (int)((v->year % 100 + 100) % 100));
		return;
	case CH_PM:
		fx_text_str(out, v->hour >= 12 ? "PM" : "AM");
		return;
	case CH_LOWER_PM:
		fx_text_str(out, v->hour >= 12 ? "pm" : "am");
		return;
	case CH_TZ:
		if (t->zone[0])
			fx_text_str(out, t->zone);
		else
			format_offset(out, &(struct layout_chunk){.hours = t->offset % 3600 == 0}, t->offset);
		return;
	case CH_OFFSET:
		format_offset(out, c, t->offset);
		return;
	case CH_FRAC0:
	case CH_FRAC9:
		format_fraction(out, c, first, t->nsec);
		return;
	default:
		return;
	}
}

void fx_time_format(struct fx_text *out, const struct fx_time *t, const char *layout, size_t n)
{
	struct fx_civil v = fx_civil_of(t);
	struct layout_chunk c;
	fx_text_add(out, "", 0);
	for (size_t i = 0; i < n; i = c.at + c.len) {
		bool more = next_chunk(layout, n, i, &c);
		fx_text_add(out, layout + i, c.at - i);
		if (!more)
			return;
		format_chunk(out, &c, t, &v, layout[c.at]);
	}
}

/* ---- parsing ---- */

struct parsing {
	const char *s;
	size_t n, i;
	int64_t year;
	int month, day, yday, hour, min, sec, nsec;
	bool pm_set, pm, offset_set;
	int offset;
	char zone[16];
	const char *range; /* what is out of range */
};

static bool digits(struct parsing *p, int min, int max, int *out)
{
	int k = 0, v = 0;
	while (k < max && p->i < p->n && isdigit((unsigned char)p->s[p->i])) {
		v = v * 10 + p->s[p->i++] - '0';
		k++;
	}
	*out = v;
	return k >= min;
}

static bool name_in(struct parsing *p, const char *const *names, int count, size_t len, int *out)
{
	for (int k = 0; k < count; k++) {
		size_t want = len ? len : strlen(names[k]);
		if (p->n - p->i >= want && strncasecmp(p->s + p->i, names[k], want) == 0) {
			p->i += want;
			*out = k;
			return true;
		}
	}
	return false;
}

static bool parse_fraction(struct parsing *p, int want)
{
	if (p->i >= p->n || (p->s[p->i] != '.' && p->s[p->i] != ','))
		return false;
	size_t start = ++p->i;
	int v = 0, k = 0;
	while (p->i < p->n && isdigit((unsigned char)p->s[p->i]) && (want < 0 || k < want)) {
		if (k < 9)
			v = v * 10 + p->s[p->i] - '0';
		k++;
		p->i++;
	}
	if (want >= 0 ? k != want : p->i == start)
		return false;
	for (; k < 9; k++)
		v *= 10;
	p->nsec = v;
	return true;
}

static bool parse_offset(struct parsing *p, const struct layout_chunk *c)
{
	if (c->iso && p->i < p->n && p->s[p->i] == 'Z') {
		p->i++;
		p->offset_set = true;
		snprintf(p->zone, sizeof(p->zone), "UTC");
		return true;
	}
	int h, m = 0, s = 0;
	if (p->i >= p->n || (p->s[p->i] != '+' && p->s[p->i] != '-'))
		return false;
	int sign = p->s[p->i++] == '-' ? -1 : 1;
	if (!digits(p, 2, 2, &h))
		return false;
	if (!c->hours) {
		if (c->colon && (p->i >= p->n || p->s[p->i++] != ':'))
			return false;
		if (!digits(p, 2, 2, &m))
			return false;
	}
	if (c->seconds) {
		if (c->colon && (p->i >= p->n || p->s[p->i++] != ':'))
			return false;
		if (!digits(p, 2, 2, &s))
			return false;
	}
	if (h > 24)
		p->range = "time zone offset hour";
	if (m > 60)
		p->range = "time zone offset minute";
	p->offset_set = true;
	p->offset = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool parse_tz(struct parsing *p)
{
	size_t k = p->i;
	while (k < p->n && k - p->i < 6 && isupper((unsigned char)p->s[k]))
		k++;
	size_t len = k - p->i;
	if (len < 3 || len > 5 || (len == 5 && p->s[k - 1] != 'T'))
		return false;
	snprintf(p->zone, sizeof(p->zone), "%.*s", (int)len, p->s + p->i);
	p->i = k;
	return true;
}

static bool parse_chunk(struct parsing *p, const struct layout_chunk *c, const char *layout, size_t n)
{
	int v;
	switch (c->kind) {
	case CH_LONG_MONTH:
	case CH_MONTH:
		if (!name_in(p, month_names, 12, c->kind == CH_MONTH ? 3 : 0, &v))
			return false;
		p->month = v + 1;
		return true;
	case CH_LONG_WEEKDAY:
	case CH_WEEKDAY:
		return name_in(p, day_names, 7, c->kind == CH_WEEKDAY ? 3 : 0, &v);
	case CH_NUM_MONTH:
	case CH_ZERO_MONTH:
		if (!digits(p, c->kind == CH_ZERO_MONTH ? 2 : 1, 2, &p->month))
			return false;
		if (p->month < 1 || p->month > 12)
			p->range = "month";
		return true;
	case CH_UNDER_DAY:
	case CH_DAY:
	case CH_ZERO_DAY:
		if (c->kind == CH_UNDER_DAY && p->i < p->n && p->s[p->i] == ' ')
			p->i++;
		return digits(p, c->kind == CH_ZERO_DAY ? 2 : 1, 2, &p->day);
	case CH_UNDER_YDAY:
	case CH_ZERO_YDAY:
		while (c->kind == CH_UNDER_YDAY && p->i < p->n && p->s[p->i] == ' ')
			p->i++;
		return digits(p, c->kind == CH_ZERO_YDAY ? 3 : 1, 3, &p->yday);
	case CH_HOUR:
		if (!digits(p, 1, 2, &p->hour))
			return false;
		if (p->hour > 23)
			p->range = "hour";
		return true;
	case CH_HOUR12:
	case CH_ZERO_HOUR12:
		if (!digits(p, c->kind == CH_ZERO_HOUR12 ? 2 : 1, 2, &p->hour))
			return false;
		if (p->hour > 12)
			p->range = "hour";
		return true;
	case CH_MINUTE:
	case CH_ZERO_MINUTE:
		if (!digits(p, c->kind == CH_ZERO_MINUTE ? 2 : 1, 2, &p->min))
			return false;
		if (p->min > 59)
			p->range = "minute";
		return true;
	case CH_SECOND:
	case CH_ZERO_SECOND: {
		if (!digits(p, c->kind == CH_ZERO_SECOND ? 2 : 1, 2, &p->sec))
			return false;
		if (p->sec > 59)
			p->range = "second";
		struct layout_chunk next;
		size_t after = c->at + c->len;
		bool more = next_chunk(layout, n, after, &next);
		bool layout_fraction =
		        more && next.at == after && (next.kind == CH_FRAC0 || next.kind == CH_FRAC9);
		if (!layout_fraction && p->i + 1 < p->n && (p->s[p->i] == '.' || p->s[p->i] == ',') &&
		        isdigit((unsigned char)p->s[p->i + 1]))
			return parse_fraction(p, -1);
		return true;
	}
	case CH_LONG_YEAR:
		if (p->n - p->i < 4 || !digits(p, 4, 4, &v))
			return false;
		p->year = v;
		return true;
	case CH_YEAR:
		if (!digits(p, 2, 2, &v))
			return false;
		p->year = v >= 69 ? 1900 + v : 2000 + v;
		return true;
	case CH_PM:
	case CH_LOWER_PM: {
		static const char *const upper[] = {"AM", "PM"}, *const lower[] = {"am", "pm"};
		const char *const *w = c->kind == CH_PM ? upper : lower;
		for (int k = 0; k < 2; k++) {
			if (p->n - p->i >= 2 && memcmp(p->s + p->i, w[k], 2) == 0) {
				p->i += 2;
				p->pm_set = true;
				p->pm = k == 1;
				return true;
			}
		}
		return false;
	}
	case CH_TZ:
		return parse_tz(p);
	case CH_OFFSET:
		return parse_offset(p, c);
	case CH_FRAC0:
		return parse_fraction(p, c->digits);
	case CH_FRAC9:
		if (p->i + 1 < p->n && (p->s[p->i] == '.' || p->s[p->i] == ',') &&
		        isdigit((unsigned char)p->s[p->i + 1]))
			return parse_fraction(p, -1);
		return true;
	default:
		return false;
	}
}

static bool literal(struct parsing *p, const char *s, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		if (s[k] == ' ') {
			if (p->i < p->n && p->s[p->i] != ' ')
				return false;
			while (k + 1 < n && s[k + 1] == ' ')
				k++;
			while (p->i < p->n && p->s[p->i] == ' ')
				p->i++;
			continue;
		}
		if (p->i >= p->n || p->s[p->i] != s[k])
			return false;
		p->i++;
	}
	return true;
}

bool fx_go_time_parse(
        struct fx_render *x, struct fx_val layout, struct fx_val text, struct fx_time *out, const char **why)
{
	struct parsing p = {.s = text.s, .n = text.len, .month = -1, .day = -1, .yday = -1};
	struct layout_chunk c;
	struct fx_text msg = {.x = x}, q = {.x = x};
	fx_fmt_quote(&q, text.s, text.len, false);
	fx_text_addf(&msg, "parsing time %s", fx_text_c(&q));
	for (size_t i = 0;;) {
		bool more = next_chunk(layout.s, layout.len, i, &c);
		size_t before = p.i;
		bool ok = literal(&p, layout.s + i, c.at - i);
		size_t held = p.i;
		if (ok && !more)
			break;
		if (!ok || !parse_chunk(&p, &c, layout.s, layout.len)) {
			size_t from = ok ? held : before;
			fx_text_addf(&msg, " as \"%.*s\": cannot parse \"%.*s\" as \"%.*s\"", (int)layout.len,
			        layout.s, (int)(text.len - from), text.s + from, (int)(ok ? c.len : c.at - i),
			        layout.s + (ok ? c.at : i));
			*why = fx_text_c(&msg);
			return false;
		}
		if (p.range)
			break;
		i = c.at + c.len;
	}
	if (!p.range && p.i < p.n) {
		fx_text_addf(&msg, ": extra text: \"%.*s\"", (int)(p.n - p.i), p.s + p.i);
		*why = fx_text_c(&msg);
		return false;
	}
	if (p.pm_set && p.pm && p.hour < 12)
		p.hour += 12;
	else if (p.pm_set && !p.pm && p.hour == 12)
		p.hour = 0;
	if (p.yday >= 0 && !p.range) {
		if (p.yday < 1 || p.yday > 365 + leap(p.year)) {
			p.range = "day-of-year";
		} else if (p.month < 0) {
			int d = p.yday;
			for (p.month = 1; d > month_days(p.year, p.month); p.month++)
				d -= month_days(p.year, p.month);
			p.day = d;
		}
	}
	p.month = p.month < 0 ? 1 : p.month;
	p.day = p.day < 0 ? 1 : p.day;
	if (!p.range && (p.day < 1 || p.day > month_days(p.year, p.month)))
		p.range = "day";
	if (p.range) {
		fx_text_addf(&msg, ": %s out of range", p.range);
		*why = fx_text_c(&msg);
		return false;
	}
	*out = (struct fx_time){
	        .sec = fx_civil_days(p.year, p.month, p.day) * 86400 + p.hour * 3600 + p.min * 60 + p.sec,
	        .nsec = p.nsec,
	        .offset = p.offset};
	out->sec -= p.offset;
	snprintf(out->zone, sizeof(out->zone), "%s", p.zone);
	if (!p.zone[0] && p.offset == 0)
		snprintf(out->zone, sizeof(out->zone), "UTC");
	return true;
}
