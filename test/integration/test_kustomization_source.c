/* Where the manifests come from: the kinds of sources, artifacts that are served badly, that lie or that are
 * hostile, and sources that may not be used. The sources are objects whose status the test writes; their
 * artifacts come from a server of the test. */
#include "test/integration/house.h"

#include "data/digest.h"
#include "kube/object.h"
#include "net/server.h"

#include <pthread.h>

/* ---- the artifact server ---- */

/* One artifact: the first answers are failures. */
static struct {
	pthread_mutex_t lock;
	struct fx_server *server;
	char dir[200]; /* of the archives */
	int status;    /* of a failure */
	int failures;  /* left; -1: all */
	const char *retry_after;
	int requests;
} artifacts = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void read_archive(const char *name, struct fx_buf *out)
{
	char path[300], part[4096];
	snprintf(path, sizeof(path), "%s/%s", artifacts.dir, name);
	fx_auto(file) FILE *f = fopen(path, "re");
	for (size_t n; f && (n = fread(part, 1, sizeof(part), f)) > 0;)
		fx_buf_add(out, part, n);
}

static void serve(void *arg, struct fx_server_request *request)
{
	(void)arg;
	fx_auto(buf) struct fx_buf body = FX_BUF_INIT;
	const char *name = strrchr(fx_server_path(request), '/') + 1;
	pthread_mutex_lock(&artifacts.lock);
	artifacts.requests++;
	bool fails = artifacts.failures != 0;
	if (artifacts.failures > 0)
		artifacts.failures--;
	int status = artifacts.status;
	if (fails && artifacts.retry_after)
		fx_server_add_header(request, "Retry-After", artifacts.retry_after);
	pthread_mutex_unlock(&artifacts.lock);
	if (!fails)
		read_archive(name, &body);
	if (fails)
		fx_server_replyf(request, status, "not now\n");
	else
		fx_server_reply(
		        request, body.len ? 200 : 404, "application/gzip", fx_buf_str(&body), body.len);
}

static void fail_with(int status, int failures, const char *retry_after)
{
	pthread_mutex_lock(&artifacts.lock);
	artifacts.status = status;
	artifacts.failures = failures;
	artifacts.retry_after = retry_after;
	artifacts.requests = 0;
	pthread_mutex_unlock(&artifacts.lock);
}

static int requests(void)
{
	pthread_mutex_lock(&artifacts.lock);
	int count = artifacts.requests;
	pthread_mutex_unlock(&artifacts.lock);
	return count;
}

/* Makes an archive by a shell script that runs in an empty folder and writes its standard output. */
static void make_archive(const char *name, const char *script)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf line = FX_BUF_INIT;
	fx_buf_addf(
	        &line, "set -e; d=$(mktemp -d); cd $d; (%s) >%s/%s; rm -rf $d", script, artifacts.dir, name);
	const struct fx_test_command command = {
	        .argv = (const char *const[]){"bash", "-c", fx_buf_str(&line), NULL}};
	ck_assert_ok(fx_test_run(&command, NULL, NULL, &err), &err);
}

static void digest_of(const char *archive, enum fx_digest_algo algo, struct fx_digest *out)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf body = FX_BUF_INIT;
	read_archive(archive, &body);
	ck_assert_ok(fx_digest_bytes(algo, fx_buf_str(&body), body.len, out, &err), &err);
}

/* ---- sources ---- */

static const struct kind {
	const char *kind, *resource, *spec;
} kinds[] = {
        {"Bucket", "buckets", "{interval: 1h, bucketName: b, endpoint: example.com}"},
        {"OCIRepository", "ocirepositories", "{interval: 1h, url: \"oci://example.com/a\"}"},
        {"ExternalArtifact", "externalartifacts", "{sourceRef: {kind: Other, name: o}}"},
        {"GitRepository", "gitrepositories", "{interval: 1h, suspend: true, url: \"https://example.com/a\"}"},
};

