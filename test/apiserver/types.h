/*
 * The built-in types as OpenAPI schemas, made once from compact tables: what the fields are
 * called, how lists and maps merge, and the plain defaults. Read only after fx_as_types().
 *
 * A table row is {name, fields}, the fields apart by blanks, each `name:TYPE` or `name*:TYPE`
 * (required) with `=VALUE` behind it for a default. TYPE is
 *   s i l b n q p t u x y   string int32 int64 bool number quantity int-or-string time microtime any bytes
 *   Name      a row of the tables; .Name  embedded by value: always there, at least as {}
 *   {TYPE}    a map; {TYPE}! one that is replaced as a whole
 *   [TYPE]    a list that is replaced as a whole
 *   [TYPE|set], [TYPE|key,key]  a set, a list of objects merged by these keys
 * A row's name that ends in `!` is a struct that is replaced as a whole.
 */
#ifndef FX_TEST_APISERVER_TYPES_H
#define FX_TEST_APISERVER_TYPES_H

#include <jansson.h>
#include <stddef.h>

/* Marks a field that is embedded by value; internal, not part of the published schema. */
#define FX_AS_BY_VALUE "x-by-value"

struct fx_as_type_row {
	const char *name;
	const char *fields;
};

extern const struct fx_as_type_row fx_as_types_core[];
extern const size_t fx_as_types_core_count;
extern const struct fx_as_type_row fx_as_types_groups[];
extern const size_t fx_as_types_groups_count;

/* All definitions, by name. Made at the first call; safe from any thread. Borrowed. */
const json_t *fx_as_types(void);
/* One of them, NULL when there is none. */
const json_t *fx_as_type(const char *name);

#endif
