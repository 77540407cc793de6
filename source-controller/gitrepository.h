/*
 * The GitRepository kind: asks the remote for the head of a reference, and only when that has
 * moved (or what is wanted of it has changed) fetches the commit and stores its tree as an artifact.
 *
 * Source: source-controller reference, section 6.
 */
#ifndef FX_SOURCE_GITREPOSITORY_H
#define FX_SOURCE_GITREPOSITORY_H

#include "source-controller/source.h"

/* Makes the controller; kind is filled in and must live as long as it. */
int fx_gitrepository_new(struct fx_source_env *env, struct fx_source_kind *kind, struct fx_controller **out,
        struct fx_error *err) fx_must_use;

#endif