/* url NULL: on the test's server. extra: members of the artifact in JSON, each after a comma. */
static void write_source(const struct kind *kind, const char *ns, const char *name, const char *url,
        const char *archive, const char *digest, const char *extra)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: %s\nmetadata: {name: %s, namespace: "
	                "%s}\nspec: %s\n",
	                kind->kind, name, ns, kind->spec),
	        &err);
	char own[100];
	snprintf(own, sizeof(own), "http://127.0.0.1:%d", fx_server_port(artifacts.server));
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	fx_buf_addf(&text,
	        "{\"status\":{\"artifact\":{\"revision\":\"main@sha1:%.8s%s\",\"digest\":\"%s\",\"path\":"
	        "\"x\","
	        "\"lastUpdateTime\":\"2024-01-01T00:00:00Z\",\"url\":\"%s/"
	        "%s\"%s},\"conditions\":[{\"type\":\"Ready\","
	        "\"status\":\"False\",\"reason\":\"Failed\",\"message\":\"stale\",\"lastTransitionTime\":"
	        "\"2024-01-01T00:00:00Z\"}]}}",
	        strchr(digest, ':') ? strchr(digest, ':') + 1 : "none", archive, digest, url ? url : own,
	        archive, extra);
	json_t *patch = json_loads(fx_buf_str(&text), 0, NULL);
	ck_assert_ptr_nonnull(patch);
	const struct fx_kube_path path = {.group = "source.toolkit.fluxcd.io",
	        .version = "v1",
	        .resource = kind->resource,
	        .namespace_ = ns,
	        .name = name,
	        .subresource = "status"};
	int rc = fx_kube_patch(env.kube, &path, FX_KUBE_MERGE_PATCH, patch, NULL, NULL, NULL, &err);
	json_decref(patch);
	ck_assert_ok(rc, &err);
}

/* source_ns NULL: its own. */
static void kustomization(const char *name, const char *kind, const char *source_ns, const char *spec)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: "
	                "%s}\n"
	                "spec: {interval: 1h, prune: true, targetNamespace: default, sourceRef: {kind: %s, "
	                "name: %s%s%s}%s}\n",
	                name, kind, name, source_ns ? ", namespace: " : "", source_ns ? source_ns : "", spec),
	        &err);
}

static int count_events(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", name, NULL};
	int count = 0;
	ck_assert_ok(fx_test_env_count_events(&env, &ref, NULL, NULL, &count, &err), &err);
	return count;
}

static void wait_event(const char *name, const char *message)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", name, NULL};
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, NULL, message, 0, &err), &err);
}

static const char good[] =
        "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: from-source}\\n' >a.yaml; "
        "tar -czf - a.yaml";

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = serve};
	snprintf(artifacts.dir, sizeof(artifacts.dir), "%s", env.dir);
	ck_assert_ok(fx_server_new(&options, &artifacts.server, &err), &err);
	make_archive("good.tar.gz", good);
}

static void teardown(void)
{
	fx_server_free(artifacts.server, 0);
}

START_TEST(kind_of_source)
{
	const struct kind *kind = &kinds[_i];
	struct fx_digest digest;
	char name[32];
	snprintf(name, sizeof(name), "kind-%d", _i);
	digest_of("good.tar.gz", FX_DIGEST_SHA256, &digest);
	fail_with(0, 0, NULL);
	/* What the source says of itself besides its artifact does not count; another namespace may be named.
	 */
	const char *ns = _i == 0 ? "default" : FX_TEST_NAMESPACE;
	write_source(kind, ns, name, NULL, "good.tar.gz", digest.text,
	        ",\"metadata\":{\"org.opencontainers.image.revision\":\"v1@sha1:origin\"}");
	kustomization(name, kind->kind, _i == 0 ? ns : NULL, "");
	house_wait("Kustomization", name,
	        (struct fx_test_condition){.status = "True", .revision = "good.tar.gz"});
	fx_auto(json) json_t *object = house_get("Kustomization", name, NULL);
	ck_assert_str_eq(fx_json_str_at(object, "status", "lastAppliedOriginRevision"), "v1@sha1:origin");
	const json_t *entry = json_array_get(fx_json_at(object, "status", "history"), 0);
	ck_assert_str_eq(fx_json_str_at(entry, "metadata", "originRevision"), "v1@sha1:origin");
	house_delete("Kustomization", name);
	const struct fx_kube_path path = {.group = "source.toolkit.fluxcd.io",
	        .version = "v1",
	        .resource = kind->resource,
	        .namespace_ = ns,
	        .name = name};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_kube_delete(env.kube, &path, NULL, NULL, &err), &err);
}
END_TEST

