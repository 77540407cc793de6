#include "core/error.h"

#include <errno.h>
#include <string.h>

struct code_info {
	const char *name;
	enum fx_error_kind kind;
	const char *text;
};

static const struct code_info codes[] = {[FX_OK] = {"OK", FX_KIND_TRANSIENT, "no error"},
#define X(name, kind, text) [FX_E_##name] = {#name, FX_KIND_##kind, text},
        FX_ERROR_CODES(X)
#undef X
};

void fx_error_release(struct fx_error *err)
{
	if (!err)
		return;
	free(err->message);
	*err = (struct fx_error)FX_ERROR_INIT;
}

/* Cuts at FX_ERROR_MESSAGE_MAX, never inside a UTF-8 sequence. */
static void cut(char *message)
{
	size_t len = strlen(message);
	if (len <= FX_ERROR_MESSAGE_MAX)
		return;
	size_t end = FX_ERROR_MESSAGE_MAX - 3;
	while (end > 0 && ((unsigned char)message[end] & 0xc0) == 0x80)
		end--;
	memcpy(message + end, "...", 4);
}

int fx_failv(struct fx_error *err, enum fx_error_code code, const char *fmt, va_list ap)
{
	if (!err)
		return -(int)code;
	char *message = NULL;
	/* The old message may be among the arguments: format first, free after. */
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	if (message)
		cut(message);
	free(err->message);
	*err = (struct fx_error){.code = code, .kind = codes[code].kind, .message = message};
	return -(int)code;
}

int(fx_fail)(struct fx_error *err, enum fx_error_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = fx_failv(err, code, fmt, ap);
	va_end(ap);
	return rc;
}

int fx_fail_kind(struct fx_error *err, enum fx_error_code code, enum fx_error_kind kind, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = fx_failv(err, code, fmt, ap);
	va_end(ap);
	if (err)
		err->kind = kind;
	return rc;
}

int(fx_fail_nomem)(struct fx_error *err)
{
	if (err) {
		free(err->message);
		*err = (struct fx_error){.code = FX_E_NOMEM, .kind = codes[FX_E_NOMEM].kind};
	}
	return -FX_E_NOMEM;
}

static enum fx_error_code code_of_errno(int e)
{
	switch (e) {
	case ENOENT:
		return FX_E_NOT_FOUND;
	case EEXIST:
		return FX_E_EXISTS;
	case ENOMEM:
		return FX_E_NOMEM;
	default:
		return FX_E_IO;
	}
}

int(fx_fail_errno)(struct fx_error *err, const char *fmt, ...)
{
	int saved = errno;
	char reason[128];
	va_list ap;
	va_start(ap, fmt);
	fx_autofree char *text = NULL;
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return fx_fail(err, code_of_errno(saved), "%s: %s", text ? text : "system call failed",
	        strerror_r(saved, reason, sizeof(reason)));
}

int(fx_error_wrap)(struct fx_error *err, const char *fmt, ...)
{
	if (!err)
		return -FX_E_INTERNAL;
	va_list ap;
	va_start(ap, fmt);
	fx_autofree char *context = NULL;
	if (vasprintf(&context, fmt, ap) < 0)
		context = NULL;
	va_end(ap);
	char *joined = NULL;
	if (context && asprintf(&joined, "%s: %s", context, fx_error_message(err)) >= 0) {
		cut(joined);
		free(err->message);
		err->message = joined;
	}
	return -(int)err->code;
}

void fx_error_move(struct fx_error *dst, struct fx_error *src)
{
	if (!src)
		return;
	if (!dst) {
		fx_error_release(src);
		return;
	}
	free(dst->message);
	*dst = *src;
	*src = (struct fx_error)FX_ERROR_INIT;
}

const char *fx_error_message(const struct fx_error *err)
{
	if (!err)
		return codes[FX_OK].text;
	return err->message ? err->message : codes[err->code].text;
}

const char *fx_error_code_name(enum fx_error_code code)
{
	return code < FX_COUNT(codes) ? codes[code].name : "UNKNOWN";
}
