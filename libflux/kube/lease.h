/*
 * Leader election on a coordination.k8s.io/v1 Lease, run by the loop's timers.
 *
 *   follower --lease free or expired--> leader --renewed every retry period--> leader
 *                                         | not renewed within the renew deadline, or taken by another
 *                                         v
 *                                       lost (end)
 *
 * Source: runtime reference, section 11; the expiry is judged by our own clock from the moment a change of
 * the record was seen, never by comparing clocks.
 */
#ifndef FX_KUBE_LEASE_H
#define FX_KUBE_LEASE_H

#include "kube/client.h"

struct fx_lease;

struct fx_lease_options {
	struct fx_loop *loop;
	struct fx_kube *kube;   /* a reference is kept */
	const char *namespace_; /* all strings are copied */
	const char *name;
	const char *identity;  /* "<hostname>_<uuid>", see fx_lease_identity() */
	int lease_duration_ms; /* 35 s */
	int renew_deadline_ms; /* 30 s */
	int retry_period_ms;   /* 5 s */
	bool release_on_stop;
	/* [loop] */
	void (*on_acquired)(void *arg);
	/* [loop] The lease is in other hands or could not be renewed in time: end the process. Not called by
	 * a stop. */
	void (*on_lost)(void *arg);
	/* [loop] Another process leads; identity borrowed. May be NULL. */
	void (*on_leader)(void *arg, const char *identity);
	/* [loop] A request failed; may be NULL. */
	void (*on_error)(void *arg, const struct fx_error *err);
	void *arg;
};

/* Owned by the caller; does nothing until started. FX_E_INVALID when the times do not fit each other
 * (lease > renew > 1.2 retry). */
int fx_lease_new(
        const struct fx_lease_options *options, struct fx_lease **out, struct fx_error *err) fx_must_use;
/* [any] */
void fx_lease_start(struct fx_lease *lease);
/* [worker] Stops, and releases the lease when we hold it and release_on_stop is set (waits for that, at most
 * timeout_ms). No callback runs afterwards. */
void fx_lease_stop(struct fx_lease *lease, int timeout_ms);
/* [worker] Stops without releasing and frees. Accepts NULL. */
void fx_lease_free(struct fx_lease *lease);
FX_DEFINE_AUTO(lease, struct fx_lease, fx_lease_free)
/* [any] */
bool fx_lease_is_leader(const struct fx_lease *lease);

/* "<hostname>_<random uuid>". Owned by the caller, NULL without memory or entropy. */
char *fx_lease_identity(void) fx_must_use;
/* "<controller>-leader-election", with "-" and the first 8 hex digits of the selector's SHA-256 when selector
 * is not empty. Owned by the caller, NULL without memory. */
char *fx_lease_name(const char *controller, const char *selector) fx_must_use;

#endif
