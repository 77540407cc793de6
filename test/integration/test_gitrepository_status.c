/* What a GitRepository says and stores: conditions, includes, trust, what an artifact holds. */
#include "net/server.h"
#include "test/integration/env_source.h"

#include <pthread.h>

static void ask(const char *name, char token[FX_TEST_TOKEN])
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
}

static json_t *get(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	json_t *object = NULL;
	ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
	return object;
}

static void patch(const char *name, const char *text)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	ck_assert_ok(fx_test_env_patch(&env, &ref, &err, "%s", text), &err);
}

/* Lines of `tar -tvz` of what is served. Owned. */
static char *listing_of(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = get(name);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_autofree char *path = NULL;
	ck_assert_int_gt(
	        asprintf(&path, "%s/%s", env.storage, fx_json_str_at(object, "status", "artifact", "path")),
	        0);
	const struct fx_test_command tar = {
	        .argv = (const char *const[]){"tar", "--utc", "-tvzf", path, NULL}};
	ck_assert_ok(fx_test_run(&tar, &out, NULL, &err), &err);
	return strdup(fx_buf_str(&out));
}

/* The types of the conditions in their order, "A=True B=False". Owned. */
static char *types_of(const json_t *object)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	size_t i;
	json_t *c;
	json_array_foreach (fx_json_at(object, "status", "conditions"), i, c) {
		fx_buf_addf(&out, "%s%s=%s", i ? " " : "", fx_json_str_at(c, "type"),
		        fx_json_str_at(c, "status"));
	}
	return strdup(fx_buf_str(&out));
}

START_TEST(conditions)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char token[FX_TEST_TOKEN];
	add("told", "", "");
	expect("told", READY);
	fx_auto(json) json_t *good = get("told");
	fx_autofree char *first = types_of(good);
	ck_assert_str_eq(first, "Ready=True ArtifactInStorage=True");
	ck_assert_int_eq(fx_json_int_at(good, -2, "status", "observedGeneration"), 1);

	/* A later failure keeps what is stored, and the generation that was reached. */
	patch("told", "{\"spec\":{\"ref\":{\"branch\":\"gone\"}}}");
	expect("told", (struct fx_test_condition){.status = "False", .reason = "GitOperationFailed"});
	expect("told", (struct fx_test_condition){.type = "Reconciling", .reason = "ProgressingWithRetry"});
	fx_auto(json) json_t *bad = get("told");
	ck_assert_int_eq(fx_json_int_at(bad, -2, "status", "observedGeneration"), 1);
	ck_assert_ptr_nonnull(fx_json_at(bad, "status", "artifact"));

	/* Conditions of others stay. */
	patch("told", "{\"spec\":{\"ref\":{\"branch\":\"main\"}}}");
	expect("told", READY);
	fx_auto(json) json_t *again = get("told");
	json_t *list = fx_json_at(again, "status", "conditions");
	json_array_append_new(list,
	        json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", "example.com/Audited", "status", "True", "reason",
	                "Checked", "message", "by hand", "lastTransitionTime", "2026-01-01T00:00:00Z"));
	fx_auto(json) json_t *body = json_pack("{s:{s:O}}", "status", "conditions", list);
	const struct fx_kube_path path = {.group = "source.toolkit.fluxcd.io",
	        .version = "v1",
	        .resource = "gitrepositories",
	        .namespace_ = FX_TEST_NAMESPACE,
	        .name = "told",
	        .subresource = "status"};
	ck_assert_ok(fx_kube_patch(env.kube, &path, FX_KUBE_MERGE_PATCH, body, NULL, NULL, NULL, &err), &err);
	ask("told", token);
	expect("told", (struct fx_test_condition){.status = "True", .handled = token});
	fx_auto(json) json_t *last = get("told");
	fx_autofree char *text = json_dumps(fx_json_at(last, "status", "conditions"), JSON_COMPACT);
	ck_assert_msg(strstr(text, "example.com/Audited") && strstr(text, "by hand"), "%s", text);
	remove_object("told");
}
END_TEST

