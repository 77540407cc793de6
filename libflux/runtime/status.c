/* The writes of a run (controller.h): status, finalizers; and its log records. */
#include "runtime/controller.h"

#include "core/clock.h"
#include "data/mergepatch.h"
#include "runtime/requeue.h"

#include <string.h>
#include <time.h>

/* Tries of a write that meets conflicts, and the pause between two (with jitter up to the double). */
#define CONFLICT_TRIES 5
#define CONFLICT_PAUSE_MS 100

json_t *fx_reconcile_copy_status(const struct fx_reconcile *run)
{
	const json_t *status = json_object_get(run->object, "status");
	json_t *copy = json_is_object(status) ? json_deep_copy(status) : json_object();
	if (copy && !json_is_array(json_object_get(copy, "conditions")))
		json_object_set_new(copy, "conditions", json_array());
	return copy;
}

/* The status as stored, with the empty condition list that copies have. */
static json_t *stored_status(const struct fx_reconcile *run)
{
	json_t *status = json_object_get(run->object, "status");
	json_t *copy = json_is_object(status) ? json_copy(status) : json_object();
	if (copy && !json_object_get(copy, "conditions"))
		json_object_set_new(copy, "conditions", json_array());
	return copy;
}

static void pause_after_conflict(struct fx_reconcile *run)
{
	/* Somebody else writes the same object at this moment: step aside for a random time. */
	struct timespec ts = {
	        .tv_nsec = (long)((CONFLICT_PAUSE_MS + fx_random_unit() * CONFLICT_PAUSE_MS) * 1e6)};
	if (!fx_cancel_is_fired(run->cancel))
		nanosleep(&ts, NULL);
}

static int read_again(struct fx_reconcile *run, struct fx_error *err)
{
	struct fx_kube_path path = fx_reconcile_path(run, NULL);
	json_t *object = NULL;
	int rc = fx_kube_get(run->manager->kube, &path, run->cancel, &object, err);
	if (rc == 0)
		fx_reconcile_replace(run, object);
	return rc;
}

static int send(struct fx_reconcile *run, const char *subresource, const json_t *patch, struct fx_error *err)
{
	struct fx_kube_path path = fx_reconcile_path(run, subresource);
	struct fx_kube_write_options options = {
	        .field_manager = fx_reconcile_field_manager(run), .slim = FX_SLIM_DROP};
	json_t *object = NULL;
	int rc = fx_kube_patch(
	        run->manager->kube, &path, FX_KUBE_MERGE_PATCH, patch, &options, run->cancel, &object, err);
	if (rc == 0)
		fx_reconcile_replace(run, object);
	return rc;
}

/* {"metadata":{"resourceVersion": ...}}: the write is refused when the object has changed. */
static json_t *guarded_patch(const struct fx_reconcile *run)
{
	return json_pack("{s:{s:s}}", "metadata", "resourceVersion", fx_object_resource_version(run->object));
}

/* Sends what differs; nothing when nothing does. */
static int write_status_once(struct fx_reconcile *run, const json_t *status, struct fx_error *err)
{
	fx_auto(json) json_t *stored = stored_status(run);
	json_t *diff = stored ? fx_merge_patch_diff(stored, status) : NULL;
	if (!diff)
		return fx_fail_nomem(err);
	if (json_object_size(diff) == 0) {
		json_decref(diff);
		return 0;
	}
	fx_auto(json) json_t *patch =
	        json_object_get(diff, "conditions") ? guarded_patch(run) : json_object();
	if (!patch) {
		json_decref(diff);
		return fx_fail_nomem(err);
	}
	if (json_object_set_new(patch, "status", diff) != 0)
		return fx_fail_nomem(err);
	return send(run, "status", patch, err);
}

