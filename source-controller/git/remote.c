#include "source-controller/git/remote.h"
#include "core/vec.h"
#include "source-controller/git/pkt.h"

#include <string.h>

#define AGENT "flux/" FX_VERSION
#define SERVICE "git-upload-pack"
/* Without a byte for so long the server has hung up in all but name. */
#define IDLE_TIMEOUT_MS 60000
/* A request holds ids and prefixes only. */
#define BODY_MAX (4 * 1024 * 1024)
/* Names of one listing together. */
#define NAMES_MAX (256 * 1024 * 1024)
/* Bands of the side-band-64k capability. */
enum { BAND_PACK = 1, BAND_PROGRESS = 2, BAND_ERROR = 3 };

struct fx_git_remote {
	struct fx_git_remote_options options;
	char *base;             /* URL after redirects, without the slash at its end */
	bool keeps_credentials; /* the redirects stayed on the host */
	int version;
	struct fx_git_refs refs; /* version 0 and 1 list them at once */
	bool serves_any, no_progress, ofs_delta, side_band, shallow;
	const char *multi_ack; /* " multi_ack..." where the server has it, else "" */
};

void fx_git_refs_release(struct fx_git_refs *refs)
{
	fx_vec_release(refs);
	fx_arena_free(refs->names);
	refs->names = NULL;
}

const struct fx_git_ref *fx_git_refs_find(const struct fx_git_refs *refs, const char *name)
{
	for (size_t i = 0; i < refs->len; i++) {
		if (strcmp(refs->items[i].name, name) == 0)
			return &refs->items[i];
	}
	return NULL;
}

void fx_git_remote_free(struct fx_git_remote *remote)
{
	if (!remote)
		return;
	free(remote->base);
	fx_git_refs_release(&remote->refs);
	free(remote);
}

static bool is_oid(const char *text)
{
	return strspn(text, "0123456789abcdef") == FX_GIT_OID - 1;
}

static int refs_add(
        struct fx_git_refs *refs, const char *name, size_t len, const char *oid, struct fx_error *err)
{
	struct fx_git_ref ref = {0};
	if (refs->len >= FX_GIT_REFS_MAX)
		return fx_fail(
		        err, FX_E_LIMIT, "the repository has more than %d references", FX_GIT_REFS_MAX);
	if (len == 0 || len > FX_GIT_REF_NAME_MAX)
		return fx_fail(err, FX_E_PROTOCOL, "invalid reference name of %zu bytes", len);
	memcpy(ref.oid, oid, FX_GIT_OID - 1);
	if (!refs->names)
		refs->names = fx_arena_new(NAMES_MAX);
	ref.name = refs->names ? fx_arena_strndup(refs->names, name, len) : NULL;
	return ref.name && fx_vec_push(refs, ref) ? 0 : fx_fail_nomem(err);
}

static int check_status(int status, struct fx_error *err)
{
	switch (status) {
	case 200:
		return 0;
	case 401:
		return fx_fail(err, FX_E_UNAUTHORIZED, "authentication required");
	case 403:
		return fx_fail(err, FX_E_FORBIDDEN, "authorization failed");
	case 404:
		return fx_fail(err, FX_E_NOT_FOUND, "repository not found");
	}
	return fx_fail(err, FX_E_UNAVAILABLE, "unexpected HTTP status: %d", status);
}

static int open_stream(struct fx_git_remote *r, struct fx_http_request *request, struct fx_cancel *cancel,
        struct fx_http_stream **out, struct fx_error *err)
{
	const struct fx_git_remote_options *o = &r->options;
	request->tls = o->tls;
	request->proxy = o->proxy;
	request->proxy_user = o->proxy_user;
	request->proxy_password = o->proxy_password;
	request->idle_timeout_ms = IDLE_TIMEOUT_MS;
	if (r->keeps_credentials) {
		request->user = o->user;
		request->password = o->password;
		request->bearer = o->bearer;
	}
	int rc = fx_http_open(o->http, request, cancel, out, err);
	return rc ? rc : check_status(fx_http_stream_head(*out)->status, err);
}

