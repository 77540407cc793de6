#include "watch.h"

#include "controllers.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "obj.h"

#include <string.h>

/* Bytes that wait for a slow client before its watch is given up. */
#define PENDING_MAX (64 * 1024 * 1024)
/* As kube-apiserver: a bookmark about once a minute. */
#define BOOKMARK_INTERVAL_MS 60000
/* A watch without a timeout ends after half an hour at least. */
#define TIMEOUT_DEFAULT_S 1800

struct fx_as_watch {
	struct fx_as_watch *next;
	struct fx_server_stream *stream;
	char *path, *version, *ns, *include;
	struct fx_as_resource *resource;
	enum fx_as_form form;
	struct fx_as_selector *labels, *fields;
	bool bookmarks;
	bool columns_sent;
	int64_t deadline_ms, bookmark_ms;
};

static void watch_free(struct fx_as_watch *w)
{
	fx_as_selector_free(w->labels);
	fx_as_selector_free(w->fields);
	free(w->path);
	free(w->version);
	free(w->ns);
	free(w->include);
	free(w);
}

static bool view_of(const struct fx_as_watch *w, struct fx_as_view *view)
{
	*view = (struct fx_as_view){.resource = w->resource,
	        .version = fx_as_resource_version(w->resource, w->version),
	        .form = w->form,
	        .include = w->include};
	return view->version;
}

static bool push(struct fx_as_watch *w, const struct fx_buf *text)
{
	return fx_server_stream_push(w->stream, text->data, text->len);
}

static bool send_event(struct fx_as_watch *w, const char *type, const struct fx_as_object *object)
{
	struct fx_as_view view;
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	if (!view_of(w, &view))
		return false;
	fx_buf_addf(&text, "{\"type\":\"%s\",\"object\":", type);
	if (view.form == FX_AS_FORM_TABLE) {
		fx_as_output_object(&view, object->json, !w->columns_sent, &text);
		w->columns_sent = true;
	} else {
		fx_as_output_stored(&view, object, &text);
	}
	fx_buf_add_str(&text, "}\n");
	return push(w, &text);
}

static bool send_bookmark(struct fx_as_watch *w, uint64_t rv, bool initial)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_autofree char *api = fx_as_api_version(w->resource->group, w->version);
	bool metadata = w->form == FX_AS_FORM_METADATA, table = w->form == FX_AS_FORM_TABLE;
	if (table && !initial)
		return true;
	fx_buf_addf(&text,
	        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
	        "\"resourceVersion\":\"%llu\"%s}%s}}\n",
	        table      ? "Table"
	        : metadata ? "PartialObjectMetadata"
	                   : w->resource->kind,
	        metadata || table ? "meta.k8s.io/v1" : api, (unsigned long long)rv,
	        initial && !table ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "",
	        table ? ",\"columnDefinitions\":null,\"rows\":[]" : "");
	return push(w, &text);
}

static bool selects(const struct fx_as_watch *w, const struct fx_as_object *o)
{
	return o && (!*w->ns || strcmp(fx_as_namespace(o->json), w->ns) == 0) &&
	       fx_as_labels_match(w->labels, o->json) && fx_as_fields_match(w->fields, o->json);
}

/* A change as this watch sees it: an object can come into or leave its selection. */
static bool deliver(struct fx_as_watch *w, const struct fx_as_change *c)
{
	bool was = selects(w, c->before), is = c->type != FX_AS_DELETED && selects(w, c->now);
	if (c->type == FX_AS_DELETED)
		was = selects(w, c->now);
	if (was && !is)
		return send_event(w, "DELETED", c->now);
	if (is)
		return send_event(w, was ? "MODIFIED" : "ADDED", c->now);
	return true;
}

static bool send_state(struct fx_as_watch *w)
{
	size_t count;
	fx_autofree struct fx_as_object **all = fx_as_store_sorted(w->resource, w->ns, &count);
	for (size_t i = 0; i < count; i++)
		if (selects(w, all[i]) && !send_event(w, "ADDED", all[i]))
			return false;
	return true;
}

static bool send_history(struct fx_as *as, struct fx_as_watch *w, uint64_t after)
{
	const struct fx_as_change *c;
	for (size_t i = 0; (c = fx_as_store_change(&as->store, i)); i++)
		if (c->resource == w->resource && c->rv > after && !deliver(w, c))
			return false;
	return true;
}