static const struct {
	const char *name;
	enum fx_digest_algo algo;
	const char *digest;  /* instead of the archive's */
	const char *message; /* NULL: it becomes ready */
} digests[] = {
        {"sha256", FX_DIGEST_SHA256, NULL, NULL},
        {"sha384", FX_DIGEST_SHA384, NULL, NULL},
        {"sha512", FX_DIGEST_SHA512, NULL, NULL},
        {"blake3", FX_DIGEST_BLAKE3, NULL, NULL},
        {"wrong", FX_DIGEST_SHA256, "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "failed to verify archive: computed digest doesn't match provided 'sha256:0000"},
};

START_TEST(digest)
{
	struct fx_digest own;
	char name[32];
	snprintf(name, sizeof(name), "digest-%s", digests[_i].name);
	digest_of("good.tar.gz", digests[_i].algo, &own);
	fail_with(0, 0, NULL);
	const char *text = digests[_i].digest ? digests[_i].digest : own.text;
	write_source(&kinds[0], FX_TEST_NAMESPACE, name, NULL, "good.tar.gz", text, "");
	kustomization(name, "Bucket", NULL, "");
	if (digests[_i].message) {
		house_wait("Kustomization", name,
		        (struct fx_test_condition){.status = "False",
		                .reason = "ArtifactFailed",
		                .message = digests[_i].message});
		wait_event(name, digests[_i].message);
		fx_auto(json) json_t *object = house_get("Kustomization", name, NULL);
		ck_assert_ptr_null(fx_json_str_at(object, "status", "lastAttemptedRevision"));
	} else {
		house_wait("Kustomization", name, (struct fx_test_condition){.status = "True"});
	}
	house_delete("Kustomization", name);
	house_delete("Bucket", name);
}
END_TEST

/* Archives that mean harm end in a clear error; the others go on. */
static const struct {
	const char *name, *script;
	const char *message; /* NULL: what is harmful is left out */
} hostile[] = {
        {"absolute", "touch a.yaml; tar -P -czf - --transform 's,^,/etc/,' a.yaml", "/etc/a.yaml"},
        {"parent", "touch a.yaml; tar -P -czf - --transform 's,^,x/../../,' a.yaml", "x/../../a.yaml"},
        {"backslash", "touch 'a\\b.yaml'; tar --no-unquote -czf - *", "a\\b.yaml"},
        {"pipe", "mkfifo p; tar -czf - p", "p"},
        {"bomb", "truncate -s 600M big; tar -czf - big", "limit of 536870912 bytes"},
        {"no-gzip", "touch a.yaml; tar -cf - a.yaml", "failed to extract archive"},
        {"cut", "head -c 100000 /dev/urandom >a; tar -czf - a | head -c 5000", "failed to extract archive"},
        {"garbage", "echo this is no archive", "failed to extract archive"},
        {"symlink",
                "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: linked}\\n' >a.yaml; ln -s "
                "/etc/passwd b.yaml; tar -czf - a.yaml b.yaml",
                NULL},
};

START_TEST(hostile_archive)
{
	struct fx_digest own;
	char name[32], archive[64];
	snprintf(name, sizeof(name), "hostile-%s", hostile[_i].name);
	snprintf(archive, sizeof(archive), "%s.tar.gz", name);
	make_archive(archive, hostile[_i].script);
	digest_of(archive, FX_DIGEST_SHA256, &own);
	fail_with(0, 0, NULL);
	write_source(&kinds[0], FX_TEST_NAMESPACE, name, NULL, archive, own.text, "");
	kustomization(name, "Bucket", NULL, "");
	if (hostile[_i].message)
		house_wait("Kustomization", name,
		        (struct fx_test_condition){.status = "False",
		                .reason = "ArtifactFailed",
		                .message = hostile[_i].message});
	else
		house_wait("Kustomization", name, (struct fx_test_condition){.status = "True"});
	house_delete("Kustomization", name);
	house_delete("Bucket", name);
}
END_TEST

/* --http-retry=2: three tries. */
static const struct {
	const char *name;
	int status, failures;
	const char *retry_after, *message; /* NULL: it becomes ready */
	int requests;
	bool event;
} answers[] = {
        {"recovers", 503, 2, "1", NULL, 3, false},
        {"too-many", 429, 1, "1", NULL, 2, false},
        {"gives-up", 503, -1, "1", "giving up after 3 attempt(s)", 3, true},
        {"never", 501, -1, NULL, "(status: 501)", 1, true},
        {"forbidden", 403, -1, NULL, "(status: 403)", 1, true},
        {"missing", 404, -1, NULL, "Source is not ready, artifact not found, retrying in 1s", 0, false},
};

START_TEST(answer)
{
	struct fx_digest own;
	char name[32], archive[64];
	snprintf(name, sizeof(name), "answer-%s", answers[_i].name);
	snprintf(archive, sizeof(archive), "%s.tar.gz", name);
	/* Nobody has this one yet. */
	make_archive(archive,
	        "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: answered}\\ndata: {at: \""
	        "'$(date +%N)'\"}\\n' >a.yaml; tar -czf - a.yaml");
	digest_of(archive, FX_DIGEST_SHA256, &own);
	fail_with(answers[_i].status, answers[_i].failures, answers[_i].retry_after);
	write_source(&kinds[0], FX_TEST_NAMESPACE, name, NULL, archive, own.text, "");
	kustomization(name, "Bucket", NULL, "");
	if (answers[_i].message)
		house_wait("Kustomization", name,
		        (struct fx_test_condition){.status = "False",
		                .reason = "ArtifactFailed",
		                .message = answers[_i].message});
	else
		house_wait("Kustomization", name, (struct fx_test_condition){.status = "True"});
	if (answers[_i].event)
		wait_event(name, answers[_i].message);
	if (answers[_i].requests)
		ck_assert_int_eq(requests(), answers[_i].requests);
	if (!answers[_i].event && answers[_i].message) {
		ck_assert_int_eq(count_events(name), 0);
		fail_with(0, 0, NULL);
		house_wait("Kustomization", name, (struct fx_test_condition){.status = "True"});
	}
	house_delete("Kustomization", name);
	house_delete("Bucket", name);
}
END_TEST

/* The path stays below the artifact's root. */
static const struct {
	const char *name, *path, *message;
} paths[] = {
        {"parents", "../../../../etc", "kustomization path not found: stat /etc: no such file or directory"},
        {"file", "./a.yaml", "kustomization path not found"},
        {"missing", "./none", "kustomization path not found: stat /none"},
        {"root", "/", NULL},
        {"above-and-back", "../", NULL},
};

START_TEST(path_in_artifact)
{
	struct fx_digest own;
	char name[32], spec[100];
	snprintf(name, sizeof(name), "path-%s", paths[_i].name);
	snprintf(spec, sizeof(spec), ", path: %s", paths[_i].path);
	digest_of("good.tar.gz", FX_DIGEST_SHA256, &own);
	fail_with(0, 0, NULL);
	write_source(&kinds[0], FX_TEST_NAMESPACE, name, NULL, "good.tar.gz", own.text, "");
	kustomization(name, "Bucket", NULL, spec);
	if (paths[_i].message)
		house_wait("Kustomization", name,
		        (struct fx_test_condition){
		                .status = "False", .reason = "ArtifactFailed", .message = paths[_i].message});
	else
		house_wait("Kustomization", name, (struct fx_test_condition){.status = "True"});
	house_delete("Kustomization", name);
	house_delete("Bucket", name);
}
END_TEST

/* A source that is not there, or has nothing: no event, and again after a while. */
START_TEST(source_comes_late)
{
	struct fx_digest own;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	digest_of("good.tar.gz", FX_DIGEST_SHA256, &own);
	fail_with(0, 0, NULL);
	kustomization("late", "Bucket", NULL, ", retryInterval: 1s");
	house_wait("Kustomization", "late",
	        (struct fx_test_condition){.status = "False",
	                .reason = "ArtifactFailed",
	                .message = "Bucket.source.toolkit.fluxcd.io \"late\" not found"});
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: Bucket\nmetadata: {name: "
	                     "late}\nspec: %s\n",
	                     kinds[0].spec),
	        &err);
	house_wait("Kustomization", "late",
	        (struct fx_test_condition){.status = "False",
	                .reason = "ArtifactFailed",
	                .message = "Source artifact not found, retrying in 1s"});
	ck_assert_int_eq(count_events("late"), 0);
	write_source(&kinds[0], FX_TEST_NAMESPACE, "late", NULL, "good.tar.gz", own.text, "");
	house_wait("Kustomization", "late", (struct fx_test_condition){.status = "True"});
	house_delete("Kustomization", "late");
	house_delete("Bucket", "late");
}
END_TEST

