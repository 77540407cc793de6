#include "live.h"
#include "inventory.h"

#include "core/clock.h"
#include "core/map.h"
#include "kube/object.h"

#include <pthread.h>
#include <string.h>

/* A watch that is forbidden or whose resource is gone is given up after so many failures. It is tried again
 * when an object of the resource is applied: at once when the resource was gone, else after a pause that
 * doubles from the first to the second value. */
#define FAILURES_MAX 3
#define PAUSE_MIN_MS (60 * 1000)
#define PAUSE_MAX_MS (60 * 60 * 1000)

struct record {
	struct fx_live_record live;
	char owner[];
};

struct watch {
	struct fx_live *live;
	struct fx_resource resource;
	struct fx_reflector *reflector;
	bool trivial;
	/* Under the lock. */
	int failures;
	bool given_up;
	int64_t pause_ms, again_ms; /* the last pause, and when it ends; again_ms 0: at once */
};

struct fx_live {
	struct fx_live_options options;
	pthread_mutex_t lock;
	struct fx_map watches; /* "group/resource" -> struct watch */
};

uint64_t fx_live_version(const json_t *object)
{
	return strtoull(fx_object_resource_version(object), NULL, 10);
}

static void *pack(void *arg, const json_t *object)
{
	struct watch *w = arg;
	const char *ns = fx_manifest_label(object, FX_KS_OWNER_NAMESPACE);
	const char *name = fx_manifest_label(object, FX_KS_OWNER_NAME);
	if (!ns || !name)
		return NULL;
	size_t size = strlen(ns) + 1 + strlen(name) + 1;
	struct record *r = malloc(sizeof(*r) + size);
	if (!r)
		return NULL;
	snprintf(r->owner, size, "%s/%s", ns, name);
	bool merge = fx_manifest_is_marked(object, FX_MARK_SSA, "Merge");
	r->live = (struct fx_live_record){
	        .version = fx_live_version(object),
	        .fields = fx_fields_hash(object),
	        .marked = fx_manifest_is_left_alone(object),
	        .kept = fx_manifest_is_marked(object, FX_MARK_PRUNE, "disabled"),
	        .needs_cleanup = !merge && fx_fields_need_cleanup(object, &w->live->options.overrides),
	};
	if (w->trivial)
		r->live.status = fx_object_is_deleting(object) ? FX_KSTATUS_TERMINATING : FX_KSTATUS_CURRENT;
	else
		r->live.status = fx_kstatus_of_kind(w->resource.group, strlen(w->resource.group),
		        w->resource.kind, object, fx_wall_ns(), NULL);
	return r;
}

static void add_id(const struct watch *w, const char *namespace_, const char *name, struct fx_buf *out)
{
	struct fx_ref ref = {.group = w->resource.group,
	        .group_len = strlen(w->resource.group),
	        .kind = w->resource.kind,
	        .version = w->resource.version,
	        .namespace = namespace_,
	        .name = name};
	fx_entry_id(&ref, out);
}

static void note_works(struct watch *w)
{
	pthread_mutex_lock(&w->live->lock);
	w->failures = 0;
	w->pause_ms = 0;
	pthread_mutex_unlock(&w->live->lock);
}

static void on_change(void *arg, const struct fx_reflector_event *event)
{
	struct watch *w = arg;
	const struct record *old = event->old_record, *now = event->new_record;
	const struct record *any = now ? now : old;
	fx_cleanup(fx_auto_buf) struct fx_buf id = FX_BUF_INIT;
	note_works(w);
	if (!any)
		return;
	add_id(w, event->namespace_, event->name, &id);
	struct fx_live_event e = {.owner = any->owner,
	        .id = fx_buf_str(&id),
	        .now = now ? &now->live : NULL,
	        .status_changed = !old || !now || old->live.status != now->live.status};
	w->live->options.on_event(w->live->options.arg, &e);
	if (!old || !now || !strcmp(old->owner, now->owner))
		return;
	e.owner = old->owner;
	e.taken = true;
	w->live->options.on_event(w->live->options.arg, &e);
}

static void on_synced(void *arg)
{
	struct watch *w = arg;
	note_works(w);
	if (w->live->options.on_synced)
		w->live->options.on_synced(w->live->options.arg, &w->resource);
}

