/* source-controller as a process: flags, probes, metrics, logs, events to a receiver, leader election,
 * shards. */
#include "core/clock.h"
#include "net/server.h"
#include "test/harness/peer.h"
#include "test/integration/env_source.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

static char *program_path(void)
{
	const char *build = getenv("FX_BUILD");
	char *out = NULL;
	ck_assert_int_gt(asprintf(&out, "%s/bin/source-controller", build && *build ? build : "build"), 0);
	return out;
}

/* Runs it to its end; the exit status, and what it said on either output. */
static int run_to_end(const char *const *args, const char *const *variables, struct fx_buf *out)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_autofree char *program = program_path();
	const char *argv[40] = {"sh", "-c", "exec \"$@\" 2>&1", "sh", program};
	int status = -1;
	for (size_t i = 0; args[i]; i++)
		argv[5 + i] = args[i];
	const struct fx_test_command command = {.argv = argv, .env = variables, .timeout_ms = WAIT_MS};
	ck_assert_ok(fx_test_run(&command, out, &status, &err), &err);
	return status;
}

/* Section 13.1: names, types and defaults, as --help shows them. */
START_TEST(flags)
{
	static const char *const lines[][3] = {{"metrics-addr", "string", "(default \":8080\")"},
	        {"events-addr", "string", NULL}, {"health-addr", "string", "(default \":9440\")"},
	        {"concurrent", "int", "(default 2)"}, {"helm-index-max-size", "int", "(default 52428800)"},
	        {"helm-chart-max-size", "int", "(default 10485760)"},
	        {"helm-chart-file-max-size", "int", "(default 5242880)"},
	        {"requeue-dependency", "duration", "(default 30s)"}, {"helm-cache-max-size", "int", NULL},
	        {"helm-cache-ttl", "string", "(default \"15m\")"},
	        {"helm-cache-purge-interval", "string", "(default \"1m\")"},
	        {"ssh-kex-algos", "strings", NULL}, {"ssh-hostkey-algos", "strings", NULL},
	        {"default-service-account", "string", NULL},
	        {"storage-path", "string", "(default \"/data\")"},
	        {"storage-addr", "string", "(default \":9090\")"}, {"storage-adv-addr", "string", NULL},
	        {"artifact-retention-ttl", "duration", "(default 1m0s)"},
	        {"artifact-retention-records", "int", "(default 2)"},
	        {"artifact-digest-algo", "string", "(default \"sha256\")"},
	        {"kube-api-qps", "float", "(default 50)"}, {"kube-api-burst", "int", "(default 300)"},
	        {"log-encoding", "string", "(default \"json\")"},
	        {"log-level", "string", "(default \"info\")"}, {"enable-leader-election", "", NULL},
	        {"leader-election-release-on-cancel", "", "(default true)"},
	        {"leader-election-lease-duration", "duration", "(default 35s)"},
	        {"leader-election-renew-deadline", "duration", "(default 30s)"},
	        {"leader-election-retry-period", "duration", "(default 5s)"},
	        {"min-retry-delay", "duration", "(default 750ms)"},
	        {"max-retry-delay", "duration", "(default 15m0s)"}, {"feature-gates", "", NULL},
	        {"watch-all-namespaces", "", "(default true)"}, {"watch-label-selector", "string", NULL},
	        {"watch-configs-label-selector", "string", "(default \"reconcile.fluxcd.io/watch=Enabled\")"},
	        {"interval-jitter-percentage", "", "(default 5)"},
	        {"token-cache-max-size", "int", "(default 100)"},
	        {"token-cache-max-duration", "duration", "(default 1h0m0s)"}};
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	ck_assert_int_eq(run_to_end((const char *const[]){"--help", NULL}, NULL, &out), 0);
	for (size_t i = 0; i < FX_COUNT(lines); i++) {
		char start[80];
		snprintf(start, sizeof(start), "      --%s%s%s ", lines[i][0], *lines[i][1] ? " " : "",
		        lines[i][1]);
		const char *line = strstr(fx_buf_str(&out), start);
		ck_assert_msg(line, "no line '%s' in %s", start, fx_buf_str(&out));
		fx_autofree char *text = strndup(line, strcspn(line, "\n"));
		ck_assert_msg(lines[i][2] ? strstr(text, lines[i][2]) != NULL : !strstr(text, "(default"),
		        "'%s', want %s", text, lines[i][2] ? lines[i][2] : "no default");
	}
}
END_TEST