/* No retry, no Reconciling, until the object changes. */
START_TEST(stalled)
{
	char url[200];
	add("stalled", "", "");
	expect("stalled", READY);
	patch("stalled", "{\"spec\":{\"url\":\"http://[bad/x\"}}");
	expect("stalled",
	        (struct fx_test_condition){.type = "Stalled", .status = "True", .reason = "URLInvalid"});
	expect("stalled", (struct fx_test_condition){.status = "False", .reason = "URLInvalid"});
	fx_auto(json) json_t *object = get("stalled");
	json_t *ready = json_array_get(fx_json_at(object, "status", "conditions"), 1);
	ck_assert_str_eq(fx_json_str_at(ready, "type"), "Ready");
	ck_assert_int_eq(fx_json_int_at(ready, -1, "observedGeneration"), fx_object_generation(object));
	fx_autofree char *types = types_of(object);
	ck_assert_msg(strstr(types, "Stalled=True") == types && !strstr(types, "Reconciling"), "%s", types);
	ck_assert_int_eq(
	        fx_json_int_at(object, -2, "status", "observedGeneration"), fx_object_generation(object));
	snprintf(url, sizeof(url), "{\"spec\":{\"url\":\"%s/app.git\"}}", env.git.url);
	patch("stalled", url);
	expect("stalled", READY);
	fx_auto(json) json_t *after = get("stalled");
	fx_autofree char *last = types_of(after);
	ck_assert_str_eq(last, "Ready=True ArtifactInStorage=True");
	remove_object("stalled");
}
END_TEST

START_TEST(includes_that_fail)
{
	static const struct {
		const char *name, *include, *type, *reason, *text;
	} cases[] = {
	        {"no-from", "fromPath: nope, toPath: x", "StorageOperationFailed", "CopyFailure",
	                "failed to copy 'lib' include from nope to x"},
	        {"in-the-way", "toPath: app", "StorageOperationFailed", "CopyFailure",
	                "failed to copy 'lib' include from / to app"},
	        {"the-root", "toPath: ./", "StorageOperationFailed", "CopyFailure",
	                "failed to copy 'lib' include"},
	        {"through-a-file", "toPath: app/a.yaml/x", "StorageOperationFailed", "CopyFailure",
	                "is not a directory"},
	        {"too-long",
	                "toPath: "
	                "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	                "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	                "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	                "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
	                "StorageOperationFailed", "IllegalPath", "path calculation for include 'lib' failed"},
	};
	add("lib", "", "");
	expect("lib", READY);
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		const struct fx_test_ref ref = {KIND, cases[i].name, NULL};
		char more[600];
		snprintf(more, sizeof(more), ", include: [{repository: {name: lib}, %s}]", cases[i].include);
		add(cases[i].name, "", more);
		expect(cases[i].name, (struct fx_test_condition){.type = cases[i].type,
		                              .status = "True",
		                              .reason = cases[i].reason,
		                              .message = cases[i].text});
		expect(cases[i].name,
		        (struct fx_test_condition){.status = "False", .reason = cases[i].reason});
		ck_assert_ok(
		        fx_test_env_wait_event(&env, &ref, cases[i].reason, cases[i].text, WAIT_MS, &err),
		        &err);
		/* What is put right is right at once. */
		patch(cases[i].name, "{\"spec\":{\"include\":[{\"repository\":{\"name\":\"lib\"},\"toPath\":"
		                     "\"../lib\"}]}}");
		expect(cases[i].name, READY);
		fx_autofree char *listing = listing_of(cases[i].name);
		ck_assert_msg(strstr(listing, " lib/app/a.yaml"), "%s", listing);
		remove_object(cases[i].name);
	}
	remove_object("lib");
}
END_TEST

