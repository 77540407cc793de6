/*
 * The part of CEL that validation rules of the Flux kinds use: field access, has(), size(), literals,
 * `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `&&`, `||`, `in` with a list, startsWith, endsWith,
 * contains, and parentheses. A rule that uses anything else is not evaluated and counts as kept.
 */
#ifndef FX_TEST_APISERVER_CEL_H
#define FX_TEST_APISERVER_CEL_H

#include <jansson.h>

/* Runs the x-kubernetes-validations of a schema over a value and everything below; appends problems as
 * fx_as_schema_validate() does. old: the value before an update, NULL on create. */
void fx_as_cel_validate(
        const json_t *schema, const json_t *value, const json_t *old, const char *path, json_t *problems);

/* 1 true, 0 false, -1 an error or not evaluated. old_self NULL: rules that need it are not evaluated. */
int fx_as_cel_rule(const char *rule, const json_t *self, const json_t *old_self);

#endif
