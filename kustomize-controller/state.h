/*
 * What the controller remembers of each Kustomization between runs, packed: what others may ask
 * about it (facts), what it has applied, what it waits for, what its last build looked at. All
 * of it can be lost: a run finds the same place again from the cluster.
 *
 * Thread safe: one lock for the table. The state that a run has is the run's own, but for what the
 * loop shares with it, which is used under the lock: running, wake, wake_health, gone, cancel_by, applied,
 * and wait (see fx_ks_state_set_wait()).
 */
#ifndef KUSTOMIZE_CONTROLLER_STATE_H
#define KUSTOMIZE_CONTROLLER_STATE_H

#include "core/map.h"
#include "order.h"

#include <jansson.h>
#include <pthread.h>
#include <stdint.h>

/* Object changed by others: the pause before it is put right again doubles from the first to the
 * second, while changes come closer than the window. */
#define FX_FIGHT_PAUSE_MIN_MS 1000
#define FX_FIGHT_PAUSE_MAX_MS (5 * 60 * 1000)
#define FX_FIGHT_WINDOW_MS (10 * 60 * 1000)
/* Corrections of one object that are made at once before the pauses and the warning begin. */
#define FX_FIGHT_FREE 3
/* The first pause when another Kustomization has taken an object over: an object that moves from one to the
 * other must not go back and forth until both have seen what Git says. */
#define FX_TAKEN_PAUSE_MIN_MS (60 * 1000)

/* One applied object. */
struct fx_applied {
	uint64_t version;        /* resourceVersion as we left it */
	uint64_t fields;         /* fx_fields_hash() as we left it */
	uint64_t desired;        /* hash of what was sent */
	int64_t applied_ms;      /* when we looked at or wrote it last, fx_now_ns() in ms */
	int64_t drifted_ms;      /* last time that others changed it */
	int64_t paused_ms;       /* when the pause of a dirty one ends; 0: not counted yet */
	uint16_t fights;         /* how often in a row */
	bool dirty;              /* changed or deleted since */
	bool taken;              /* by another Kustomization */
	bool skipped;            /* not applied: a policy says so */
	bool current_on_absence; /* a Job that removes itself */
	uint32_t run;            /* the last run that had it */
};

enum fx_ks_wait {
	FX_KS_IDLE,
	FX_KS_WAIT_ARTIFACT,   /* the artifact server must answer */
	FX_KS_WAIT_STAGE,      /* definitions or classes must become current, or their kinds be served */
	FX_KS_WAIT_HEALTH,     /* applied or named objects must become current */
	FX_KS_WAIT_DEPENDENCY, /* other Kustomizations must become ready */
	FX_KS_WAIT_GONE,       /* deleted objects must go (deletionPolicy WaitForTermination) */
};

struct fx_ks_state {
	int refs;
	bool gone; /* no longer in the table */
	bool running;
	bool wake;        /* an object was changed while it ran */
	bool wake_health; /* what it waits for came along while it ran */

	/* Position. */
	enum fx_ks_wait wait;
	int64_t wait_started_ns, wait_deadline_ns; /* fx_now_ns() */
	/* Since when this run waits for each stage; 0: it has not come to it. Each stage has its own time,
	 * and every pass looks at the earlier ones again. */
	int64_t stage_started_ns[FX_STAGE_COUNT];
	int64_t kind_missed_ns; /* since when the server does not have a kind that is to come; 0: it has all
	                         */
	int64_t run_started_ns;
	bool wait_is_shown; /* the status says that this run waits for health */
	int fetch_failures; /* downloads in a row of the artifact fetch_url that failed */
	char *fetch_url;
	int64_t generation;
	char *revision;  /* of the run that waits */
	char *requested; /* its requestedAt token */
	char *changes;   /* lines of what this run has created or configured so far */
	char *origin_revision;
	bool drifted;     /* this run has changed something */
	bool was_healthy; /* before it */
	char *cancel_by;  /* "Kind/ns/name" of the event that ends a health wait */

	/* Memory of the last build. */
	uint64_t build_key; /* spec and variables */
	char *trace;
	size_t trace_len;
	char digest[72];
	bool build_is_known;

	uint32_t run;
	struct fx_map applied; /* inventory id -> struct fx_applied */
};

/* What others ask: dependants, source and configuration watches. */
struct fx_ks_facts {
	char *source;        /* "GitRepository/ns/name" */
	char **dependencies; /* "ns/name", NULL-terminated */
	char **configs;      /* "ConfigMap/name", "Secret/name" in its namespace, NULL-terminated */
	char *last_applied, *last_attempted;
	bool has_conditions;
	bool observed; /* generation == status.observedGeneration */
	bool ready;    /* Ready=True */
	bool ready_or_reconciling;
	bool suspended;
};

struct fx_ks_states {
	pthread_mutex_t lock;
	struct fx_map states; /* "ns/name" -> struct fx_ks_state, counted */
	struct fx_map facts;  /* "ns/name" -> struct fx_ks_facts, owned */
};

void fx_ks_states_init(struct fx_ks_states *states);
void fx_ks_states_release(struct fx_ks_states *states);

/* The state for a run: made when it is not there, marked as running. NULL without memory. */
struct fx_ks_state *fx_ks_state_begin(struct fx_ks_states *states, const char *key);
/* Ends the run. Milliseconds until the next one when an event came meanwhile that asks for it (0: at once; a
 * fight over an object is slowed down here as anywhere) or when a pause is not over yet, or -1. */
int64_t fx_ks_state_end(struct fx_ks_states *states, struct fx_ks_state *state);

/* What the run waits for from now on. Only the run that has the state changes it, so that it may read
 * it without the lock; the loop reads it under the lock. */
void fx_ks_state_set_wait(struct fx_ks_states *states, struct fx_ks_state *state, enum fx_ks_wait wait);

/* Takes the state and the facts out of the table. */
void fx_ks_states_forget(struct fx_ks_states *states, const char *key);

/* Replaces an owned text by a copy of text, or by NULL. */
void fx_ks_state_set_text(char **slot, const char *text);

/* Facts of an object; "ns/name" is its key. */
void fx_ks_states_note(struct fx_ks_states *states, const char *key, const json_t *object);

/* A JSON object's texts as facts; owned by the caller. NULL without memory. */
struct fx_ks_facts *fx_ks_facts_of(const json_t *object);
void fx_ks_facts_free(struct fx_ks_facts *facts);

/* Pause before an object that others have just changed is put right; counts the change and keeps the end of
 * the pause. */
int64_t fx_applied_pause_ms(struct fx_applied *applied, int64_t now_ms);

#endif
