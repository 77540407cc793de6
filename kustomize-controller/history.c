#include "history.h"

#include "core/clock.h"

#include <string.h>

static bool text_is(const json_t *entry, const char *key, const char *value)
{
	const char *text = json_string_value(json_object_get(entry, key));
	return text && !strcmp(text, value);
}

/* Takes the entry with this digest and status out of the list, or makes a new one. */
static json_t *take_entry(json_t *history, const struct fx_history_entry *e, const char *now)
{
	size_t i;
	json_t *old;
	json_array_foreach (history, i, old) {
		if (!text_is(old, "digest", e->digest) || !text_is(old, "lastReconciledStatus", e->status))
			continue;
		json_t *taken = json_deep_copy(old);
		json_array_remove(history, i);
		return taken;
	}
	return json_pack("{s:s, s:s, s:s, s:i}", "digest", e->digest, "firstReconciled", now,
	        "lastReconciledStatus", e->status, "totalReconciliations", 0);
}

static bool set_metadata(json_t *entry, const struct fx_history_entry *e)
{
	json_object_del(entry, "metadata");
	json_t *metadata = json_object();
	bool ok = metadata != NULL;
	if (e->revision && *e->revision)
		ok = ok && json_object_set_new(metadata, "revision", json_string(e->revision)) == 0;
	if (e->origin_revision && *e->origin_revision)
		ok = ok &&
		     json_object_set_new(metadata, "originRevision", json_string(e->origin_revision)) == 0;
	if (json_object_size(metadata) == 0) {
		json_decref(metadata);
		return ok;
	}
	return json_object_set_new(entry, "metadata", metadata) == 0 && ok;
}

bool fx_history_upsert(json_t *history, const struct fx_history_entry *e)
{
	char now[FX_TIME_TEXT], duration[FX_TIME_TEXT];
	fx_time_rfc3339(e->wall_ns, now);
	fx_duration_format(e->duration_ns, duration);
	json_t *entry = take_entry(history, e, now);
	json_int_t total = json_integer_value(json_object_get(entry, "totalReconciliations"));
	if (!entry || json_object_set_new(entry, "lastReconciled", json_string(now)) < 0 ||
	        json_object_set_new(entry, "lastReconciledDuration", json_string(duration)) < 0 ||
	        json_object_set_new(entry, "totalReconciliations", json_integer(total + 1)) < 0 ||
	        !set_metadata(entry, e)) {
		json_decref(entry);
		return false;
	}
	if (json_array_insert_new(history, 0, entry) < 0)
		return false;
	while (json_array_size(history) > FX_HISTORY_MAX)
		json_array_remove(history, json_array_size(history) - 1);
	return true;
}
