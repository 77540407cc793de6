/* The embedded Kubernetes API server: options, start, stop. What it is stands in README.md. */
#include "builtin.h"
#include "cert.h"
#include "controllers.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "crd.h"
#include "faults.h"
#include "http.h"
#include "obj.h"
#include "rest.h"
#include "types.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

/* Connections at a time: a controller holds one for each watch over HTTP/1.1. */
#define CONNECTIONS_MAX 1024
#define BODY_MAX (16 * 1024 * 1024)
/* Watches are silent for long. */
#define IDLE_TIMEOUT_S 3600
#define THREADS 4

struct options {
	const char *listen, *port_file, *kubeconfig, *ca_file;
	FX_VEC(const char *) tokens, crds;
	int ready_fd;
	bool plain;
};

static const char usage[] =
        "usage: apiserver [options]\n"
        "  --listen HOST:PORT      where to listen (127.0.0.1:0: any free port)\n"
        "  --plain                 HTTP; kubectl then sends no tokens (default: HTTPS with its own "
        "certificate)\n"
        "  --token USER:TOKEN      a user and its bearer token; repeat. None: user admin, token admin\n"
        "  --deny USER:VERB:RESOURCE   refuse with 403; * matches all; repeat\n"
        "  --crds PATH             create the objects of a YAML file or folder at start; repeat\n"
        "  --port-file FILE        write the port there\n"
        "  --kubeconfig-out FILE   write a kubeconfig with a context for each user; the first is current\n"
        "  --ca-out FILE           write the certificate there\n"
        "  --ready-fd N            write a line to this descriptor when ready\n";

enum {
	OPT_LISTEN = 1,
	OPT_PLAIN,
	OPT_TOKEN,
	OPT_DENY,
	OPT_CRDS,
	OPT_PORT_FILE,
	OPT_KUBECONFIG,
	OPT_READY_FD,
	OPT_CA,
	OPT_HELP
};

static const struct option long_options[] = {{"listen", required_argument, NULL, OPT_LISTEN},
        {"plain", no_argument, NULL, OPT_PLAIN}, {"token", required_argument, NULL, OPT_TOKEN},
        {"deny", required_argument, NULL, OPT_DENY}, {"crds", required_argument, NULL, OPT_CRDS},
        {"port-file", required_argument, NULL, OPT_PORT_FILE},
        {"kubeconfig-out", required_argument, NULL, OPT_KUBECONFIG},
        {"ca-out", required_argument, NULL, OPT_CA}, {"ready-fd", required_argument, NULL, OPT_READY_FD},
        {"help", no_argument, NULL, OPT_HELP}, {NULL, 0, NULL, 0}};

static int add_token(struct fx_as *as, struct options *o, const char *text)
{
	/* User names may hold colons, tokens none. */
	const char *colon = strrchr(text, ':');
	return colon && fx_map_set(&as->tokens, colon + 1, strndup(text, (size_t)(colon - text))) &&
	                       fx_vec_push(&o->tokens, text)
	               ? 0
	               : -1;
}

static int add_deny(struct fx_as *as, const char *text)
{
	const char *last = strrchr(text, ':');
	const char *middle = last ? memrchr(text, ':', (size_t)(last - text)) : NULL;
	if (!middle)
		return -1;
	struct fx_as_deny d = {.user = strndup(text, (size_t)(middle - text)),
	        .verb = strndup(middle + 1, (size_t)(last - middle - 1)),
	        .resource = strdup(last + 1)};
	return fx_vec_push(&as->denied, d) ? 0 : -1;
}

