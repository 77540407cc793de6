/*
 * Command-line flags in GNU form (`--name=value`, `--name value`, `--switch`), described by
 * tables. Reads argv once at start; not thread safe.
 *
 * Source: runtime reference, section 13. Unknown flags end a program with exit code 2.
 */
#ifndef FX_RUNTIME_FLAGS_H
#define FX_RUNTIME_FLAGS_H

#include "core/error.h"
#include "core/vec.h"

#include <stdint.h>

struct fx_string_list {
	const char **items; /* array owned, strings borrowed from argv */
	size_t len;
	size_t cap;
};

enum fx_flag_type {
	FX_FLAG_STRING,   /* const char **, borrowed from argv */
	FX_FLAG_BOOL,     /* bool * */
	FX_FLAG_INT,      /* int64_t * */
	FX_FLAG_DOUBLE,   /* double * */
	FX_FLAG_DURATION, /* int64_t *, nanoseconds, Go syntax */
	FX_FLAG_STRINGS,  /* struct fx_string_list *, repeatable and comma separated */
};

struct fx_flag {
	const char *name; /* without dashes; NULL ends a table */
	enum fx_flag_type type;
	void *target; /* holds the default, keeps it when the flag is not given */
	const char *help;
};

/* Parses argv[1..] against NULL-terminated tables (an array of them, itself NULL-terminated).
 * *out_help is set when --help or -h was given (nothing else is then read). Arguments that are
 * not flags are an error. argv must outlive the values; comma lists are cut in place. */
int fx_flags_parse(int argc, char **argv, const struct fx_flag *const *tables, bool *out_help,
        struct fx_error *err) fx_must_use;

/* Prints one line for each flag, sorted by name, with its type and the value that it has now. */
void fx_flags_print(FILE *out, const char *program, const struct fx_flag *const *tables);

/* "host:port" or ":port" of a --*-addr flag is used as it is; "0" or "" disables that server. */
bool fx_flag_address_enabled(const char *address);

#endif
