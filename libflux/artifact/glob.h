/*
 * Shell patterns for one path component: `*`, `?`, `[a-z]`, `[^a]`, `\` escape, on UTF-8
 * characters; a byte that is no UTF-8 counts as one character. Pure.
 *
 * Source: the semantics of Go's path/filepath Match, which the ignore rules are defined by.
 */
#ifndef FX_ARTIFACT_GLOB_H
#define FX_ARTIFACT_GLOB_H

#include <stdbool.h>

/* False for an unclosed or empty class, a bad range or a final `\`. */
bool fx_glob_valid(const char *pattern);

/* Whether a valid pattern matches the whole of text. Linear in pattern times text. */
bool fx_glob_match(const char *pattern, const char *text);

#endif
