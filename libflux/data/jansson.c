#include "data/jansson.h"

#include <string.h>

json_t *fx_json_at_keys(const json_t *value, const char *const *keys)
{
	for (; value && *keys; keys++)
		value = json_object_get(value, *keys);
	return (json_t *)value;
}

int64_t fx_json_int_or(const json_t *value, int64_t otherwise)
{
	return json_is_integer(value) ? (int64_t)json_integer_value(value) : otherwise;
}

bool fx_json_set_at_keys(json_t *root, json_t *value, const char *const *keys)
{
	if (!value || !json_is_object(root) || !keys[0]) {
		json_decref(value);
		return false;
	}
	for (; keys[1]; keys++) {
		json_t *next = json_object_get(root, keys[0]);
		if (!json_is_object(next)) {
			next = json_object();
			if (json_object_set_new(root, keys[0], next) < 0) {
				json_decref(value);
				return false;
			}
		}
		root = next;
	}
	return json_object_set_new(root, keys[0], value) == 0;
}

void fx_json_del_at_keys(json_t *root, const char *const *keys)
{
	for (; root && keys[0] && keys[1]; keys++)
		root = json_object_get(root, keys[0]);
	if (json_is_object(root) && keys[0])
		json_object_del(root, keys[0]);
}

int fx_json_parse(const char *text, size_t len, json_t **out, struct fx_error *err)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!value) {
		if (json_error_code(&error) == json_error_out_of_memory)
			return fx_fail_nomem(err);
		/* jansson's own text quotes what is near the fault: it could be a secret. */
		return fx_fail(
		        err, FX_E_PARSE, "invalid JSON at line %d, column %d", error.line, error.column);
	}
	*out = value;
	return 0;
}

/* Length of the character at text when a YAML parser would fold or refuse it between quotes, else 0:
 * DEL, C1 controls, U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF. */
static size_t unsafe_in_yaml(const unsigned char *text, size_t len)
{
	if (text[0] == 0x7f)
		return 1;
	if (len >= 2 && text[0] == 0xc2 && text[1] < 0xa0)
		return 2;
	if (len < 3)
		return 0;
	bool unsafe = (text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9)) ||
	              (text[0] == 0xef && text[1] == 0xbb && text[2] == 0xbf) ||
	              (text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe);
	return unsafe ? 3 : 0;
}

static unsigned int code_point(const unsigned char *text, size_t len)
{
	if (len == 1)
		return text[0];
	if (len == 2)
		return (text[0] & 0x1fu) << 6 | (text[1] & 0x3fu);
	return (text[0] & 0xfu) << 12 | (text[1] & 0x3fu) << 6 | (text[2] & 0x3fu);
}

/* A string comes in pieces that end between characters. */
static int append_chunk(const char *data, size_t len, void *arg)
{
	struct fx_buf *buf = arg;
	const unsigned char *text = (const unsigned char *)data;
	size_t from = 0, i = 0;
	while (i < len) {
		size_t n = text[i] < 0x7f ? 0 : unsafe_in_yaml(text + i, len - i);
		if (n) {
			fx_buf_add(buf, data + from, i - from);
			fx_buf_addf(buf, "\\u%04x", code_point(text + i, n));
			from = i + n;
		}
		i += n ? n : 1;
	}
	fx_buf_add(buf, data + from, len - from);
	return fx_buf_failed(buf) ? -1 : 0;
}

void fx_json_append(struct fx_buf *buf, const json_t *value, bool sorted)
{
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | (sorted ? JSON_SORT_KEYS : 0);
	if (json_dump_callback(value, append_chunk, buf, flags) < 0)
		buf->failed = true;
}

char *fx_json_text(const json_t *value, size_t *out_len)
{
	struct fx_buf buf = FX_BUF_INIT;
	fx_json_append(&buf, value, false);
	char *text = fx_buf_take(&buf, out_len);
	fx_buf_release(&buf);
	return text;
}

static bool is_nothing(const json_t *value)
{
	return !value || json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

static bool objects_equal(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *item;
	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach ((json_t *)a, key, item) {
		const json_t *other = json_object_get(b, key);
		if (!other || !fx_json_equal_loose(item, other))
			return false;
	}
	return true;
}

static bool arrays_equal(const json_t *a, const json_t *b)
{
	size_t count = json_array_size(a);
	if (count != json_array_size(b))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!fx_json_equal_loose(json_array_get(a, i), json_array_get(b, i)))
			return false;
	}
	return true;
}

static bool numbers_equal(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) == json_integer_value(b);
	return json_number_value(a) == json_number_value(b);
}

bool fx_json_equal_loose(const json_t *a, const json_t *b)
{
	if (is_nothing(a) || is_nothing(b))
		return is_nothing(a) && is_nothing(b);
	if (json_is_number(a) && json_is_number(b))
		return numbers_equal(a, b);
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_object(a))
		return objects_equal(a, b);
	if (json_is_array(a))
		return arrays_equal(a, b);
	return json_equal(a, b);
}