START_TEST(includes_that_change)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const struct fx_test_file one[] = {{"x.yaml", "x: 1\n"}, {NULL, NULL}},
	                                 two[] = {{"x.yaml", "x: 2\n"}, {"y.yaml", "y: 2\n"}, {NULL, NULL}};
	char token[FX_TEST_TOKEN], hash[41], lib[512];
	ck_assert_ok(fx_test_git_create(&env.git, "lib", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "lib", "main", "one", one, hash, &err), &err);
	snprintf(lib, sizeof(lib),
	        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: lib}\n"
	        "spec: {interval: 1h, suspend: true, url: %s/lib.git, ref: {branch: main}}\n",
	        env.git.url);
	add("user", "", ", include: [{repository: {name: lib}}]");
	expect("user", (struct fx_test_condition){.type = "IncludeUnavailable", .reason = "NotFound"});
	/* There, but without an artifact. */
	ck_assert_ok(fx_test_env_apply(&env, &err, "%s", lib), &err);
	expect("user", (struct fx_test_condition){.type = "IncludeUnavailable",
	                       .reason = "NoArtifact",
	                       .message = "no artifact available for include 'lib'"});
	expect("user", (struct fx_test_condition){.status = "False", .reason = "NoArtifact"});
	patch("lib", "{\"spec\":{\"suspend\":false}}");
	expect("user", READY);
	fx_auto(json) json_t *before = get("user");
	const json_t *included = json_array_get(fx_json_at(before, "status", "includedArtifacts"), 0);
	ck_assert_ptr_nonnull(strstr(fx_json_str_at(included, "revision"), hash));

	/* A new revision of the include is another artifact of the same commit. */
	ck_assert_ok(fx_test_git_commit(&env.git, "lib", "main", "two", two, hash, &err), &err);
	ask("lib", token);
	expect("lib", (struct fx_test_condition){.status = "True", .revision = hash, .handled = token});
	ask("user", token);
	expect("user", (struct fx_test_condition){.status = "True", .revision = head, .handled = token});
	fx_autofree char *listing = listing_of("user");
	ck_assert_msg(strstr(listing, " lib/y.yaml"), "%s", listing);
	fx_auto(json) json_t *after = get("user");
	ck_assert_str_ne(fx_json_str_at(before, "status", "artifact", "digest"),
	        fx_json_str_at(after, "status", "artifact", "digest"));

	/* So is another place for it. */
	patch("user", "{\"spec\":{\"include\":[{\"repository\":{\"name\":\"lib\"},\"toPath\":\"v\"}]}}");
	expect("user", READY);
	fx_autofree char *moved = listing_of("user");
	ck_assert_msg(strstr(moved, " v/y.yaml") && !strstr(moved, " lib/y.yaml"), "%s", moved);
	fx_auto(json) json_t *last = get("user");
	ck_assert_str_eq(
	        fx_json_str_at(json_array_get(fx_json_at(last, "status", "observedInclude"), 0), "toPath"),
	        "v");
	remove_object("user");
	remove_object("lib");
}
END_TEST

/* Own CAs, under the name of today and that of old, beside the system's. */
START_TEST(own_ca)
{
	static const char *const keys[] = {"ca.crt", "caFile"};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const struct fx_test_git_options with_tls = {.tls = true};
	struct fx_test_git tls = {0};
	ck_assert_ok(fx_test_git_start(&tls, &with_tls, &err), &err);
	ck_assert_ok(fx_test_git_create(&tls, "app", &err), &err);
	ck_assert_ok(fx_test_git_commit(&tls, "app", "main", "first", files, head, &err), &err);
	const struct fx_kube_path secrets = {
	        .version = "v1", .resource = "secrets", .namespace_ = FX_TEST_NAMESPACE};
	static const char object[] =
	        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: %s}\n"
	        "spec: {interval: 1h, url: %s/app.git, ref: {branch: main}%s}\n";
	ck_assert_ok(fx_test_env_apply(&env, &err, object, "untrusted", tls.url, ""), &err);
	expect("untrusted",
	        (struct fx_test_condition){
	                .status = "False", .reason = "GitOperationFailed", .message = "certificate"});
	for (size_t i = 0; i < FX_COUNT(keys); i++) {
		char name[32], more[80];
		snprintf(name, sizeof(name), "trusted-%zu", i);
		snprintf(more, sizeof(more), ", secretRef: {name: %s}", name);
		fx_auto(json) json_t *secret = json_pack("{s:s,s:s,s:{s:s},s:{s:s}}", "apiVersion", "v1",
		        "kind", "Secret", "metadata", "name", name, "stringData", keys[i], tls.ca_pem);
		ck_assert_ok(fx_kube_create(env.kube, &secrets, secret, NULL, NULL, NULL, &err), &err);
		ck_assert_ok(fx_test_env_apply(&env, &err, object, name, tls.url, more), &err);
		expect(name, READY);
		remove_object(name);
	}
	remove_object("untrusted");
	fx_test_git_stop(&tls);
}
END_TEST

