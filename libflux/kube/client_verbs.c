#include "kube/client_internal.h"

#include "data/json_split.h"

#include <string.h>

#define READ_PIECE (64 * 1024)

static int get_as(struct fx_kube *kube, const struct fx_kube_path *path, const char *accept,
        struct fx_cancel *cancel, json_t **out, struct fx_error *err)
{
	fx_autofree char *text = fx_kube_path_text(path);
	if (!text)
		return fx_fail_nomem(err);
	const struct fx_kube_request request = {.path = text, .accept = accept};
	return fx_kube_do(kube, &request, cancel, NULL, out, err);
}

int fx_kube_get(struct fx_kube *kube, const struct fx_kube_path *path, struct fx_cancel *cancel, json_t **out,
        struct fx_error *err)
{
	return get_as(kube, path, FX_KUBE_JSON, cancel, out, err);
}

int fx_kube_get_metadata(struct fx_kube *kube, const struct fx_kube_path *path, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err)
{
	return get_as(kube, path, FX_KUBE_METADATA "," FX_KUBE_JSON, cancel, out, err);
}

/* A page of a list being taken apart. */
struct page {
	int (*each)(void *arg, json_t *item, struct fx_error *err);
	void *arg;
	char *token; /* continue */
	char *resource_version;
};

static int on_list_part(void *arg, const char *key, const char *text, size_t len, struct fx_error *err)
{
	struct page *page = arg;
	fx_auto(json) json_t *value = NULL;
	if (key && strcmp(key, "metadata") != 0)
		return 0;
	int rc = fx_json_parse(text, len, &value, err);
	if (rc < 0)
		return rc;
	if (!key)
		return page->each(page->arg, value, err);
	const char *token = fx_json_str_at(value, "continue");
	const char *resource_version = fx_json_str_at(value, "resourceVersion");
	page->token = token && *token ? strdup(token) : NULL;
	free(page->resource_version);
	page->resource_version = resource_version ? strdup(resource_version) : NULL;
	return 0;
}

static int read_page(struct fx_http_stream *stream, struct page *page, struct fx_error *err)
{
	struct fx_json_split split;
	fx_autofree char *piece = malloc(READ_PIECE);
	size_t len = 0;
	int rc = piece ? 0 : fx_fail_nomem(err);
	fx_json_split_init(&split, "items", on_list_part, page);
	while (rc == 0) {
		rc = fx_http_stream_read(stream, piece, READ_PIECE, &len, err);
		if (rc == 0 && len == 0) {
			rc = fx_json_split_end(&split, err);
			break;
		}
		if (rc == 0)
			rc = fx_json_split_feed(&split, piece, len, err);
	}
	fx_json_split_release(&split);
	return rc;
}

/* An expired continue token comes with a new one, which goes on at the same place in the newest
 * state: good enough for all who do not watch from there. */
static char *next_token_of(const struct fx_kube_status *status)
{
	const char *token = fx_json_str_at(status->body, "metadata", "continue");
	return token && *token ? strdup(token) : NULL;
}

static int list_page(struct fx_kube *kube, const char *path, const struct fx_kube_list_options *options,
        const char *token, struct fx_cancel *cancel, struct page *page, struct fx_error *err)
{
	struct fx_buf query = FX_BUF_INIT;
	fx_auto(kube_status) struct fx_kube_status status = FX_KUBE_STATUS_INIT;
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;

	fx_kube_query_add_int(&query, "limit", options->page > 0 ? options->page : FX_KUBE_PAGE);
	fx_kube_query_add(&query, "labelSelector", options->label_selector);
	fx_kube_query_add(&query, "fieldSelector", options->field_selector);
	fx_kube_query_add(&query, "continue", token);
	if (!token && options->from_cache)
		fx_kube_query_add(&query, "resourceVersion", "0");
	const struct fx_kube_request request = {
	        .path = path,
	        .query = fx_buf_str(&query),
	        .accept = options->metadata_only ? FX_KUBE_METADATA_LIST "," FX_KUBE_JSON : FX_KUBE_JSON,
	};
	int rc = fx_buf_failed(&query) ? fx_fail_nomem(err)
	                               : fx_kube_open(kube, &request, cancel, &status, &stream, err);
	if (rc == 0)
		rc = read_page(stream, page, err);
	else if (rc == -FX_E_GONE && token && (page->token = next_token_of(&status)))
		rc = 0;
	fx_buf_release(&query);
	return rc;
}

