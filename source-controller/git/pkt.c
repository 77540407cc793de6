#include "source-controller/git/pkt.h"

#include <string.h>

#define LENGTH_DIGITS 4
/* An error text of a server is shown up to here. */
#define ERROR_TEXT_MAX 1024

/* Reads len bytes; *out_len is less only at the end of the body. */
static int read_bytes(struct fx_pkt_reader *r, char *out, size_t len, size_t *out_len, struct fx_error *err)
{
	*out_len = 0;
	while (*out_len < len) {
		if (r->at == r->len) {
			r->at = 0;
			int rc = fx_http_stream_read(r->stream, r->ahead, sizeof(r->ahead), &r->len, err);
			if (rc != 0 || r->len == 0)
				return rc;
		}
		size_t n = r->len - r->at < len - *out_len ? r->len - r->at : len - *out_len;
		memcpy(out + *out_len, r->ahead + r->at, n);
		r->at += n;
		*out_len += n;
	}
	return 0;
}

static int parse_length(const char digits[LENGTH_DIGITS])
{
	int value = 0;
	for (int i = 0; i < LENGTH_DIGITS; i++) {
		static const char hex[] = "0123456789abcdef";
		const char *at = digits[i] ? strchr(hex, digits[i] | 0x20) : NULL;
		if (!at)
			return -1;
		value = value << 4 | (int)(at - hex);
	}
	return value;
}

int fx_pkt_text_len(const char *text)
{
	size_t len = strcspn(text, "\n");
	return (int)(len < ERROR_TEXT_MAX ? len : ERROR_TEXT_MAX);
}

int fx_pkt_read(struct fx_pkt_reader *r, struct fx_error *err)
{
	char digits[LENGTH_DIGITS];
	size_t n;
	r->data_len = 0;
	r->data[0] = '\0';
	int rc = read_bytes(r, digits, LENGTH_DIGITS, &n, err);
	if (rc != 0)
		return rc;
	r->type = FX_PKT_END;
	if (n == 0)
		return 0;
	int length = n == LENGTH_DIGITS ? parse_length(digits) : -1;
	if (length < 0 || length == 3)
		return fx_fail(err, FX_E_PROTOCOL, "invalid pkt-len found");
	if (length < 3) {
		r->type = FX_PKT_FLUSH + length;
		return 0;
	}
	size_t len = (size_t)length - LENGTH_DIGITS;
	rc = read_bytes(r, r->data, len, &n, err);
	if (rc != 0)
		return rc;
	if (n != len)
		return fx_fail(err, FX_E_PROTOCOL, "unexpected end of the answer");
	r->type = FX_PKT_DATA;
	r->data_len = len;
	r->data[len] = '\0';
	if (len < 4 || memcmp(r->data, "ERR ", 4) != 0)
		return 0;
	return fx_fail(err, FX_E_PROTOCOL, "%.*s", fx_pkt_text_len(r->data + 4), r->data + 4);
}

/* Length of the text without its newline. */
static size_t text_len(const struct fx_pkt_reader *r)
{
	return r->data_len > 0 && r->data[r->data_len - 1] == '\n' ? r->data_len - 1 : r->data_len;
}

bool fx_pkt_is(const struct fx_pkt_reader *r, const char *text)
{
	return r->type == FX_PKT_DATA && strlen(text) == text_len(r) &&
	       memcmp(r->data, text, text_len(r)) == 0;
}

const char *fx_pkt_after(const struct fx_pkt_reader *r, const char *prefix)
{
	size_t len = strlen(prefix);
	return r->type == FX_PKT_DATA && strncmp(r->data, prefix, len) == 0 ? r->data + len : NULL;
}

void fx_pkt_add(struct fx_buf *out, const char *fmt, ...)
{
	fx_auto(buf) struct fx_buf line = FX_BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	fx_buf_addv(&line, fmt, ap);
	va_end(ap);
	if (fx_buf_failed(&line) || line.len + LENGTH_DIGITS > FX_PKT_MAX) {
		out->failed = true;
		return;
	}
	fx_buf_addf(out, "%04zx", line.len + LENGTH_DIGITS);
	fx_buf_add(out, line.data, line.len);
}

void fx_pkt_add_flush(struct fx_buf *out)
{
	fx_buf_add_str(out, "0000");
}

void fx_pkt_add_delimiter(struct fx_buf *out)
{
	fx_buf_add_str(out, "0001");
}
