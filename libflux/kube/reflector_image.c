#include "kube/reflector_internal.h"

#include "core/clock.h"
#include "core/vec.h"
#include "kube/object.h"

#include <string.h>
#include <time.h>

void fx_reflector_image_init(struct fx_reflector *reflector)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&reflector->lock, NULL);
	pthread_cond_init(&reflector->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static void record_free(struct fx_reflector *reflector, struct fx_reflector_record *record)
{
	if (!record)
		return;
	if (reflector->options.free_record)
		reflector->options.free_record(reflector->options.arg, record->packed);
	else
		free(record->packed);
	free(record);
}

void fx_reflector_image_release(struct fx_reflector *reflector)
{
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&reflector->records, slot));)
		record_free(reflector, slot->value);
	fx_map_release(&reflector->records);
	free(reflector->last_error);
	pthread_cond_destroy(&reflector->changed);
	pthread_mutex_destroy(&reflector->lock);
}

/* Tells the owner. Outside of the lock: only this thread changes records, and the owner may read. */
static void notify(struct fx_reflector *reflector, enum fx_reflector_change change, const char *namespace_,
        const char *name, const struct fx_reflector_record *old, const struct fx_reflector_record *new)
{
	const struct fx_reflector_event event = {
	        .change = change,
	        .namespace_ = namespace_,
	        .name = name,
	        .old_record = old ? old->packed : NULL,
	        .new_record = new ? new->packed : NULL,
	        .initial = !atomic_load(&reflector->synced),
	};
	if (reflector->options.on_change)
		reflector->options.on_change(reflector->options.arg, &event);
}

static void take_out(
        struct fx_reflector *reflector, const char *key, const char *namespace_, const char *name)
{
	pthread_mutex_lock(&reflector->lock);
	struct fx_reflector_record *old = fx_map_take(&reflector->records, key);
	pthread_mutex_unlock(&reflector->lock);
	if (!old)
		return;
	notify(reflector, FX_OBJECT_DELETED, namespace_, name, old, NULL);
	record_free(reflector, old);
}

static struct fx_reflector_record *record_new(
        struct fx_reflector *reflector, const json_t *object, void *packed)
{
	const char *version = fx_object_resource_version(object);
	size_t len = strlen(version);
	struct fx_reflector_record *record = malloc(sizeof(*record) + len + 1);
	if (!record)
		return NULL;
	record->packed = packed;
	record->seen = reflector->list_number;
	memcpy(record->resource_version, version, len + 1);
	return record;
}

bool fx_reflector_put(struct fx_reflector *reflector, const json_t *object)
{
	const char *namespace_ = fx_object_namespace(object), *name = fx_object_name(object);
	fx_autofree char *key = fx_object_key(namespace_, name);
	if (!key)
		return false;
	/* Only this thread writes: reading here needs no lock. */
	struct fx_reflector_record *old = fx_map_get(&reflector->records, key);
	if (old && strcmp(old->resource_version, fx_object_resource_version(object)) == 0) {
		old->seen = reflector->list_number;
		return true;
	}
	void *packed = reflector->options.pack(reflector->options.arg, object);
	if (!packed) {
		take_out(reflector, key, namespace_, name);
		return true;
	}
	struct fx_reflector_record *record = record_new(reflector, object, packed);
	if (!record) {
		if (reflector->options.free_record)
			reflector->options.free_record(reflector->options.arg, packed);
		else
			free(packed);
		return false;
	}
	pthread_mutex_lock(&reflector->lock);
	bool stored = fx_map_set(&reflector->records, key, record);
	pthread_mutex_unlock(&reflector->lock);
	if (!stored) {
		record_free(reflector, record);
		return false;
	}
	notify(reflector, old ? FX_OBJECT_UPDATED : FX_OBJECT_ADDED, namespace_, name, old, record);
	record_free(reflector, old);
	return true;
}

void fx_reflector_remove(struct fx_reflector *reflector, const json_t *object)
{
	const char *namespace_ = fx_object_namespace(object), *name = fx_object_name(object);
	fx_autofree char *key = fx_object_key(namespace_, name);
	if (key)
		take_out(reflector, key, namespace_, name);
}

/* Splits "ns/name" in place. */
static void split_key(char *key, const char **namespace_, const char **name)
{
	char *slash = strchr(key, '/');
	*namespace_ = slash ? key : "";
	*name = slash ? slash + 1 : key;
	if (slash)
		*slash = '\0';
}

void fx_reflector_sweep(struct fx_reflector *reflector)
{
	FX_VEC(char *) gone = {0};
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&reflector->records, slot));) {
		const struct fx_reflector_record *record = slot->value;
		char *key = record->seen != reflector->list_number ? strdup(slot->key) : NULL;
		if (key && !fx_vec_push(&gone, key))
			free(key);
	}
	fx_vec_foreach (char *, key, &gone) {
		const char *namespace_, *name;
		fx_autofree char *whole = strdup(*key);
		split_key(*key, &namespace_, &name);
		if (whole)
			take_out(reflector, whole, namespace_, name);
		free(*key);
	}
	fx_vec_release(&gone);
}

void fx_reflector_set_synced(struct fx_reflector *reflector)
{
	pthread_mutex_lock(&reflector->lock);
	bool first = !atomic_exchange(&reflector->synced, true);
	pthread_cond_broadcast(&reflector->changed);
	pthread_mutex_unlock(&reflector->lock);
	if (first && reflector->options.on_synced)
		reflector->options.on_synced(reflector->options.arg);
}

