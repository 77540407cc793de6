/*
 * What makes Kustomizations run besides their own changes: new revisions of sources, dependencies
 * that become ready, labelled ConfigMaps and Secrets, and changes of applied objects by others.
 *
 * Source: triggers of the Kustomization API; drift and dependencies are events here, not polls.
 */
#ifndef KUSTOMIZE_CONTROLLER_WATCHES_H
#define KUSTOMIZE_CONTROLLER_WATCHES_H

#include "ks.h"

/* [main] Makes and starts the images of sources and configuration, and the watches' table. */
int fx_ks_watches_start(struct fx_ks *ks, struct fx_error *err) fx_must_use;
/* [main] Waits until the sources are known: without them a restart would report them missing. */
int fx_ks_watches_wait(struct fx_ks *ks, struct fx_error *err) fx_must_use;
/* [main] After the workers have ended. */
void fx_ks_watches_stop(struct fx_ks *ks);

/* struct fx_controller_options.on_seen and on_gone; arg is the struct fx_ks. [loop] */
void fx_ks_on_seen(void *arg, const char *namespace_, const char *name, const json_t *object);
void fx_ks_on_gone(void *arg, const char *namespace_, const char *name);

#endif
