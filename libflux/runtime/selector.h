/*
 * Label selectors of flags: is it one? The API server does the selecting. Pure.
 *
 * Source: Kubernetes' labels.Parse (equality and set based requirements).
 */
#ifndef FX_RUNTIME_SELECTOR_H
#define FX_RUNTIME_SELECTOR_H

#include "core/error.h"

/* "a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1"; empty selects everything. FX_E_INVALID names the requirement
 * that is none. */
int fx_label_selector_check(const char *text, struct fx_error *err) fx_must_use;

#endif
