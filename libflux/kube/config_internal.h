/* What the files of the configuration share. Private to kube/config*.c. */
#ifndef FX_KUBE_CONFIG_INTERNAL_H
#define FX_KUBE_CONFIG_INTERNAL_H

#include "core/buf.h"
#include "kube/config.h"

/* Appends a whole file, at most FX_KUBE_CONFIG_MAX bytes in all. FX_E_IO, FX_E_NOT_FOUND, FX_E_LIMIT. */
int fx_kube_read_file(const char *path, struct fx_buf *out, struct fx_error *err) fx_must_use;

#endif
