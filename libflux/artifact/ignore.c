#include "artifact/ignore.h"
#include "artifact/glob.h"
#include "core/vec.h"

#include <string.h>

/* The default exclusions, one pattern a line (source-controller reference, section 4). */
static const char vcs_rules[] = ".git/\n.gitignore\n.gitmodules\n.gitattributes\n";
static const char other_rules[] = "*.jpg\n*.jpeg\n*.gif\n*.png\n*.wmv\n*.flv\n*.tar.gz\n*.zip\n"
                                  ".github/\n.circleci/\n.travis.yml\n.gitlab-ci.yml\nappveyor.yml\n"
                                  ".drone.yml\ncloudbuild.yaml\ncodeship-services.yml\n"
                                  "codeship-steps.yml\n"
                                  "**/.goreleaser.yml\n**/.sops.yaml\n**/.flux.yaml\n";

enum part_kind {
	PART_GLOB,
	PART_ANCHOR,   /* empty, from a leading or doubled slash */
	PART_ANY_DIRS, /* ** */
	PART_NEVER,    /* malformed, or ** inside of a name */
};

struct part {
	enum part_kind kind;
	const char *glob; /* in rule.text */
};

struct rule {
	bool include;
	bool dir_only;
	bool is_path; /* has a slash: matched from its scope on, not by name */
	char *text;   /* owned; the pattern, cut into parts by NULs */
	struct part *parts;
	size_t part_count;
	char **scope; /* owned names */
	size_t scope_depth;
};

struct fx_ignore {
	FX_VEC(struct rule) rules;
};

static void rule_release(struct rule *rule)
{
	for (size_t i = 0; i < rule->scope_depth; i++)
		free(rule->scope[i]);
	free(rule->scope);
	free(rule->parts);
	free(rule->text);
}

static void fx_auto_rule(struct rule *rule)
{
	rule_release(rule);
}

struct fx_ignore *fx_ignore_new(void)
{
	return calloc(1, sizeof(struct fx_ignore));
}

void fx_ignore_free(struct fx_ignore *ignore)
{
	if (!ignore)
		return;
	fx_ignore_truncate(ignore, 0);
	fx_vec_release(&ignore->rules);
	free(ignore);
}

size_t fx_ignore_len(const struct fx_ignore *ignore)
{
	return ignore->rules.len;
}

void fx_ignore_truncate(struct fx_ignore *ignore, size_t len)
{
	while (ignore->rules.len > len)
		rule_release(&ignore->rules.items[--ignore->rules.len]);
}

/* Strips what the syntax gives a meaning to at both ends; text[0..len) becomes the pattern. */
static void rule_take_markers(struct rule *rule, const char **text, size_t *len)
{
	if (*len > 0 && **text == '!') {
		rule->include = true;
		(*text)++;
		(*len)--;
	}
	if (!(*len >= 2 && memcmp(*text + *len - 2, "\\ ", 2) == 0)) {
		while (*len > 0 && (*text)[*len - 1] == ' ')
			(*len)--;
	}
	if (*len > 0 && (*text)[*len - 1] == '/') {
		rule->dir_only = true;
		(*len)--;
	}
	rule->is_path = memchr(*text, '/', *len) != NULL;
}

static enum part_kind part_classify(const char *glob, bool is_path)
{
	if (is_path && !*glob)
		return PART_ANCHOR;
	if (is_path && strcmp(glob, "**") == 0)
		return PART_ANY_DIRS;
	if ((is_path && strstr(glob, "**")) || !fx_glob_valid(glob))
		return PART_NEVER;
	return PART_GLOB;
}

static int rule_cut(struct rule *rule, const char *pattern, size_t len, struct fx_error *err)
{
	rule->text = strndup(pattern, len);
	if (!rule->text)
		return fx_fail_nomem(err);
	rule->part_count = 1;
	for (const char *p = rule->text; *p; p++)
		rule->part_count += *p == '/';
	if (rule->part_count > FX_IGNORE_DEPTH_MAX)
		return fx_fail(err, FX_E_LIMIT, "an ignore pattern has more than %d components",
		        FX_IGNORE_DEPTH_MAX);
	rule->parts = calloc(rule->part_count, sizeof(*rule->parts));
	if (!rule->parts)
		return fx_fail_nomem(err);
	char *at = rule->text;
	for (size_t i = 0; i < rule->part_count; i++) {
		rule->parts[i].glob = at;
		at += strcspn(at, "/");
		if (*at)
			*at++ = '\0';
		rule->parts[i].kind = part_classify(rule->parts[i].glob, rule->is_path);
	}
	return 0;
}

static int rule_set_scope(struct rule *rule, const struct fx_ignore_path *scope, struct fx_error *err)
{
	if (!scope || scope->depth == 0)
		return 0;
	if (scope->depth > FX_IGNORE_DEPTH_MAX)
		return fx_fail(
		        err, FX_E_LIMIT, "ignore rules lie deeper than %d directories", FX_IGNORE_DEPTH_MAX);
	rule->scope = calloc(scope->depth, sizeof(*rule->scope));
	if (!rule->scope)
		return fx_fail_nomem(err);
	for (; rule->scope_depth < scope->depth; rule->scope_depth++) {
		rule->scope[rule->scope_depth] = strdup(scope->names[rule->scope_depth]);
		if (!rule->scope[rule->scope_depth])
			return fx_fail_nomem(err);
	}
	return 0;
}

