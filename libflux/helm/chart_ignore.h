/* .helmignore. Private to helm/. */
#ifndef FX_HELM_CHART_IGNORE_H
#define FX_HELM_CHART_IGNORE_H

#include "funcs.h"

struct fx_helmignore_rule {
	const char *pattern;
	bool negate, dir_only;
	bool whole; /* the pattern is for the path, not for the name */
};

struct fx_helmignore {
	struct fx_helmignore_rule *items;
	size_t len;
};

/* Rules of a file, and the one that Helm adds. Throws. */
void fx_helmignore_read(struct fx_render *x, const char *text, size_t len, struct fx_helmignore *out);
bool fx_helmignore_match(const struct fx_helmignore *rules, const char *path, bool dir);

/* Go's filepath.Match; a pattern must be valid to be matched. */
bool fx_path_pattern_valid(const char *pattern);
bool fx_path_match(const char *pattern, const char *path);

#endif
