#include "ignore.h"
#include "fields.h"

#include "core/map.h"
#include "data/jansson.h"
#include "kube/ssa.h"
#include "kustomize/selector.h"

#include <stdlib.h>
#include <string.h>

struct rule {
	struct fx_object_selector *selector;
	const json_t *paths; /* borrowed from the copy of the rules */
};

struct fx_drift_ignore {
	struct fx_arena *arena;
	json_t *copy;
	uint64_t hash;
	size_t count;
	struct rule rules[];
};

/* ---- JSON pointers ---- */

/* Takes one step off a pointer, unescaped: owned text; NULL at the end or without memory. */
static char *take_step(const char **pointer)
{
	const char *c = *pointer;
	char *step = *c == '/' ? strdup(c + 1) : NULL;
	size_t n = 0;
	if (!step)
		return NULL;
	for (c++; *c && *c != '/'; c++) {
		char one = *c;
		if (*c == '~' && (c[1] == '0' || c[1] == '1'))
			one = *++c == '0' ? '~' : '/';
		step[n++] = one;
	}
	step[n] = 0;
	*pointer = c;
	return step;
}

/* False for what is no index of the array. */
static bool index_of(const json_t *array, const char *step, size_t *out)
{
	size_t len = strspn(step, "0123456789");
	if (!len || step[len] || len > 9 || (*step == '0' && len > 1))
		return false;
	*out = strtoul(step, NULL, 10);
	return *out < json_array_size(array);
}

static json_t *child(const json_t *value, const char *step)
{
	size_t index;
	if (json_is_array(value))
		return index_of(value, step, &index) ? json_array_get(value, index) : NULL;
	return json_object_get(value, step);
}

/* Borrowed; NULL when the pointer leads nowhere. */
static json_t *value_at(const json_t *root, const char *pointer)
{
	const json_t *value = root;
	if (*pointer != '/')
		return NULL;
	while (value && *pointer) {
		fx_autofree char *step = take_step(&pointer);
		value = step ? child(value, step) : NULL;
	}
	return (json_t *)value;
}

/* Puts a copy of value (NULL: nothing) in the place of the pointer. Objects on the way are made, items of
 * arrays must be there. False without memory. */
static bool put_at(json_t *root, const char *pointer, const json_t *value)
{
	json_t *at = root;
	size_t index;
	while (*pointer == '/') {
		fx_autofree char *step = take_step(&pointer);
		if (!step)
			return false;
		json_t *next = child(at, step);
		bool last = !*pointer;
		if (json_is_array(at)) {
			if (!next || !index_of(at, step, &index))
				return true;
			if (last && !value)
				return json_array_remove(at, index) == 0;
			if (last)
				return json_array_set_new(at, index, json_deep_copy(value)) == 0;
		} else if (!json_is_object(at)) {
			return true;
		} else if (last && !value) {
			json_object_del(at, step);
			return true;
		} else if (last) {
			return json_object_set_new(at, step, json_deep_copy(value)) == 0;
		} else if (!next) {
			if (!value)
				return true;
			next = json_object();
			if (json_object_set_new(at, step, next) < 0)
				return false;
		}
		at = next;
	}
	return true;
}

/* ---- rules ---- */

static int add_rule(struct fx_drift_ignore *ignore, const json_t *rule, struct fx_error *err)
{
	const json_t *target = json_object_get(rule, "target");
	struct rule r = {.paths = json_object_get(rule, "paths")};
	if (!target) {
		/* Upstream keeps one rule without a target: the last. */
		for (size_t i = 0; i < ignore->count; i++)
			if (!ignore->rules[i].selector) {
				ignore->rules[i] = r;
				return 0;
			}
	} else {
		int rc = fx_object_selector_new(ignore->arena, target, &r.selector, err);
		if (rc < 0) {
			fx_error_wrap(err, "failed to create ignore rule selector");
			return rc;
		}
	}
	ignore->rules[ignore->count++] = r;
	return 0;
}