int fx_reconcile_write_status(struct fx_reconcile *run, const json_t *status, struct fx_error *err)
{
	bool deleting = fx_object_is_deleting(run->object);
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	for (int try = 1;; try++) {
		int rc = write_status_once(run, status, &failure);
		if (rc == -FX_E_CONFLICT && try < CONFLICT_TRIES) {
			if (try > 1)
				pause_after_conflict(run);
			fx_error_release(&failure);
			rc = read_again(run, &failure);
			if (rc == 0)
				continue;
		}
		if (rc == -FX_E_NOT_FOUND && deleting)
			return 0;
		if (rc < 0)
			fx_error_move(err, &failure);
		return rc;
	}
}

/* Writes the finalizer list that `edit` makes of the present one; *out_changed: one was sent. */
static int write_finalizers(
        struct fx_reconcile *run, const char *finalizer, bool add, bool *out_changed, struct fx_error *err)
{
	for (int try = 1;; try++) {
		if (out_changed)
			*out_changed = false;
		if (fx_object_has_finalizer(run->object, finalizer) == add)
			return 0;
		fx_auto(json) json_t *copy = json_deep_copy(run->object);
		bool ok = copy && (add ? fx_object_add_finalizer(copy, finalizer)
		                       : fx_object_remove_finalizer(copy, finalizer));
		fx_auto(json) json_t *patch = guarded_patch(run);
		json_t *list = ok ? json_object_get(json_object_get(copy, "metadata"), "finalizers") : NULL;
		if (!ok || !patch ||
		        json_object_set_new(json_object_get(patch, "metadata"), "finalizers",
		                list ? json_incref(list) : json_null()) != 0)
			return fx_fail_nomem(err);
		fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
		int rc = send(run, NULL, patch, &failure);
		if (rc == -FX_E_CONFLICT && try < CONFLICT_TRIES) {
			fx_error_release(&failure);
			rc = read_again(run, &failure);
			if (rc == 0)
				continue;
		}
		if (rc == -FX_E_NOT_FOUND && !add)
			return 0;
		if (rc < 0)
			fx_error_move(err, &failure);
		else if (out_changed)
			*out_changed = true;
		return rc;
	}
}

int fx_reconcile_add_finalizer(
        struct fx_reconcile *run, const char *finalizer, bool *out_changed, struct fx_error *err)
{
	return write_finalizers(run, finalizer, true, out_changed, err);
}

int fx_reconcile_remove_finalizer(struct fx_reconcile *run, const char *finalizer, struct fx_error *err)
{
	int rc = write_finalizers(run, finalizer, false, NULL, err);
	/* The answer to the removal of the last finalizer is the object as it went. */
	if (rc == 0)
		fx_object_remove_finalizer(run->object, finalizer);
	return rc;
}

void fx_reconcile_log(
        const struct fx_reconcile *run, enum fx_log_level level, const char *msg, const char *error)
{
	if (!fx_log_enabled(level))
		return;
	const struct fx_controller_options *o = fx_controller_options_of(run->controller);
	fx_auto(buf) struct fx_buf ref = FX_BUF_INIT;
	fx_buf_add_str(&ref, "{\"name\":");
	fx_buf_add_json_string(&ref, run->name);
	fx_buf_add_str(&ref, ",\"namespace\":");
	fx_buf_add_json_string(&ref, run->namespace_);
	fx_buf_add_char(&ref, '}');
	const struct fx_log_field fields[] = {
	        {"controller", o->name, false},
	        {"controllerGroup", o->group, false},
	        {"controllerKind", o->kind, false},
	        {o->kind, fx_buf_str(&ref), true},
	        {"namespace", run->namespace_, false},
	        {"name", run->name, false},
	        {"reconcileID", run->id, false},
	        {0},
	};
	fx_log_write(level, NULL, msg, error, fields);
}

void fx_reconcile_logf(const struct fx_reconcile *run, enum fx_log_level level, const char *fmt, ...)
{
	if (!fx_log_enabled(level))
		return;
	fx_auto(buf) struct fx_buf msg = FX_BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&msg, fmt, ap);
	va_end(ap);
	fx_reconcile_log(run, level, fx_buf_str(&msg), NULL);
}