static int parse(struct fx_as *as, struct options *o, int argc, char **argv)
{
	int rc = 0;
	for (int opt; rc == 0 && (opt = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
		switch (opt) {
		case OPT_LISTEN:
			o->listen = optarg;
			break;
		case OPT_PLAIN:
			o->plain = true;
			break;
		case OPT_TOKEN:
			rc = add_token(as, o, optarg);
			break;
		case OPT_DENY:
			rc = add_deny(as, optarg);
			break;
		case OPT_CRDS:
			rc = fx_vec_push(&o->crds, optarg) ? 0 : -1;
			break;
		case OPT_PORT_FILE:
			o->port_file = optarg;
			break;
		case OPT_KUBECONFIG:
			o->kubeconfig = optarg;
			break;
		case OPT_CA:
			o->ca_file = optarg;
			break;
		case OPT_READY_FD:
			o->ready_fd = (int)strtol(optarg, NULL, 10);
			break;
		default:
			rc = -1;
		}
	}
	if (rc == 0 && !o->tokens.len)
		rc = add_token(as, o, "admin:admin");
	return optind < argc ? -1 : rc;
}

static int write_file(const char *path, const char *text, struct fx_error *err)
{
	fx_autofree char *part = NULL;
	if (asprintf(&part, "%s.part", path) < 0)
		return fx_fail_nomem(err);
	fx_auto(fd) int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || rename(part, path) < 0)
		return fx_fail_errno(err, "write %s", path);
	return 0;
}

static void add_base64(struct fx_buf *out, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i += 3) {
		unsigned n = (unsigned)(unsigned char)text[i] << 16;
		n |= i + 1 < len ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
		n |= i + 2 < len ? (unsigned)(unsigned char)text[i + 2] : 0;
		fx_buf_add_char(out, digits[n >> 18]);
		fx_buf_add_char(out, digits[n >> 12 & 63]);
		fx_buf_add_char(out, i + 1 < len ? digits[n >> 6 & 63] : '=');
		fx_buf_add_char(out, i + 2 < len ? digits[n & 63] : '=');
	}
}

static int write_kubeconfig(const struct options *o, int port, const char *cert, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_buf_addf(&text,
	        "apiVersion: v1\nkind: Config\nclusters:\n- name: embedded\n  cluster:\n    server: "
	        "%s://127.0.0.1:%d\n",
	        cert ? "https" : "http", port);
	if (cert) {
		fx_buf_add_str(&text, "    certificate-authority-data: ");
		add_base64(&text, cert);
		fx_buf_add_char(&text, '\n');
	}
	fx_buf_add_str(&text, "users:\n");
	fx_vec_foreach (const char *, t, &o->tokens) {
		const char *colon = strrchr(*t, ':');
		fx_buf_addf(
		        &text, "- name: %.*s\n  user:\n    token: %s\n", (int)(colon - *t), *t, colon + 1);
	}
	fx_buf_add_str(&text, "contexts:\n");
	fx_vec_foreach (const char *, t, &o->tokens) {
		int len = (int)(strrchr(*t, ':') - *t);
		fx_buf_addf(&text, "- name: %.*s\n  context:\n    cluster: embedded\n    user: %.*s\n", len,
		        *t, len, *t);
	}
	const char *first = o->tokens.items[0];
	fx_buf_addf(&text, "current-context: %.*s\n", (int)(strrchr(first, ':') - first), first);
	return write_file(o->kubeconfig, fx_buf_str(&text), err);
}

static void on_change(void *arg, const struct fx_as_change *change)
{
	struct fx_as *as = arg;
	fx_as_watch_change(as, change);
	fx_as_controllers_change(as, change);
}

/* [locked] */
static bool make_namespace(struct fx_as *as, const char *name)
{
	struct fx_as_resource *r = fx_as_registry_find(&as->kinds, "", "namespaces");
	struct fx_as_op op = {.as = as,
	        .resource = r,
	        .version = fx_as_resource_version(r, "v1"),
	        .ns = "",
	        .name = "",
	        .subresource = "",
	        .manager = "kube-apiserver"};
	fx_auto(json) json_t *ns = json_pack("{s:{s:s}}", "metadata", "name", name);
	json_t *status = NULL;
	fx_auto(json) json_t *made = fx_as_rest_create(&op, ns, &status);
	json_decref(status);
	return made;
}

