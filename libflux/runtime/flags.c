#include "runtime/flags.h"

#include "core/clock.h"

#include <errno.h>
#include <string.h>

static const struct fx_flag *find(const struct fx_flag *const *tables, const char *name, size_t len)
{
	for (; *tables; tables++) {
		for (const struct fx_flag *f = *tables; f->name; f++) {
			if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
				return f;
		}
	}
	return NULL;
}

static int parse_bool(const char *value, bool *out)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
	for (size_t i = 0; i < FX_COUNT(yes); i++) {
		if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
			*out = strcmp(value, yes[i]) == 0;
			return 0;
		}
	}
	return -1;
}

static int parse_int(const char *value, int64_t *out)
{
	char *end;
	errno = 0;
	long long n = strtoll(value, &end, 10);
	if (errno || end == value || *end)
		return -1;
	*out = n;
	return 0;
}

static int parse_double(const char *value, double *out)
{
	char *end;
	errno = 0;
	double d = strtod(value, &end);
	if (errno || end == value || *end)
		return -1;
	*out = d;
	return 0;
}

static int add_strings(char *value, struct fx_string_list *list)
{
	char *rest = value;
	for (char *part; (part = strsep(&rest, ","));) {
		if (*part && !fx_vec_push(list, (const char *)part))
			return -1;
	}
	return 0;
}

static int set(const struct fx_flag *f, char *value, struct fx_error *err)
{
	int rc = 0;
	switch (f->type) {
	case FX_FLAG_STRING:
		*(const char **)f->target = value;
		break;
	case FX_FLAG_BOOL:
		rc = parse_bool(value, f->target);
		break;
	case FX_FLAG_INT:
		rc = parse_int(value, f->target);
		break;
	case FX_FLAG_DOUBLE:
		rc = parse_double(value, f->target);
		break;
	case FX_FLAG_DURATION:
		rc = fx_duration_parse(value, f->target, NULL);
		break;
	case FX_FLAG_STRINGS:
		rc = add_strings(value, f->target);
		break;
	}
	return rc == 0 ? 0
	               : fx_fail(err, FX_E_INVALID, "invalid argument \"%s\" for \"--%s\" flag", value,
	                         f->name);
}

int fx_flags_parse(
        int argc, char **argv, const struct fx_flag *const *tables, bool *out_help, struct fx_error *err)
{
	static char yes[] = "true";
	*out_help = false;
	for (int i = 1; i < argc; i++) {
		char *arg = argv[i];
		if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
			*out_help = true;
			return 0;
		}
		if (strncmp(arg, "--", 2) != 0 || !arg[2])
			return fx_fail(err, FX_E_INVALID, "unexpected argument: %s", arg);
		size_t len = strcspn(arg + 2, "=");
		const struct fx_flag *f = find(tables, arg + 2, len);
		if (!f)
			return fx_fail(err, FX_E_INVALID, "unknown flag: --%.*s", (int)len, arg + 2);
		char *value = arg[2 + len] == '=' ? arg + 2 + len + 1 : NULL;
		if (!value && f->type == FX_FLAG_BOOL)
			value = yes;
		if (!value && ++i < argc)
			value = argv[i];
		if (!value)
			return fx_fail(err, FX_E_INVALID, "flag needs an argument: --%s", f->name);
		int rc = set(f, value, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct fx_flag *const *)a)->name, (*(const struct fx_flag *const *)b)->name);
}

static const char *type_name(enum fx_flag_type type)
{
	static const char *const names[] = {[FX_FLAG_STRING] = " string",
	        [FX_FLAG_BOOL] = "",
	        [FX_FLAG_INT] = " int",
	        [FX_FLAG_DOUBLE] = " float",
	        [FX_FLAG_DURATION] = " duration",
	        [FX_FLAG_STRINGS] = " strings"};
	return names[type];
}

/* " (default ...)"; nothing for one that is zero or empty. */
static void print_default(FILE *out, const struct fx_flag *f)
{
	char text[FX_TIME_TEXT];
	const char *string = f->type == FX_FLAG_STRING ? *(const char *const *)f->target : NULL;
	if (string && *string)
		fprintf(out, " (default \"%s\")", string);
	if (f->type == FX_FLAG_BOOL && *(const bool *)f->target)
		fprintf(out, " (default true)");
	if (f->type == FX_FLAG_INT && *(const int64_t *)f->target)
		fprintf(out, " (default %lld)", (long long)*(const int64_t *)f->target);
	if (f->type == FX_FLAG_DOUBLE && *(const double *)f->target != 0)
		fprintf(out, " (default %g)", *(const double *)f->target);
	if (f->type == FX_FLAG_DURATION && *(const int64_t *)f->target)
		fprintf(out, " (default %s)", fx_duration_format(*(const int64_t *)f->target, text));
}

void fx_flags_print(FILE *out, const char *program, const struct fx_flag *const *tables)
{
	FX_VEC(const struct fx_flag *) all = {0};
	for (; *tables; tables++) {
		for (const struct fx_flag *f = *tables; f->name; f++) {
			if (!fx_vec_push(&all, f))
				break;
		}
	}
	if (all.len)
		qsort(all.items, all.len, sizeof(all.items[0]), by_name);
	fprintf(out, "Usage of %s:\n", program);
	for (size_t i = 0; i < all.len; i++) {
		const struct fx_flag *f = all.items[i];
		int width = 48 - (int)strlen(f->name);
		fprintf(out, "      --%s%-*s %s", f->name, width, type_name(f->type), f->help);
		print_default(out, f);
		fputc('\n', out);
	}
	fx_vec_release(&all);
}

bool fx_flag_address_enabled(const char *address)
{
	return address && *address && strcmp(address, "0") != 0;
}