/* A commit as it is in Git, and what becomes of each kind of entry. */
START_TEST(entries)
{
	static const char script[] =
	        "set -e; cd \"$1\"; export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory "
	        "GIT_CONFIG_VALUE_0='*'\n"
	        "git fast-import --quiet --done <<'END'\n"
	        "commit refs/heads/main\n"
	        "committer t <t@example.com> 1700000000 +0000\n"
	        "data <<SUBJECT\n"
	        "\xc3\xa4\xc3\xb6\xc3\xbc 1234567890 1234567890 1234567890 1234567890 1234567890\n"
	        "SUBJECT\n"
	        "M 644 inline plain.txt\ndata 2\nx\n"
	        "M 755 inline bin/run.sh\ndata 2\ny\n"
	        "M 120000 inline link\ndata 9\nplain.txt\n"
	        "M 120000 inline outside\ndata 11\n/etc/passwd\n"
	        "M 160000 0123456789012345678901234567890123456789 module\n"
	        "M 644 inline .gitmodules\ndata 2\nz\n"
	        "M 644 inline deploy/kept/a.yaml\ndata 2\na\n"
	        "M 644 inline deploy/other.yaml\ndata 2\nb\n"
	        "M 644 inline picture.png\ndata 2\nc\n"
	        "done\nEND\n";
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "entries", NULL};
	fx_autofree char *repository = NULL;
	ck_assert_ok(fx_test_git_create(&env.git, "entries", &err), &err);
	ck_assert_int_gt(asprintf(&repository, "%s/repos/entries.git", env.git.dir), 0);
	const struct fx_test_command import = {
	        .argv = (const char *const[]){"sh", "-c", script, "import", repository, NULL}};
	ck_assert_ok(fx_test_run(&import, NULL, NULL, &err), &err);
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: "
	                     "entries}\nspec: {interval: 1h, url: %s/entries.git, ref: {branch: main}}\n",
	                     env.git.url),
	        &err);
	expect("entries", (struct fx_test_condition){.status = "True"});
	fx_autofree char *listing = listing_of("entries");
	static const char *const there[] = {"-rw------- 0/0               2 1970-01-01 00:00 plain.txt",
	        "-rwx------ 0/0               2 1970-01-01 00:00 bin/run.sh",
	        "drwxr-x--- 0/0               0 1970-01-01 00:00 bin", " module\n", " deploy/kept/a.yaml"};
	static const char *const not_there[] = {" link", " outside", ".gitmodules", "picture.png"};
	for (size_t i = 0; i < FX_COUNT(there); i++)
		ck_assert_msg(strstr(listing, there[i]), "no '%s' in %s", there[i], listing);
	for (size_t i = 0; i < FX_COUNT(not_there); i++)
		ck_assert_msg(!strstr(listing, not_there[i]), "'%s' in %s", not_there[i], listing);
	/* Fifty characters of the subject, not bytes. */
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "NewArtifact",
	                     "stored artifact for commit '\xc3\xa4\xc3\xb6\xc3\xbc 1234567890 1234567890 "
	                     "1234567890 "
	                     "1234567890 12...'",
	                     WAIT_MS, &err),
	        &err);

	/* What comes back from below a folder that is left out has no folder above it. */
	patch("entries", "{\"spec\":{\"ignore\":\"/*\\n!/deploy/kept\\n\"}}");
	expect("entries", (struct fx_test_condition){.status = "True", .reason = "Succeeded"});
	fx_autofree char *part = listing_of("entries");
	ck_assert_msg(strstr(part, " deploy/kept/a.yaml") && !strstr(part, " deploy\n") &&
	                      !strstr(part, "other.yaml") && !strstr(part, "plain.txt"),
	        "%s", part);
	fx_auto(json) json_t *object = get("entries");
	ck_assert_str_eq(fx_json_str_at(object, "status", "observedIgnore"), "/*\n!/deploy/kept\n");
	remove_object("entries");
}
END_TEST

static int count_events(const char *name, const char *reason)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, name, NULL};
	int count = 0;
	ck_assert_ok(fx_test_env_count_events(&env, &ref, reason, NULL, &count, &err), &err);
	return count;
}

