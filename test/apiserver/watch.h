/*
 * Watches: streams of changes to clients. Called with the server's lock held.
 */
#ifndef FX_TEST_APISERVER_WATCH_H
#define FX_TEST_APISERVER_WATCH_H

#include "net/server.h"
#include "output.h"
#include "selector.h"
#include "state.h"

struct fx_as_watch_request {
	struct fx_as_view view;
	const char *path;                       /* for faults */
	const char *ns, *rv;                    /* rv: resourceVersion as given, "" when none */
	struct fx_as_selector *labels, *fields; /* taken */
	bool bookmarks, initial_events;
	int timeout_s;
};

/* Starts a watch on the request; takes the selectors. */
void fx_as_watch_start(struct fx_as *as, struct fx_server_request *http, struct fx_as_watch_request *request);

/* Tells all watches of a change. */
void fx_as_watch_change(struct fx_as *as, const struct fx_as_change *change);

/* Ends those whose time is over and sends due bookmarks; returns when to call it again (fx_now_ms's clock).
 */
int64_t fx_as_watch_tick(struct fx_as *as, int64_t now_ms);

/* Cuts the connections of watches whose path starts so; the number of them. */
int fx_as_watch_cut(struct fx_as *as, const char *path_prefix);

/* Sends every watch with bookmarks one now. */
void fx_as_watch_bookmark_all(struct fx_as *as);

void fx_as_watch_close_all(struct fx_as *as);

#endif
