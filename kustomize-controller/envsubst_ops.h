/* The operators of envsubst.h on values: pure, thread safe. */
#ifndef KUSTOMIZE_CONTROLLER_ENVSUBST_OPS_H
#define KUSTOMIZE_CONTROLLER_ENVSUBST_OPS_H

#include "core/buf.h"
#include "core/error.h"

enum fx_envsubst_op {
	FX_ENVSUBST_PLAIN,
	FX_ENVSUBST_LENGTH,
	FX_ENVSUBST_UPPER_FIRST,
	FX_ENVSUBST_UPPER,
	FX_ENVSUBST_LOWER_FIRST,
	FX_ENVSUBST_LOWER,
	FX_ENVSUBST_DEFAULT,
	FX_ENVSUBST_SUBSTRING,
	FX_ENVSUBST_TRIM_PREFIX,
	FX_ENVSUBST_TRIM_PREFIX_LONGEST,
	FX_ENVSUBST_TRIM_SUFFIX,
	FX_ENVSUBST_TRIM_SUFFIX_LONGEST,
	FX_ENVSUBST_REPLACE,
	FX_ENVSUBST_REPLACE_ALL,
	FX_ENVSUBST_REPLACE_PREFIX,
	FX_ENVSUBST_REPLACE_SUFFIX,
};

/* Length in bytes of the variable name at the start of text: letters, digits (of any
 * script) and `_`. 0 when there is none. */
size_t fx_envsubst_name_length(const char *text, size_t len);

/* Appends the value as the operator changes it. args: count of them evaluated arguments. */
int fx_envsubst_apply(enum fx_envsubst_op op, const char *value, const char *const *args, int count,
        struct fx_buf *out, struct fx_error *err) fx_must_use;

#endif