int fx_kube_list(struct fx_kube *kube, const struct fx_kube_path *path,
        const struct fx_kube_list_options *options, struct fx_cancel *cancel,
        int (*each)(void *arg, json_t *item, struct fx_error *err), void *arg, struct fx_error *err)
{
	static const struct fx_kube_list_options none;
	fx_autofree char *text = fx_kube_path_text(path);
	fx_autofree char *token = NULL;
	struct page page = {.each = each, .arg = arg};
	int rc;

	if (!text)
		return fx_fail_nomem(err);
	if (!options)
		options = &none;
	do {
		rc = list_page(kube, text, options, token, cancel, &page, err);
		free(token);
		token = fx_take(page.token);
	} while (rc == 0 && token);
	if (rc == 0 && options->resource_version)
		*options->resource_version = fx_take(page.resource_version);
	free(page.resource_version);
	return rc;
}

/* POST, PUT and PATCH. */
static int send_object(struct fx_kube *kube, const char *method, const struct fx_kube_path *path,
        const char *type, const json_t *body, const struct fx_kube_write_options *options,
        struct fx_cancel *cancel, json_t **out, struct fx_error *err)
{
	static const struct fx_kube_write_options none;
	fx_autofree char *path_text = fx_kube_path_text(path);
	struct fx_buf query = FX_BUF_INIT;
	size_t body_len = 0;
	fx_autofree char *body_text = fx_json_text(body, &body_len);

	if (!options)
		options = &none;
	fx_kube_query_add(&query, "fieldManager", options->field_manager);
	if (options->force)
		fx_kube_query_add(&query, "force", "true");
	if (options->dry_run)
		fx_kube_query_add(&query, "dryRun", "All");
	fx_kube_query_add(&query, "fieldValidation", options->field_validation);
	const struct fx_kube_request request = {
	        .method = method,
	        .path = path_text,
	        .query = fx_buf_str(&query),
	        .accept = options->metadata_only ? FX_KUBE_METADATA "," FX_KUBE_JSON : NULL,
	        .content_type = type,
	        .body = body_text,
	        .body_len = body_len,
	        .timeout_ms = options->timeout_ms,
	        .slim = options->slim,
	};
	int rc;
	if (!path_text || !body_text || fx_buf_failed(&query))
		rc = fx_fail_nomem(err);
	else
		rc = fx_kube_do(kube, &request, cancel, options->status, out, err);
	fx_buf_release(&query);
	return rc;
}

int fx_kube_create(struct fx_kube *kube, const struct fx_kube_path *path, const json_t *object,
        const struct fx_kube_write_options *options, struct fx_cancel *cancel, json_t **out,
        struct fx_error *err)
{
	return send_object(kube, "POST", path, FX_KUBE_JSON, object, options, cancel, out, err);
}

int fx_kube_update(struct fx_kube *kube, const struct fx_kube_path *path, const json_t *object,
        const struct fx_kube_write_options *options, struct fx_cancel *cancel, json_t **out,
        struct fx_error *err)
{
	return send_object(kube, "PUT", path, FX_KUBE_JSON, object, options, cancel, out, err);
}

int fx_kube_patch(struct fx_kube *kube, const struct fx_kube_path *path, const char *type,
        const json_t *patch, const struct fx_kube_write_options *options, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err)
{
	return send_object(kube, "PATCH", path, type, patch, options, cancel, out, err);
}

static json_t *delete_body(const struct fx_kube_delete_options *options)
{
	json_t *body = json_pack("{s:s, s:s, s:s*, s:{s:s*, s:s*}}", "kind", "DeleteOptions", "apiVersion",
	        "v1", "propagationPolicy", options->propagation, "preconditions", "uid", options->uid,
	        "resourceVersion", options->resource_version);
	if (body && options->dry_run && json_object_set_new(body, "dryRun", json_pack("[s]", "All")) < 0) {
		json_decref(body);
		return NULL;
	}
	if (body && json_object_size(json_object_get(body, "preconditions")) == 0)
		json_object_del(body, "preconditions");
	return body;
}

int fx_kube_delete(struct fx_kube *kube, const struct fx_kube_path *path,
        const struct fx_kube_delete_options *options, struct fx_cancel *cancel, struct fx_error *err)
{
	static const struct fx_kube_delete_options none;
	fx_auto(json) json_t *body = delete_body(options ? options : &none);
	const struct fx_kube_write_options write = {.status = options ? options->status : NULL};
	if (!body)
		return fx_fail_nomem(err);
	return send_object(kube, "DELETE", path, FX_KUBE_JSON, body, &write, cancel, NULL, err);
}
