#include "request.h"

#include "core/cleanup.h"

#include <string.h>
#include <strings.h>

/* Segments of the longest resource path: apis, group, version, namespaces, NS, plural, name, subresource. */
#define SEGMENTS_MAX 8

static bool copy(char out[FX_AS_SEGMENT_MAX], const char *from, size_t len)
{
	if (len >= FX_AS_SEGMENT_MAX)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

bool fx_as_path_parse(const char *path, struct fx_as_path *out)
{
	char segments[SEGMENTS_MAX][FX_AS_SEGMENT_MAX];
	size_t count = 0;
	*out = (struct fx_as_path){0};
	for (const char *p = path + (*path == '/'); *p;) {
		size_t len = strcspn(p, "/");
		if (count == SEGMENTS_MAX || !copy(segments[count++], p, len))
			return false;
		p += len + (p[len] == '/');
	}
	size_t at = 0;
	if (count >= 3 && strcmp(segments[0], "api") == 0) {
		at = 2;
	} else if (count >= 4 && strcmp(segments[0], "apis") == 0) {
		strcpy(out->group, segments[1]);
		at = 3;
	} else {
		return true;
	}
	strcpy(out->version, segments[at - 1]);
	size_t left = count - at;
	bool in_namespace = strcmp(segments[at], "namespaces") == 0 && left >= 3 &&
	                    strcmp(segments[at + 2], "status") != 0 &&
	                    strcmp(segments[at + 2], "finalize") != 0;
	if (in_namespace) {
		strcpy(out->ns, segments[at + 1]);
		at += 2;
		left -= 2;
	}
	if (left > 3)
		return false;
	strcpy(out->plural, segments[at]);
	if (left > 1)
		strcpy(out->name, segments[at + 1]);
	if (left > 2)
		strcpy(out->subresource, segments[at + 2]);
	out->is_resource = true;
	return true;
}

const char *fx_as_verb(const char *method, const struct fx_as_path *path, bool watch)
{
	bool one = path->name[0];
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		return watch ? "watch" : one || !path->is_resource ? "get" : "list";
	if (strcmp(method, "POST") == 0)
		return "create";
	if (strcmp(method, "PUT") == 0)
		return "update";
	if (strcmp(method, "PATCH") == 0)
		return "patch";
	return one ? "delete" : "deletecollection";
}

static bool has(const char *range, size_t len, const char *text)
{
	return memmem(range, len, text, strlen(text));
}

enum fx_as_form fx_as_accept(const char *accept)
{
	if (!accept || !*accept)
		return FX_AS_FORM_JSON;
	for (const char *p = accept; *p;) {
		size_t len = strcspn(p, ",");
		bool json =
		        has(p, len, "application/json") || has(p, len, "*/*") || has(p, len, "application/*");
		if (json && has(p, len, "as=Table"))
			return FX_AS_FORM_TABLE;
		if (json && has(p, len, "as=PartialObjectMetadata"))
			return FX_AS_FORM_METADATA;
		if (json && has(p, len, "as=APIGroupDiscoveryList"))
			return has(p, len, "v=v2;") || has(p, len, "v=v2 ") ? FX_AS_FORM_DISCOVERY
			                                                    : FX_AS_FORM_JSON;
		if (json && !has(p, len, "as="))
			return FX_AS_FORM_JSON;
		p += len + (p[len] == ',');
	}
	return FX_AS_FORM_NONE;
}