/* "scheme://host:port" of a URL. */
static size_t origin_len(const char *url)
{
	const char *authority = strstr(url, "://");
	return authority ? (size_t)(authority + 3 - url) + strcspn(authority + 3, "/?#") : 0;
}

/* Later requests go where the first one was redirected to. */
static int follow_redirect(struct fx_git_remote *r, const char *effective, struct fx_error *err)
{
	const char *end = effective ? strstr(effective, "/info/refs?") : NULL;
	if (!end)
		return 0;
	size_t n = origin_len(r->base);
	r->keeps_credentials = origin_len(effective) == n && strncmp(effective, r->base, n) == 0;
	free(r->base);
	r->base = strndup(effective, (size_t)(end - effective));
	return r->base ? 0 : fx_fail_nomem(err);
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = list; (at = strstr(at, word)); at += len) {
		if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\n' || at[len] == '\0'))
			return true;
	}
	return false;
}

static void take_capabilities(struct fx_git_remote *r, const char *list)
{
	r->no_progress = has_word(list, "no-progress");
	r->ofs_delta = has_word(list, "ofs-delta");
	r->side_band = has_word(list, "side-band-64k");
	r->shallow = has_word(list, "shallow");
	/* Nothing is negotiated, but Azure DevOps answers only who asks for it. */
	r->multi_ack = has_word(list, "multi_ack_detailed") ? " multi_ack_detailed"
	               : has_word(list, "multi_ack")        ? " multi_ack"
	                                                    : "";
	r->serves_any =
	        has_word(list, "allow-reachable-sha1-in-want") || has_word(list, "allow-any-sha1-in-want");
}

/* "<oid> <name>" with capabilities behind a NUL in the first line; "<name>^{}" peels the one before. */
static int take_advertised(
        struct fx_git_remote *r, struct fx_pkt_reader *reader, bool first, struct fx_error *err)
{
	static const char peel[] = "^{}";
	char *line = reader->data;
	if (first)
		take_capabilities(r, strlen(line) < reader->data_len ? line + strlen(line) + 1 : "");
	if (strncmp(line, "shallow ", 8) == 0)
		return 0;
	if (!is_oid(line) || line[FX_GIT_OID - 1] != ' ')
		return fx_fail(err, FX_E_PROTOCOL, "invalid reference advertisement");
	const char *name = line + FX_GIT_OID;
	size_t len = strcspn(name, "\n"), peel_len = sizeof(peel) - 1;
	if (strcmp(name, "capabilities^{}") == 0)
		return 0; /* an empty repository */
	if (len > peel_len && memcmp(name + len - peel_len, peel, peel_len) == 0 && r->refs.len > 0) {
		struct fx_git_ref *last = &r->refs.items[r->refs.len - 1];
		if (strlen(last->name) == len - peel_len && memcmp(last->name, name, len - peel_len) == 0)
			memcpy(last->peeled, line, FX_GIT_OID - 1);
		return 0;
	}
	return refs_add(&r->refs, name, len, line, err);
}

static int read_advertisement(struct fx_git_remote *r, struct fx_pkt_reader *reader, struct fx_error *err)
{
	int rc = fx_pkt_read(reader, err);
	if (rc == 0 && fx_pkt_after(reader, "# service=")) {
		rc = fx_pkt_read(reader, err); /* flush */
		if (rc == 0)
			rc = fx_pkt_read(reader, err);
	}
	if (rc == 0 && fx_pkt_is(reader, "version 1"))
		rc = fx_pkt_read(reader, err);
	if (rc != 0)
		return rc;
	if (fx_pkt_is(reader, "version 2")) {
		r->version = 2;
		r->serves_any = r->side_band = r->shallow = r->ofs_delta = r->no_progress = true;
		return 0;
	}
	for (bool first = true; rc == 0 && reader->type == FX_PKT_DATA; first = false) {
		rc = take_advertised(r, reader, first, err);
		if (rc == 0)
			rc = fx_pkt_read(reader, err);
	}
	return rc;
}

