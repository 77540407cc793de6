/*
 * Is an object what its spec asks for? The kstatus rules: generic ones over generation and
 * conditions, then those of the kinds that Kubernetes has. Pure, thread safe.
 *
 * Source: kstatus (cli-utils) with Flux's own rule for Jobs.
 */
#ifndef FX_KUBE_KSTATUS_H
#define FX_KUBE_KSTATUS_H

#include "core/error.h"

#include <jansson.h>
#include <stdint.h>

enum fx_kstatus {
	FX_KSTATUS_UNKNOWN, /* could not be read or computed */
	FX_KSTATUS_IN_PROGRESS,
	FX_KSTATUS_FAILED,
	FX_KSTATUS_CURRENT,
	FX_KSTATUS_TERMINATING,
	FX_KSTATUS_NOT_FOUND,
};

/* "InProgress", "NotFound" ...; static. */
const char *fx_kstatus_name(enum fx_kstatus status);

/* Status of a live object. wall_ns: the time, for what is a failure only after a while (Pods
 * that cannot be scheduled). FX_KSTATUS_UNKNOWN comes with err set. */
enum fx_kstatus fx_kstatus_of(const json_t *object, int64_t wall_ns, struct fx_error *err);

/* The same for an item of a list: those of built-in kinds come without apiVersion and kind. group_len is of
 * group, which may be an apiVersion. */
enum fx_kstatus fx_kstatus_of_kind(const char *group, size_t group_len, const char *kind,
        const json_t *object, int64_t wall_ns, struct fx_error *err);

/* True for kinds whose metadata alone gives the status: no status to wait for. */
bool fx_kstatus_is_trivial(const char *group, size_t group_len, const char *kind);

/* True for kinds that fail when one of their Pods does (StatefulSet, ReplicaSet). */
bool fx_kstatus_has_pods(const char *group, size_t group_len, const char *kind);

/* Number of Pods of a list that have failed for good; Pods that are deleted or cannot be
 * scheduled do not count. pods: a JSON array. */
size_t fx_kstatus_failed_pods(const json_t *pods, int64_t wall_ns);

#endif
