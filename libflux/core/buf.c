#include "core/buf.h"

#include <stdint.h>
#include <string.h>

#define CAP_FIRST 64

void fx_buf_release(struct fx_buf *buf)
{
	if (!buf)
		return;
	free(buf->data);
	*buf = (struct fx_buf){.max = buf->max};
}

bool fx_buf_reserve(struct fx_buf *buf, size_t more)
{
	if (buf->failed)
		return false;
	if (more > SIZE_MAX / 4 || (buf->max && (more > buf->max || buf->len > buf->max - more))) {
		buf->failed = true;
		return false;
	}
	size_t need = buf->len + more + 1;
	if (buf->data && need <= buf->cap)
		return true;
	size_t cap = buf->cap ? buf->cap : CAP_FIRST;
	while (cap < need)
		cap *= 2;
	char *data = realloc(buf->data, cap);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->cap = cap;
	return true;
}

void fx_buf_add(struct fx_buf *buf, const void *data, size_t len)
{
	if (!fx_buf_reserve(buf, len))
		return;
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void fx_buf_add_str(struct fx_buf *buf, const char *s)
{
	fx_buf_add(buf, s, strlen(s));
}

void fx_buf_add_char(struct fx_buf *buf, char c)
{
	fx_buf_add(buf, &c, 1);
}

void fx_buf_addv(struct fx_buf *buf, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0) {
		buf->failed = true;
		return;
	}
	if (!fx_buf_reserve(buf, (size_t)len))
		return;
	vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, ap);
	buf->len += (size_t)len;
}

void fx_buf_addf(struct fx_buf *buf, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(buf, fmt, ap);
	va_end(ap);
}

static const char *short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

void fx_buf_add_json_string(struct fx_buf *buf, const char *s)
{
	fx_buf_add_char(buf, '"');
	const char *run = s;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		const char *escape = short_escape(c);
		if (!escape && c >= 0x20)
			continue;
		fx_buf_add(buf, run, (size_t)(s - run));
		if (escape)
			fx_buf_add_str(buf, escape);
		else
			fx_buf_addf(buf, "\\u%04x", c);
		run = s + 1;
	}
	fx_buf_add(buf, run, (size_t)(s - run));
	fx_buf_add_char(buf, '"');
}

void fx_buf_clear(struct fx_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void fx_buf_truncate(struct fx_buf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	buf->data[len] = '\0';
}

const char *fx_buf_str(const struct fx_buf *buf)
{
	return buf->data ? buf->data : "";
}

char *fx_buf_take(struct fx_buf *buf, size_t *out_len)
{
	if (!buf->failed && !buf->data)
		fx_buf_add(buf, "", 0);
	if (buf->failed) {
		fx_buf_release(buf);
		return NULL;
	}
	char *data = buf->data;
	if (out_len)
		*out_len = buf->len;
	*buf = (struct fx_buf){.max = buf->max};
	return data;
}