static int first_objects(struct fx_as *as, struct fx_error *err)
{
	static const char *const namespaces[] = {"default", "kube-node-lease", "kube-public", "kube-system"};
	for (size_t i = 0; i < FX_COUNT(namespaces); i++) {
		fx_as_lock(as);
		bool made = make_namespace(as, namespaces[i]);
		fx_as_unlock(as);
		if (!made)
			return fx_fail(err, FX_E_INTERNAL, "namespace %s cannot be made", namespaces[i]);
	}
	return 0;
}

static void state_init(struct fx_as *as)
{
	pthread_mutex_init(&as->lock, NULL);
	fx_as_types();
	fx_as_registry_init(&as->kinds);
	fx_as_store_init(&as->store);
	as->store.on_change = on_change;
	as->store.arg = as;
	as->tokens = (struct fx_map)FX_MAP_INIT_FREE(free);
	as->counts = json_object();
}

static void state_release(struct fx_as *as)
{
	fx_as_faults_clear(as);
	fx_as_store_release(&as->store);
	fx_as_registry_release(&as->kinds);
	fx_map_release(&as->tokens);
	fx_vec_foreach (struct fx_as_deny, d, &as->denied) {
		free(d->user);
		free(d->verb);
		free(d->resource);
	}
	fx_vec_release(&as->denied);
	json_decref(as->counts);
	free(as->ca);
	pthread_mutex_destroy(&as->lock);
}

static int announce(const struct options *o, int port, const char *cert, struct fx_error *err)
{
	char text[16];
	snprintf(text, sizeof(text), "%d\n", port);
	if (o->kubeconfig && write_kubeconfig(o, port, cert, err) < 0)
		return -1;
	if (o->ca_file && cert && write_file(o->ca_file, cert, err) < 0)
		return -1;
	if (o->port_file && write_file(o->port_file, text, err) < 0)
		return -1;
	if (o->ready_fd >= 0 && write(o->ready_fd, text, strlen(text)) < 0)
		return fx_fail_errno(err, "write to the ready descriptor");
	if (o->ready_fd >= 0)
		close(o->ready_fd);
	return 0;
}

static int serve(struct fx_as *as, const struct options *o, const sigset_t *signals, struct fx_error *err)
{
	fx_autofree char *cert = NULL, *key = NULL;
	if (!o->plain && fx_as_cert_new(&cert, &key, err) < 0)
		return -1;
	as->ca = fx_take(cert);
	if (fx_as_controllers_start(as, err) < 0 || first_objects(as, err) < 0)
		return -1;
	fx_vec_foreach (const char *, path, &o->crds) {
		if (fx_as_load_path(as, *path, err) < 0)
			return -1;
	}
	const struct fx_server_options options = {.listen = o->listen,
	        .threads = THREADS,
	        .max_connections = CONNECTIONS_MAX,
	        .idle_timeout_s = IDLE_TIMEOUT_S,
	        .max_body_bytes = BODY_MAX,
	        .cert_pem = as->ca,
	        .key_pem = key,
	        .handle = fx_as_http_handle,
	        .arg = as};
	struct fx_server *server = NULL;
	if (fx_server_new(&options, &server, err) < 0)
		return -1;
	as->port = fx_server_port(server);
	int rc = announce(o, as->port, as->ca, err), signal_number;
	if (rc == 0)
		sigwait(signals, &signal_number);
	fx_as_lock(as);
	fx_as_watch_close_all(as);
	fx_as_unlock(as);
	fx_server_free(server, 0);
	return rc;
}

int main(int argc, char **argv)
{
	struct fx_as as = {0};
	struct options options = {.listen = "127.0.0.1:0", .ready_fd = -1};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	state_init(&as);
	int rc = parse(&as, &options, argc, argv);
	if (rc < 0) {
		fputs(usage, stderr);
		rc = 2;
	} else if (serve(&as, &options, &signals, &err) < 0) {
		fprintf(stderr, "apiserver: %s\n", fx_error_message(&err));
		rc = 1;
	}
	fx_as_controllers_stop(&as);
	state_release(&as);
	fx_vec_release(&options.tokens);
	fx_vec_release(&options.crds);
	return rc;
}
