/*
 * The JSONPath of printer columns: `.a.b`, `['a']`, `[0]`, `[*]`, and filters of the form
 * `[?(@.a=="b")]`. Pure.
 */
#ifndef FX_TEST_APISERVER_JSONPATH_H
#define FX_TEST_APISERVER_JSONPATH_H

#include <jansson.h>

/* The first value found, borrowed; NULL when there is none or the path is not understood. */
const json_t *fx_as_jsonpath(const json_t *object, const char *path);

#endif
