#include "protobuf.h"

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "obj.h"
#include "schema.h"

#include <stdint.h>
#include <string.h>

/* Nesting of messages: hostile bodies end here. */
#define DEPTH_MAX 64
#define MAGIC "k8s"
#define MAGIC_LEN 4 /* with its NUL */

struct reader {
	const unsigned char *p, *end;
	bool bad;
};

struct piece {
	unsigned field, wire;
	uint64_t number;     /* wire 0 */
	struct reader bytes; /* wire 2 */
};

static uint64_t varint(struct reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
		unsigned char b = *r->p++;
		value |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return value;
	}
	r->bad = true;
	return 0;
}

static bool next(struct reader *r, struct piece *out)
{
	if (r->bad || r->p >= r->end)
		return false;
	uint64_t key = varint(r);
	*out = (struct piece){.field = (unsigned)(key >> 3), .wire = key & 7};
	if (out->wire == 0) {
		out->number = varint(r);
	} else if (out->wire == 2) {
		uint64_t len = varint(r);
		if (len > (uint64_t)(r->end - r->p)) {
			r->bad = true;
			return false;
		}
		out->bytes = (struct reader){.p = r->p, .end = r->p + len};
		r->p += len;
	} else if (out->wire == 1 || out->wire == 5) {
		size_t len = out->wire == 1 ? 8 : 4;
		if ((size_t)(r->end - r->p) < len)
			r->bad = true;
		else
			r->p += len;
	} else {
		r->bad = true;
	}
	return !r->bad;
}

/* "field=2.5": the name for a number, outer 0 at the top of a message. */
static bool field_name(const char *numbers, unsigned outer, unsigned number, char name[64])
{
	for (const char *p = numbers; *p; p += strspn(p, " ")) {
		unsigned a = 0, b = 0;
		int used = 0;
		if (sscanf(p, "%63[^=]=%u%n", name, &a, &used) != 2)
			return false;
		p += used;
		if (*p == '.')
			b = (unsigned)strtoul(p + 1, (char **)&p, 10);
		if (outer ? (a == outer && b == number) : (a == number && b == 0))
			return true;
	}
	return false;
}

/* True when the fields of this message are the outer ones' in JSON. */
static bool is_inline(const char *numbers, unsigned number)
{
	char text[16];
	snprintf(text, sizeof(text), "=%u.", number);
	return strstr(numbers, text);
}

static const char *numbers_of(const char *type)
{
	for (size_t i = 0; i < fx_as_proto_numbers_count; i++)
		if (strcmp(fx_as_proto_numbers[i].name, type) == 0)
			return fx_as_proto_numbers[i].fields;
	return NULL;
}

static json_t *text_of(struct reader r)
{
	return json_stringn((const char *)r.p, (size_t)(r.end - r.p));
}

static json_t *base64_of(struct reader r)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	for (size_t len; (len = (size_t)(r.end - r.p)) > 0; r.p += len < 3 ? len : 3) {
		unsigned n = (unsigned)r.p[0] << 16 | (len > 1 ? (unsigned)r.p[1] << 8 : 0) |
		             (len > 2 ? r.p[2] : 0u);
		fx_buf_add_char(&out, digits[n >> 18]);
		fx_buf_add_char(&out, digits[n >> 12 & 63]);
		fx_buf_add_char(&out, len > 1 ? digits[n >> 6 & 63] : '=');
		fx_buf_add_char(&out, len > 2 ? digits[n & 63] : '=');
	}
	return json_string(fx_buf_str(&out));
}

/* Time and MicroTime: seconds and nanoseconds. The zero time is none. */
static json_t *time_of(struct reader r, const char *name)
{
	struct piece piece;
	int64_t seconds = 0, nanos = 0;
	char text[FX_TIME_TEXT];
	while (next(&r, &piece))
		*(piece.field == 1 ? &seconds : &nanos) = (int64_t)piece.number;
	if (seconds <= 0)
		return NULL;
	bool micro = strcmp(name, "renewTime") == 0 || strcmp(name, "acquireTime") == 0 ||
	             strcmp(name, "eventTime") == 0 || strcmp(name, "lastObservedTime") == 0;
	int64_t ns = seconds * 1000000000 + nanos;
	return json_string(micro ? fx_time_rfc3339_micro(ns, text) : fx_time_rfc3339(ns, text));
}

static json_t *int_or_string(struct reader r)
{
	struct piece piece;
	json_t *text = NULL;
	uint64_t type = 0, number = 0;
	while (next(&r, &piece)) {
		if (piece.field == 1)
			type = piece.number;
		else if (piece.field == 2)
			number = piece.number;
		else if (piece.field == 3 && !text)
			text = text_of(piece.bytes);
	}
	if (type == 1 && text)
		return text;
	json_decref(text);
	return json_integer((json_int_t)(int64_t)number);
}

/* A Quantity is a message with one string. */
static json_t *quantity(struct reader r)
{
	struct piece piece;
	json_t *text = NULL;
	while (next(&r, &piece)) {
		if (piece.field == 1 && piece.wire == 2 && !text)
			text = text_of(piece.bytes);
	}
	return text;
}

