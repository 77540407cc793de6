/*
 * pkt-line framing of the Git protocol, read from an HTTP body as it arrives. One reader, one
 * worker.
 *
 * Source: Git's gitprotocol-common(5).
 */
#ifndef FX_SOURCE_GIT_PKT_H
#define FX_SOURCE_GIT_PKT_H

#include "core/buf.h"
#include "net/http.h"

/* Four digits can name no more. */
#define FX_PKT_MAX 65535

enum fx_pkt_type {
	FX_PKT_END,          /* of the body */
	FX_PKT_FLUSH,        /* 0000 */
	FX_PKT_DELIMITER,    /* 0001 */
	FX_PKT_RESPONSE_END, /* 0002 */
	FX_PKT_DATA,
};

struct fx_pkt_reader {
	struct fx_http_stream *stream; /* borrowed */
	size_t at, len;                /* of what was read ahead */
	char ahead[64 * 1024];
	/* The packet read last: NUL-terminated, without the newline at the end of text. */
	enum fx_pkt_type type;
	size_t data_len;
	char data[FX_PKT_MAX + 1];
};

/* The next packet. Errors: PROTOCOL (bad framing, body cut short), an `ERR` packet with the
 * server's text, and those of the stream. */
int fx_pkt_read(struct fx_pkt_reader *reader, struct fx_error *err) fx_must_use;

/* True for a data packet with exactly this text. */
bool fx_pkt_is(const struct fx_pkt_reader *reader, const char *text);
/* What follows prefix in a data packet, NULL when it does not begin so. */
const char *fx_pkt_after(const struct fx_pkt_reader *reader, const char *prefix);

/* Length of a server's message as it may be shown: its first line, within bounds. */
int fx_pkt_text_len(const char *text);

void fx_pkt_add(struct fx_buf *out, const char *fmt, ...) fx_printf(2, 3);
void fx_pkt_add_flush(struct fx_buf *out);
void fx_pkt_add_delimiter(struct fx_buf *out);

#endif
