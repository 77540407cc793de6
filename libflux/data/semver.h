/*
 * Semantic versions and constraints on them, as Flux and Helm understand them. Pure.
 *
 * Source: semver.org 2.0 for versions and their order; constraints as in the library
 * Masterminds/semver 3.5: `=`, `!=`, `<`, `<=`, `>`, `>=`, `~`, `^`, wildcards, hyphen ranges,
 * a comma or space for "and", `||` for "or".
 */
#ifndef FX_DATA_SEMVER_H
#define FX_DATA_SEMVER_H

#include "core/error.h"

#include <stdint.h>

/* A longer version is refused. */
#define FX_SEMVER_TEXT_MAX 256
/* A longer constraint, or one with more comparisons, is refused. */
#define FX_SEMVER_CONSTRAINT_MAX 4096
#define FX_SEMVER_COMPARISONS_MAX 256

struct fx_semver {
	uint64_t major, minor, patch;
	char pre[FX_SEMVER_TEXT_MAX];  /* "rc.1"; "" for a release */
	char meta[FX_SEMVER_TEXT_MAX]; /* build metadata, no part in the order */
};

/* Parses loosely: a leading `v`, leading zeros, and one or two numbers are accepted.
 * FX_E_PARSE otherwise. */
int fx_semver_parse(const char *text, struct fx_semver *out, struct fx_error *err) fx_must_use;
/* Parses by the letter of the specification. */
int fx_semver_parse_strict(const char *text, struct fx_semver *out, struct fx_error *err) fx_must_use;

/* Negative, 0, positive. Build metadata does not count. */
int fx_semver_compare(const struct fx_semver *a, const struct fx_semver *b);

#define FX_SEMVER_FORMAT_MAX (2 * FX_SEMVER_TEXT_MAX + 80)
/* "1.2.3-rc.1+build". Returns out. */
char *fx_semver_format(const struct fx_semver *version, char out[FX_SEMVER_FORMAT_MAX]);

struct fx_semver_constraint;

/* Owned by the caller. FX_E_PARSE, FX_E_LIMIT. */
int fx_semver_constraint_parse(
        const char *text, struct fx_semver_constraint **out, struct fx_error *err) fx_must_use;
void fx_semver_constraint_free(struct fx_semver_constraint *constraint);
FX_DEFINE_AUTO(semver_constraint, struct fx_semver_constraint, fx_semver_constraint_free)

/* A prerelease is only met by an alternative that names one. */
bool fx_semver_constraint_check(
        const struct fx_semver_constraint *constraint, const struct fx_semver *version);

#endif