int fx_drift_ignore_new(const json_t *rules, struct fx_drift_ignore **out, struct fx_error *err)
{
	size_t count = json_array_size(rules), i;
	fx_auto(drift_ignore) struct fx_drift_ignore *ignore =
	        calloc(1, sizeof(*ignore) + count * sizeof(struct rule));
	fx_autofree char *text = json_dumps(count ? rules : json_true(), JSON_COMPACT | JSON_ENCODE_ANY);
	if (!ignore || !text)
		return fx_fail_nomem(err);
	ignore->arena = fx_arena_new(0);
	ignore->copy = count ? json_deep_copy(rules) : json_array();
	ignore->hash = count ? fx_hash(text, strlen(text)) : 0;
	if (!ignore->arena || !ignore->copy)
		return fx_fail_nomem(err);
	json_t *rule;
	json_array_foreach (ignore->copy, i, rule) {
		int rc = add_rule(ignore, rule, err);
		if (rc < 0)
			return rc;
	}
	*out = fx_take(ignore);
	return 0;
}

void fx_drift_ignore_free(struct fx_drift_ignore *ignore)
{
	if (!ignore)
		return;
	json_decref(ignore->copy);
	fx_arena_free(ignore->arena);
	free(ignore);
}

uint64_t fx_drift_ignore_hash(const struct fx_drift_ignore *ignore)
{
	return ignore->hash;
}

/* Calls fn with each path of the rules that match the object. */
static int each_path(struct fx_drift_ignore *ignore, const json_t *object,
        int (*fn)(void *arg, const char *path, struct fx_error *err), void *arg, struct fx_error *err)
{
	for (size_t i = 0; i < ignore->count; i++) {
		bool selected = true;
		const struct rule *r = &ignore->rules[i];
		int rc = r->selector ? fx_object_selector_match(r->selector, object, &selected, err) : 0;
		size_t k;
		json_t *path;
		if (rc < 0)
			return rc;
		if (!selected)
			continue;
		json_array_foreach (r->paths, k, path) {
			rc = json_is_string(path) ? fn(arg, json_string_value(path), err) : 0;
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

/* ---- comparison ---- */

struct pair {
	json_t *live, *dry_run;
};

static int leave_out(void *arg, const char *path, struct fx_error *err)
{
	struct pair *p = arg;
	return put_at(p->live, path, NULL) && put_at(p->dry_run, path, NULL) ? 0 : fx_fail_nomem(err);
}

int fx_drift_ignore_has_drifted(struct fx_drift_ignore *ignore, const json_t *live, const json_t *dry_run,
        bool *out, struct fx_error *err)
{
	*out = fx_ssa_has_drifted(live, dry_run);
	if (!*out || !live || !ignore->count)
		return 0;
	fx_auto(json) json_t *left = json_deep_copy(live);
	fx_auto(json) json_t *right = json_deep_copy(dry_run);
	if (!left || !right)
		return fx_fail_nomem(err);
	int rc = each_path(ignore, dry_run, leave_out, &(struct pair){left, right}, err);
	if (rc == 0)
		*out = fx_ssa_has_drifted(left, right);
	return rc;
}

/* ---- what is sent ---- */

struct payload {
	const json_t *live, *dry_run;
	json_t *object;
};

static int resolve_path(void *arg, const char *path, struct fx_error *err)
{
	struct payload *p = arg;
	const json_t *is = value_at(p->live, path), *would = value_at(p->dry_run, path);
	if ((!is && !would) || (is && would && json_equal(is, would)))
		return 0;
	if (fx_fields_other_applier_owns(p->live, path))
		is = NULL;
	return put_at(p->object, path, is) ? 0 : fx_fail_nomem(err);
}

int fx_drift_ignore_resolve(struct fx_drift_ignore *ignore, const json_t *object, const json_t *live,
        const json_t *dry_run, json_t **out, struct fx_error *err)
{
	fx_auto(json) json_t *copy = json_deep_copy(object);
	if (!copy)
		return fx_fail_nomem(err);
	int rc = each_path(ignore, dry_run, resolve_path, &(struct payload){live, dry_run, copy}, err);
	if (rc == 0)
		*out = fx_take(copy);
	return rc;
}
