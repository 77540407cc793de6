/*
 * Brings desired objects into the form that is sent: what the API server would refuse or what
 * would look like a difference for ever is put right. Pure.
 *
 * Source: normalisation rules of Flux's server-side apply.
 */
#ifndef KUSTOMIZE_CONTROLLER_NORMALIZE_H
#define KUSTOMIZE_CONTROLLER_NORMALIZE_H

#include "core/error.h"

#include <jansson.h>

/* Changes the object in place: Secret stringData into data, missing protocols of ports, nulls of
 * built-in kinds, structs that are sent when empty too, status (except of CRDs) and creationTimestamp away.
 */
int fx_manifest_normalize(json_t *object, struct fx_error *err) fx_must_use;

/* Removes from the object the fields that an API server's answer names as not declared in its
 * schema; true when something was removed. Only for kinds that are built into Kubernetes, where
 * Flux drops such fields silently. */
bool fx_manifest_drop_undeclared(json_t *object, const char *message);

/* Takes spec.conversion.webhook.clientConfig.caBundle out of a CRD when it is not base64 of PEM
 * certificates: the API server would refuse it. */
void fx_manifest_fix_ca_bundle(json_t *object);

#endif
