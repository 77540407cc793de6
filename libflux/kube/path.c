#include "kube/client.h"

#include <inttypes.h>
#include <string.h>

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

/* Percent-encodes all but RFC 3986's unreserved characters and those in keep. */
static void add_escaped(struct fx_buf *buf, const char *text, const char *keep)
{
	for (const char *c = text; *c; c++) {
		if (is_unreserved(*c) || strchr(keep, *c))
			fx_buf_add_char(buf, *c);
		else
			fx_buf_addf(buf, "%%%02X", (unsigned char)*c);
	}
}

/* RBAC names have colons, which a path may carry as they are. "." and ".." would change the
 * path: their dots are escaped. */
static void add_segment(struct fx_buf *buf, const char *text)
{
	fx_buf_add_char(buf, '/');
	if (strcmp(text, ".") == 0)
		fx_buf_add_str(buf, "%2E");
	else if (strcmp(text, "..") == 0)
		fx_buf_add_str(buf, "%2E%2E");
	else
		add_escaped(buf, text, ":");
}

static bool is_set(const char *text)
{
	return text && *text;
}

char *fx_kube_path_text(const struct fx_kube_path *path)
{
	struct fx_buf buf = FX_BUF_INIT;
	if (is_set(path->group)) {
		fx_buf_add_str(&buf, "/apis");
		add_segment(&buf, path->group);
	} else {
		fx_buf_add_str(&buf, "/api");
	}
	add_segment(&buf, path->version);
	if (is_set(path->namespace_)) {
		fx_buf_add_str(&buf, "/namespaces");
		add_segment(&buf, path->namespace_);
	}
	add_segment(&buf, path->resource);
	if (is_set(path->name)) {
		add_segment(&buf, path->name);
		if (is_set(path->subresource))
			add_segment(&buf, path->subresource);
	}
	char *text = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return text;
}

void fx_kube_query_add(struct fx_buf *query, const char *key, const char *value)
{
	if (!is_set(value))
		return;
	if (query->len > 0)
		fx_buf_add_char(query, '&');
	fx_buf_add_str(query, key);
	fx_buf_add_char(query, '=');
	add_escaped(query, value, "");
}

void fx_kube_query_add_int(struct fx_buf *query, const char *key, int64_t value)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRId64, value);
	fx_kube_query_add(query, key, text);
}
