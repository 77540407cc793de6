#include "data/json_slim.h"

#include "core/map.h"
#include "data/jansson.h"

#include <string.h>

/* What is left of a text; at is NULL once it has turned out to be no JSON. */
struct text {
	const char *at, *end;
};

static void fail(struct text *t)
{
	t->at = NULL;
}

static char peek(struct text *t)
{
	while (t->at && t->at < t->end &&
	        (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r'))
		t->at++;
	if (t->at && t->at < t->end)
		return *t->at;
	fail(t);
	return '\0';
}

static bool take(struct text *t, char c)
{
	if (peek(t) != c)
		return false;
	t->at++;
	return true;
}

/* Over a string; true when it has escapes. */
static bool skip_string(struct text *t)
{
	bool escaped = false;
	if (!take(t, '"')) {
		fail(t);
		return false;
	}
	while (t->at < t->end && *t->at != '"') {
		bool escape = *t->at == '\\' && t->at + 1 < t->end;
		escaped = escaped || escape;
		t->at += escape ? 2 : 1;
	}
	if (t->at < t->end)
		t->at++;
	else
		fail(t);
	return escaped;
}

static void skip_scalar(struct text *t)
{
	const char *from = t->at;
	while (t->at < t->end && *t->at && !strchr(",:]}{[\" \n\t\r", *t->at))
		t->at++;
	if (t->at == from)
		fail(t);
}

/* Over any value: brackets are only counted, the parser looks at the rest. */
static void skip_value(struct text *t)
{
	int depth = 0;
	do {
		char c = peek(t);
		if (!t->at)
			return;
		if (c == '"') {
			skip_string(t);
		} else if (c == '{' || c == '[') {
			depth++;
			t->at++;
		} else if (c == '}' || c == ']') {
			depth--;
			t->at++;
		} else if (c == ',' || c == ':') {
			t->at++;
		} else {
			skip_scalar(t);
		}
	} while (t->at && depth > 0);
	if (depth < 0)
		fail(t);
}

/* The next key of an object and the colon after it; false at the end of the object. */
static bool next_key(struct text *t, const char **key, size_t *len, bool *escaped)
{
	take(t, ',');
	if (take(t, '}') || !t->at)
		return false;
	const char *from = t->at;
	*escaped = skip_string(t);
	if (!t->at)
		return false;
	*key = from + 1;
	*len = (size_t)(t->at - from) - 2;
	if (take(t, ':'))
		return true;
	fail(t);
	return false;
}

static bool is_key(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(key, name, len);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t pair[2] = {a, b};
	return fx_hash(pair, sizeof(pair));
}

static uint64_t hash_key(const char *key, size_t len, bool escaped)
{
	if (!escaped)
		return fx_hash(key, len);
	fx_auto(json) json_t *decoded = NULL;
	if (fx_json_parse(key - 1, len + 2, &decoded, NULL) < 0)
		return 0;
	return fx_hash(json_string_value(decoded), json_string_length(decoded));
}

static uint64_t hash_value(struct text *t, int depth)
{
	const char *key, *from;
	size_t len;
	bool escaped;
	uint64_t sum = 1;
	if (depth > FX_JSON_HASH_DEPTH_MAX)
		fail(t);
	if (peek(t) != '{') {
		from = t->at;
		skip_value(t);
		return t->at ? fx_hash(from, (size_t)(t->at - from)) : 0;
	}
	t->at++;
	while (next_key(t, &key, &len, &escaped)) {
		uint64_t hash = hash_key(key, len, escaped);
		sum += mix(hash, hash_value(t, depth + 1));
	}
	return sum;
}

uint64_t fx_json_fields_hash(const char *text, size_t len)
{
	struct text t = {text, text + len};
	if (peek(&t) != '{')
		return 0;
	uint64_t hash = hash_value(&t, 0);
	return !t.at ? 0 : hash ? hash : 1;
}

struct slimmer {
	struct text text;
	const char *copied; /* what comes before it is in out, or left out */
	enum fx_json_slim how;
	struct fx_buf *out;
	bool changed;
};

/* Instead of what lies between from and here. */
static void replace(struct slimmer *s, const char *from, const char *by)
{
	if (!s->text.at)
		return;
	fx_buf_add(s->out, s->copied, (size_t)(from - s->copied));
	fx_buf_add_str(s->out, by);
	s->copied = s->text.at;
	s->changed = true;
}

static void slim_entry(struct slimmer *s)
{
	const char *key;
	size_t len;
	bool escaped;
	char hash[24];
	if (!take(&s->text, '{')) {
		fail(&s->text);
		return;
	}
	while (next_key(&s->text, &key, &len, &escaped)) {
		bool fields = is_key(key, len, "fieldsV1") && peek(&s->text) == '{';
		const char *from = s->text.at;
		skip_value(&s->text);
		if (!fields || !s->text.at)
			continue;
		snprintf(hash, sizeof(hash), "\"%016llx\"",
		        (unsigned long long)fx_json_fields_hash(from, (size_t)(s->text.at - from)));
		replace(s, from, hash);
	}
}

static void slim_managed_fields(struct slimmer *s)
{
	const char *from = s->text.at;
	if (s->how == FX_SLIM_DROP || peek(&s->text) != '[') {
		bool list = peek(&s->text) == '[';
		skip_value(&s->text);
		if (list)
			replace(s, from, "[]");
		return;
	}
	s->text.at++;
	while (s->text.at && !take(&s->text, ']')) {
		slim_entry(s);
		take(&s->text, ',');
	}
}

/* How deep in the way to managedFields an object is. */
enum level { TOP, OBJECT, METADATA };

static void slim_object(struct slimmer *s, enum level level)
{
	const char *key;
	size_t len;
	bool escaped;
	if (!take(&s->text, '{')) {
		fail(&s->text);
		return;
	}
	while (next_key(&s->text, &key, &len, &escaped)) {
		bool object = peek(&s->text) == '{';
		if (level == METADATA && is_key(key, len, "managedFields"))
			slim_managed_fields(s);
		else if (level != METADATA && object && is_key(key, len, "metadata"))
			slim_object(s, METADATA);
		else if (level == TOP && object && is_key(key, len, "object"))
			slim_object(s, OBJECT);
		else
			skip_value(&s->text);
	}
}

bool fx_json_slim(const char *text, size_t len, enum fx_json_slim how, struct fx_buf *out)
{
	struct slimmer s = {.text = {text, text + len}, .copied = text, .how = how, .out = out};
	fx_buf_clear(out);
	if (how == FX_SLIM_NOTHING)
		return false;
	slim_object(&s, TOP);
	if (!s.text.at || !s.changed)
		return false;
	fx_buf_add(out, s.copied, (size_t)(text + len - s.copied));
	return !fx_buf_failed(out);
}
