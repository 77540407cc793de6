/*
 * Label selectors (equality and set based) and field selectors. Pure.
 */
#ifndef FX_TEST_APISERVER_SELECTOR_H
#define FX_TEST_APISERVER_SELECTOR_H

#include "core/error.h"

#include <jansson.h>

struct fx_as_selector;

/* The text of ?labelSelector= : "a=b,c!=d,e in (f,g),h notin (i),j,!k". NULL or "" gives *out NULL,
 * which matches everything. FX_E_PARSE. Owned by the caller. */
int fx_as_labels_parse(const char *text, struct fx_as_selector **out, struct fx_error *err) fx_must_use;
/* The text of ?fieldSelector= : "metadata.name=a,status.phase!=Running". */
int fx_as_fields_parse(const char *text, struct fx_as_selector **out, struct fx_error *err) fx_must_use;
void fx_as_selector_free(struct fx_as_selector *selector);
FX_DEFINE_AUTO(as_selector, struct fx_as_selector, fx_as_selector_free)

bool fx_as_labels_match(const struct fx_as_selector *selector, const json_t *object);
bool fx_as_fields_match(const struct fx_as_selector *selector, const json_t *object);
/* The value that the selector pins a field to (metadata.name=x), NULL when it does not. */
const char *fx_as_fields_value(const struct fx_as_selector *selector, const char *field);
/* The field of the requirement number i, NULL past the end. */
const char *fx_as_selector_key(const struct fx_as_selector *selector, size_t i);

/* A metav1.LabelSelector object against a map of labels; an absent selector matches nothing. */
bool fx_as_label_selector_matches(const json_t *selector, const json_t *labels);

#endif
