#include "core/log.h"

#include "core/buf.h"
#include "core/clock.h"

#include <stdatomic.h>
#include <string.h>

/* A record longer than this is dropped rather than split: a line is the unit of every log reader. */
#define RECORD_MAX (256 * 1024)

static atomic_int current_level = FX_LOG_INFO;
static atomic_bool console = false;

static const char *const level_names[] = {"error", "info", "debug", "trace"};

void fx_log_setup(const char *level, const char *encoding)
{
	int found = FX_LOG_INFO;
	for (size_t i = 0; i < FX_COUNT(level_names); i++) {
		if (level && strcmp(level, level_names[i]) == 0)
			found = (int)i;
	}
	atomic_store(&current_level, found);
	atomic_store(&console, encoding && strcmp(encoding, "console") == 0);
}

bool fx_log_enabled(enum fx_log_level level)
{
	return (int)level <= atomic_load(&current_level);
}

static void add_field(struct fx_buf *line, const char *key, const char *value, bool raw, bool first)
{
	if (!first)
		fx_buf_add_char(line, ',');
	fx_buf_add_json_string(line, key);
	fx_buf_add_char(line, ':');
	if (raw)
		fx_buf_add_str(line, value);
	else
		fx_buf_add_json_string(line, value ? value : "");
}

static void add_fields(struct fx_buf *line, const char *error, const struct fx_log_field *fields, bool first)
{
	for (; fields && fields->key; fields++, first = false)
		add_field(line, fields->key, fields->value, fields->raw, first);
	if (error)
		add_field(line, "error", error, false, first);
}

static void format_json(
        struct fx_buf *line, enum fx_log_level level, const char *time, const char *logger, const char *msg)
{
	fx_buf_addf(line, "{\"level\":\"%s\",\"ts\":\"%s\"", level_names[level], time);
	if (logger)
		add_field(line, "logger", logger, false, false);
	add_field(line, "msg", msg, false, false);
}

static void format_console(
        struct fx_buf *line, enum fx_log_level level, const char *time, const char *logger, const char *msg)
{
	static const char *const upper[] = {"ERROR", "INFO", "DEBUG", "TRACE"};
	fx_buf_addf(line, "%s\t%s\t", time, upper[level]);
	if (logger)
		fx_buf_addf(line, "%s\t", logger);
	fx_buf_addf(line, "%s\t{", msg);
}

void fx_log_write(enum fx_log_level level, const char *logger, const char *msg, const char *error,
        const struct fx_log_field *fields)
{
	if (!fx_log_enabled(level))
		return;
	char time[FX_TIME_TEXT];
	fx_time_rfc3339_milli(fx_wall_ns(), time);
	fx_cleanup(fx_auto_buf) struct fx_buf line = FX_BUF_INIT_MAX(RECORD_MAX);
	bool as_console = atomic_load(&console);
	if (as_console)
		format_console(&line, level, time, logger, msg);
	else
		format_json(&line, level, time, logger, msg);
	add_fields(&line, error, fields, as_console);
	fx_buf_add_str(&line, "}\n");
	if (fx_buf_failed(&line))
		return;
	ssize_t written = write(STDERR_FILENO, line.data, line.len);
	(void)written;
}