int fx_ignore_add_pattern(struct fx_ignore *ignore, const char *pattern, size_t len,
        const struct fx_ignore_path *scope, struct fx_error *err)
{
	if (ignore->rules.len >= FX_IGNORE_RULES_MAX)
		return fx_fail(err, FX_E_LIMIT, "more than %d ignore rules", FX_IGNORE_RULES_MAX);
	fx_auto(rule) struct rule rule = {0};
	rule_take_markers(&rule, &pattern, &len);
	int rc = rule_cut(&rule, pattern, len, err);
	if (rc == 0)
		rc = rule_set_scope(&rule, scope, err);
	if (rc != 0)
		return rc;
	if (!fx_vec_push(&ignore->rules, rule))
		return fx_fail_nomem(err);
	memset(&rule, 0, sizeof(rule));
	return 0;
}

static bool line_is_rule(const char *line, size_t len)
{
	if (len > 0 && line[0] == '#')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!strchr(" \t\v\f\r", line[i]))
			return true;
	}
	return false;
}

int fx_ignore_add(struct fx_ignore *ignore, const char *text, size_t len, const struct fx_ignore_path *scope,
        struct fx_error *err)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;
		size_t kept = line > 0 && text[line - 1] == '\r' ? line - 1 : line;
		if (line >= FX_IGNORE_LINE_MAX)
			break;
		if (line_is_rule(text, kept)) {
			int rc = fx_ignore_add_pattern(ignore, text, kept, scope, err);
			if (rc != 0)
				return rc;
		}
		size_t used = end ? line + 1 : line;
		text += used;
		len -= used;
	}
	return 0;
}

int fx_ignore_add_defaults(
        struct fx_ignore *ignore, bool all, const struct fx_ignore_path *scope, struct fx_error *err)
{
	int rc = fx_ignore_add(ignore, vcs_rules, sizeof(vcs_rules) - 1, scope, err);
	if (rc == 0 && all)
		rc = fx_ignore_add(ignore, other_rules, sizeof(other_rules) - 1, scope, err);
	return rc;
}

/* A rule without a slash: any component may match, which covers what lies below it. */
static bool match_name(const struct rule *rule, const struct fx_ignore_path *path, bool is_dir)
{
	if (rule->parts[0].kind != PART_GLOB)
		return false;
	for (size_t i = 0; i < path->depth; i++) {
		if (!fx_glob_match(rule->parts[0].glob, path->names[i]))
			continue;
		return !(rule->dir_only && !is_dir && i + 1 == path->depth);
	}
	return false;
}

/* Takes the names up to and with the first that matches. False when none does. */
static bool skip_to_match(const char *glob, const struct fx_ignore_path *path, size_t *at)
{
	while (*at < path->depth) {
		if (fx_glob_match(glob, path->names[(*at)++]))
			return true;
	}
	return false;
}

/* A rule with a slash: components from left to right; what it matches covers what lies below.
 * `**` takes as few directories as possible and is not tried again with more, as in Flux. */
static bool match_path(const struct rule *rule, const struct fx_ignore_path *path, bool is_dir)
{
	bool matched = false, any_dirs = false;
	size_t at = 0;
	for (size_t i = 0; i < rule->part_count; i++) {
		const struct part *part = &rule->parts[i];
		if (part->kind == PART_ANCHOR) {
			any_dirs = false;
			continue;
		}
		if (part->kind == PART_ANY_DIRS) {
			any_dirs = true; /* at the end of a rule it has nothing left to do */
			continue;
		}
		if (part->kind == PART_NEVER || at == path->depth)
			return false;
		matched = any_dirs ? skip_to_match(part->glob, path, &at)
		                   : fx_glob_match(part->glob, path->names[at++]);
		if (!matched)
			return false;
		any_dirs = false;
	}
	return matched && !(rule->dir_only && !is_dir && at == path->depth);
}

static enum fx_ignore_result match_rule(
        const struct rule *rule, const struct fx_ignore_path *path, bool is_dir)
{
	if (path->depth <= rule->scope_depth)
		return FX_IGNORE_NONE;
	for (size_t i = 0; i < rule->scope_depth; i++) {
		if (strcmp(rule->scope[i], path->names[i]) != 0)
			return FX_IGNORE_NONE;
	}
	struct fx_ignore_path below = {path->names + rule->scope_depth, path->depth - rule->scope_depth};
	bool hit = rule->is_path ? match_path(rule, &below, is_dir) : match_name(rule, &below, is_dir);
	if (!hit)
		return FX_IGNORE_NONE;
	return rule->include ? FX_IGNORE_INCLUDE : FX_IGNORE_EXCLUDE;
}

enum fx_ignore_result fx_ignore_match(
        const struct fx_ignore *ignore, const struct fx_ignore_path *path, bool is_dir)
{
	for (size_t i = ignore->rules.len; i > 0; i--) {
		enum fx_ignore_result result = match_rule(&ignore->rules.items[i - 1], path, is_dir);
		if (result != FX_IGNORE_NONE)
			return result;
	}
	return FX_IGNORE_NONE;
}
