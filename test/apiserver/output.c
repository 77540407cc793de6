#include "output.h"

#include "core/cleanup.h"
#include "obj.h"
#include "table.h"

#include <string.h>

static void add_json(struct fx_buf *out, const json_t *value)
{
	fx_autofree char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	fx_buf_add_str(out, text ? text : "null");
}

static void add_shown(const struct fx_as_view *view, const json_t *object, struct fx_buf *out)
{
	struct fx_as_op op = {.resource = view->resource, .version = view->version};
	fx_auto(json) json_t *shown = fx_as_rest_shown(&op, object);
	add_json(out, shown);
}

static void add_metadata(const json_t *object, struct fx_buf *out)
{
	fx_buf_add_str(
	        out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
	add_json(out, json_object_get(object, "metadata"));
	fx_buf_add_char(out, '}');
}

static void add_table_head(const struct fx_as_view *view, const char *rv, const char *token, long remaining,
        bool columns, struct fx_buf *out)
{
	fx_buf_addf(out,
	        "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/"
	        "v1\",\"metadata\":{\"resourceVersion\":\"%s\"",
	        rv);
	if (token)
		fx_buf_addf(out, ",\"continue\":\"%s\"", token);
	if (remaining > 0)
		fx_buf_addf(out, ",\"remainingItemCount\":%ld", remaining);
	fx_buf_add_str(out, "},\"columnDefinitions\":");
	if (columns) {
		fx_auto(json) json_t *list = fx_as_table_columns(view->resource, view->version);
		add_json(out, list);
	} else {
		fx_buf_add_str(out, "null");
	}
	fx_buf_add_str(out, ",\"rows\":[");
}

static void add_row(const struct fx_as_view *view, const json_t *object, struct fx_buf *out)
{
	fx_auto(json) json_t *row = fx_as_table_row(view->resource, view->version, object, view->include);
	add_json(out, row);
}

void fx_as_output_object(
        const struct fx_as_view *view, const json_t *object, bool columns, struct fx_buf *out)
{
	const char *rv = fx_json_str_at(object, "metadata", "resourceVersion");
	switch (view->form) {
	case FX_AS_FORM_METADATA:
		add_metadata(object, out);
		break;
	case FX_AS_FORM_TABLE:
		add_table_head(view, rv ? rv : "", NULL, 0, columns, out);
		add_row(view, object, out);
		fx_buf_add_str(out, "]}");
		break;
	default:
		add_shown(view, object, out);
	}
}

void fx_as_output_stored(const struct fx_as_view *view, const struct fx_as_object *object, struct fx_buf *out)
{
	if (view->version->storage && view->form == FX_AS_FORM_JSON)
		fx_buf_add(out, object->text, object->len);
	else
		fx_as_output_object(view, object->json, false, out);
}

/* The key of an object in the order of lists. */
static char *list_key(const json_t *object)
{
	char *key = NULL;
	return asprintf(&key, "%s/%s", fx_as_namespace(object), fx_as_name(object)) < 0 ? NULL : key;
}

/* "RV:NAMESPACE/NAME" in hexadecimal: opaque to clients. */
static char *token_new(uint64_t rv, const char *key)
{
	fx_auto(buf) struct fx_buf hex = FX_BUF_INIT;
	fx_autofree char *text = NULL;
	if (asprintf(&text, "%llu:%s", (unsigned long long)rv, key) < 0)
		return NULL;
	for (const char *p = text; *p; p++)
		fx_buf_addf(&hex, "%02x", (unsigned char)*p);
	return fx_buf_take(&hex, NULL);
}

static char *token_read(const char *token, uint64_t *rv)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	unsigned byte;
	for (const char *p = token; p[0] && p[1] && sscanf(p, "%2x", &byte) == 1; p += 2)
		fx_buf_add_char(&text, (char)byte);
	char *colon = strchr(fx_buf_str(&text), ':');
	if (!colon)
		return NULL;
	*rv = strtoull(fx_buf_str(&text), NULL, 10);
	return strdup(colon + 1);
}

static int key_order(const json_t *object, const char *key)
{
	const char *slash = strchr(key, '/');
	fx_autofree char *ns = strndup(key, slash ? (size_t)(slash - key) : 0);
	int order = strcmp(fx_as_namespace(object), ns);
	return order ? order : strcmp(fx_as_name(object), slash ? slash + 1 : "");
}

struct page {
	FX_VEC(struct fx_as_object *) items;
	size_t remaining;
	char *last_key; /* where the next page starts after, NULL at the end */
};

static void collect(
        const struct fx_as_view *view, const struct fx_as_list *list, const char *after, struct page *page)
{
	size_t count;
	fx_autofree struct fx_as_object **all = fx_as_store_sorted(view->resource, list->ns, &count);
	for (size_t i = 0; i < count; i++) {
		const json_t *o = all[i]->json;
		if (after && key_order(o, after) <= 0)
			continue;
		if (!fx_as_labels_match(list->labels, o) || !fx_as_fields_match(list->fields, o))
			continue;
		if (list->limit && page->items.len == list->limit)
			page->remaining++;
		else if (!fx_vec_push(&page->items, all[i]))
			abort();
	}
	if (page->remaining)
		page->last_key = list_key(page->items.items[page->items.len - 1]->json);
}

static void add_list(const struct fx_as_view *view, const struct page *page, uint64_t rv, const char *token,
        bool selective, struct fx_buf *out)
{
	char rv_text[24];
	snprintf(rv_text, sizeof(rv_text), "%llu", (unsigned long long)rv);
	bool table = view->form == FX_AS_FORM_TABLE, metadata = view->form == FX_AS_FORM_METADATA;
	long remaining = selective ? 0 : (long)page->remaining;
	if (table) {
		add_table_head(view, rv_text, token, remaining, true, out);
	} else {
		fx_autofree char *api = fx_as_api_version(view->resource->group, view->version->name);
		fx_buf_addf(out,
		        "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%s\"",
		        metadata ? "PartialObjectMetadataList" : view->resource->list_kind,
		        metadata ? "meta.k8s.io/v1" : api, rv_text);
		if (token)
			fx_buf_addf(out, ",\"continue\":\"%s\"", token);
		if (remaining > 0)
			fx_buf_addf(out, ",\"remainingItemCount\":%ld", remaining);
		fx_buf_add_str(out, "},\"items\":[");
	}
	for (size_t i = 0; i < page->items.len; i++) {
		if (i)
			fx_buf_add_char(out, ',');
		if (table)
			add_row(view, page->items.items[i]->json, out);
		else
			fx_as_output_stored(view, page->items.items[i], out);
	}
	fx_buf_add_str(out, "]}");
}

json_t *fx_as_output_list(
        struct fx_as *as, const struct fx_as_view *view, const struct fx_as_list *list, struct fx_buf *out)
{
	uint64_t rv = as->store.rv;
	fx_autofree char *after = NULL;
	if (list->continue_token && *list->continue_token) {
		after = token_read(list->continue_token, &rv);
		if (!after)
			return fx_as_status(400, "BadRequest", "continue key is not valid");
		if (rv < as->store.compacted_rv)
			return fx_as_status(410, "Expired",
			        "The provided continue parameter is too old to display a consistent list "
			        "result. You can start "
			        "a new list without the continue parameter.");
	}
	struct page page = {0};
	collect(view, list, after, &page);
	fx_autofree char *token = page.last_key ? token_new(rv, page.last_key) : NULL;
	add_list(view, &page, rv, token, list->labels || list->fields, out);
	fx_vec_release(&page.items);
	free(page.last_key);
	return NULL;
}
