#include "runtime/probes.h"

#include <string.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void serve_metrics(void *arg, struct fx_server_request *request)
{
	if (strcmp(fx_server_path(request), "/metrics") != 0) {
		fx_server_replyf(request, 404, "404 page not found\n");
		return;
	}
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_metrics_write(arg, &out);
	if (fx_buf_failed(&out))
		fx_server_replyf(request, 500, "out of memory\n");
	else
		fx_server_reply(request, 200, METRICS_TYPE, fx_buf_str(&out), out.len);
}

int fx_metrics_server_new(
        const char *address, struct fx_metrics *metrics, struct fx_server **out, struct fx_error *err)
{
	struct fx_server_options options = {.listen = address, .handle = serve_metrics, .arg = metrics};
	int rc = fx_server_new(&options, out, err);
	return rc < 0 ? fx_error_wrap(err, "metrics server (--metrics-addr)") : 0;
}

/* "/healthz" -> "healthz" when path is a probe, with what follows ("" or "/ping") in *out_rest. */
static const char *probe_of(const char *path, const char **out_rest)
{
	static const char *const probes[] = {"healthz", "readyz"};
	for (size_t i = 0; i < FX_COUNT(probes); i++) {
		size_t len = strlen(probes[i]);
		if (path[0] == '/' && strncmp(path + 1, probes[i], len) == 0 &&
		        (path[1 + len] == '\0' || path[1 + len] == '/')) {
			*out_rest = path + 1 + len;
			return probes[i];
		}
	}
	return NULL;
}

static void serve_probe(void *arg, struct fx_server_request *request)
{
	(void)arg;
	const char *rest;
	const char *probe = probe_of(fx_server_path(request), &rest);
	if (!probe || (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0 && strcmp(rest, "/ping") != 0)) {
		fx_server_replyf(request, 404, "404 page not found\n");
		return;
	}
	bool single = strcmp(rest, "/ping") == 0;
	const char *exclude = fx_server_query(request, "exclude");
	if (!fx_server_query(request, "verbose") || single)
		fx_server_replyf(request, 200, "ok");
	else if (exclude && strcmp(exclude, "ping") == 0)
		fx_server_replyf(request, 200, "[+]ping excluded: ok\n%s check passed\n", probe);
	else
		fx_server_replyf(request, 200, "[+]ping ok\n%s check passed\n", probe);
}

int fx_probe_server_new(const char *address, struct fx_server **out, struct fx_error *err)
{
	struct fx_server_options options = {.listen = address, .handle = serve_probe};
	int rc = fx_server_new(&options, out, err);
	return rc < 0 ? fx_error_wrap(err, "probe server (--health-addr)") : 0;
}