START_TEST(variables_are_defaults)
{
	static const char *const variables[] = {"METRICS_ADDR=:1", "EVENTS_ADDR=http://events/",
	        "STORAGE_PATH=/s", "STORAGE_ADDRESS=:2", "STORAGE_ADV_ADDR=adv.", NULL};
	static const char *const want[] = {"metrics server (default \":1\")", "(default \"http://events/\")",
	        "(default \"/s\")", "(default \":2\")", "(default \"adv.\")"};
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	ck_assert_int_eq(run_to_end((const char *const[]){"--help", NULL}, variables, &out), 0);
	for (size_t i = 0; i < FX_COUNT(want); i++)
		ck_assert_msg(strstr(fx_buf_str(&out), want[i]), "no %s in %s", want[i], fx_buf_str(&out));
}
END_TEST

START_TEST(bad_starts)
{
	static const struct {
		const char *arg;
		int status;
		const char *text;
	} cases[] = {
	        {"--no-such-flag", 2, "unknown flag: --no-such-flag"},
	        {"--artifact-retention-ttl=soon", 2, "artifact-retention-ttl"},
	        {"--concurrent=many", 2, "concurrent"},
	        {"--feature-gates=NoSuchGate=true", 1, "NoSuchGate"},
	        {"--interval-jitter-percentage=100", 1, "jitter"},
	        {"--artifact-digest-algo=md5", 1, "--artifact-digest-algo"},
	        {"--storage-path=/does/not/exist", 1, "invalid dir path: /does/not/exist"},
	        {"--default-service-account=flux", 1, "ObjectLevelWorkloadIdentity"},
	        {"--watch-label-selector=a in (", 1, "selector"},
	        {"--events-addr=:", 1, "event"},
	        {"--storage-addr=256.0.0.1:80", 1, "--storage-addr"},
	};
	fx_autofree char *config = NULL, *storage = NULL;
	ck_assert_int_gt(asprintf(&config, "KUBECONFIG=%s", env.source.kubeconfig), 0);
	ck_assert_int_gt(asprintf(&storage, "--storage-path=%s", env.storage), 0);
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
		int status = run_to_end((const char *const[]){storage, "--metrics-addr=0", "--health-addr=0",
		                                "--storage-addr=127.0.0.1:0", cases[i].arg, NULL},
		        (const char *const[]){config, NULL}, &out);
		ck_assert_msg(status == cases[i].status && strstr(fx_buf_str(&out), cases[i].text),
		        "%s: %d, want %d and '%s': %s", cases[i].arg, status, cases[i].status, cases[i].text,
		        fx_buf_str(&out));
	}
}
END_TEST

START_TEST(probes)
{
	static const char *const cases[][2] = {{"healthz", "ok"}, {"readyz", "ok"}, {"healthz/ping", "ok"},
	        {"readyz/ping", "ok"}, {"healthz?verbose", "[+]ping ok"},
	        {"readyz?verbose", "readyz check passed"}};
	restart(NULL, usual_args);
	for (size_t i = 0; i < FX_COUNT(cases); i++)
		ck_assert_msg(page_has(env.source.health_port, cases[i][0], cases[i][1]), "%s: no '%s'",
		        cases[i][0], cases[i][1]);
	ck_assert(!page_has(env.source.health_port, "healthz/nope", ""));
	/* The leader's artifact server answers the probe of the Deployment. */
	ck_assert(page_has(env.source.port, "", "<pre>"));
}
END_TEST

