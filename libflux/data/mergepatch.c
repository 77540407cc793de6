#include "data/mergepatch.h"

#define BORROW(value) json_incref((json_t *)(uintptr_t)(value))

static bool diff_into(json_t *patch, const json_t *before, const json_t *after);

/* Adds what is needed so that `key` becomes `now`. */
static bool diff_key(json_t *patch, const char *key, const json_t *was, const json_t *now)
{
	if (was && json_equal(was, now))
		return true;
	if (!json_is_object(was) || !json_is_object(now))
		return json_object_set_new(patch, key, BORROW(now)) == 0;
	json_t *inner = json_object();
	if (!inner || !diff_into(inner, was, now)) {
		json_decref(inner);
		return false;
	}
	return json_object_set_new(patch, key, inner) == 0;
}

static bool diff_into(json_t *patch, const json_t *before, const json_t *after)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)after, key, value) {
		if (!diff_key(patch, key, json_object_get(before, key), value))
			return false;
	}
	json_object_foreach ((json_t *)(uintptr_t)before, key, value) {
		if (!json_object_get(after, key) && json_object_set_new(patch, key, json_null()) != 0)
			return false;
	}
	return true;
}

json_t *fx_merge_patch_diff(const json_t *before, const json_t *after)
{
	if (!json_is_object(before) || !json_is_object(after))
		return BORROW(after);
	json_t *patch = json_object();
	if (patch && !diff_into(patch, before, after)) {
		json_decref(patch);
		return NULL;
	}
	return patch;
}

json_t *fx_merge_patch_apply(const json_t *target, const json_t *patch)
{
	if (!json_is_object(patch))
		return BORROW(patch);
	json_t *out = json_is_object(target) ? json_copy((json_t *)(uintptr_t)target) : json_object();
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
		if (json_is_null(value)) {
			json_object_del(out, key);
			continue;
		}
		json_t *merged = fx_merge_patch_apply(json_object_get(out, key), value);
		if (!merged || json_object_set_new(out, key, merged) != 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}
