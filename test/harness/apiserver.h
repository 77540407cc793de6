/*
 * The embedded API server (test/apiserver/) for one test program or the demo: started in some
 * milliseconds on a free port of the loopback, in a folder of its own. Each call blocks; one thread at a
 * time.
 */
#ifndef FX_TEST_APISERVER_H
#define FX_TEST_APISERVER_H

#include "core/buf.h"
#include "core/error.h"
#include "test/harness/process.h"

/* All texts are owned by the server. */
struct fx_test_apiserver {
	char *dir;        /* its folder, removed by stop; apiserver.log is there */
	char *kubeconfig; /* of the user admin */
	char *url;        /* https://127.0.0.1:PORT */
	char *ca;         /* a PEM file */
	char *program;
	int port;
	struct fx_test_process process;
};

/*
 * Starts it. args: further options of the program (`--crds`, `manifests/crds` ...), ended by NULL; may be
 * NULL. The program is FX_BUILD/bin/apiserver, build/bin/apiserver when FX_BUILD is not set. FX_E_UNAVAILABLE
 * with the end of its log when it does not get ready.
 */
int fx_test_apiserver_start(
        struct fx_test_apiserver *out, const char *const *args, struct fx_error *err) fx_must_use;
/* Ends it and removes its folder. Accepts a zeroed one. False, with the reason on standard error, when it did
 * not end well or a sanitizer has complained in its log. */
bool fx_test_apiserver_stop(struct fx_test_apiserver *server);

/* Writes a kubeconfig for any user name (`system:serviceaccount:flux-system:source-controller`), whose
 * requests are counted under that name. *out_path is to be freed. */
int fx_test_apiserver_kubeconfig(struct fx_test_apiserver *server, const char *user, char **out_path,
        struct fx_error *err) fx_must_use;

/* A request as admin: the control endpoints (/_faults, /_requests, /_compact, /_bookmarks) or the API. body
 * may be NULL; the answer is appended to out (may be NULL). A status of 400 and above is FX_E_INVALID with
 * the text. */
int fx_test_apiserver_request(struct fx_test_apiserver *server, const char *method, const char *path,
        const char *body, struct fx_buf *out, struct fx_error *err) fx_must_use;

#endif
