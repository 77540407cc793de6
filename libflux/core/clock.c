#include "core/clock.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000LL

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t fx_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t fx_now_ms(void)
{
	return fx_now_ns() / 1000000;
}

int64_t fx_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

static char *format_time(int64_t wall_ns, int digits, char out[FX_TIME_TEXT])
{
	int64_t sec = wall_ns / NS_PER_S, frac = wall_ns % NS_PER_S;
	if (frac < 0) {
		frac += NS_PER_S;
		sec--;
	}
	time_t t = (time_t)sec;
	struct tm tm;
	gmtime_r(&t, &tm);
	size_t n = strftime(out, FX_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	for (int i = digits; i < 9; i++)
		frac /= 10;
	if (digits)
		snprintf(out + n, FX_TIME_TEXT - n, ".%0*lldZ", digits, (long long)frac);
	else
		snprintf(out + n, FX_TIME_TEXT - n, "Z");
	return out;
}

char *fx_time_rfc3339(int64_t wall_ns, char out[FX_TIME_TEXT])
{
	return format_time(wall_ns, 0, out);
}

char *fx_time_rfc3339_milli(int64_t wall_ns, char out[FX_TIME_TEXT])
{
	return format_time(wall_ns, 3, out);
}

char *fx_time_rfc3339_micro(int64_t wall_ns, char out[FX_TIME_TEXT])
{
	return format_time(wall_ns, 6, out);
}

/* Reads exactly n digits. */
static bool digits(const char **p, int n, int *out)
{
	int value = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = value * 10 + (**p - '0');
	}
	*out = value;
	return true;
}

static bool literal(const char **p, const char *accepted)
{
	if (!**p || !strchr(accepted, **p))
		return false;
	(*p)++;
	return true;
}

static bool parse_zone(const char **p, int *out_seconds)
{
	*out_seconds = 0;
	if (literal(p, "Zz"))
		return true;
	int sign = **p == '-' ? -1 : 1, hours, minutes;
	if (!literal(p, "+-") || !digits(p, 2, &hours) || !literal(p, ":") || !digits(p, 2, &minutes))
		return false;
	*out_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool parse_fraction(const char **p, int64_t *out_ns)
{
	*out_ns = 0;
	if (**p != '.' && **p != ',')
		return true;
	(*p)++;
	int64_t unit = NS_PER_S / 10;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*out_ns += (**p - '0') * unit;
	return true;
}

int fx_time_parse(const char *text, int64_t *out_wall_ns, struct fx_error *err)
{
	const char *p = text;
	struct tm tm = {0};
	int year, month, zone;
	int64_t frac;
	bool ok = digits(&p, 4, &year) && literal(&p, "-") && digits(&p, 2, &month) && literal(&p, "-") &&
	          digits(&p, 2, &tm.tm_mday) && literal(&p, "Tt ") && digits(&p, 2, &tm.tm_hour) &&
	          literal(&p, ":") && digits(&p, 2, &tm.tm_min) && literal(&p, ":") &&
	          digits(&p, 2, &tm.tm_sec) && parse_fraction(&p, &frac) && parse_zone(&p, &zone) &&
	          *p == '\0';
	if (!ok || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	        tm.tm_min > 59 || tm.tm_sec > 60)
		return fx_fail(err, FX_E_PARSE, "'%.64s' is not an RFC 3339 time", text);
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	int64_t sec = (int64_t)timegm(&tm) - zone;
	if (sec > INT64_MAX / NS_PER_S - 1 || sec < INT64_MIN / NS_PER_S + 1)
		return fx_fail(err, FX_E_PARSE, "time '%.64s' is out of range", text);
	*out_wall_ns = sec * NS_PER_S + frac;
	return 0;
}

struct unit {
	const char *name;
	int64_t ns;
};

/* Longer names first: "ms" before "m". */
static const struct unit units[] = {{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
        {"ms", 1000000}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};

static const struct unit *match_unit(const char **p)
{
	for (size_t i = 0; i < FX_COUNT(units); i++) {
		size_t n = strlen(units[i].name);
		if (strncmp(*p, units[i].name, n) == 0) {
			*p += n;
			return &units[i];
		}
	}
	return NULL;
}

/* One "<number><unit>" group, added to *total_ns; false when malformed or too large. */
static bool duration_group(const char **p, int64_t *total_ns)
{
	int64_t whole = 0;
	double fraction = 0, scale = 0.1;
	bool any = false;
	for (; **p >= '0' && **p <= '9'; (*p)++, any = true) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		        __builtin_add_overflow(whole, **p - '0', &whole))
			return false;
	}
	if (**p == '.') {
		(*p)++;
		for (; **p >= '0' && **p <= '9'; (*p)++, any = true, scale /= 10)
			fraction += (**p - '0') * scale;
	}
	const struct unit *unit = any ? match_unit(p) : NULL;
	return unit && !__builtin_mul_overflow(whole, unit->ns, &whole) &&
	       !__builtin_add_overflow(whole, (int64_t)(fraction * (double)unit->ns + 0.5), &whole) &&
	       !__builtin_add_overflow(*total_ns, whole, total_ns);
}