void fx_reflector_set_error(struct fx_reflector *reflector, const struct fx_error *err)
{
	char *text = strdup(fx_error_message(err));
	pthread_mutex_lock(&reflector->lock);
	free(reflector->last_error);
	reflector->last_error = text;
	pthread_mutex_unlock(&reflector->lock);
}

bool fx_reflector_is_synced(const struct fx_reflector *reflector)
{
	return atomic_load(&reflector->synced);
}

uint64_t fx_reflector_version(const struct fx_reflector *reflector)
{
	return atomic_load(&reflector->version);
}

struct waiter {
	struct fx_cancel_hook hook; /* first */
	struct fx_reflector *reflector;
};

static void on_fired(struct fx_cancel_hook *hook)
{
	struct fx_reflector *reflector = ((struct waiter *)hook)->reflector;
	pthread_mutex_lock(&reflector->lock);
	pthread_cond_broadcast(&reflector->changed);
	pthread_mutex_unlock(&reflector->lock);
}

static void wait_changed(struct fx_reflector *reflector, int64_t until_ms)
{
	const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	if (until_ms == FX_NO_DEADLINE)
		pthread_cond_wait(&reflector->changed, &reflector->lock);
	else
		pthread_cond_timedwait(&reflector->changed, &reflector->lock, &until);
}

int fx_reflector_wait_synced(struct fx_reflector *reflector, struct fx_cancel *cancel, struct fx_error *err)
{
	struct waiter waiter = {.hook = {.fn = on_fired}, .reflector = reflector};
	fx_autofree char *why = NULL;
	bool added = fx_cancel_add_hook(cancel, &waiter.hook);

	pthread_mutex_lock(&reflector->lock);
	while (!atomic_load(&reflector->synced) && !fx_cancel_is_fired(cancel))
		wait_changed(reflector, fx_cancel_deadline_ms(cancel));
	bool synced = atomic_load(&reflector->synced);
	why = reflector->last_error ? strdup(reflector->last_error) : NULL;
	pthread_mutex_unlock(&reflector->lock);
	if (added)
		fx_cancel_remove_hook(&waiter.hook);
	if (synced)
		return 0;
	int rc = fx_cancel_check(cancel, err);
	if (why)
		return fx_error_wrap(err, "cache of %s is not synced: %s", reflector->what, why);
	return rc < 0 ? fx_error_wrap(err, "cache of %s is not synced", reflector->what) : rc;
}

bool fx_reflector_read(struct fx_reflector *reflector, const char *namespace_, const char *name,
        void (*fn)(void *arg, const void *record), void *arg)
{
	fx_autofree char *key = fx_object_key(namespace_, name);
	if (!key)
		return false;
	pthread_mutex_lock(&reflector->lock);
	const struct fx_reflector_record *record = fx_map_get(&reflector->records, key);
	if (record)
		fn(arg, record->packed);
	pthread_mutex_unlock(&reflector->lock);
	return record != NULL;
}

void fx_reflector_each(struct fx_reflector *reflector,
        void (*fn)(void *arg, const char *namespace_, const char *name, const void *record), void *arg)
{
	pthread_mutex_lock(&reflector->lock);
	for (struct fx_map_slot *slot = NULL; (slot = fx_map_next(&reflector->records, slot));) {
		const struct fx_reflector_record *record = slot->value;
		const char *slash = strchr(slot->key, '/');
		char namespace_[FX_KUBE_SUBDOMAIN_MAX + 1];
		snprintf(namespace_, sizeof(namespace_), "%.*s", slash ? (int)(slash - slot->key) : 0,
		        slot->key);
		fn(arg, namespace_, slash ? slash + 1 : slot->key, record->packed);
	}
	pthread_mutex_unlock(&reflector->lock);
}

size_t fx_reflector_count(struct fx_reflector *reflector)
{
	pthread_mutex_lock(&reflector->lock);
	size_t count = reflector->records.len;
	pthread_mutex_unlock(&reflector->lock);
	return count;
}

void *fx_reflector_pack_json(void *arg, const json_t *object)
{
	(void)arg;
	fx_auto(json) json_t *slim = json_copy((json_t *)object);
	fx_auto(json) json_t *metadata = json_copy(json_object_get(object, "metadata"));
	if (!slim || !metadata)
		return NULL;
	json_object_del(metadata, "managedFields");
	if (json_object_set(slim, "metadata", metadata) < 0)
		return NULL;
	char *text = fx_json_text(slim, NULL);
	/* Give the growth reserve of the buffer back: this text may live for months. */
	char *tight = text ? realloc(text, strlen(text) + 1) : NULL;
	return tight ? tight : text;
}

static void copy_text(void *arg, const void *record)
{
	*(char **)arg = strdup(record);
}

int fx_reflector_get_json(struct fx_reflector *reflector, const char *namespace_, const char *name,
        json_t **out, struct fx_error *err)
{
	fx_autofree char *text = NULL;
	if (!fx_reflector_read(reflector, namespace_, name, copy_text, &text))
		return fx_fail(err, FX_E_NOT_FOUND, "%s \"%s\" not found", reflector->what, name);
	if (!text)
		return fx_fail_nomem(err);
	return fx_json_parse(text, strlen(text), out, err);
}