/* One event for what is new, none for what is not; a failure is told at each try. */
START_TEST(events)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "quiet", NULL};
	char token[FX_TEST_TOKEN];
	add("quiet", "", "");
	expect("quiet", READY);
	ask("quiet", token);
	expect("quiet", (struct fx_test_condition){.handled = token});
	/* Events are written in their order. */
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "GitOperationSucceeded", NULL, WAIT_MS, &err), &err);
	ck_assert_int_eq(count_events("quiet", "NewArtifact"), 1);
	ck_assert_int_eq(count_events("quiet", "Succeeded"), 0);

	/* As if it had not been said that it is stored: looked at again, found to be the same, left as it is.
	 */
	fx_auto(json) json_t *before = get("quiet");
	const struct fx_kube_path path = {.group = "source.toolkit.fluxcd.io",
	        .version = "v1",
	        .resource = "gitrepositories",
	        .namespace_ = FX_TEST_NAMESPACE,
	        .name = "quiet",
	        .subresource = "status"};
	fx_auto(json) json_t *body = json_loads("{\"status\":{\"conditions\":[]}}", 0, NULL);
	ck_assert_ok(fx_kube_patch(env.kube, &path, FX_KUBE_MERGE_PATCH, body, NULL, NULL, NULL, &err), &err);
	ask("quiet", token);
	expect("quiet", (struct fx_test_condition){.status = "True", .handled = token});
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "ArtifactUpToDate",
	                     "artifact up-to-date with remote revision: 'main@sha1:", WAIT_MS, &err),
	        &err);
	fx_auto(json) json_t *after = get("quiet");
	ck_assert(json_equal(
	        fx_json_at(before, "status", "artifact"), fx_json_at(after, "status", "artifact")));
	ck_assert_int_eq(count_events("quiet", "NewArtifact"), 1);
	remove_object("quiet");

	add("loud", "", ", secretRef: {name: absent}");
	expect("loud", (struct fx_test_condition){.status = "False", .reason = "AuthenticationFailed"});
	int64_t deadline = fx_now_ms() + WAIT_MS;
	while (count_events("loud", "AuthenticationFailed") < 3 && fx_now_ms() < deadline)
		poll(NULL, 0, STEP_MS);
	ck_assert_int_ge(count_events("loud", "AuthenticationFailed"), 3);
	remove_object("loud");
}
END_TEST

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hold; /* packs are not sent */

/* An answer with a pack: up to where the pack begins, and the rest. */
struct slow_answer {
	struct fx_server_stream *stream;
	char *body; /* owned */
	size_t lead, len;
};

/* Signs of life, as a server sends them that prepares a large pack, until the test lets it go. */
static void *send_slowly(void *arg)
{
	struct slow_answer *a = arg;
	static const char alive[] = "0005\2";
	fx_server_stream_push(a->stream, a->body, a->lead);
	pthread_mutex_lock(&lock);
	while (hold) {
		struct timespec next;
		clock_gettime(CLOCK_REALTIME, &next);
		next.tv_sec += 1;
		fx_server_stream_push(a->stream, alive, sizeof(alive) - 1);
		pthread_cond_timedwait(&changed, &lock, &next);
	}
	pthread_mutex_unlock(&lock);
	fx_server_stream_push(a->stream, a->body + a->lead, a->len - a->lead);
	fx_server_stream_close(a->stream);
	free(a->body);
	free(a);
	return NULL;
}

/* The answer goes out when the handler has returned: another thread makes it. */
static void start_slow_answer(struct fx_server_request *r, const char *body, size_t len)
{
	static const char begin[] = "000dpackfile\n";
	const char *pack = memmem(body, len, begin, sizeof(begin) - 1);
	struct slow_answer *a = calloc(1, sizeof(*a));
	pthread_t thread;
	a->body = malloc(len);
	memcpy(a->body, body, len);
	a->len = len;
	a->lead = pack ? (size_t)(pack - body) + sizeof(begin) - 1 : 0;
	a->stream = fx_server_reply_stream(r, 200, "application/x-git-upload-pack-result", 1 << 24);
	if (pthread_create(&thread, NULL, send_slowly, a) == 0)
		pthread_detach(thread);
}

static void pass_on(void *arg, struct fx_server_request *r)
{
	(void)arg;
	fx_auto(http_response) struct fx_http_response *answer = NULL;
	char target[300];
	size_t len;
	const char *body = fx_server_body(r, &len);
	const struct fx_http_header headers[] = {
	        {"Git-Protocol", "version=2"}, {"Content-Type", "application/x-git-upload-pack-request"}};
	snprintf(target, sizeof(target), "%s%s?%s", env.git.url, fx_server_path(r), fx_server_raw_query(r));
	const struct fx_http_request request = {.method = fx_server_method(r),
	        .url = target,
	        .headers = headers,
	        .header_count = 2,
	        .body = len ? body : NULL,
	        .body_len = len};
	if (fx_http_do(env.http, &request, NULL, &answer, NULL) != 0)
		fx_server_replyf(r, 502, "no answer\n");
	else if (len && memmem(body, len, "command=fetch", 13))
		start_slow_answer(r, answer->body, answer->body_len);
	else
		fx_server_reply(r, answer->status, fx_http_response_header(answer, "content-type"),
		        answer->body, answer->body_len);
}

