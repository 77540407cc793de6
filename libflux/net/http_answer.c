#include "net/http_call.h"

#include "core/clock.h"
#include "net/url.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

void fx_http_response_free(struct fx_http_response *response)
{
	if (!response)
		return;
	free(response->body);
	free(response);
}

const char *fx_http_response_header(const struct fx_http_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++)
		if (strcmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	return NULL;
}

/* RFC 9110, section 10.2.3. */
int fx_http_response_retry_after_ms(const struct fx_http_response *response)
{
	const char *value = fx_http_response_header(response, "retry-after");
	if (!value || !*value)
		return 0;
	int64_t seconds;
	if (strspn(value, "0123456789") == strlen(value)) {
		seconds = strlen(value) > 9 ? INT_MAX : atoll(value);
	} else {
		time_t when = fx_curl()->getdate(value, NULL);
		if (when == (time_t)-1)
			return 0;
		seconds = (int64_t)when - fx_wall_ns() / 1000000000;
	}
	if (seconds <= 0)
		return 0;
	return seconds > INT_MAX / 1000 ? INT_MAX : (int)seconds * 1000;
}

/* One block holds the response, its headers and their texts. */
static struct fx_http_response *make_response(struct fx_http_call *call)
{
	long status = 0, redirects = 0;
	const char *url = NULL;
	fx_curl()->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	fx_curl()->easy_getinfo(call->easy, CURLINFO_REDIRECT_COUNT, &redirects);
	if (redirects)
		fx_curl()->easy_getinfo(call->easy, CURLINFO_EFFECTIVE_URL, &url);
	if (!url)
		url = call->url;
	size_t url_size = strlen(url) + 1;
	struct fx_http_response *response =
	        malloc(sizeof(*response) + call->header_count * sizeof(struct fx_http_header) +
	                call->head.len + url_size);
	if (!response)
		return NULL;
	*response = (struct fx_http_response){.status = (int)status, .header_count = call->header_count};
	response->headers = (struct fx_http_header *)(response + 1);
	char *text = (char *)(response->headers + call->header_count);
	if (call->head.len)
		memcpy(text, call->head.data, call->head.len);
	for (size_t i = 0; i < call->header_count; i++) {
		response->headers[i].name = text;
		text += strlen(text) + 1;
		response->headers[i].value = text;
		text += strlen(text) + 1;
	}
	response->effective_url = memcpy(text, url, url_size);
	return response;
}

static bool has_header(const struct fx_http_call *call, const char *name)
{
	const char *text = call->head.data;
	for (size_t i = 0; i < call->header_count; i++) {
		if (strcmp(text, name) == 0)
			return true;
		text += strlen(text) + 1;
		text += strlen(text) + 1;
	}
	return false;
}

static void forget_head(struct fx_http_call *call)
{
	fx_buf_clear(&call->head);
	call->header_count = 0;
}

/* The head of an answer is complete: 0, or negative to end the transfer. */
static int end_of_head(struct fx_http_call *call)
{
	long status = 0;
	fx_curl()->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 && status != 101)
		return 0;
	/* The same condition under which curl goes on to the next address. */
	if (call->follow && status >= 300 && status < 400 && has_header(call, "location")) {
		call->head_bytes = 0;
		return 0;
	}
	call->response = make_response(call);
	fx_buf_release(&call->head);
	if (!call->response)
		return fx_fail_nomem(&call->err);
	const char *length = fx_http_response_header(call->response, "content-length");
	if (length && call->max_body_bytes && strcmp(call->method, "HEAD") != 0 &&
	        strtoull(length, NULL, 10) > call->max_body_bytes)
		return fx_fail(&call->err, FX_E_LIMIT, "body of %.20s bytes is above the limit of %llu",
		        length, (unsigned long long)call->max_body_bytes);
	int rc = call->handler.on_head ? call->handler.on_head(call->handler.arg, call->response) : 0;
	if (rc && !call->over)
		fx_fail(&call->err, FX_E_CANCELED, "canceled");
	return rc || call->over ? -1 : 0;
}