START_TEST(metrics)
{
	static const char *const samples[] = {
	        "gotk_reconcile_duration_seconds_bucket{kind=\"GitRepository\",name=\"measured\","
	        "namespace=\"flux-system\",le=\"0.01\"}",
	        "gotk_reconcile_duration_seconds_bucket{kind=\"GitRepository\",name=\"measured\","
	        "namespace=\"flux-system\",le=\"0.0383635",
	        "namespace=\"flux-system\",le=\"469.19495946736544\"}",
	        "gotk_reconcile_duration_seconds_count{kind=\"GitRepository\",name=\"measured\",namespace="
	        "\"flux-"
	        "system\"} ",
	        "controller_runtime_reconcile_total{controller=\"gitrepository\",result=\"requeue_after\"} ",
	        "controller_runtime_reconcile_total{controller=\"gitrepository\",result=\"success\"} ",
	        "controller_runtime_reconcile_total{controller=\"gitrepository\",result=\"error\"} ",
	        "controller_runtime_reconcile_total{controller=\"gitrepository\",result=\"requeue\"} ",
	        "controller_runtime_reconcile_errors_total{controller=\"gitrepository\"} ",
	        "controller_runtime_terminal_reconcile_errors_total{controller=\"gitrepository\"} ",
	        "controller_runtime_reconcile_panics_total{controller=\"gitrepository\"} 0",
	        "controller_runtime_reconcile_timeouts_total{controller=\"gitrepository\"} ",
	        "controller_runtime_reconcile_time_seconds_count{controller=\"gitrepository\"} ",
	        "controller_runtime_max_concurrent_reconciles{controller=\"gitrepository\"} 3",
	        "controller_runtime_active_workers{controller=\"gitrepository\"} ",
	        "workqueue_depth{name=\"gitrepository\",controller=\"gitrepository\",priority=\"0\"} ",
	        "workqueue_adds_total{name=\"gitrepository\",controller=\"gitrepository\"} ",
	        "workqueue_retries_total{name=\"gitrepository\",controller=\"gitrepository\"} ",
	        "workqueue_queue_duration_seconds_count{name=\"gitrepository\",controller=\"gitrepository\"}"
	        " ",
	        "workqueue_work_duration_seconds_count{name=\"gitrepository\",controller=\"gitrepository\"} ",
	        "workqueue_unfinished_work_seconds{name=\"gitrepository\",controller=\"gitrepository\"} ",
	        "workqueue_longest_running_processor_seconds{name=\"gitrepository\",controller="
	        "\"gitrepository\"} ",
	        "rest_client_requests_total{code=\"200\",method=\"GET\",host=\"127.0.0.1:",
	        "rest_client_requests_total{code=\"200\",method=\"PATCH\",host=\"127.0.0.1:",
	        "leader_election_master_status{name=\"source-controller-leader-election\"} 1",
	        "leader_election_slowpath_total{name=\"source-controller-leader-election\"} 0",
	        "process_cpu_seconds_total ", "process_open_fds ", "process_max_fds ",
	        "process_resident_memory_bytes ", "process_virtual_memory_bytes ",
	        "process_start_time_seconds "};
	restart(NULL, (const char *const[]){FAST, ELECT, "--concurrent=3", NULL});
	add("measured", "", "");
	expect("measured", READY);
	/* An observation is made when the run has ended, which is after its last write. */
	for (size_t i = 0; i < FX_COUNT(samples); i++)
		expect_page(env.source.metrics_port, "metrics", samples[i], true);
	/* Declared, and left to kube-state-metrics. */
	ck_assert(!page_has(env.source.metrics_port, "metrics", "gotk_reconcile_condition{"));
	ck_assert(!page_has(env.source.metrics_port, "metrics", "gotk_suspend_status{"));
	remove_object("measured");
	expect_page(env.source.metrics_port, "metrics", "name=\"measured\"", false);
}
END_TEST