/* ---- what flags forbid or change; the controller is started again for each ---- */

static const char *const plain_args[] = {"--http-retry=2", "--requeue-dependency=1s",
        "--min-retry-delay=100ms", "--feature-gates=ExternalArtifact=true", NULL};

START_TEST(other_namespaces_forbidden)
{
	static const char *const args[] = {"--no-cross-namespace-refs=true", "--requeue-dependency=1s", NULL};
	struct fx_digest own;
	digest_of("good.tar.gz", FX_DIGEST_SHA256, &own);
	fail_with(0, 0, NULL);
	house_restart(&env.kustomize, args);
	write_source(&kinds[0], "default", "abroad", NULL, "good.tar.gz", own.text, "");
	write_source(&kinds[0], FX_TEST_NAMESPACE, "home", NULL, "good.tar.gz", own.text, "");
	kustomization("abroad", "Bucket", "default", "");
	const char *denied =
	        "can't access 'Bucket/default/abroad', cross-namespace references have been blocked";
	house_wait("Kustomization", "abroad",
	        (struct fx_test_condition){.status = "False", .reason = "AccessDenied", .message = denied});
	house_wait("Kustomization", "abroad",
	        (struct fx_test_condition){
	                .type = "Stalled", .status = "True", .reason = "AccessDenied", .message = denied});
	wait_event("abroad", denied);
	fx_auto(json) json_t *object = house_get("Kustomization", "abroad", NULL);
	ck_assert_int_eq(fx_json_int_at(object, 0, "status", "observedGeneration"), -1);
	/* A dependency may be abroad all the same, and a spec that is right again ends the stall. */
	kustomization("home", "Bucket", NULL, ", dependsOn: [{name: none, namespace: default}]");
	house_wait("Kustomization", "home",
	        (struct fx_test_condition){.status = "False",
	                .reason = "DependencyNotReady",
	                .message = "'default/none' not found"});
	house_patch("Kustomization", "abroad", NULL,
	        "{\"spec\":{\"sourceRef\":{\"name\":\"home\",\"namespace\":null}}}");
	house_wait("Kustomization", "abroad", (struct fx_test_condition){.status = "True"});
	fx_auto(json) json_t *now = house_get("Kustomization", "abroad", NULL);
	fx_autofree char *conditions = json_dumps(fx_json_at(now, "status", "conditions"), 0);
	ck_assert_ptr_null(strstr(conditions, "Stalled"));
	house_delete("Kustomization", "abroad");
	house_delete("Kustomization", "home");
	house_restart(&env.kustomize, plain_args);
}
END_TEST

