#include "runtime/conditions.h"

#include "core/buf.h"
#include "core/clock.h"

#include <stdarg.h>
#include <string.h>

static const char *text(const json_t *condition, const char *key)
{
	const char *s = json_string_value(json_object_get(condition, key));
	return s ? s : "";
}

json_t *fx_conditions_get(const json_t *conditions, const char *type)
{
	size_t i;
	json_t *c;
	json_array_foreach (conditions, i, c) {
		if (strcmp(text(c, "type"), type) == 0)
			return c;
	}
	return NULL;
}

const char *fx_conditions_status(const json_t *conditions, const char *type)
{
	return json_string_value(json_object_get(fx_conditions_get(conditions, type), "status"));
}

const char *fx_conditions_reason(const json_t *conditions, const char *type)
{
	return text(fx_conditions_get(conditions, type), "reason");
}

const char *fx_conditions_message(const json_t *conditions, const char *type)
{
	return text(fx_conditions_get(conditions, type), "message");
}

bool fx_conditions_is(const json_t *conditions, const char *type, const char *status)
{
	const char *s = fx_conditions_status(conditions, type);
	return s && strcmp(s, status) == 0;
}

static int rank(const json_t *condition)
{
	static const char *const first[] = {
	        FX_CONDITION_STALLED, FX_CONDITION_RECONCILING, FX_CONDITION_READY};
	const char *type = text(condition, "type");
	for (size_t i = 0; i < FX_COUNT(first); i++) {
		if (strcmp(type, first[i]) == 0)
			return (int)i;
	}
	return (int)FX_COUNT(first);
}

static json_int_t observed(const json_t *condition)
{
	return json_integer_value(json_object_get(condition, "observedGeneration"));
}

/* Stalled, Reconciling, Ready; then newest observed generation; then by name. */
static bool comes_before(const json_t *a, const json_t *b)
{
	int ra = rank(a), rb = rank(b);
	if (ra != rb)
		return ra < rb;
	if (ra == 3 && observed(a) != observed(b))
		return observed(a) > observed(b);
	return strcmp(text(a, "type"), text(b, "type")) < 0;
}

/* Insertion sort: a handful of entries, nearly in order. */
static void sort(json_t *conditions)
{
	size_t n = json_array_size(conditions);
	for (size_t i = 1; i < n; i++) {
		json_t *c = json_incref(json_array_get(conditions, i));
		size_t j = i;
		while (j > 0 && comes_before(c, json_array_get(conditions, j - 1)))
			j--;
		if (j != i) {
			json_array_remove(conditions, i);
			json_array_insert(conditions, j, c);
		}
		json_decref(c);
	}
}

/* The message cut to the limit at a character boundary. */
static char *format_message(const char *fmt, va_list ap)
{
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
	fx_buf_addv(&buf, fmt, ap);
	if (buf.len > FX_CONDITION_MESSAGE_MAX) {
		size_t end = FX_CONDITION_MESSAGE_MAX - 3;
		while (end > 0 && ((unsigned char)buf.data[end] & 0xc0) == 0x80)
			end--;
		fx_buf_truncate(&buf, end);
		fx_buf_add_str(&buf, "...");
	}
	return fx_buf_take(&buf, NULL);
}

static bool set_text(json_t *conditions, const struct fx_condition_clock *clock, const char *type,
        const char *status, const char *reason, const char *message)
{
	json_t *c = fx_conditions_get(conditions, type);
	bool changed = !c || strcmp(text(c, "status"), status) != 0 ||
	               strcmp(text(c, "reason"), reason) != 0 || strcmp(text(c, "message"), message) != 0;
	if (!c) {
		c = json_pack("{s:s}", "type", type);
		if (!c || json_array_append_new(conditions, c) != 0)
			return false;
	}
	json_object_set_new(c, "observedGeneration", json_integer(clock->generation));
	if (changed) {
		char now[FX_TIME_TEXT];
		json_object_set_new(
		        c, "lastTransitionTime", json_string(fx_time_rfc3339(clock->wall_ns, now)));
		json_object_set_new(c, "status", json_string(status));
		json_object_set_new(c, "reason", json_string(reason));
		/* Bytes that are not UTF-8 cannot be sent: the condition must not be lost for that. */
		json_t *value = json_string(message);
		json_object_set_new(
		        c, "message", value ? value : json_string("(message is not valid UTF-8)"));
	}
	sort(conditions);
	return true;
}