/* The first line of the log with this part, waited for. Owned. */
static char *log_line(const char *path, const char *part)
{
	int64_t deadline = fx_now_ms() + WAIT_MS;
	while (fx_now_ms() < deadline) {
		fx_auto(file) FILE *f = fopen(path, "re");
		fx_autofree char *line = NULL;
		size_t size = 0;
		while (f && getline(&line, &size, f) > 0)
			if (strstr(line, part) && strchr(line, '\n'))
				return fx_take(line);
		poll(NULL, 0, STEP_MS);
	}
	ck_abort_msg("no line with '%s' in %s", part, path);
	return NULL;
}

static void empty_log(void)
{
	if (truncate(env.source.log_path, 0) < 0)
		ck_abort_msg("cannot empty the log");
}

START_TEST(logs_as_json)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	empty_log();
	restart(NULL, (const char *const[]){FAST, "--log-level=debug", NULL});
	add("logged", "", ", timeout: 10s, secretRef: {name: absent}");
	fx_autofree char *line = log_line(env.source.log_path, "Reconciler error");
	fx_auto(json) json_t *record = json_loads(line, 0, NULL);
	ck_assert_msg(record, "%s", line);
	static const char *const texts[][2] = {{"level", "error"}, {"controller", "gitrepository"},
	        {"controllerGroup", "source.toolkit.fluxcd.io"}, {"controllerKind", KIND}, {"name", "logged"},
	        {"namespace", FX_TEST_NAMESPACE}};
	for (size_t i = 0; i < FX_COUNT(texts); i++) {
		const char *have = fx_json_str_at(record, texts[i][0]);
		ck_assert_msg(have && strcmp(have, texts[i][1]) == 0, "%s: %s", texts[i][0], line);
	}
	ck_assert_str_eq(fx_json_str_at(record, KIND, "name"), "logged");
	ck_assert_str_eq(fx_json_str_at(record, KIND, "namespace"), FX_TEST_NAMESPACE);
	ck_assert_uint_eq(strlen(fx_json_str_at(record, "reconcileID")), 36);
	ck_assert_uint_eq(strlen(fx_json_str_at(record, "ts")), strlen("2026-01-02T15:04:05.000Z"));
	ck_assert_ptr_nonnull(strstr(fx_json_str_at(record, "error"), "failed to get secret"));
	/* Every line is one record. */
	fx_auto(file) FILE *f = fopen(env.source.log_path, "re");
	fx_autofree char *each = NULL;
	size_t size = 0;
	while (f && getline(&each, &size, f) > 0 && strchr(each, '\n')) {
		fx_auto(json) json_t *any = json_loads(each, 0, NULL);
		ck_assert_msg(any && fx_json_str_at(any, "msg") && fx_json_str_at(any, "level"), "%s", each);
	}
	remove_object("logged");
}
END_TEST

START_TEST(logs_for_a_console)
{
	empty_log();
	restart(NULL, (const char *const[]){FAST, "--log-encoding=console", "--log-level=error", NULL});
	add("logged", "", ", secretRef: {name: absent}");
	fx_autofree char *line = log_line(env.source.log_path, "Reconciler error");
	ck_assert_msg(strstr(line, "\tERROR\t") && line[0] != '{', "%s", line);
	fx_autofree char *log = fx_test_controller_log(&env.source);
	ck_assert_msg(!strstr(log, "starting manager"), "%s", log);
	remove_object("logged");
}
END_TEST

/* A receiver of events, as notification-controller has one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static json_t *posts;
static int refusals, refusal_status, refused;

static void take_event(void *arg, struct fx_server_request *r)
{
	size_t len;
	(void)arg;
	const char *body = fx_server_body(r, &len), *type = fx_server_header(r, "Content-Type");
	json_t *event = json_loadb(body, len, 0, NULL);
	pthread_mutex_lock(&lock);
	int status = refusals > 0 ? refusal_status : 202;
	if (refusals > 0) {
		refusals--;
		refused++;
	} else if (event && type && strcmp(type, "application/json") == 0) {
		json_array_append(posts, event);
	}
	json_decref(event); /* the count is shared with whoever found it */
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	fx_server_replyf(r, status, "\n");
}

