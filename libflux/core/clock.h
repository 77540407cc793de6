/*
 * Time: clocks, RFC 3339 texts and Go's duration syntax. Everything is usable from any
 * thread. Engines do not call the clocks: their time is handed in.
 */
#ifndef FX_CORE_CLOCK_H
#define FX_CORE_CLOCK_H

#include "core/error.h"

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: for deadlines and durations. */
int64_t fx_now_ms(void);
/* Nanoseconds of the same clock. */
int64_t fx_now_ns(void);
/* Nanoseconds since the epoch. */
int64_t fx_wall_ns(void);

/* Room for any text below. */
#define FX_TIME_TEXT 40

/* "2023-08-16T09:36:41Z": the form of metav1.Time. Returns out. */
char *fx_time_rfc3339(int64_t wall_ns, char out[FX_TIME_TEXT]);
/* With milliseconds (log records) or microseconds (metav1.MicroTime). */
char *fx_time_rfc3339_milli(int64_t wall_ns, char out[FX_TIME_TEXT]);
char *fx_time_rfc3339_micro(int64_t wall_ns, char out[FX_TIME_TEXT]);

/* Parses RFC 3339 with optional fraction and `Z` or a numeric zone. FX_E_PARSE otherwise. */
int fx_time_parse(const char *text, int64_t *out_wall_ns, struct fx_error *err) fx_must_use;

/* Go's time.ParseDuration: "1h10m", "1.5s", "-3ms", "0". Result in nanoseconds. */
int fx_duration_parse(const char *text, int64_t *out_ns, struct fx_error *err) fx_must_use;

/* Go's Duration.String: "1h10m0s", "1.5s", "15ms", "0s". Returns out. */
char *fx_duration_format(int64_t ns, char out[FX_TIME_TEXT]);

#endif
