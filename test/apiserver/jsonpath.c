#include "jsonpath.h"

#include "core/cleanup.h"

#include <stdbool.h>
#include <string.h>

#define KEY_MAX 256

static const char *read_key(const char *p, char key[KEY_MAX])
{
	size_t n = 0;
	while (*p && *p != '.' && *p != '[') {
		if (*p == '\\' && p[1])
			p++;
		if (n + 1 >= KEY_MAX)
			return NULL;
		key[n++] = *p++;
	}
	key[n] = '\0';
	return p;
}

/* `?(@.type=="Ready")`, p behind the question mark. */
static const json_t *filter(const json_t *list, const char **p)
{
	char path[KEY_MAX], want[KEY_MAX];
	int n = 0;
	if (sscanf(*p, "(@%255[^=! ]%n", path, &n) != 1)
		return NULL;
	const char *at = *p + n;
	at += strspn(at, " ");
	if (strncmp(at, "==", 2) != 0)
		return NULL;
	at += 2;
	at += strspn(at, " ");
	char quote = *at++;
	size_t len = strcspn(at, quote == '"' ? "\"" : "'");
	if (len >= KEY_MAX)
		return NULL;
	memcpy(want, at, len);
	want[len] = '\0';
	at = strstr(at + len, ")]");
	if (!at)
		return NULL;
	*p = at + 2;
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item) {
		const char *have = json_string_value(fx_as_jsonpath(item, path));
		if (have && strcmp(have, want) == 0)
			return item;
	}
	return NULL;
}

static const json_t *bracket(const json_t *at, const char **pp)
{
	const char *p = *pp;
	if (*p == '?') {
		(*pp)++;
		return filter(at, pp);
	}
	const char *end = strchr(p, ']');
	if (!end)
		return NULL;
	*pp = end + 1;
	if (*p == '*')
		return json_array_get(at, 0);
	if (*p == '\'' || *p == '"') {
		fx_autofree char *key = strndup(p + 1, (size_t)(end - p) - 2);
		return json_object_get(at, key);
	}
	long i = strtol(p, NULL, 10);
	long count = (long)json_array_size(at);
	return json_array_get(at, (size_t)(i < 0 ? count + i : i));
}

const json_t *fx_as_jsonpath(const json_t *object, const char *path)
{
	const json_t *at = object;
	for (const char *p = path; *p && at;) {
		if (*p == '[') {
			p++;
			at = bracket(at, &p);
			continue;
		}
		p += *p == '.';
		char key[KEY_MAX];
		p = read_key(p, key);
		if (!p)
			return NULL;
		if (*key)
			at = json_object_get(at, key);
	}
	return at;
}