static json_t *find_post(const char *name, const char *reason)
{
	size_t i;
	json_t *event;
	json_array_foreach (posts, i, event) {
		const char *r = fx_json_str_at(event, "reason"),
		           *n = fx_json_str_at(event, "involvedObject", "name");
		if (r && n && strcmp(r, reason) == 0 && strcmp(n, name) == 0)
			return json_incref(event);
	}
	return NULL;
}

static json_t *wait_post(const char *name, const char *reason)
{
	struct timespec until;
	json_t *event;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&lock);
	while (!(event = find_post(name, reason)) && pthread_cond_timedwait(&changed, &lock, &until) == 0) {
	}
	fx_autofree char *have = json_dumps(posts, JSON_COMPACT);
	pthread_mutex_unlock(&lock);
	ck_assert_msg(event, "no event %s of %s: %.4000s", reason, name, have);
	return event;
}

START_TEST(events_are_forwarded)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_server *server = NULL;
	const struct fx_server_options options = {.listen = "127.0.0.1:0", .handle = take_event};
	char address[64], host[256] = "";
	ck_assert_ok(fx_server_new(&options, &server, &err), &err);
	snprintf(address, sizeof(address), "--events-addr=http://127.0.0.1:%d/", fx_server_port(server));
	gethostname(host, sizeof(host) - 1);
	posts = json_array();
	restart(NULL, (const char *const[]){FAST, address, NULL});
	add("told",
	        ", annotations: {event.toolkit.fluxcd.io/team: payments, other/annotation: left out, "
	        "event.toolkit.fluxcd.io/commit: abc}",
	        "");
	fx_auto(json) json_t *event = wait_post("told", "NewArtifact");
	static const char *const texts[][2] = {{"severity", "info"},
	        {"message", "stored artifact for commit 'first'"},
	        {"reportingController", "source-controller"}};
	for (size_t i = 0; i < FX_COUNT(texts); i++)
		ck_assert_str_eq(fx_json_str_at(event, texts[i][0]), texts[i][1]);
	ck_assert_str_eq(fx_json_str_at(event, "reportingInstance"), host);
	ck_assert_str_eq(fx_json_str_at(event, "involvedObject", "kind"), KIND);
	ck_assert_str_eq(fx_json_str_at(event, "involvedObject", "namespace"), FX_TEST_NAMESPACE);
	ck_assert_str_eq(
	        fx_json_str_at(event, "involvedObject", "apiVersion"), "source.toolkit.fluxcd.io/v1");
	ck_assert_ptr_nonnull(fx_json_str_at(event, "involvedObject", "uid"));
	ck_assert_ptr_nonnull(fx_json_str_at(event, "timestamp"));
	fx_autofree char *metadata = json_dumps(json_object_get(event, "metadata"), JSON_SORT_KEYS);
	ck_assert_msg(strstr(metadata, "payments") && strstr(metadata, head) && strstr(metadata, "sha256:") &&
	                      strstr(metadata, "revision") && !strstr(metadata, "left out"),
	        "%s", metadata);

	/* A failure, and a receiver that is not well at first. */
	pthread_mutex_lock(&lock);
	refusals = 2;
	refusal_status = 503;
	pthread_mutex_unlock(&lock);
	add("failing", "", ", secretRef: {name: absent}");
	fx_auto(json) json_t *failure = wait_post("failing", "AuthenticationFailed");
	ck_assert_str_eq(fx_json_str_at(failure, "severity"), "error");
	ck_assert_int_eq(refused, 2);

	/* What is for the cluster alone never came. */
	const struct fx_test_ref ref = {KIND, "told", NULL};
	char token[FX_TEST_TOKEN];
	ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
	expect("told", (struct fx_test_condition){.handled = token});
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "GitOperationSucceeded", NULL, WAIT_MS, &err), &err);
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "NewArtifact", NULL, WAIT_MS, &err), &err);
	remove_object("failing");
	remove_object("told");
	restart(NULL, usual_args); /* the old one has sent what it had */
	pthread_mutex_lock(&lock);
	ck_assert_ptr_null(find_post("told", "GitOperationSucceeded"));
	ck_assert_ptr_null(find_post("told", "GarbageCollectionSucceeded"));
	pthread_mutex_unlock(&lock);
	fx_server_free(server, 1000);
	json_decref(posts);
	posts = NULL;
}
END_TEST