/* Pointers in the Go types: their zeroes are sent on purpose. */
static bool keeps_zero(const char *name)
{
	static const char *const names[] = {"replicas", "backoffLimit", "runAsUser", "runAsGroup", "fsGroup",
	        "ttlSecondsAfterFinished", "allowPrivilegeEscalation", "automountServiceAccountToken",
	        "runAsNonRoot", "privileged", "readOnlyRootFilesystem", "terminationGracePeriodSeconds",
	        "optional", "revisionHistoryLimit", "leaseTransitions", "gracePeriodSeconds",
	        "orphanDependents", "suspend", "enableServiceLinks"};
	for (size_t i = 0; i < FX_COUNT(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool message(struct reader r, const char *type, json_t *out, int depth);

static json_t *value_of(const json_t *schema, const struct piece *piece, const char *name, int depth)
{
	const char *ref = fx_json_str_at(schema, "$ref"), *type = fx_json_str_at(schema, "type");
	const char *format = fx_json_str_at(schema, "format");
	if (ref) {
		json_t *object = json_object();
		if (piece->wire == 2 && message(piece->bytes, ref, object, depth + 1))
			return object;
		json_decref(object);
		return NULL;
	}
	if (piece->wire == 0) {
		if (!piece->number && !keeps_zero(name))
			return NULL;
		return type && strcmp(type, "boolean") == 0
		               ? json_boolean(piece->number)
		               : json_integer((json_int_t)(int64_t)piece->number);
	}
	if (piece->wire != 2)
		return NULL;
	if (format && strcmp(format, "quantity") == 0)
		return quantity(piece->bytes);
	if (format && strcmp(format, "int-or-string") == 0)
		return int_or_string(piece->bytes);
	if (format && strcmp(format, "date-time") == 0)
		return time_of(piece->bytes, name);
	if (format && strcmp(format, "byte") == 0)
		return base64_of(piece->bytes);
	return type && strcmp(type, "string") == 0 ? text_of(piece->bytes) : NULL;
}

static void add_entry(const json_t *schema, struct reader r, json_t *map, int depth)
{
	struct piece piece;
	json_t *value = NULL;
	fx_auto(json) json_t *key = NULL;
	const json_t *values = json_object_get(schema, "additionalProperties");
	while (next(&r, &piece)) {
		if (piece.field == 1 && piece.wire == 2 && !key)
			key = text_of(piece.bytes);
		else if (piece.field == 2 && !value)
			value = value_of(values, &piece, "", depth);
	}
	if (!value && !json_object_get(values, "$ref"))
		value = json_string("");
	if (key && value)
		json_object_set_new(map, json_string_value(key), value);
	else
		json_decref(value);
}

static bool is_empty_text(const json_t *value)
{
	return json_is_string(value) && !*json_string_value(value);
}

static void set_field(
        const json_t *schema, const char *name, const struct piece *piece, json_t *out, int depth)
{
	const json_t *items = json_object_get(schema, "items");
	if (items) {
		json_t *list = json_object_get(out, name);
		if (!list) {
			list = json_array();
			json_object_set_new(out, name, list);
		}
		json_t *item = value_of(items, piece, "replicas", depth);
		if (item)
			json_array_append_new(list, item);
	} else if (json_object_get(schema, "additionalProperties")) {
		json_t *map = json_object_get(out, name);
		if (!map) {
			map = json_object();
			json_object_set_new(out, name, map);
		}
		if (piece->wire == 2)
			add_entry(schema, piece->bytes, map, depth);
	} else {
		json_t *value = value_of(schema, piece, name, depth);
		if (value && !is_empty_text(value))
			json_object_set_new(out, name, value);
		else
			json_decref(value);
	}
}

static bool fields(struct reader r, const char *type, unsigned outer, json_t *out, int depth)
{
	const char *numbers = numbers_of(type);
	const json_t *properties = json_object_get(fx_as_type(type), "properties");
	struct piece piece;
	char name[64];
	if (depth > DEPTH_MAX)
		return false;
	while (numbers && next(&r, &piece)) {
		if (field_name(numbers, outer, piece.field, name))
			set_field(json_object_get(properties, name), name, &piece, out, depth);
		else if (!outer && piece.wire == 2 && is_inline(numbers, piece.field) &&
		         !fields(piece.bytes, type, piece.field, out, depth + 1))
			return false;
	}
	return !r.bad;
}

static bool message(struct reader r, const char *type, json_t *out, int depth)
{
	return fields(r, type, 0, out, depth);
}

bool fx_as_proto_is(const char *content_type)
{
	return content_type && strncmp(content_type, "application/vnd.kubernetes.protobuf", 35) == 0;
}

static json_t *string_field(struct reader r, unsigned number)
{
	struct piece piece;
	while (next(&r, &piece))
		if (piece.field == number && piece.wire == 2)
			return text_of(piece.bytes);
	return NULL;
}

int fx_as_proto_decode(const char *data, size_t len, json_t **out, struct fx_error *err)
{
	if (len < MAGIC_LEN || memcmp(data, MAGIC, MAGIC_LEN) != 0)
		return fx_fail(err, FX_E_PARSE, "provided data does not appear to be a protobuf message");
	struct reader r = {
	        .p = (const unsigned char *)data + MAGIC_LEN, .end = (const unsigned char *)data + len};
	struct reader meta = {0}, raw = {0};
	struct piece piece;
	while (next(&r, &piece)) {
		if (piece.wire == 2 && piece.field == 1)
			meta = piece.bytes;
		else if (piece.wire == 2 && piece.field == 2)
			raw = piece.bytes;
	}
	fx_auto(json) json_t *api_version = string_field(meta, 1);
	fx_auto(json) json_t *kind = string_field(meta, 2);
	fx_auto(json) json_t *object = json_object();
	if (r.bad || !api_version || !kind || !numbers_of(json_string_value(kind)) ||
	        !message(raw, json_string_value(kind), object, 0))
		return fx_fail(err, FX_E_PARSE, "the protobuf body cannot be decoded");
	json_object_set(object, "apiVersion", api_version);
	json_object_set(object, "kind", kind);
	*out = fx_take(object);
	return 0;
}
