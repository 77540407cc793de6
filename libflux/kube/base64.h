/* Base64 (RFC 4648, standard alphabet, padded) of Secrets and kubeconfigs. Pure. */
#ifndef FX_KUBE_BASE64_H
#define FX_KUBE_BASE64_H

#include "core/cleanup.h"

#include <stddef.h>

/* Decodes; line breaks are skipped, as Go's decoder does. Owned by the caller, NUL-terminated; NULL
 * when the text is no base64 or memory is out. out_len may be NULL. */
char *fx_base64_decode(const char *text, size_t len, size_t *out_len) fx_must_use;

/* Owned by the caller, NULL without memory. */
char *fx_base64_encode(const void *data, size_t len) fx_must_use;

#endif
