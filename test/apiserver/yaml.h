/* YAML or JSON text to jansson values. Pure. */
#ifndef FX_TEST_APISERVER_YAML_H
#define FX_TEST_APISERVER_YAML_H

#include "core/error.h"

#include <jansson.h>
#include <stddef.h>

/* All documents of a text as an array; empty ones are left out. */
int fx_as_yaml_all(const char *text, size_t len, json_t **out, struct fx_error *err) fx_must_use;
/* The first document. */
int fx_as_yaml_one(const char *text, size_t len, json_t **out, struct fx_error *err) fx_must_use;

#endif
