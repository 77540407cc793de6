#include "data/json_split.h"

#include <string.h>

/* Where in the top object the reader is. In line mode only VALUE is used. */
enum state {
	START,        /* before the top `{` */
	BEFORE_KEY,   /* a key, or the end */
	IN_KEY,       /* inside the quotes of a key */
	AFTER_KEY,    /* the colon */
	BEFORE_VALUE, /* white space before a value */
	IN_VALUE,     /* bytes of a value are being collected */
	BEFORE_ITEM,  /* in the array: white space, comma or its end */
	AFTER_VALUE,  /* comma or the end */
	END,
};

/* Names of members are short; a longer one is no Kubernetes list. */
#define KEY_MAX 256

void fx_json_split_init(struct fx_json_split *split, const char *array, fx_json_split_fn *fn, void *arg)
{
	*split = (struct fx_json_split){
	        .array = array,
	        .fn = fn,
	        .arg = arg,
	        .item = FX_BUF_INIT_MAX(FX_JSON_SPLIT_ITEM_MAX),
	        .key = FX_BUF_INIT_MAX(KEY_MAX),
	        .state = START,
	};
}

void fx_json_split_release(struct fx_json_split *split)
{
	fx_buf_release(&split->item);
	fx_buf_release(&split->key);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int too_long(struct fx_error *err)
{
	return fx_fail(err, FX_E_LIMIT, "a JSON value of the answer is larger than %d bytes",
	        FX_JSON_SPLIT_ITEM_MAX);
}

static int malformed(struct fx_error *err)
{
	return fx_fail(err, FX_E_PARSE, "the answer is no JSON list");
}

/* Hands the collected value out. */
static int emit(struct fx_json_split *split, const char *key, struct fx_error *err)
{
	if (fx_buf_failed(&split->item))
		return too_long(err);
	int rc = split->fn(split->arg, key, fx_buf_str(&split->item), split->item.len, err);
	/* One huge object must not pin its memory for the life of a watch. */
	if (split->item.cap > 256 * 1024) {
		fx_buf_release(&split->item);
		split->item.max = FX_JSON_SPLIT_ITEM_MAX;
	} else {
		fx_buf_clear(&split->item);
	}
	return rc < 0 ? rc : 0;
}

/*
 * Advances over bytes of one value, keeping count of nesting and strings. Returns how many bytes
 * belong to it; *ended says that the value is complete. Scalars end before a delimiter,
 * which is not consumed.
 */
static size_t scan_value(struct fx_json_split *split, const char *data, size_t len, bool *ended)
{
	*ended = false;
	for (size_t i = 0; i < len; i++) {
		char c = data[i];
		if (split->in_string) {
			if (split->escaped)
				split->escaped = false;
			else if (c == '\\')
				split->escaped = true;
			else if (c == '"') {
				split->in_string = false;
				if (split->depth == 0) {
					*ended = true;
					return i + 1;
				}
			}
			continue;
		}
		switch (c) {
		case '"':
			split->in_string = true;
			break;
		case '{':
		case '[':
			split->depth++;
			break;
		case '}':
		case ']':
			if (split->depth == 0) {
				*ended = true;
				return i;
			}
			if (--split->depth == 0) {
				*ended = true;
				return i + 1;
			}
			break;
		case ',':
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			if (split->depth == 0) {
				*ended = true;
				return i;
			}
			break;
		default:
			break;
		}
	}
	return len;
}

/* One byte outside of values. Sets *again when the byte starts a value and must be scanned. */
static int step(struct fx_json_split *split, char c, bool *again, struct fx_error *err)
{
	if (split->state != IN_KEY && is_space(c))
		return 0;
	switch (split->state) {
	case START:
		if (c != '{')
			return malformed(err);
		split->state = BEFORE_KEY;
		return 0;
	case BEFORE_KEY:
		if (c == '}') {
			split->state = END;
			return 0;
		}
		if (c != '"')
			return malformed(err);
		fx_buf_clear(&split->key);
		split->state = IN_KEY;
		return 0;
	case IN_KEY:
		if (c == '"')
			split->state = AFTER_KEY;
		else if (c == '\\')
			return malformed(err);
		else
			fx_buf_add_char(&split->key, c);
		return fx_buf_failed(&split->key) ? malformed(err) : 0;
	case AFTER_KEY:
		if (c != ':')
			return malformed(err);
		split->state = BEFORE_VALUE;
		return 0;
	case BEFORE_VALUE:
		if (c == '[' && strcmp(fx_buf_str(&split->key), split->array) == 0) {
			split->in_array = true;
			split->state = BEFORE_ITEM;
			return 0;
		}
		split->state = IN_VALUE;
		*again = true;
		return 0;
	case BEFORE_ITEM:
		if (c == ',')
			return 0;
		if (c == ']') {
			split->in_array = false;
			split->state = AFTER_VALUE;
			return 0;
		}
		split->state = IN_VALUE;
		*again = true;
		return 0;
	case AFTER_VALUE:
		if (c == ',')
			split->state = BEFORE_KEY;
		else if (c == '}')
			split->state = END;
		else
			return malformed(err);
		return 0;
	default: /* END: nothing may follow */
		return malformed(err);
	}
}

static int feed_list(struct fx_json_split *split, const char *data, size_t len, struct fx_error *err)
{
	size_t at = 0;
	while (at < len) {
		if (split->state != IN_VALUE) {
			bool again = false;
			int rc = step(split, data[at], &again, err);
			if (rc < 0)
				return rc;
			if (!again)
				at++;
			continue;
		}
		bool ended;
		size_t used = scan_value(split, data + at, len - at, &ended);
		fx_buf_add(&split->item, data + at, used);
		if (fx_buf_failed(&split->item))
			return too_long(err);
		at += used;
		if (!ended)
			continue;
		if (split->item.len == 0)
			return malformed(err);
		int rc = emit(split, split->in_array ? NULL : fx_buf_str(&split->key), err);
		if (rc < 0)
			return rc;
		split->state = split->in_array ? BEFORE_ITEM : AFTER_VALUE;
	}
	return 0;
}

static int feed_lines(struct fx_json_split *split, const char *data, size_t len, struct fx_error *err)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t used = end ? (size_t)(end - data) : len;
		fx_buf_add(&split->item, data, used);
		if (fx_buf_failed(&split->item))
			return too_long(err);
		if (!end)
			return 0;
		data += used + 1;
		len -= used + 1;
		if (split->item.len == 0)
			continue;
		int rc = emit(split, NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int fx_json_split_feed(struct fx_json_split *split, const char *data, size_t len, struct fx_error *err)
{
	return split->array ? feed_list(split, data, len, err) : feed_lines(split, data, len, err);
}

int fx_json_split_end(struct fx_json_split *split, struct fx_error *err)
{
	bool complete = split->array ? split->state == END : split->item.len == 0;
	if (!complete)
		return fx_fail(err, FX_E_PROTOCOL, "the answer ends in the middle of a value");
	return 0;
}