static struct fx_pkt_reader *reader_new(struct fx_http_stream *stream)
{
	struct fx_pkt_reader *reader = malloc(sizeof(*reader));
	if (reader) {
		reader->stream = stream;
		reader->at = reader->len = 0;
	}
	return reader;
}

static int discover(struct fx_git_remote *r, struct fx_cancel *cancel, struct fx_error *err)
{
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	fx_autofree char *url = NULL;
	if (asprintf(&url, "%s/info/refs?service=" SERVICE, r->base) < 0) {
		url = NULL;
		return fx_fail_nomem(err);
	}
	struct fx_http_header headers[] = {{"User-Agent", "git/" AGENT}, {"Git-Protocol", "version=2"}};
	struct fx_http_request request = {.url = url,
	        .headers = headers,
	        .header_count = r->options.version_0 ? 1 : 2,
	        .follow_redirects = true,
	        .accept_gzip = true};
	int rc = open_stream(r, &request, cancel, &stream, err);
	if (rc != 0)
		return rc;
	const struct fx_http_response *head = fx_http_stream_head(stream);
	const char *type = fx_http_response_header(head, "content-type");
	if (!type || strcmp(type, "application/x-" SERVICE "-advertisement") != 0)
		return fx_fail(err, FX_E_PROTOCOL, "the server does not speak Git's smart HTTP protocol");
	rc = follow_redirect(r, head->effective_url, err);
	fx_autofree struct fx_pkt_reader *reader = reader_new(stream);
	if (rc == 0 && !reader)
		rc = fx_fail_nomem(err);
	return rc ? rc : read_advertisement(r, reader, err);
}

int fx_git_remote_open(const struct fx_git_remote_options *options, struct fx_cancel *cancel,
        struct fx_git_remote **out, struct fx_error *err)
{
	fx_auto(git_remote) struct fx_git_remote *r = calloc(1, sizeof(*r));
	if (!r)
		return fx_fail_nomem(err);
	size_t len = strlen(options->url);
	while (len > 0 && options->url[len - 1] == '/')
		len--;
	r->options = *options;
	r->keeps_credentials = true;
	r->multi_ack = "";
	r->base = strndup(options->url, len);
	if (!r->base)
		return fx_fail_nomem(err);
	int rc = discover(r, cancel, err);
	if (rc == 0)
		*out = fx_take(r);
	return rc;
}

bool fx_git_remote_serves_any(const struct fx_git_remote *remote)
{
	return remote->serves_any;
}

static int post(struct fx_git_remote *r, const struct fx_buf *body, struct fx_cancel *cancel,
        struct fx_http_stream **out, struct fx_error *err)
{
	fx_autofree char *url = NULL;
	if (fx_buf_failed(body) || asprintf(&url, "%s/" SERVICE, r->base) < 0) {
		url = NULL;
		return fx_fail_nomem(err);
	}
	struct fx_http_header headers[] = {{"User-Agent", "git/" AGENT},
	        {"Content-Type", "application/x-" SERVICE "-request"},
	        {"Accept", "application/x-" SERVICE "-result"}, {"Git-Protocol", "version=2"}};
	struct fx_http_request request = {.method = "POST",
	        .url = url,
	        .headers = headers,
	        .header_count = r->version == 2 ? 4 : 3,
	        .body = body->data,
	        .body_len = body->len};
	return open_stream(r, &request, cancel, out, err);
}

static bool has_prefix_of(const char *name, const char *const *prefixes)
{
	for (; prefixes && *prefixes; prefixes++) {
		if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
			return true;
	}
	return false;
}