/* What is served is no longer what is wanted, and the new one takes its time: the user sees both. */
START_TEST(drift_is_shown)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const struct fx_test_file change[] = {{"a.yaml", "a: slow\n"}, {NULL, NULL}};
	const struct fx_server_options server_options = {
	        .listen = "127.0.0.1:0", .handle = pass_on, .threads = 2};
	struct fx_server *front = NULL;
	char hash[41], token[FX_TEST_TOKEN], text[200];
	ck_assert_ok(fx_server_new(&server_options, &front, &err), &err);
	ck_assert_ok(fx_test_git_create(&env.git, "slow", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "slow", "main", "one", files, hash, &err), &err);
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: "
	                "slow}\nspec: {interval: 1h, url: \"http://127.0.0.1:%d/slow.git\", ref: {branch: "
	                "main}}\n",
	                fx_server_port(front)),
	        &err);
	expect("slow", (struct fx_test_condition){.status = "True", .revision = hash});
	ck_assert_ok(fx_test_git_commit(&env.git, "slow", "main", "two", change, hash, &err), &err);
	pthread_mutex_lock(&lock);
	hold = true;
	pthread_mutex_unlock(&lock);
	ask("slow", token);
	snprintf(text, sizeof(text), "new upstream revision 'main@sha1:%s'", hash);
	expect("slow", (struct fx_test_condition){.type = "ArtifactOutdated",
	                       .status = "True",
	                       .reason = "NewRevision",
	                       .message = text});
	snprintf(text, sizeof(text), "building artifact: new upstream revision 'main@sha1:%s'", hash);
	expect("slow",
	        (struct fx_test_condition){.status = "Unknown", .reason = "Progressing", .message = text});
	expect("slow",
	        (struct fx_test_condition){
	                .type = "Reconciling", .status = "True", .reason = "Progressing", .message = text});
	pthread_mutex_lock(&lock);
	hold = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	expect("slow", (struct fx_test_condition){.status = "True", .reason = "Succeeded", .revision = hash});
	fx_auto(json) json_t *object = get("slow");
	fx_autofree char *types = types_of(object);
	ck_assert_str_eq(types, "Ready=True ArtifactInStorage=True");
	remove_object("slow");
	fx_server_free(front, 1000);
}
END_TEST

/* The interval alone brings a new commit. */
START_TEST(interval)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const struct fx_test_file change[] = {{"a.yaml", "a: 2\n"}, {NULL, NULL}};
	char hash[41];
	ck_assert_ok(fx_test_git_create(&env.git, "often", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "often", "main", "one", files, NULL, &err), &err);
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: "
	                     "often}\nspec: {interval: 500ms, url: %s/often.git, ref: {branch: main}}\n",
	                     env.git.url),
	        &err);
	expect("often", (struct fx_test_condition){.status = "True"});
	ck_assert_ok(fx_test_git_commit(&env.git, "often", "main", "two", change, hash, &err), &err);
	expect("often", (struct fx_test_condition){.status = "True", .revision = hash});
	remove_object("often");
}
END_TEST

/* Two objects of one commit have the same bytes, wherever and whenever they were made. */
START_TEST(same_bytes)
{
	add("one", "", "");
	expect("one", READY);
	restart(NULL, usual_args);
	add("two", "", "");
	expect("two", READY);
	fx_auto(json) json_t *one = get("one"), *two = get("two");
	ck_assert_str_eq(fx_json_str_at(one, "status", "artifact", "digest"),
	        fx_json_str_at(two, "status", "artifact", "digest"));
	ck_assert_int_eq(fx_json_int_at(one, -1, "status", "artifact", "size"),
	        fx_json_int_at(two, -2, "status", "artifact", "size"));
	ck_assert_ptr_nonnull(fx_json_str_at(one, "status", "artifact", "lastUpdateTime"));
	remove_object("one");
	remove_object("two");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("status of GitRepositories");
	TCase *tc = tcase_create("status");
	tcase_add_unchecked_fixture(tc, make_app, NULL);
	tcase_add_test(tc, conditions);
	tcase_add_test(tc, stalled);
	tcase_add_test(tc, includes_that_fail);
	tcase_add_test(tc, includes_that_change);
	tcase_add_test(tc, entries);
	tcase_add_test(tc, events);
	tcase_add_test(tc, drift_is_shown);
	tcase_add_test(tc, interval);
	tcase_add_test(tc, same_bytes);
	tcase_add_test(tc, own_ca);
	suite_add_tcase(suite, tc);
	return suite;
}

static const char *const status_args[] = {FAST, "--requeue-dependency=200ms", NULL};
static const struct fx_test_env_options options = {.source_args = status_args};

FX_ENV_MAIN(make_suite, &options)
