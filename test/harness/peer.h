/*
 * A Git server's worst days: a proxy before the real one (gitserver.h) that answers by the first element of
 * the path, /MODE/NAME.git. It runs on a thread of its own until it is stopped.
 *
 *   plain     as the real server does
 *   hang      takes the request and never answers
 *   silent    the same for the fetch alone
 *   reset     breaks the connection
 *   garbage   bytes that are no HTTP
 *   html      a login page with status 200
 *   500, 503  that status
 *   loop      redirects to itself
 *   badpkt    the right type, but no pkt-lines
 *   endless   a reference list without an end
 *   cut       the fetch breaks off in the middle of the pack
 *   corrupt   one byte of the pack is another
 *   slow      the fetch pauses in the middle of the pack
 *   ghost     lists a commit that it does not have
 */
#ifndef FX_TEST_PEER_H
#define FX_TEST_PEER_H

#include "core/error.h"

#include <pthread.h>
#include <stdatomic.h>

struct fx_test_peer {
	int port;
	int behind; /* port of the real server */
	int listener;
	int stop[2]; /* closing the second one ends all */
	pthread_t thread;
	atomic_int open; /* connections under way */
};

int fx_test_peer_start(struct fx_test_peer *peer, int behind, struct fx_error *err) fx_must_use;
/* Accepts a zeroed one. */
void fx_test_peer_stop(struct fx_test_peer *peer);

#endif
