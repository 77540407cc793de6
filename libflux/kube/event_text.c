#include "kube/events_internal.h"

#include "core/clock.h"
#include "kube/object.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#define OBJECT_ANNOTATION_PREFIX "event.toolkit.fluxcd.io/"

void fx_event_free(struct fx_event *event)
{
	if (!event)
		return;
	json_decref(event->reference);
	json_decref(event->annotations);
	free(event->reason);
	free(event->message);
	free(event);
}

/* The caller's metadata and over it the object's own event annotations. NULL when there are none.
 * Source: runtime reference, section 7.2. */
static json_t *merge_annotations(const json_t *object, const json_t *metadata)
{
	const char *key;
	json_t *value;
	json_t *all = metadata ? json_deep_copy(metadata) : json_object();
	json_object_foreach (fx_json_at(object, "metadata", "annotations"), key, value) {
		if (strncmp(key, OBJECT_ANNOTATION_PREFIX, strlen(OBJECT_ANNOTATION_PREFIX)) == 0)
			json_object_set_new(all, key, json_deep_copy(value));
	}
	if (json_object_size(all) > 0)
		return all;
	json_decref(all);
	return NULL;
}

/* A copy that is UTF-8: what is not (output of a foreign program) is better told mangled than not at all. */
static char *copy_utf8(const char *text)
{
	json_t *probe = json_string(text);
	char *copy = strdup(text);
	for (char *c = copy; copy && !probe && *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	json_decref(probe);
	return copy;
}

struct fx_event *fx_event_new(const json_t *object, const json_t *metadata, enum fx_event_type type,
        const char *reason, const char *message)
{
	fx_auto(event) struct fx_event *event = calloc(1, sizeof(*event));
	if (!event)
		return NULL;
	event->reference = fx_object_reference(object);
	event->annotations = merge_annotations(object, metadata);
	event->type = type;
	event->reason = copy_utf8(reason);
	event->message = copy_utf8(message);
	event->wall_ns = fx_wall_ns();
	if (!event->reference || !event->reason || !event->message)
		return NULL;
	return fx_take(event);
}

const char *fx_event_type_name(enum fx_event_type type)
{
	return type == FX_EVENT_WARNING ? "Warning" : "Normal";
}

static const char *ref_text(const struct fx_event *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event->reference, key));
	return text ? text : "";
}

char *fx_event_source_key(const struct fx_event *event, const char *component)
{
	struct fx_buf key = FX_BUF_INIT;
	fx_buf_addf(&key, "%s/%s/%s/%s/%s/%s", component, ref_text(event, "kind"),
	        ref_text(event, "namespace"), ref_text(event, "name"), ref_text(event, "uid"),
	        ref_text(event, "apiVersion"));
	char *text = fx_buf_take(&key, NULL);
	fx_buf_release(&key);
	return text;
}

/* Lower-case letters, digits, '-' and '.', begun and ended by a letter or digit. */
static bool is_subdomain(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > FX_KUBE_SUBDOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool plain = islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]);
		bool inner = i > 0 && i + 1 < len && (name[i] == '-' || name[i] == '.');
		if (!plain && !inner)
			return false;
	}
	return true;
}

void fx_event_make_name(const struct fx_event *event, char out[256])
{
	uint32_t r[4] = {0};
	struct fx_buf name = FX_BUF_INIT;
	fx_buf_addf(&name, "%s.%" PRIx64, ref_text(event, "name"), (uint64_t)event->wall_ns);
	if (is_subdomain(fx_buf_str(&name))) {
		snprintf(out, 256, "%s", fx_buf_str(&name));
	} else {
		ssize_t got = getrandom(r, sizeof(r), 0);
		(void)got; /* without entropy the time alone must do */
		snprintf(out, 256, "%08x-%04x-4%03x-8%03x-%08x%04x", r[0], r[1] >> 16, r[1] & 0xfff,
		        r[2] >> 20, r[3], (unsigned)(event->wall_ns & 0xffff));
	}
	fx_buf_release(&name);
}

/* The message as the Event has it, cut where a character begins. */
static json_t *message_of(const struct fx_event *event)
{
	struct fx_buf text = FX_BUF_INIT;
	if (event->decision.combined)
		fx_buf_add_str(&text, FX_EVENT_COMBINED_PREFIX);
	fx_buf_add_str(&text, event->message);
	size_t len = text.len < FX_EVENT_MESSAGE_MAX ? text.len : FX_EVENT_MESSAGE_MAX;
	while (len > 0 && len < text.len && (fx_buf_str(&text)[len] & 0xc0) == 0x80)
		len--;
	json_t *message = json_stringn(fx_buf_str(&text), len);
	fx_buf_release(&text);
	return message;
}

json_t *fx_event_object(const struct fx_event *event, const char *component)
{
	char first[FX_TIME_TEXT], last[FX_TIME_TEXT];
	const char *namespace_ = ref_text(event, "namespace");
	fx_auto(json) json_t *object = json_pack(
	        "{s:s, s:s, s:{s:s, s:s}, s:O, s:s, s:o, s:{s:s}, s:s, s:s, s:i, s:s, s:n, s:s, s:s}",
	        "apiVersion", "v1", "kind", "Event", "metadata", "name", event->decision.name, "namespace",
	        *namespace_ ? namespace_ : "default", "involvedObject", event->reference, "reason",
	        event->reason, "message", message_of(event), "source", "component", component,
	        "firstTimestamp", fx_time_rfc3339(event->decision.first_ns, first), "lastTimestamp",
	        fx_time_rfc3339(event->wall_ns, last), "count", event->decision.count, "type",
	        fx_event_type_name(event->type), "eventTime", "reportingComponent", component,
	        "reportingInstance", "");
	if (!object)
		return NULL;
	if (event->annotations && !event->decision.combined &&
	        !fx_json_set_at(object, json_incref(event->annotations), "metadata", "annotations"))
		return NULL;
	return fx_take(object);
}

json_t *fx_event_patch(const struct fx_event *event)
{
	char last[FX_TIME_TEXT];
	return json_pack("{s:i, s:s, s:o}", "count", event->decision.count, "lastTimestamp",
	        fx_time_rfc3339(event->wall_ns, last), "message", message_of(event));
}

json_t *fx_event_forward_body(const struct fx_event *event, const char *component, const char *instance)
{
	char now[FX_TIME_TEXT];
	fx_auto(json) json_t *body = json_pack("{s:O, s:s, s:s, s:s, s:s, s:O*, s:s, s:s*}", "involvedObject",
	        event->reference, "severity", event->type == FX_EVENT_WARNING ? "error" : "info", "timestamp",
	        fx_time_rfc3339(event->wall_ns, now), "message", event->message, "reason", event->reason,
	        "metadata", event->annotations, "reportingController", component, "reportingInstance",
	        instance && *instance ? instance : NULL);
	return fx_take(body);
}
