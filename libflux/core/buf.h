/*
 * Growing byte buffer on the heap, always NUL-terminated. A failure (no memory, more
 * than max bytes) is sticky: further appends do nothing, and the caller checks once at
 * the end with fx_buf_failed() or fx_buf_take(). Not thread safe.
 */
#ifndef FX_CORE_BUF_H
#define FX_CORE_BUF_H

#include "core/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct fx_buf {
	char *data; /* owned; NULL until the first append */
	size_t len;
	size_t cap;
	size_t max; /* 0: no limit */
	bool failed;
};

#define FX_BUF_INIT                                                                                          \
	{                                                                                                    \
		0                                                                                            \
	}
#define FX_BUF_INIT_MAX(bytes)                                                                               \
	{                                                                                                    \
		.max = (bytes)                                                                               \
	}

void fx_buf_release(struct fx_buf *buf);
static inline void fx_auto_buf(struct fx_buf *buf)
{
	fx_buf_release(buf);
}

void fx_buf_add(struct fx_buf *buf, const void *data, size_t len);
void fx_buf_add_str(struct fx_buf *buf, const char *s);
void fx_buf_add_char(struct fx_buf *buf, char c);
void fx_buf_addf(struct fx_buf *buf, const char *fmt, ...) fx_printf(2, 3);
void fx_buf_addv(struct fx_buf *buf, const char *fmt, va_list ap);

/* Appends s as a JSON string with its quotes (control characters, `"` and `\` escaped; UTF-8 kept). */
void fx_buf_add_json_string(struct fx_buf *buf, const char *s);

/* Makes room for more bytes. False when that failed. */
bool fx_buf_reserve(struct fx_buf *buf, size_t more);

/* Keeps the memory, drops the content and the failure. */
void fx_buf_clear(struct fx_buf *buf);
/* Shortens to len bytes (no effect when it is shorter). */
void fx_buf_truncate(struct fx_buf *buf, size_t len);

static inline bool fx_buf_failed(const struct fx_buf *buf)
{
	return buf->failed;
}

/* The content as a C string: "" when empty. Borrowed until the next append. */
const char *fx_buf_str(const struct fx_buf *buf);

/* Moves the bytes out (free(3) them), NULL when an append failed. The buffer is empty after. */
char *fx_buf_take(struct fx_buf *buf, size_t *out_len);

#endif