static struct fx_test_peer peer;

static void start_peer(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_peer_start(&peer, env.git.port, &err), &err);
}

/* A repository on a server that takes requests and says nothing. */
static void add_hanging(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
	                "metadata: {name: %s}\n"
	                "spec: {interval: 1h, timeout: 59s, url: \"http://127.0.0.1:%d/hang/app.git\"}\n",
	                name, peer.port),
	        &err);
}

START_TEST(workers_and_stops)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const char *const names[] = {"hang-1", "hang-2", "hang-3"};
	int status = 0;
	start_peer();
	restart(NULL, (const char *const[]){FAST, "--concurrent=2", NULL});
	for (size_t i = 0; i < FX_COUNT(names); i++)
		add_hanging(names[i]);
	expect_page(env.source.metrics_port, "metrics",
	        "controller_runtime_active_workers{controller=\"gitrepository\"} 2", true);
	expect_page(env.source.metrics_port, "metrics",
	        "workqueue_depth{name=\"gitrepository\",controller=\"gitrepository\",priority=\"0\"} 1",
	        true);
	/* Asked to stop, it cuts what hangs and ends well; asked twice, it ends at once. */
	restart(NULL, (const char *const[]){FAST, "--concurrent=2", NULL});
	expect_page(env.source.metrics_port, "metrics",
	        "controller_runtime_active_workers{controller=\"gitrepository\"} 2", true);
	int64_t began = fx_now_ms();
	do
		fx_test_process_signal(&env.source.process, SIGTERM);
	while (fx_test_process_wait(&env.source.process, 20, &status, &err) == -FX_E_TIMEOUT &&
	        fx_now_ms() < began + WAIT_MS);
	ck_assert_int_eq(status, 1);
	restart(NULL, usual_args);
	fx_test_peer_stop(&peer);
	for (size_t i = 0; i < FX_COUNT(names); i++)
		remove_object(names[i]);
}
END_TEST

START_TEST(proxy_of_the_environment)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char proxy[64];
	/* The proxy takes the whole URL for a path: the host is its first folder. */
	ck_assert_ok(fx_test_git_create(&env.git, "git.example.invalid/app", &err), &err);
	ck_assert_ok(
	        fx_test_git_commit(&env.git, "git.example.invalid/app", "main", "far", files, NULL, &err),
	        &err);
	start_peer();
	snprintf(proxy, sizeof(proxy), "HTTP_PROXY=http://127.0.0.1:%d", peer.port);
	restart((const char *const[]){"env", proxy, NULL}, usual_args);
	ck_assert_ok(
	        fx_test_env_apply(&env, &err,
	                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
	                "metadata: {name: far}\n"
	                "spec: {interval: 1h, url: \"http://git.example.invalid/app.git\", ref: {branch: "
	                "main}}\n"),
	        &err);
	expect("far", (struct fx_test_condition){.status = "True", .reason = "Succeeded"});
	remove_object("far");
	restart(NULL, usual_args);
	fx_test_peer_stop(&peer);
}
END_TEST

static bool may_mount(void)
{
	int status = 1;
	const struct fx_test_command probe = {.argv = (const char *const[]){"unshare", "-m", "true", NULL}};
	return fx_test_run(&probe, NULL, &status, NULL) == 0 && status == 0;
}

