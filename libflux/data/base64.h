/* Base64 (RFC 4648, standard alphabet, padded) of Secrets, kubeconfigs and binary data. Pure. */
#ifndef FX_DATA_BASE64_H
#define FX_DATA_BASE64_H

#include "core/cleanup.h"

#include <stddef.h>

/* Decodes; line breaks are skipped, as Go's decoder does. Owned by the caller, NUL-terminated; NULL
 * when the text is no base64 or memory is out. out_len may be NULL. */
char *fx_base64_decode(const char *text, size_t len, size_t *out_len) fx_must_use;

/* Characters of the encoded form of len bytes. */
static inline size_t fx_base64_size(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* Encodes to out, which holds fx_base64_size(len) characters; no NUL is added. */
void fx_base64_encode_to(const void *data, size_t len, char *out);

/* Encodes. Owned by the caller, NUL-terminated; NULL without memory. */
char *fx_base64_encode(const void *data, size_t len) fx_must_use;

#endif