/* "<oid> <name>[ symref-target:<name>][ peeled:<oid>]" */
static int take_listed(struct fx_pkt_reader *reader, const char *const *prefixes, struct fx_git_refs *out,
        struct fx_error *err)
{
	const char *line = reader->data;
	if (strncmp(line, "unborn ", 7) == 0)
		return 0;
	if (!is_oid(line) || line[FX_GIT_OID - 1] != ' ')
		return fx_fail(err, FX_E_PROTOCOL, "invalid line in the list of references");
	const char *name = line + FX_GIT_OID;
	/* A server may answer with more than the prefixes asked for. */
	if (prefixes && !has_prefix_of(name, prefixes))
		return 0;
	int rc = refs_add(out, name, strcspn(name, " \n"), line, err);
	const char *peeled = strstr(name, " peeled:");
	if (rc == 0 && peeled && is_oid(peeled + 8))
		memcpy(out->items[out->len - 1].peeled, peeled + 8, FX_GIT_OID - 1);
	return rc;
}

static int list_v2(struct fx_git_remote *r, const char *const *prefixes, struct fx_cancel *cancel,
        struct fx_git_refs *out, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf body = FX_BUF_INIT_MAX(BODY_MAX);
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	fx_pkt_add(&body, "command=ls-refs\n");
	fx_pkt_add(&body, "agent=" AGENT "\n");
	fx_pkt_add_delimiter(&body);
	fx_pkt_add(&body, "peel\n");
	fx_pkt_add(&body, "symrefs\n");
	for (const char *const *p = prefixes; p && *p; p++)
		fx_pkt_add(&body, "ref-prefix %s\n", *p);
	fx_pkt_add_flush(&body);
	int rc = post(r, &body, cancel, &stream, err);
	fx_autofree struct fx_pkt_reader *reader = reader_new(stream);
	if (rc == 0 && !reader)
		rc = fx_fail_nomem(err);
	while (rc == 0) {
		rc = fx_pkt_read(reader, err);
		if (rc != 0 || reader->type == FX_PKT_FLUSH)
			return rc;
		if (reader->type != FX_PKT_DATA)
			return fx_fail(err, FX_E_PROTOCOL, "the list of references was cut short");
		rc = take_listed(reader, prefixes, out, err);
	}
	return rc;
}

int fx_git_remote_list(struct fx_git_remote *remote, const char *const *prefixes, struct fx_cancel *cancel,
        struct fx_git_refs *out, struct fx_error *err)
{
	if (remote->version == 2)
		return list_v2(remote, prefixes, cancel, out, err);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < remote->refs.len; i++) {
		const struct fx_git_ref *ref = &remote->refs.items[i];
		if (prefixes && !has_prefix_of(ref->name, prefixes))
			continue;
		rc = refs_add(out, ref->name, strlen(ref->name), ref->oid, err);
		if (rc == 0)
			memcpy(out->items[out->len - 1].peeled, ref->peeled, FX_GIT_OID);
	}
	return rc;
}

static void ask_v2(struct fx_buf *body, const char *const *wants, size_t count, int depth)
{
	fx_pkt_add(body, "command=fetch\n");
	fx_pkt_add(body, "agent=" AGENT "\n");
	fx_pkt_add_delimiter(body);
	fx_pkt_add(body, "no-progress\n");
	fx_pkt_add(body, "ofs-delta\n");
	if (depth > 0)
		fx_pkt_add(body, "deepen %d\n", depth);
	for (size_t i = 0; i < count; i++)
		fx_pkt_add(body, "want %s\n", wants[i]);
	fx_pkt_add(body, "done\n");
	fx_pkt_add_flush(body);
}

static void ask_v0(
        const struct fx_git_remote *r, struct fx_buf *body, const char *const *wants, size_t count, int depth)
{
	for (size_t i = 0; i < count; i++) {
		if (i == 0)
			fx_pkt_add(body, "want %s%s%s%s%s agent=" AGENT "\n", wants[i], r->multi_ack,
			        r->side_band ? " side-band-64k" : "", r->ofs_delta ? " ofs-delta" : "",
			        r->no_progress ? " no-progress" : "");
		else
			fx_pkt_add(body, "want %s\n", wants[i]);
	}
	if (depth > 0 && r->shallow)
		fx_pkt_add(body, "deepen %d\n", depth);
	fx_pkt_add_flush(body);
	fx_pkt_add(body, "done\n");
}

