/* Deletion of a Kustomization (reconciler.h). */
#include "prune.h"
#include "reconciler.h"

#include "core/clock.h"
#include "kube/object.h"

#include <string.h>

#define GONE_POLL_MS 2000

static const char *service_account(const struct fx_ks_run *run)
{
	const char *name = fx_json_str_at(run->spec, "serviceAccountName");
	if (name && *name)
		return name;
	name = run->ks->options->default_service_account;
	return name ? name : "";
}

int fx_ks_make_client(struct fx_ks_run *run, struct fx_error *err)
{
	const char *account = service_account(run);
	if (!*account) {
		run->kube = fx_kube_ref(run->ks->manager->kube);
		return 0;
	}
	fx_cleanup(fx_auto_buf) struct fx_buf user = FX_BUF_INIT;
	fx_buf_addf(&user, "system:serviceaccount:%s:%s", run->reconcile->namespace_, account);
	int rc = fx_kube_as(run->ks->manager->kube, fx_buf_str(&user), &run->kube, err);
	if (rc < 0)
		fx_error_wrap(err, "failed to build kube client");
	return rc;
}

static bool wants_deletion(const struct fx_ks_run *run)
{
	const char *policy = fx_json_str_at(run->spec, "deletionPolicy");
	if (fx_json_bool_at(run->spec, "suspend"))
		return false;
	if (!policy || !*policy || !strcmp(policy, "MirrorPrune"))
		return fx_json_bool_at(run->spec, "prune");
	return strcmp(policy, "Orphan") != 0;
}

static bool waits_for_termination(const struct fx_ks_run *run)
{
	const char *policy = fx_json_str_at(run->spec, "deletionPolicy");
	return policy && !strcmp(policy, "WaitForTermination");
}

static void event(struct fx_ks_run *run, enum fx_ks_severity severity, const char *message)
{
	fx_ks_event(run, severity, fx_ks_status_text(run, "lastAppliedRevision"),
	        fx_ks_status_text(run, "lastAppliedOriginRevision"), false, "%s", message);
}

/* 1 when the account to act as exists, 0 when not. */
static int account_exists(struct fx_ks_run *run, struct fx_error *err)
{
	const char *account = service_account(run);
	if (!*account)
		return 1;
	fx_auto(json) json_t *object = NULL;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	struct fx_kube_path path = {.version = "v1",
	        .resource = "serviceaccounts",
	        .namespace_ = run->reconcile->namespace_,
	        .name = account};
	int rc = fx_kube_get(run->ks->manager->kube, &path, run->reconcile->cancel, &object, &failure);
	if (rc == -FX_E_NOT_FOUND)
		return 0;
	if (rc < 0)
		fx_error_move(err, &failure);
	return rc < 0 ? rc : 1;
}

static void orphan(struct fx_ks_run *run, const struct fx_inventory *inventory)
{
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	fx_buf_add_str(&text, "unable to prune objects: \n");
	for (size_t i = 0; i < inventory->len; i++) {
		fx_cleanup(fx_auto_entry_parts) struct fx_entry_parts parts = {0};
		if (fx_entry_parse(&inventory->items[i], &parts, NULL) < 0)
			continue;
		fx_ref_add_subject(&parts.ref, &text);
		fx_buf_add_char(&text, '\n');
	}
	event(run, FX_KS_ERROR, fx_buf_str(&text));
}

/* What asking again does not change. */
static bool is_final(const struct fx_error *err)
{
	return err->code == FX_E_FORBIDDEN || err->code == FX_E_UNAUTHORIZED || err->code == FX_E_INVALID ||
	       err->kind == FX_KIND_BUG;
}

/* Gives 1 while something is still there, or cannot be told to be gone. */
static int wait_gone(struct fx_ks_run *run, const struct fx_inventory *inventory)
{
	struct fx_ks_state *s = run->state;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int there = 0;
	for (size_t i = 0; there == 0 && i < inventory->len; i++)
		there = fx_prune_is_there(run, &inventory->items[i], &err);
	if (there == 0)
		return 0;
	if ((there < 0 && is_final(&err)) || fx_now_ns() >= s->wait_deadline_ns) {
		event(run, FX_KS_ERROR, "failed to wait for resources termination");
		return 0;
	}
	run->result->requeue_after_ms = GONE_POLL_MS;
	return 1;
}

/* Gives 1 while the deletion goes on. */
static int delete_objects(struct fx_ks_run *run, const struct fx_inventory *inventory, struct fx_error *err)
{
	struct fx_ks_state *s = run->state;
	if (s->wait == FX_KS_WAIT_GONE)
		return wait_gone(run, inventory);
	fx_cleanup(fx_auto_prune_result) struct fx_prune_result pruned = {0};
	int rc = fx_prune(run, inventory, &pruned, err);
	if (rc < 0) {
		event(run, FX_KS_ERROR, "pruning for deleted resource failed");
		return rc;
	}
	if (pruned.lines.len)
		event(run, FX_KS_INFO, fx_buf_str(&pruned.lines));
	if (!waits_for_termination(run))
		return 0;
	s->wait_deadline_ns = fx_now_ns() + run->timeout_ns;
	fx_ks_state_set_wait(&run->ks->states, s, FX_KS_WAIT_GONE);
	return wait_gone(run, &pruned.deleted);
}

/* The objects are in another cluster, which this version cannot reach: looked for here they would count as
 * gone, and nobody would know of them any more. The finalizer stays until somebody decides. */
static int keep_remote(struct fx_ks_run *run, const struct fx_inventory *inventory, struct fx_error *err)
{
	fx_cleanup(fx_auto_buf) struct fx_buf text = FX_BUF_INIT;
	fx_buf_addf(&text,
	        "deletion is blocked: %zu object(s) were applied through spec.kubeConfig, which this version "
	        "of the "
	        "controller does not support, and would be left behind; set spec.deletionPolicy to Orphan to "
	        "leave them, or let a controller that supports spec.kubeConfig delete them",
	        inventory->len);
	bool is_news =
	        strcmp(fx_conditions_message(run->conditions, FX_CONDITION_READY), fx_buf_str(&text)) != 0;
	fx_ks_stall(run, FX_REASON_PRUNE_FAILED, fx_buf_str(&text));
	if (is_news)
		event(run, FX_KS_ERROR, fx_buf_str(&text));
	return fx_ks_write(run, err);
}

int fx_ks_finalize(struct fx_ks_run *run, struct fx_error *err)
{
	fx_auto(inventory) struct fx_inventory inventory = {0};
	int rc = fx_inventory_read(json_object_get(run->status, "inventory"), &inventory, err);
	if (rc < 0)
		return rc;
	if (wants_deletion(run) && inventory.len && json_is_object(json_object_get(run->spec, "kubeConfig")))
		return keep_remote(run, &inventory, err);
	if (wants_deletion(run) && inventory.len) {
		int exists = account_exists(run, err);
		if (exists < 0)
			return exists;
		if (exists == 0) {
			orphan(run, &inventory);
		} else {
			rc = fx_ks_make_client(run, err);
			if (rc == 0)
				rc = delete_objects(run, &inventory, err);
			if (rc != 0)
				return rc < 0 ? rc : 0;
		}
	}
	fx_ks_state_set_wait(&run->ks->states, run->state, FX_KS_IDLE);
	return fx_reconcile_remove_finalizer(run->reconcile, FX_FINALIZER, err);
}
