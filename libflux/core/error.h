/*
 * One error value for the whole library: a code from one list, a kind that tells a
 * controller what to do with it, and the message that a user will read.
 *
 * A fallible function takes `struct fx_error *err` last and returns 0 or a negative
 * value. err may be NULL. It must be zero-initialised (FX_ERROR_INIT) before the first
 * use; a function that succeeds leaves it alone. The message is owned by the error:
 * declare it `fx_auto(error) struct fx_error err = FX_ERROR_INIT;` or call
 * fx_error_release(). Not for sharing between threads without a lock.
 */
#ifndef FX_CORE_ERROR_H
#define FX_CORE_ERROR_H

#include "core/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>

/* What the controller does next. */
enum fx_error_kind {
	FX_KIND_TRANSIENT, /* try again with backoff */
	FX_KIND_STALLED,   /* nothing changes until somebody changes the object */
	FX_KIND_USER,      /* input is wrong: report it, try again at the interval */
	FX_KIND_BUG,       /* an invariant of ours does not hold */
};

/* X(NAME, default kind, text used when there is no memory for a message) */
#define FX_ERROR_CODES(X)                                                                                    \
	X(NOMEM, TRANSIENT, "out of memory")                                                                 \
	X(INVALID, USER, "invalid input")                                                                    \
	X(PARSE, USER, "cannot be parsed")                                                                   \
	X(LIMIT, USER, "a limit is exceeded")                                                                \
	X(NOT_FOUND, TRANSIENT, "not found")                                                                 \
	X(EXISTS, TRANSIENT, "already exists")                                                               \
	X(CONFLICT, TRANSIENT, "conflict")                                                                   \
	X(GONE, TRANSIENT, "gone")                                                                           \
	X(UNAUTHORIZED, TRANSIENT, "unauthorized")                                                           \
	X(FORBIDDEN, TRANSIENT, "forbidden")                                                                 \
	X(TOO_MANY, TRANSIENT, "too many requests")                                                          \
	X(UNAVAILABLE, TRANSIENT, "unavailable")                                                             \
	X(CONNECT, TRANSIENT, "connection failed")                                                           \
	X(TLS, TRANSIENT, "TLS verification failed")                                                         \
	X(PROTOCOL, TRANSIENT, "protocol violation")                                                         \
	X(TIMEOUT, TRANSIENT, "timed out")                                                                   \
	X(CANCELED, TRANSIENT, "canceled")                                                                   \
	X(IO, TRANSIENT, "input/output error")                                                               \
	X(DIGEST, TRANSIENT, "digest mismatch")                                                              \
	X(UNSUPPORTED, STALLED, "not supported")                                                             \
	X(INTERNAL, BUG, "internal error")

enum fx_error_code {
	FX_OK = 0,
#define X(name, kind, text) FX_E_##name,
	FX_ERROR_CODES(X)
#undef X
};

/* A longer message is cut here: it must fit a condition (32 KiB) with context. */
#define FX_ERROR_MESSAGE_MAX (30 * 1024)

struct fx_error {
	enum fx_error_code code;
	enum fx_error_kind kind;
	int retry_after_ms; /* the peer's Retry-After, 0 when it gave none */
	char *message;      /* owned; NULL when unset or without memory: use fx_error_message() */
};

#define FX_ERROR_INIT                                                                                        \
	{                                                                                                    \
		0                                                                                            \
	}

/* Frees the message and makes the error unset. Accepts NULL. */
void fx_error_release(struct fx_error *err);

static inline void fx_auto_error(struct fx_error *err)
{
	fx_error_release(err);
}

/* Sets code, its default kind and a formatted message, replacing what was there.
 * Returns -code, so that callers write `return fx_fail(err, FX_E_INVALID, "...")`. */
int fx_fail(struct fx_error *err, enum fx_error_code code, const char *fmt, ...) fx_printf(3, 4);
int fx_failv(struct fx_error *err, enum fx_error_code code, const char *fmt, va_list ap);

/* As fx_fail, with the kind named. */
int fx_fail_kind(struct fx_error *err, enum fx_error_code code, enum fx_error_kind kind, const char *fmt, ...)
        fx_printf(4, 5);

/* FX_E_NOMEM without allocating. */
int fx_fail_nomem(struct fx_error *err);

/* FX_E_IO (or NOT_FOUND, EXISTS for their errno values) with ": <strerror(errno)>" appended. */
int fx_fail_errno(struct fx_error *err, const char *fmt, ...) fx_printf(2, 3);

#ifdef __clang_analyzer__
/* The analyzer does not look into error.c: tell it that a failure is never 0. */
#define fx_fail(err, code, ...) ((fx_fail)(err, code, __VA_ARGS__), -(int)(code))
#define fx_fail_nomem(err) ((fx_fail_nomem)(err), -(int)FX_E_NOMEM)
#define fx_fail_errno(err, ...) ((fx_fail_errno)(err, __VA_ARGS__), -(int)FX_E_IO)
#endif

/* Puts "<formatted text>: " in front of the message. Returns -code of the error. */
int fx_error_wrap(struct fx_error *err, const char *fmt, ...) fx_printf(2, 3);

#ifdef __clang_analyzer__
#define fx_error_wrap(err, ...) ((fx_error_wrap)(err, __VA_ARGS__), -(int)FX_E_INTERNAL)
#endif

/* Moves src into dst (dst's old message is freed, src becomes unset). Either may be NULL. */
void fx_error_move(struct fx_error *dst, struct fx_error *src);

/* The message, or the code's default text; "no error" when unset. Borrowed from err. */
const char *fx_error_message(const struct fx_error *err);

/* Upper-case name of a code ("NOT_FOUND"); static. */
const char *fx_error_code_name(enum fx_error_code code);

#endif