/* The version is too old: one ERROR event, then the end. */
static void send_expired(struct fx_as *as, struct fx_server_stream *stream, uint64_t rv)
{
	fx_auto(json) json_t *status = fx_as_status(410, "Expired", "too old resource version: %llu (%llu)",
	        (unsigned long long)rv, (unsigned long long)as->store.compacted_rv + 1);
	fx_auto(json) json_t *event = json_pack("{s:s,s:O}", "type", "ERROR", "object", status);
	fx_autofree char *text = json_dumps(event, JSON_COMPACT);
	fx_server_stream_push(stream, text, strlen(text));
	fx_server_stream_push(stream, "\n", 1);
	fx_server_stream_close(stream);
}

void fx_as_watch_start(struct fx_as *as, struct fx_server_request *http, struct fx_as_watch_request *q)
{
	struct fx_as_watch *w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	*w = (struct fx_as_watch){.path = strdup(q->path),
	        .version = strdup(q->view.version->name),
	        .ns = strdup(q->ns),
	        .include = q->view.include ? strdup(q->view.include) : NULL,
	        .resource = q->view.resource,
	        .form = q->view.form,
	        .labels = q->labels,
	        .fields = q->fields,
	        .bookmarks = q->bookmarks};
	int64_t now = fx_now_ms();
	w->deadline_ms = now + (int64_t)(q->timeout_s > 0 ? q->timeout_s : TIMEOUT_DEFAULT_S) * 1000;
	w->bookmark_ms = now + BOOKMARK_INTERVAL_MS;
	w->stream = fx_server_reply_stream(http, 200,
	        w->form == FX_AS_FORM_TABLE ? "application/json;as=Table;v=v1;g=meta.k8s.io"
	        : w->form == FX_AS_FORM_METADATA
	                ? "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
	                : "application/json",
	        PENDING_MAX);
	if (!w->stream) {
		watch_free(w);
		return;
	}
	uint64_t rv = strtoull(q->rv, NULL, 10);
	bool state = q->initial_events || rv == 0;
	if (!state && rv < as->store.compacted_rv) {
		send_expired(as, w->stream, rv);
		watch_free(w);
		return;
	}
	bool alive = state ? send_state(w) : send_history(as, w, rv);
	if (alive && q->initial_events)
		alive = send_bookmark(w, as->store.rv, true);
	if (!alive) {
		fx_server_stream_close(w->stream);
		watch_free(w);
		return;
	}
	w->next = as->watches;
	as->watches = w;
	fx_as_controllers_wake(as);
}

void fx_as_watch_change(struct fx_as *as, const struct fx_as_change *c)
{
	for (struct fx_as_watch **at = &as->watches; *at;) {
		struct fx_as_watch *w = *at;
		if (w->resource != c->resource || deliver(w, c)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		fx_server_stream_close(w->stream);
		watch_free(w);
	}
}

int64_t fx_as_watch_tick(struct fx_as *as, int64_t now_ms)
{
	int64_t next = INT64_MAX;
	for (struct fx_as_watch **at = &as->watches; *at;) {
		struct fx_as_watch *w = *at;
		bool over = now_ms >= w->deadline_ms,
		     due = w->bookmarks && (over || now_ms >= w->bookmark_ms);
		bool alive = !due || send_bookmark(w, as->store.rv, false);
		if (over || !alive) {
			*at = w->next;
			fx_server_stream_close(w->stream);
			watch_free(w);
			continue;
		}
		if (due)
			w->bookmark_ms = now_ms + BOOKMARK_INTERVAL_MS;
		if (w->deadline_ms < next)
			next = w->deadline_ms;
		if (w->bookmarks && w->bookmark_ms < next)
			next = w->bookmark_ms;
		at = &w->next;
	}
	return next;
}

void fx_as_watch_bookmark_all(struct fx_as *as)
{
	for (struct fx_as_watch *w = as->watches; w; w = w->next)
		if (w->bookmarks)
			send_bookmark(w, as->store.rv, false);
}

static int end_all(struct fx_as *as, const char *prefix, void (*end)(struct fx_server_stream *))
{
	int count = 0;
	for (struct fx_as_watch **at = &as->watches; *at;) {
		struct fx_as_watch *w = *at;
		if (strncmp(w->path, prefix, strlen(prefix)) != 0) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		end(w->stream);
		watch_free(w);
		count++;
	}
	return count;
}

int fx_as_watch_cut(struct fx_as *as, const char *path_prefix)
{
	return end_all(as, path_prefix, fx_server_stream_cut);
}

void fx_as_watch_close_all(struct fx_as *as)
{
	end_all(as, "", fx_server_stream_close);
}
