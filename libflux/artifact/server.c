#include "artifact/server.h"

#include "core/vec.h"
#include "net/server.h"
#include "net/url.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define GRACE_MS 5000
#define THREADS 2
/* Entries of one listing. */
#define LISTING_MAX 10000

struct fx_artifact_server {
	struct fx_store *store;
	struct fx_server *server;
};

static const char *content_type(const char *path)
{
	static const char *const types[][2] = {{".tar.gz", "application/gzip"}, {".tgz", "application/gzip"},
	        {".yaml", "application/yaml"}, {".json", "application/json"}};
	size_t len = strlen(path);
	for (size_t i = 0; i < FX_COUNT(types); i++) {
		size_t end = strlen(types[i][0]);
		if (len > end && strcmp(path + len - end, types[i][0]) == 0)
			return types[i][1];
	}
	return "application/octet-stream";
}

static void http_date(time_t t, char out[64])
{
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* True when the client has the file already. */
static bool not_modified(struct fx_server_request *request, time_t modified)
{
	const char *since = fx_server_header(request, "If-Modified-Since");
	struct tm tm = {0};
	if (!since || !strptime(since, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return false;
	return modified <= timegm(&tm);
}

static bool parse_number(const char **p, uint64_t *out)
{
	char *end;
	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*out = strtoull(*p, &end, 10);
	*p = end;
	return errno == 0;
}

enum range { RANGE_WHOLE, RANGE_PART, RANGE_OUTSIDE };

/* "bytes=a-b", "bytes=a-" or "bytes=-n"; anything else means the whole file. */
static enum range parse_range(const char *text, uint64_t size, uint64_t *first, uint64_t *last)
{
	if (!text || strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
		return RANGE_WHOLE;
	const char *p = text + 6;
	uint64_t count;
	*last = size - 1;
	if (*p == '-') {
		p++;
		if (!parse_number(&p, &count) || *p)
			return RANGE_WHOLE;
		*first = count < size ? size - count : 0;
		return count && size ? RANGE_PART : RANGE_OUTSIDE;
	}
	if (!parse_number(&p, first) || *p++ != '-' || (*p && (!parse_number(&p, last) || *p)))
		return RANGE_WHOLE;
	if (*first >= size || *last < *first)
		return RANGE_OUTSIDE;
	if (*last >= size)
		*last = size - 1;
	return RANGE_PART;
}

static void serve_file(struct fx_server_request *request, const char *path, int fd, const struct stat *st)
{
	char date[64], text[96];
	uint64_t size = (uint64_t)st->st_size, first = 0, last = 0;
	http_date(st->st_mtime, date);
	fx_server_add_header(request, "Last-Modified", date);
	fx_server_add_header(request, "Accept-Ranges", "bytes");
	if (not_modified(request, st->st_mtime)) {
		close(fd);
		fx_server_reply(request, 304, NULL, NULL, 0);
		return;
	}
	switch (parse_range(fx_server_header(request, "Range"), size, &first, &last)) {
	case RANGE_OUTSIDE:
		close(fd);
		snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
		fx_server_add_header(request, "Content-Range", text);
		fx_server_replyf(request, 416, "invalid range\n");
		return;
	case RANGE_PART:
		snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)first,
		        (unsigned long long)last, (unsigned long long)size);
		fx_server_add_header(request, "Content-Range", text);
		fx_server_reply_fd(request, 206, content_type(path), fd, first, last - first + 1);
		return;
	case RANGE_WHOLE:
		fx_server_reply_fd(request, 200, content_type(path), fd, 0, size);
		return;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_html(struct fx_buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fx_buf_add_str(out, "&lt;");
			break;
		case '>':
			fx_buf_add_str(out, "&gt;");
			break;
		case '&':
			fx_buf_add_str(out, "&amp;");
			break;
		case '"':
			fx_buf_add_str(out, "&#34;");
			break;
		default:
			fx_buf_add_char(out, *text);
		}
	}
}

static void serve_folder(struct fx_server_request *request, int fd)
{
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		fx_server_replyf(request, 500, "error reading directory\n");
		return;
	}
	FX_VEC(char *) names = {0};
	for (struct dirent *e; (e = readdir(dir)) && names.len < LISTING_MAX;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		char *name = NULL;
		if (asprintf(&name, "%s%s", e->d_name, e->d_type == DT_DIR ? "/" : "") < 0)
			continue;
		if (!fx_vec_push(&names, name))
			free(name);
	}
	closedir(dir);
	if (names.len)
		qsort(names.items, names.len, sizeof(char *), by_name);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_buf_add_str(
	        &out, "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n");
	for (size_t i = 0; i < names.len; i++) {
		fx_buf_add_str(&out, "<a href=\"");
		add_html(&out, names.items[i]);
		fx_buf_add_str(&out, "\">");
		add_html(&out, names.items[i]);
		fx_buf_add_str(&out, "</a>\n");
		free(names.items[i]);
	}
	fx_vec_release(&names);
	fx_buf_add_str(&out, "</pre>\n");
	fx_server_reply(request, 200, "text/html; charset=utf-8", fx_buf_str(&out), out.len);
}

/* The links of a listing are relative to a path that ends in a slash. */
static bool redirect_folder(struct fx_server_request *request)
{
	const char *path = fx_server_path(request), *slash = strrchr(path, '/');
	fx_autofree char *name = slash && slash[1] ? fx_url_escape(slash + 1, false) : NULL;
	fx_autofree char *location = NULL;
	if (!name)
		return false;
	if (asprintf(&location, "%s/", name) < 0) {
		location = NULL;
		return false;
	}
	fx_server_add_header(request, "Location", location);
	fx_server_reply(request, 301, NULL, NULL, 0);
	return true;
}

static bool is_method_allowed(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void serve(void *arg, struct fx_server_request *request)
{
	struct fx_artifact_server *s = arg;
	const char *path = fx_server_path(request);
	while (*path == '/')
		path++;
	if (!is_method_allowed(fx_server_method(request))) {
		fx_server_replyf(request, 405, "only GET and HEAD\n");
		return;
	}
	/* The store resolves the path beneath its root, whatever is in it. */
	int fd = fx_store_open(s->store, *path ? path : ".", O_RDONLY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
		if (fd >= 0)
			close(fd);
		fx_server_replyf(request, 404, "404 page not found\n");
		return;
	}
	if (S_ISREG(st.st_mode))
		serve_file(request, path, fd, &st);
	else if (redirect_folder(request))
		close(fd);
	else
		serve_folder(request, fd);
}

int fx_artifact_server_new(
        struct fx_store *store, const char *address, struct fx_artifact_server **out, struct fx_error *err)
{
	struct fx_artifact_server *s = calloc(1, sizeof(*s));
	if (!s)
		return fx_fail_nomem(err);
	s->store = store;
	struct fx_server_options options = {.listen = address, .threads = THREADS, .handle = serve, .arg = s};
	int rc = fx_server_new(&options, &s->server, err);
	if (rc < 0) {
		free(s);
		return fx_error_wrap(err, "artifact server (--storage-addr)");
	}
	*out = s;
	return 0;
}

int fx_artifact_server_port(const struct fx_artifact_server *server)
{
	return fx_server_port(server->server);
}

void fx_artifact_server_free(struct fx_artifact_server *server)
{
	if (!server)
		return;
	fx_server_free(server->server, GRACE_MS);
	free(server);
}
