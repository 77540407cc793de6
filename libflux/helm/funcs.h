/* What the files of template functions share. Private to helm/. */
#ifndef FX_HELM_FUNCS_H
#define FX_HELM_FUNCS_H

#include "engine.h"
#include "template.h"

/* One call makes at most this much text or this many items (`repeat`, `until`, `indent`). */
#define FX_FN_TEXT_MAX FX_TEXT_MAX
#define FX_FN_ITEMS_MAX (4u * 1024 * 1024)

/* The text without any `<no value>`, also one that the author wrote. */
struct fx_val fx_v_without_no_value(struct fx_text *t);

/* Names and values of a struct's fields, one after the other. */
struct fx_val fx_obj_fields(struct fx_render *x, struct fx_val v);
/* Its String method, when it has one. */
bool fx_obj_string(struct fx_render *x, struct fx_val v, struct fx_val *out);

/* spf13/cast. */
int64_t fx_v_to_int(struct fx_val v);
double fx_v_to_float(struct fx_val v);

/* Any list as []string; nil gives an empty one. */
struct fx_val fx_v_to_strings(struct fx_render *x, struct fx_val v);

struct fx_val fx_v_yaml_text(struct fx_render *x, struct fx_val v, const char **why);
bool fx_v_yaml_parse(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why);
/* JSON or YAML of the wrong type: {"Error": why} and [why]. */
struct fx_val fx_v_error_map(struct fx_render *x, const char *why);
struct fx_val fx_v_error_list(struct fx_render *x, const char *why);
struct fx_val fx_v_mismatch_map(struct fx_render *x, struct fx_val v, const char *prefix);
struct fx_val fx_v_mismatch_list(struct fx_render *x, struct fx_val v, const char *prefix);
/* NULL, or what encoding/json says about a text that is no JSON. */
const char *fx_go_json_check(struct fx_render *x, const char *s, size_t n);
/* Length of the first value in a text that may go on; *why: that there is none. */
size_t fx_go_json_first(struct fx_render *x, const char *s, size_t n, const char **why);
bool fx_v_json_parse(struct fx_render *x, struct fx_val text, struct fx_val *out, const char **why);

/* time */
struct fx_civil {
	int64_t year;
	int month, day, hour, min, sec, yday, wday;
};
/* Days since 1970. */
int64_t fx_civil_days(int64_t year, int month, int day);
/* The date and time of day at t's place. */
struct fx_civil fx_civil_of(const struct fx_time *t);
/* Puts t into a zone of the host's database; UTC when there is none such. */
void fx_time_set_zone(struct fx_render *x, struct fx_time *t, const char *name);
struct fx_val fx_time_val(struct fx_render *x, struct fx_time t);
void fx_time_format(struct fx_text *out, const struct fx_time *t, const char *layout, size_t n);
/* time.Parse. False: *why is its error. */
bool fx_go_time_parse(
        struct fx_render *x, struct fx_val layout, struct fx_val text, struct fx_time *out, const char **why);
struct fx_val fx_time_field(struct fx_render *x, struct fx_val recv, const char *name,
        const struct fx_val *args, size_t n, bool *found);
bool fx_go_duration_parse(struct fx_render *x, struct fx_val s, int64_t *out, const char **why);
#define FX_TIME_RFC3339_NANO "2006-01-02T15:04:05.999999999Z07:00"
#define FX_TIME_STRING "2006-01-02 15:04:05.999999999 -0700 MST"

struct fx_val fx_v_base64(struct fx_render *x, const char *s, size_t n);
bool fx_v_base64_decode(struct fx_render *x, const char *s, size_t n, struct fx_val *out, size_t *bad);

/* semver */
struct fx_val fx_semver_field(struct fx_render *x, struct fx_val recv, const char *name,
        const struct fx_val *args, size_t n, bool *found);

/* A pattern by RE2's rules, in the arena. NULL and *why as Go says it when it is none. */
struct fx_regex;
struct fx_regex *fx_render_regex(struct fx_render *x, struct fx_val pattern, const char **why);
bool fx_render_regex_found(struct fx_render *x, struct fx_regex *re, struct fx_val s);

/* gobwas/glob with `/` as its separator. */
bool fx_files_glob_valid(const char *pattern);
bool fx_files_glob_match(const char *pattern, const char *path);

/* Nesting of arrays and inline tables. */
#define FX_TOML_DEPTH_MAX 200
/* NULL, or why text is no TOML. *out: a map. */
const char *fx_v_toml_parse(struct fx_render *x, struct fx_val text, struct fx_val *out);

/* strconv.ParseFloat; false also for what a double cannot hold. */
bool fx_go_float_parse(const char *s, size_t n, double *out);

/* path.Clean */
struct fx_val fx_fns_clean(struct fx_render *x, struct fx_val path);

static inline struct fx_val fx_v_part(struct fx_val s, size_t from, size_t to)
{
	return fx_v_strn(s.s + from, to - from);
}

/* Unicode's simple case mapping. */
unsigned fx_rune_upper(unsigned r);
unsigned fx_rune_lower(unsigned r);

#define FX_FN_ITEMS_CHECK(x, n)                                                                              \
	do {                                                                                                 \
		if ((uint64_t)(n) > FX_FN_ITEMS_MAX)                                                         \
			fx_render_throw(x, "more than %u items", FX_FN_ITEMS_MAX);                           \
	} while (0)

#endif