/* As the Deployment has it: only the storage and the folder for temporary files can be written. */
START_TEST(read_only_root)
{
	static const char script[] = "mount --make-rprivate / && mount --bind \"$1\" \"$1\" && mount -o "
	                             "remount,bind,ro / && shift && "
	                             "! touch /written 2>/dev/null && exec \"$@\"";
	if (!may_mount())
		return;
	restart((const char *const[]){"unshare", "-m", "sh", "-c", script, "sh", env.dir, NULL}, usual_args);
	add("reading", "", "");
	expect("reading", READY);
	restart(NULL, usual_args);
	remove_object("reading");
}
END_TEST

static void write_text(const char *dir, const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fx_auto(file) FILE *f = fopen(path, "we");
	ck_assert_msg(f && fputs(text, f) >= 0, "cannot write %s", path);
}

/* In a pod: the service account's files, which are replaced under the running controller. */
START_TEST(in_cluster)
{
	static const char script[] =
	        "mount --make-rprivate / && mount -t tmpfs tmpfs /run && "
	        "mkdir -p /run/secrets/kubernetes.io/serviceaccount && "
	        "mount --bind \"$1\" /run/secrets/kubernetes.io/serviceaccount && shift && exec \"$@\"";
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	char dir[300], port[64];
	if (!may_mount() || access("/var/run/systemd", F_OK) == 0)
		return;
	ck_assert_ok(fx_kube_config_read(env.source.kubeconfig, NULL, &config, &err), &err);
	snprintf(dir, sizeof(dir), "%s/account", env.dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	const char *colon = strrchr(config->server, ':');
	snprintf(port, sizeof(port), "KUBERNETES_SERVICE_PORT=%s", colon + 1);
	write_text(dir, "namespace", FX_TEST_NAMESPACE);
	write_text(dir, "token", config->token);
	/* Another CA than the server's, as after a rotation that has not reached the pod. */
	const struct fx_test_command make = {
	        .argv = (const char *const[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
	                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=old", "-keyout",
	                "/dev/null", NULL}};
	fx_auto(buf) struct fx_buf old_ca = FX_BUF_INIT;
	ck_assert_ok(fx_test_run(&make, &old_ca, NULL, &err), &err);
	write_text(dir, "ca.crt", fx_buf_str(&old_ca));
	ck_assert_ok(fx_test_controller_stop(&env.source, &err), &err);
	env.source.wrapper = (const char *const[]){"unshare", "-m", "sh", "-c", script, "sh", dir, "env",
	        "-u", "KUBECONFIG", "KUBERNETES_SERVICE_HOST=127.0.0.1", port, NULL};
	env.source.args = usual_args;
	add("inside", "", "");
	ck_assert_ok(fx_test_controller_launch(&env, &env.source, &err), &err);
	fx_autofree char *untrusted = log_line(env.source.log_path, "certificate");
	write_text(dir, "ca.crt", config->ca_pem);
	expect("inside", READY);
	restart(NULL, usual_args);
	remove_object("inside");
}
END_TEST

static void stop_peer(void)
{
	fx_test_peer_stop(&peer);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("process of source-controller");
	TCase *start = tcase_create("start"), *output = tcase_create("output"),
	      *place = tcase_create("place");
	tcase_add_unchecked_fixture(start, make_app, NULL);
	tcase_add_unchecked_fixture(output, make_app, NULL);
	tcase_add_unchecked_fixture(place, make_app, stop_peer);
	tcase_add_test(start, flags);
	tcase_add_test(start, variables_are_defaults);
	tcase_add_test(start, bad_starts);
	tcase_add_test(start, probes);
	tcase_add_test(output, metrics);
	tcase_add_test(output, logs_as_json);
	tcase_add_test(output, logs_for_a_console);
	tcase_add_test(output, events_are_forwarded);
	tcase_add_test(place, workers_and_stops);
	tcase_add_test(place, proxy_of_the_environment);
	tcase_add_test(place, read_only_root);
	tcase_add_test(place, in_cluster);
	suite_add_tcase(suite, start);
	suite_add_tcase(suite, output);
	suite_add_tcase(suite, place);
	return suite;
}

static const struct fx_test_env_options options = {.source_args = usual_args};

FX_ENV_MAIN(make_suite, &options)
