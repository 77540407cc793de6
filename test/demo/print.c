#include "test/demo/print.h"

#include <stdarg.h>
#include <string.h>

static bool coloured(void)
{
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
}

static void line(const char *colour, const char *mark, const char *fmt, va_list ap)
{
	if (coloured())
		printf("\033[%sm%s\033[0m ", colour, mark);
	else
		printf("%s ", mark);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
}

void demo_step(const char *fmt, ...)
{
	static int number;
	char mark[16];
	snprintf(mark, sizeof(mark), "\n%d.", ++number);
	va_list ap;
	va_start(ap, fmt);
	line("1;36", mark, fmt, ap);
	va_end(ap);
}

void demo_do(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line("33", "  >", fmt, ap);
	va_end(ap);
}

void demo_ok(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line("1;32", "  ok", fmt, ap);
	va_end(ap);
}

void demo_bad(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line("1;31", "  !!", fmt, ap);
	va_end(ap);
}

void demo_quote(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		printf("       %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
	fflush(stdout);
}
