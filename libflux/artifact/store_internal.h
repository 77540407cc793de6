/* What the files of the store share. */
#ifndef FX_ARTIFACT_STORE_INTERNAL_H
#define FX_ARTIFACT_STORE_INTERNAL_H

#include "artifact/store.h"

#define FX_STORE_LOCK_SUFFIX ".lock"
/* In the name of a file that is still being written. */
#define FX_STORE_TEMP_MARK ".tmp-"
/* Directories deeper than this below an artifact's are not walked. */
#define FX_STORE_DEPTH_MAX 32

/* The numbers of the options; its strings are NULL. */
const struct fx_store_options *fx_store_options_of(const struct fx_store *store);

#endif