static int add_header(struct fx_http_call *call, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	if (!colon || colon == line)
		return 0;
	const char *value = colon + 1, *end = line + len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	/* curl refuses NUL in a head, so that both are whole C strings. */
	size_t at = call->head.len;
	fx_buf_add(&call->head, line, (size_t)(colon - line));
	fx_buf_add_char(&call->head, '\0');
	fx_buf_add(&call->head, value, (size_t)(end - value));
	fx_buf_add_char(&call->head, '\0');
	if (fx_buf_failed(&call->head))
		return fx_fail_nomem(&call->err);
	for (char *c = call->head.data + at; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	call->header_count++;
	return 0;
}

size_t fx_http_call_on_header(char *data, fx_unused size_t size, size_t count, void *arg)
{
	struct fx_http_call *call = arg;
	call->active_ms = fx_now_ms();
	if (call->over)
		return 0;
	if (call->response) /* trailers */
		return count;
	call->head_bytes += count;
	int rc;
	if (call->head_bytes > FX_HTTP_HEAD_MAX) {
		rc = fx_fail(
		        &call->err, FX_E_LIMIT, "the answer's headers exceed %d bytes", FX_HTTP_HEAD_MAX);
	} else if (count >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		forget_head(call);
		rc = 0;
	} else if (count <= 2 && (data[0] == '\r' || data[0] == '\n')) {
		rc = end_of_head(call);
	} else {
		rc = add_header(call, data, count);
	}
	return rc ? 0 : count;
}

size_t fx_http_call_on_body(char *data, fx_unused size_t size, size_t count, void *arg)
{
	struct fx_http_call *call = arg;
	call->active_ms = fx_now_ms();
	if (call->over)
		return 0;
	if (call->max_body_bytes && count > call->max_body_bytes - call->body_bytes) {
		fx_fail(&call->err, FX_E_LIMIT, "the body exceeds %llu bytes",
		        (unsigned long long)call->max_body_bytes);
		return 0;
	}
	int rc = call->handler.on_data ? call->handler.on_data(call->handler.arg, data, count) : 0;
	if (rc == FX_HTTP_PAUSE) {
		call->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (rc && !call->over && call->err.code == FX_OK)
		fx_fail(&call->err, FX_E_CANCELED, "canceled");
	if (rc || call->over)
		return 0;
	call->body_bytes += count;
	return count;
}

static enum fx_error_code code_of(CURLcode result)
{
	switch (result) {
	case CURLE_URL_MALFORMAT:
		return FX_E_INVALID;
	case CURLE_OUT_OF_MEMORY:
		return FX_E_NOMEM;
	case CURLE_OPERATION_TIMEDOUT:
		return FX_E_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_SHUTDOWN_FAILED:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_USE_SSL_FAILED:
		return FX_E_TLS;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_INTERFACE_FAILED:
	case CURLE_PROXY:
		return FX_E_CONNECT;
	case CURLE_FILESIZE_EXCEEDED:
		return FX_E_LIMIT;
	default:
		return FX_E_PROTOCOL;
	}
}

/* What curl calls a failure to read may be more than that: only its text tells. */
static enum fx_error_code code_of_failure(CURLcode result, const char *text)
{
	/* In TLS 1.3 the refusal of a client certificate comes after the handshake. */
	if (strstr(text, "SSL_") && strstr(text, "alert"))
		return FX_E_TLS;
	if (result == CURLE_RECV_ERROR && strstr(text, "chunked-encoding"))
		return FX_E_PROTOCOL;
	return code_of(result);
}

/* Closing a dead connection to another host may be the first thing that fails, and curl keeps the first text.
 */
static bool is_of_another_connection(CURLcode result, const char *text)
{
	/* curl asks for addresses of a connection that is reset already; the result says more. */
	if (strncmp(text, "getpeername()", 13) == 0 || strncmp(text, "getsockname()", 13) == 0)
		return true;
	return (strncmp(text, "Send failure", 12) == 0 && result != CURLE_SEND_ERROR) ||
	       (strncmp(text, "Recv failure", 12) == 0 && result != CURLE_RECV_ERROR);
}

/* Drops " after 3 ms", " after 10001 milliseconds": a message that differs each time is an event of its own
 * each time. */
static void drop_elapsed(char *text)
{
	static const char *const units[] = {" milliseconds", " ms"};
	char *at = strstr(text, " after ");
	if (!at)
		return;
	const char *digits = at + strlen(" after ");
	const char *end = digits + strspn(digits, "0123456789");
	for (size_t i = 0; end > digits && i < FX_COUNT(units); i++) {
		size_t len = strlen(units[i]);
		if (strncmp(end, units[i], len) == 0) {
			memmove(at, end + len, strlen(end + len) + 1);
			return;
		}
	}
}

/* curl's own text, which names hosts and numbers but never credentials, fit for one line. */
static void describe(struct fx_http_call *call, CURLcode result, char out[CURL_ERROR_SIZE + 64])
{
	long os_errno = 0;
	fx_curl()->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
	const char *text = call->errbuf;
	if (!*text || is_of_another_connection(result, text))
		text = fx_curl()->easy_strerror(result);
	char reason[64] = "";
	if (result == CURLE_COULDNT_CONNECT && os_errno)
		snprintf(out, CURL_ERROR_SIZE + 64, "%s: %s", text,
		        strerror_r((int)os_errno, reason, sizeof(reason)));
	else
		snprintf(out, CURL_ERROR_SIZE + 64, "%s", text);
	drop_elapsed(out);
	size_t len = strlen(out);
	while (len > 0 && isspace((unsigned char)out[len - 1]))
		out[--len] = '\0';
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
}

void fx_http_call_error(struct fx_http_call *call, CURLcode result, struct fx_error *err)
{
	if (call->err.code == FX_OK && result == CURLE_OK)
		return;
	fx_autofree char *url = fx_url_redact(call->url);
	if (call->err.code != FX_OK) {
		fx_error_move(err, &call->err);
	} else {
		char text[CURL_ERROR_SIZE + 64];
		describe(call, result, text);
		fx_fail(err, code_of_failure(result, text), "%s", text);
	}
	fx_error_wrap(err, "%s %s", call->method, url ? url : "");
}