int fx_duration_parse(const char *text, int64_t *out_ns, struct fx_error *err)
{
	const char *p = text;
	bool negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	int64_t total = 0;
	if (strcmp(p, "0") == 0) {
		*out_ns = 0;
		return 0;
	}
	bool ok = *p != '\0';
	while (ok && *p)
		ok = duration_group(&p, &total);
	if (!ok)
		return fx_fail(err, FX_E_PARSE,
		        "invalid duration '%.64s': want a number and a unit, as in 1m30s", text);
	*out_ns = negative ? -total : total;
	return 0;
}

/* Writes value/10^scale without trailing zeros. */
static void add_decimal(char *out, size_t size, uint64_t value, int scale, const char *unit)
{
	uint64_t power = 1;
	for (int i = 0; i < scale; i++)
		power *= 10;
	size_t n = (size_t)snprintf(out, size, "%llu", (unsigned long long)(value / power));
	uint64_t rest = value % power;
	if (rest) {
		char digits_text[24] = "";
		for (int i = scale; i-- > 0; rest /= 10)
			digits_text[i] = (char)('0' + rest % 10);
		for (size_t end = strlen(digits_text); end && digits_text[end - 1] == '0'; end--)
			digits_text[end - 1] = '\0';
		n += (size_t)snprintf(out + n, size - n, ".%s", digits_text);
	}
	snprintf(out + n, size - n, "%s", unit);
}

char *fx_duration_format(int64_t ns, char out[FX_TIME_TEXT])
{
	uint64_t abs_ns = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	size_t n = 0;
	if (ns < 0)
		out[n++] = '-';
	char *p = out + n;
	size_t room = FX_TIME_TEXT - n;
	if (abs_ns == 0) {
		strcpy(out, "0s");
	} else if (abs_ns < 1000) {
		add_decimal(p, room, abs_ns, 0, "ns");
	} else if (abs_ns < 1000000) {
		add_decimal(p, room, abs_ns, 3, "\xc2\xb5s");
	} else if (abs_ns < (uint64_t)NS_PER_S) {
		add_decimal(p, room, abs_ns, 6, "ms");
	} else {
		uint64_t minutes = abs_ns / (60 * (uint64_t)NS_PER_S), hours = minutes / 60;
		int used = 0;
		if (hours)
			used = snprintf(p, room, "%lluh%llum", (unsigned long long)hours,
			        (unsigned long long)(minutes % 60));
		else if (minutes)
			used = snprintf(p, room, "%llum", (unsigned long long)minutes);
		add_decimal(p + used, room - (size_t)used, abs_ns % (60 * (uint64_t)NS_PER_S), 9, "s");
	}
	return out;
}