/* Skips what comes before the pack: acknowledgements and shallow boundaries. */
static int skip_to_pack(
        struct fx_git_remote *r, struct fx_pkt_reader *reader, bool deepened, struct fx_error *err)
{
	bool in_shallow = r->version != 2 && deepened;
	for (;;) {
		int rc = fx_pkt_read(reader, err);
		if (rc != 0)
			return rc;
		if (reader->type == FX_PKT_END)
			return fx_fail(err, FX_E_PROTOCOL, "the server sent no pack");
		if (r->version == 2 && fx_pkt_is(reader, "packfile"))
			return 0;
		if (in_shallow)
			in_shallow = reader->type != FX_PKT_FLUSH;
		else if (r->version != 2 && (fx_pkt_is(reader, "NAK") || fx_pkt_after(reader, "ACK ")))
			return 0;
	}
}

typedef int pack_sink(void *arg, const void *data, size_t len, struct fx_error *err);

/* A pack without side band is the rest of the body. */
static int read_plain(struct fx_pkt_reader *reader, pack_sink *on_pack, void *arg, struct fx_error *err)
{
	uint64_t total = 0;
	for (;;) {
		size_t n = reader->len - reader->at;
		int rc = n ? on_pack(arg, reader->ahead + reader->at, n, err) : 0;
		total += n;
		reader->at = 0;
		if (rc == 0 && total > FX_GIT_PACK_MAX)
			rc = fx_fail(err, FX_E_LIMIT, "the pack is larger than %llu bytes", FX_GIT_PACK_MAX);
		if (rc == 0)
			rc = fx_http_stream_read(
			        reader->stream, reader->ahead, sizeof(reader->ahead), &reader->len, err);
		if (rc != 0 || reader->len == 0)
			return rc;
	}
}

static int read_banded(struct fx_pkt_reader *reader, pack_sink *on_pack, void *arg, struct fx_error *err)
{
	uint64_t total = 0;
	for (;;) {
		int rc = fx_pkt_read(reader, err);
		if (rc != 0 || reader->type == FX_PKT_FLUSH)
			return rc;
		if (reader->type != FX_PKT_DATA || reader->data_len == 0)
			return fx_fail(err, FX_E_PROTOCOL, "the pack was cut short");
		total += reader->data_len;
		if (total > FX_GIT_PACK_MAX)
			return fx_fail(
			        err, FX_E_LIMIT, "the pack is larger than %llu bytes", FX_GIT_PACK_MAX);
		switch (reader->data[0]) {
		case BAND_PACK:
			rc = on_pack(arg, reader->data + 1, reader->data_len - 1, err);
			break;
		case BAND_PROGRESS:
			rc = on_pack(arg, "", 0, err);
			break;
		case BAND_ERROR:
			return fx_fail(err, FX_E_PROTOCOL, "the server failed: %.*s",
			        fx_pkt_text_len(reader->data + 1), reader->data + 1);
		default:
			return fx_fail(err, FX_E_PROTOCOL, "unknown side band");
		}
		if (rc != 0)
			return rc;
	}
}

int fx_git_remote_fetch(struct fx_git_remote *remote, const char *const *wants, size_t want_count, int depth,
        struct fx_cancel *cancel, pack_sink *on_pack, void *arg, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf body = FX_BUF_INIT_MAX(BODY_MAX);
	fx_auto(http_stream) struct fx_http_stream *stream = NULL;
	if (remote->version == 2)
		ask_v2(&body, wants, want_count, depth);
	else
		ask_v0(remote, &body, wants, want_count, depth);
	int rc = post(remote, &body, cancel, &stream, err);
	fx_autofree struct fx_pkt_reader *reader = reader_new(stream);
	if (rc == 0 && !reader)
		rc = fx_fail_nomem(err);
	if (rc == 0)
		rc = skip_to_pack(remote, reader, depth > 0 && remote->shallow, err);
	if (rc != 0)
		return rc;
	return remote->side_band ? read_banded(reader, on_pack, arg, err)
	                         : read_plain(reader, on_pack, arg, err);
}
