/*
 * Structured log records on stderr, in the form of Flux's controllers (JSON by default,
 * `console` for people). Only programs log: the library below a controller returns errors.
 * Thread safe; one record is one write(2).
 *
 * Source of the format: runtime reference, section 10.
 */
#ifndef FX_CORE_LOG_H
#define FX_CORE_LOG_H

#include "core/cleanup.h"

#include <stdbool.h>

enum fx_log_level { FX_LOG_ERROR, FX_LOG_INFO, FX_LOG_DEBUG, FX_LOG_TRACE };

/* Sets level and encoding of the process: level "trace", "debug", "info" or "error";
 * encoding "json" or "console". Unknown texts mean the default (info, json). */
void fx_log_setup(const char *level, const char *encoding);

bool fx_log_enabled(enum fx_log_level level);

/* One key and value of a record; the value is written as a JSON string, or verbatim when
 * raw (it must then be valid JSON). Lists end with a NULL key. All borrowed. */
struct fx_log_field {
	const char *key;
	const char *value;
	bool raw;
};

/* Writes a record. logger: "setup", "runtime" ... or NULL. error: for the `error` key, or
 * NULL. fields: NULL-key terminated, or NULL. */
void fx_log_write(enum fx_log_level level, const char *logger, const char *msg, const char *error,
        const struct fx_log_field *fields);

#ifdef __cppcheck__
/* It cannot read calls whose arguments are braced lists. */
#define fx_log_info(...) (void)0
#define fx_log_debug(...) (void)0
#define fx_log_error(...) (void)0
#else
/* fx_log_info("setup", "starting manager", {"key", "value"}); */
#define fx_log_info(logger, msg, ...)                                                                        \
	fx_log_write(FX_LOG_INFO, logger, msg, NULL,                                                         \
	        (const struct fx_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define fx_log_debug(logger, msg, ...)                                                                       \
	fx_log_write(FX_LOG_DEBUG, logger, msg, NULL,                                                        \
	        (const struct fx_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define fx_log_error(logger, msg, error, ...)                                                                \
	fx_log_write(FX_LOG_ERROR, logger, msg, error,                                                       \
	        (const struct fx_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#endif

#endif