static void on_error(void *arg, const struct fx_error *err)
{
	struct watch *w = arg;
	if (err->code != FX_E_FORBIDDEN && err->code != FX_E_NOT_FOUND && err->code != FX_E_UNSUPPORTED)
		return;
	pthread_mutex_lock(&w->live->lock);
	bool give_up = ++w->failures >= FAILURES_MAX;
	if (give_up) {
		int64_t pause_ms = w->pause_ms ? w->pause_ms * 2 : PAUSE_MIN_MS;
		w->given_up = true;
		w->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
		w->again_ms = err->code == FX_E_NOT_FOUND ? 0 : fx_now_ms() + w->pause_ms;
	}
	pthread_mutex_unlock(&w->live->lock);
	if (!give_up)
		return;
	fx_reflector_stop(w->reflector);
	if (err->code == FX_E_NOT_FOUND && w->live->options.on_gone)
		w->live->options.on_gone(w->live->options.arg, &w->resource);
}

static void watch_free(void *p)
{
	struct watch *w = p;
	fx_reflector_free(w->reflector);
	free(w);
}

int fx_live_new(const struct fx_live_options *options, struct fx_live **out, struct fx_error *err)
{
	struct fx_live *live = calloc(1, sizeof(*live));
	if (!live)
		return fx_fail_nomem(err);
	live->options = *options;
	pthread_mutex_init(&live->lock, NULL);
	live->watches = (struct fx_map)FX_MAP_INIT_FREE(watch_free);
	*out = live;
	return 0;
}

void fx_live_free(struct fx_live *live)
{
	if (!live)
		return;
	fx_map_release(&live->watches);
	pthread_mutex_destroy(&live->lock);
	free(live);
}

static void watch_key(const struct fx_resource *resource, char *key, size_t size)
{
	snprintf(key, size, "%s/%s", resource->group, resource->resource);
}

static struct watch *new_watch(struct fx_live *live, const struct fx_resource *resource)
{
	struct watch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->live = live;
	w->resource = *resource;
	w->trivial = fx_kstatus_is_trivial(resource->group, strlen(resource->group), resource->kind);
	struct fx_reflector_options options = {.loop = live->options.loop,
	        .kube = live->options.kube,
	        .path = fx_resource_path(resource, NULL, NULL),
	        .label_selector = FX_KS_OWNER_NAME,
	        .metadata_only = w->trivial,
	        .slim = FX_SLIM_HASH,
	        .pack = pack,
	        .on_change = on_change,
	        .on_synced = on_synced,
	        .on_error = on_error,
	        .arg = w};
	if (fx_reflector_new(&options, &w->reflector, NULL) == 0)
		return w;
	free(w);
	return NULL;
}

/* The watch of a resource, or NULL when there is none that works. Watches are never freed while the
 * controller runs, so that the pointer stays valid without the lock. */
static struct watch *find_watch(struct fx_live *live, const struct fx_resource *resource, bool make)
{
	char key[sizeof(resource->group) + sizeof(resource->resource) + 2];
	watch_key(resource, key, sizeof(key));
	struct watch *fresh = NULL, *revived = NULL;
	pthread_mutex_lock(&live->lock);
	struct watch *w = fx_map_get(&live->watches, key);
	if (!w && make && resource->listable && live->watches.len < FX_LIVE_WATCHES_MAX) {
		w = fresh = new_watch(live, resource);
		if (w && !fx_map_set(&live->watches, key, w)) {
			watch_free(w);
			w = fresh = NULL;
		}
	}
	if (w && w->given_up && make && fx_now_ms() >= w->again_ms) {
		w->given_up = false;
		w->failures = 0;
		revived = w;
	}
	if (w && w->given_up)
		w = NULL;
	pthread_mutex_unlock(&live->lock);
	if (fresh || revived)
		fx_reflector_start(fresh ? fresh->reflector : revived->reflector);
	return w;
}

bool fx_live_watch(struct fx_live *live, const struct fx_resource *resource)
{
	struct watch *w = find_watch(live, resource, true);
	return w && fx_reflector_is_synced(w->reflector);
}

static void copy_live(void *arg, const void *record)
{
	*(struct fx_live_record *)arg = ((const struct record *)record)->live;
}

int fx_live_get(struct fx_live *live, const struct fx_resource *resource, const char *namespace_,
        const char *name, struct fx_live_record *out)
{
	struct watch *w = find_watch(live, resource, false);
	if (!w || !fx_reflector_is_synced(w->reflector))
		return -1;
	const char *ns = resource->namespaced ? namespace_ : "";
	return fx_reflector_read(w->reflector, ns, name, copy_live, out) ? 1 : 0;
}

bool fx_live_is_gone(struct fx_live *live, const struct fx_resource *resource, const char *namespace_,
        const char *name, uint64_t version)
{
	struct fx_live_record ignored;
	struct watch *w = find_watch(live, resource, false);
	/* The version before the look: an image gets no older in between. */
	return w && version && fx_reflector_version(w->reflector) >= version &&
	       fx_live_get(live, resource, namespace_, name, &ignored) == 0;
}
