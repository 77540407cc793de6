/*
 * CustomResourceDefinitions: their status as the apiextensions controllers leave it, and loading them
 * from files at start.
 */
#ifndef FX_TEST_APISERVER_CRD_H
#define FX_TEST_APISERVER_CRD_H

#include "core/error.h"
#include "state.h"

#define FX_AS_CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

/* Sets acceptedNames, storedVersions, the conditions. */
void fx_as_crd_complete(json_t *crd, const json_t *old);

/* Creates every object found in a YAML or JSON file, or in all such files of a folder; other kinds than
 * CustomResourceDefinition are created as well. */
int fx_as_load_path(struct fx_as *as, const char *path, struct fx_error *err) fx_must_use;

#endif