START_TEST(external_artifacts_forbidden)
{
	static const char *const args[] = {"--requeue-dependency=1s", NULL};
	struct fx_digest own;
	digest_of("good.tar.gz", FX_DIGEST_SHA256, &own);
	fail_with(0, 0, NULL);
	house_restart(&env.kustomize, args);
	write_source(&kinds[2], FX_TEST_NAMESPACE, "external", NULL, "good.tar.gz", own.text, "");
	kustomization("external", "ExternalArtifact", NULL, "");
	house_wait("Kustomization", "external",
	        (struct fx_test_condition){.type = "Stalled",
	                .status = "True",
	                .reason = "AccessDenied",
	                .message = "can't access 'ExternalArtifact/flux-system/external', ExternalArtifact "
	                           "feature gate is disabled"});
	house_delete("Kustomization", "external");
	house_delete("ExternalArtifact", "external");
	house_restart(&env.kustomize, plain_args);
}
END_TEST

/* Which server the URL's host is replaced by: the watcher's variable never falls back to the other. */
START_TEST(hosts_replaced)
{
	struct fx_digest own;
	char host[64];
	digest_of("good.tar.gz", FX_DIGEST_SHA256, &own);
	snprintf(host, sizeof(host), "127.0.0.1:%d", fx_server_port(artifacts.server));
	fail_with(0, 0, NULL);
	setenv("SOURCE_CONTROLLER_LOCALHOST", host, 1);
	house_restart(&env.kustomize, plain_args);
	write_source(&kinds[0], FX_TEST_NAMESPACE, "replaced", "http://source-controller.invalid.",
	        "good.tar.gz", own.text, "");
	kustomization("replaced", "Bucket", NULL, "");
	house_wait("Kustomization", "replaced", (struct fx_test_condition){.status = "True"});
	make_archive("other.tar.gz",
	        "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: other}\\n' >o.yaml; "
	        "tar -czf - o.yaml");
	digest_of("other.tar.gz", FX_DIGEST_SHA256, &own);
	write_source(&kinds[0], FX_TEST_NAMESPACE, "replaced", "http://source-watcher.invalid.",
	        "other.tar.gz", own.text, "");
	house_wait("Kustomization", "replaced",
	        (struct fx_test_condition){
	                .status = "False", .reason = "ArtifactFailed", .message = "source-watcher.invalid"});
	setenv("SOURCE_WATCHER_LOCALHOST", host, 1);
	setenv("SOURCE_CONTROLLER_LOCALHOST", "127.0.0.1:1", 1);
	house_restart(&env.kustomize, plain_args);
	house_wait("Kustomization", "replaced",
	        (struct fx_test_condition){.status = "True", .revision = "other"});
	unsetenv("SOURCE_CONTROLLER_LOCALHOST");
	unsetenv("SOURCE_WATCHER_LOCALHOST");
	house_restart(&env.kustomize, plain_args);
	house_delete("Kustomization", "replaced");
	house_delete("Bucket", "replaced");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kustomization: sources");
	TCase *tc = tcase_create("sources");
	tcase_set_timeout(tc, 600);
	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, kind_of_source, 0, FX_COUNT(kinds));
	tcase_add_loop_test(tc, digest, 0, FX_COUNT(digests));
	tcase_add_loop_test(tc, hostile_archive, 0, FX_COUNT(hostile));
	tcase_add_loop_test(tc, answer, 0, FX_COUNT(answers));
	tcase_add_loop_test(tc, path_in_artifact, 0, FX_COUNT(paths));
	tcase_add_test(tc, source_comes_late);
	tcase_add_test(tc, other_namespaces_forbidden);
	tcase_add_test(tc, external_artifacts_forbidden);
	tcase_add_test(tc, hosts_replaced);
	suite_add_tcase(suite, tc);
	return suite;
}

static const struct fx_test_env_options options = {.kustomize = true, .kustomize_args = plain_args};

FX_ENV_MAIN(make_suite, &options)
