/*
 * Regular expressions by RE2's rules, as Go's package regexp has them: what RE2 does not have is refused with
 * its error texts, and a match ends with an error after a number of steps, as PCRE2 below is not linear.
 * A compiled expression lives in the arena it was compiled in, and belongs to one thread at a time.
 *
 * Source: regexp/syntax of Go 1.26.
 */
#ifndef FX_DATA_REGEX_H
#define FX_DATA_REGEX_H

#include "core/arena.h"
#include "core/error.h"

/* Steps, and nested steps, of one match. */
#define FX_REGEX_STEPS_MAX 5000000
#define FX_REGEX_DEPTH_MAX 100000
/* RE2's own limits: counts of repetitions, also multiplied, and nested parentheses. */
#define FX_REGEX_REPEAT_MAX 1000
#define FX_REGEX_NEST_MAX 1000
/* Bytes of an expression. */
#define FX_REGEX_TEXT_MAX (256u * 1024)

struct fx_regex;

/* anchored: the whole text must match. FX_E_PARSE: "error parsing regexp: missing closing ]: `[a`". */
int fx_regex_compile(struct fx_arena *arena, const char *pattern, size_t len, bool anchored,
        struct fx_regex **out, struct fx_error *err) fx_must_use;

/* Looks for the leftmost match at or after byte `at`. 1: found, see fx_regex_spans(); 0: none; FX_E_LIMIT.
 * Bytes that are no UTF-8 match as U+FFFD does. */
int fx_regex_search(
        struct fx_regex *re, const char *text, size_t len, size_t at, struct fx_error *err) fx_must_use;

/* Start and end of the whole match, then of each group (SIZE_MAX: took no part), of the last search. */
const size_t *fx_regex_spans(const struct fx_regex *re);
size_t fx_regex_groups(const struct fx_regex *re);
/* The next group named so after `group` (0: from the start); 0: none. */
size_t fx_regex_group(const struct fx_regex *re, const char *name, size_t len, size_t group);

#endif
