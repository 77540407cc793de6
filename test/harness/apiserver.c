#include "test/harness/apiserver.h"

#include "core/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

/* The server is there in some 20 ms; this is for a machine that is very busy. */
#define READY_TIMEOUT_MS 20000
#define STOP_TIMEOUT_MS 5000
#define ARGS_MAX 64
/* Bytes of the log that an error quotes. */
#define LOG_TAIL 2000

static char *text_new(const char *fmt, ...) fx_printf(1, 2);
static char *text_new(const char *fmt, ...)
{
	va_list ap;
	char *out = NULL;
	va_start(ap, fmt);
	if (vasprintf(&out, fmt, ap) < 0)
		out = NULL;
	va_end(ap);
	return out;
}

static char *read_file(const char *path)
{
	fx_auto(file) FILE *f = fopen(path, "re");
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	char part[4096];
	for (size_t n; f && (n = fread(part, 1, sizeof(part), f)) > 0;)
		fx_buf_add(&text, part, n);
	return strdup(fx_buf_str(&text));
}

static int make_dir(struct fx_test_apiserver *s, struct fx_error *err)
{
	const char *tmp = getenv("TMPDIR"), *build = getenv("FX_BUILD");
	s->dir = text_new("%s/fx-apiserver-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!s->dir || !mkdtemp(s->dir))
		return fx_fail_errno(err, "make a folder for the embedded API server");
	s->kubeconfig = text_new("%s/kubeconfig", s->dir);
	s->ca = text_new("%s/ca.pem", s->dir);
	s->program = text_new("%s/bin/apiserver", build && *build ? build : "build");
	return s->kubeconfig && s->ca && s->program ? 0 : fx_fail_nomem(err);
}

/* Waits for the line with the port; 0 when the program ended or was too slow. */
static int read_port(int fd)
{
	char text[16] = "";
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = poll(&p, 1, READY_TIMEOUT_MS) > 0 ? read(fd, text, sizeof(text) - 1) : 0;
	return n > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static int launch(struct fx_test_apiserver *s, const char *const *args, const char *log, struct fx_error *err)
{
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return fx_fail_errno(err, "pipe");
	fx_auto(fd) int ready = pipe_fds[0];
	fx_auto(fd) int child = pipe_fds[1];
	char fd_text[16];
	snprintf(fd_text, sizeof(fd_text), "%d", child);
	fcntl(child, F_SETFD, 0);
	const char *argv[ARGS_MAX] = {
	        s->program, "--kubeconfig-out", s->kubeconfig, "--ca-out", s->ca, "--ready-fd", fd_text};
	size_t count = 7;
	for (; args && *args && count < ARGS_MAX - 1; args++)
		argv[count++] = *args;
	const struct fx_test_command command = {.argv = argv};
	int rc = fx_test_process_start(&s->process, &command, log, err);
	close(fx_take_fd(&child));
	if (rc < 0)
		return rc;
	s->port = read_port(ready);
	return 0;
}

int fx_test_apiserver_start(struct fx_test_apiserver *out, const char *const *args, struct fx_error *err)
{
	struct fx_test_apiserver s = {.process = FX_TEST_PROCESS_INIT};
	int rc = make_dir(&s, err);
	fx_autofree char *log = rc == 0 ? text_new("%s/apiserver.log", s.dir) : NULL;
	if (rc == 0)
		rc = launch(&s, args, log, err);
	if (rc == 0 && !s.port) {
		fx_autofree char *text = read_file(log);
		size_t len = strlen(text);
		rc = fx_fail(err, FX_E_UNAVAILABLE, "the embedded API server did not start: %s",
		        text + (len > LOG_TAIL ? len - LOG_TAIL : 0));
	}
	if (rc == 0)
		s.url = text_new("https://127.0.0.1:%d", s.port);
	if (rc < 0)
		fx_test_apiserver_stop(&s);
	else
		*out = s;
	return rc;
}

static void remove_dir(const char *dir)
{
	const struct fx_test_command command = {.argv = (const char *const[]){"rm", "-rf", dir, NULL}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (fx_test_run(&command, NULL, NULL, &err) < 0)
		fprintf(stderr, "%s\n", fx_error_message(&err));
}

static int end(struct fx_test_apiserver *s, struct fx_error *err)
{
	int status = 0;
	fx_autofree char *log = NULL;
	if (asprintf(&log, "%s/apiserver.log", s->dir) < 0)
		return fx_fail_nomem(err);
	fx_test_process_signal(&s->process, SIGTERM);
	/* One that does not end is killed by the release. */
	int rc = s->process.pid ? fx_test_process_wait(&s->process, STOP_TIMEOUT_MS, &status, err) : 0;
	if (rc == 0)
		rc = fx_test_complaints("apiserver", log, err);
	if (rc == 0 && status != 0)
		rc = fx_fail(err, FX_E_INTERNAL, "apiserver ended with status %d", status);
	return rc;
}

bool fx_test_apiserver_stop(struct fx_test_apiserver *s)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (!s->dir)
		return true;
	bool well = end(s, &err) == 0;
	if (!well)
		fprintf(stderr, "%s\n", fx_error_message(&err));
	fx_test_process_release(&s->process);
	if (!getenv("FX_TEST_KEEP"))
		remove_dir(s->dir);
	free(s->dir);
	free(s->kubeconfig);
	free(s->url);
	free(s->ca);
	free(s->program);
	*s = (struct fx_test_apiserver){.process = FX_TEST_PROCESS_INIT};
	return well;
}

int fx_test_apiserver_kubeconfig(
        struct fx_test_apiserver *s, const char *user, char **out_path, struct fx_error *err)
{
	static unsigned count;
	fx_autofree char *path = text_new("%s/kubeconfig-%u", s->dir, ++count);
	fx_auto(file) FILE *f = path ? fopen(path, "we") : NULL;
	if (!f)
		return fx_fail_errno(err, "write a kubeconfig");
	fprintf(f,
	        "apiVersion: v1\nkind: Config\nclusters:\n- name: embedded\n  cluster:\n    server: %s\n"
	        "    certificate-authority: %s\nusers:\n- name: user\n  user:\n    token: "
	        "\"as:%s\"\ncontexts:\n"
	        "- name: embedded\n  context:\n    cluster: embedded\n    user: user\ncurrent-context: "
	        "embedded\n",
	        s->url, s->ca, user);
	*out_path = fx_take(path);
	return 0;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
	fx_buf_add(arg, data, size * count);
	return size * count;
}

FX_DEFINE_AUTO(curl, CURL, curl_easy_cleanup)
FX_DEFINE_AUTO(slist, struct curl_slist, curl_slist_free_all)

int fx_test_apiserver_request(struct fx_test_apiserver *s, const char *method, const char *path,
        const char *body, struct fx_buf *out, struct fx_error *err)
{
	fx_auto(curl) CURL *curl = curl_easy_init();
	fx_auto(slist) struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	fx_autofree char *url = text_new("%s%s", s->url, path);
	fx_auto(buf) struct fx_buf answer = FX_BUF_INIT;
	if (!curl || !headers || !url)
		return fx_fail_nomem(err);
	headers = curl_slist_append(headers, "Authorization: Bearer as:admin");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return fx_fail(err, FX_E_CONNECT, "%s %s: %s", method, path, curl_easy_strerror(code));
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return fx_fail(
		        err, FX_E_INVALID, "%s %s: %ld: %s", method, path, status, fx_buf_str(&answer));
	if (out)
		fx_buf_add(out, answer.data, answer.len);
	return 0;
}
