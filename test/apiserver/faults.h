/*
 * Faults on demand and the count of requests. Called with the server's lock held.
 */
#ifndef FX_TEST_APISERVER_FAULTS_H
#define FX_TEST_APISERVER_FAULTS_H

#include "core/error.h"
#include "state.h"

enum fx_as_fault_type {
	FX_AS_FAULT_LATENCY,
	FX_AS_FAULT_RESET,
	FX_AS_FAULT_TRUNCATE,
	FX_AS_FAULT_STATUS,
	FX_AS_FAULT_CUT
};

/* What a fault does to one request; a copy. */
struct fx_as_fault_hit {
	enum fx_as_fault_type type;
	int status;        /* STATUS */
	int retry_after_s; /* STATUS 429 and 503; 0: none */
	int latency_ms;
};

/* Adds the fault that a control request describes:
 * {"path":"/api/v1","verb":"list","user":"x","type":"503","count":2,"latencyMs":10,"retryAfter":1}.
 * path is a prefix; path, verb and user default to everything, count to 1 (-1: always). type is latency,
 * reset, truncate, cut or one of 409, 410, 429, 500, 503; or discovery, which hides definitions that are
 * younger than latencyMs from discovery until the faults are cleared. FX_E_INVALID. */
int fx_as_faults_add(struct fx_as *as, const json_t *request, struct fx_error *err) fx_must_use;
/* The faults that are left, with their remaining counts; a new reference. */
json_t *fx_as_faults_list(const struct fx_as *as);
void fx_as_faults_clear(struct fx_as *as);

/* The first fault for a request; it is used up by one. */
bool fx_as_faults_take(
        struct fx_as *as, const char *path, const char *verb, const char *user, struct fx_as_fault_hit *out);
/* The Status of a STATUS fault; a new reference. */
json_t *fx_as_fault_status(const struct fx_as_fault_hit *hit);

/* Counts a request by user, verb and resource ("kustomizations/status"). */
void fx_as_count(struct fx_as *as, const char *user, const char *verb, const char *resource);
/* [{"user","verb","resource","count"}], a new reference. */
json_t *fx_as_count_list(const struct fx_as *as);

#endif