static bool setv(json_t *conditions, const struct fx_condition_clock *clock, const char *type,
        const char *status, const char *reason, const char *fmt, va_list ap)
{
	/* Formatted first: the arguments may lie in the condition that is replaced. */
	fx_autofree char *message = format_message(fmt, ap);
	fx_autofree char *why = strdup(reason);
	return message && why && set_text(conditions, clock, type, status, why, message);
}

bool fx_conditions_set(json_t *conditions, const struct fx_condition_clock *clock, const char *type,
        const char *status, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bool ok = setv(conditions, clock, type, status, reason, fmt, ap);
	va_end(ap);
	return ok;
}

void fx_conditions_delete(json_t *conditions, const char *type)
{
	for (size_t i = json_array_size(conditions); i-- > 0;) {
		if (strcmp(text(json_array_get(conditions, i), "type"), type) == 0)
			json_array_remove(conditions, i);
	}
}

bool fx_conditions_mark_reconciling(
        json_t *conditions, const struct fx_condition_clock *clock, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bool ok = setv(conditions, clock, FX_CONDITION_RECONCILING, "True", reason, fmt, ap);
	va_end(ap);
	fx_conditions_delete(conditions, FX_CONDITION_STALLED);
	return ok;
}

bool fx_conditions_mark_stalled(
        json_t *conditions, const struct fx_condition_clock *clock, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bool ok = setv(conditions, clock, FX_CONDITION_STALLED, "True", reason, fmt, ap);
	va_end(ap);
	fx_conditions_delete(conditions, FX_CONDITION_RECONCILING);
	return ok;
}

bool fx_conditions_is_stalled(const json_t *conditions)
{
	return fx_conditions_is(conditions, FX_CONDITION_STALLED, "True") &&
	       !fx_conditions_is(conditions, FX_CONDITION_RECONCILING, "True");
}

bool fx_conditions_is_reconciling(const json_t *conditions)
{
	return fx_conditions_is(conditions, FX_CONDITION_RECONCILING, "True") &&
	       !fx_conditions_is(conditions, FX_CONDITION_STALLED, "True");
}

bool fx_conditions_is_ready(const json_t *conditions)
{
	return !fx_conditions_is_stalled(conditions) && !fx_conditions_is_reconciling(conditions) &&
	       fx_conditions_is(conditions, FX_CONDITION_READY, "True");
}

static bool listed(const char *const *list, const char *type, size_t *out_index)
{
	for (size_t i = 0; list && list[i]; i++) {
		if (strcmp(list[i], type) == 0) {
			if (out_index)
				*out_index = i;
			return true;
		}
	}
	return false;
}

/* Group of section 1.5: lower decides first. */
static int group_of(const json_t *condition, bool negative)
{
	const char *status = text(condition, "status");
	if (strcmp(status, "True") == 0)
		return negative ? 0 : 2;
	if (strcmp(status, "False") == 0)
		return negative ? 3 : 1;
	return strcmp(status, "Unknown") == 0 ? 4 : 99;
}

static const char *status_of_group(int group)
{
	switch (group) {
	case 0:
	case 1:
		return "False";
	case 2:
	case 3:
		return "True";
	default:
		return "Unknown";
	}
}

bool fx_conditions_summarize(json_t *conditions, const struct fx_condition_clock *clock,
        const struct fx_condition_summary *summary)
{
	const json_t *top = NULL;
	int top_group = 100;
	size_t top_order = 0, i;
	json_t *c;
	json_array_foreach (conditions, i, c) {
		const char *type = text(c, "type");
		size_t order = SIZE_MAX;
		if (strcmp(type, summary->target) == 0 ||
		        (summary->types && !listed(summary->types, type, &order)))
			continue;
		int group = group_of(c, listed(summary->negatives, type, NULL));
		if (group < top_group || (group == top_group && order < top_order)) {
			top = c;
			top_group = group;
			top_order = order;
		}
	}
	if (!top)
		return true;
	return fx_conditions_set(conditions, clock, summary->target, status_of_group(top_group),
	        text(top, "reason"), "%s", text(top, "message"));
}
