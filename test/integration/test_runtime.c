/* What every controller has from libflux/runtime, seen from outside: conditions at each step, events and
 * their receiver, metrics, probes, logs, the life of an object. */
#include "test/integration/house.h"

#include "kube/object.h"
#include "kube/reflector.h"
#include "net/server.h"

#include <pthread.h>

/* ---- the receiver of events ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *posts; /* under the lock */

static void take_post(void *arg, struct fx_server_request *request)
{
	size_t len = 0;
	const char *body = fx_server_body(request, &len);
	(void)arg;
	json_t *post = body ? json_loadb(body, len, 0, NULL) : NULL;
	pthread_mutex_lock(&lock);
	if (post)
		json_array_append_new(posts, post);
	pthread_mutex_unlock(&lock);
	fx_server_reply(request, 202, "text/plain", "", 0);
}

/* A post with these texts (NULL: any), which is kept; NULL when there is none. New reference. */
static json_t *find_post(const char *kind, const char *name, const char *reason, const char *message)
{
	json_t *found = NULL, *post;
	size_t i;
	pthread_mutex_lock(&lock);
	json_array_foreach (posts, i, post) {
		const char *text = fx_json_str_at(post, "message");
		if (strcmp(fx_json_str_at(post, "involvedObject", "kind"), kind) == 0 &&
		        strcmp(fx_json_str_at(post, "involvedObject", "name"), name) == 0 &&
		        (!reason || strcmp(fx_json_str_at(post, "reason"), reason) == 0) &&
		        (!message || strstr(text, message)))
			found = post;
	}
	json_incref(found);
	pthread_mutex_unlock(&lock);
	return found;
}

static json_t *wait_post(const char *kind, const char *name, const char *reason, const char *message)
{
	int64_t deadline = fx_now_ms() + FX_TEST_WAIT_MS;
	json_t *post;
	while (!(post = find_post(kind, name, reason, message))) {
		ck_assert_msg(fx_now_ms() < deadline, "no event %s of %s/%s", reason, kind, name);
		poll(NULL, 0, LOOK_MS);
	}
	return post;
}

static const char *metadata(const json_t *post, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(post, "metadata"), key));
	return text ? text : "";
}

#define KS_GROUP "kustomize.toolkit.fluxcd.io"
#define SC_GROUP "source.toolkit.fluxcd.io"

START_TEST(events_reach_the_receiver)
{
	house_source("told");
	fx_auto(json) json_t *stored = wait_post("GitRepository", "told", "NewArtifact", "stored artifact");
	ck_assert_str_eq(fx_json_str_at(stored, "severity"), "info");
	ck_assert_str_eq(fx_json_str_at(stored, "reportingController"), "source-controller");
	ck_assert(*fx_json_str_at(stored, "reportingInstance"));
	ck_assert_str_eq(fx_json_str_at(stored, "involvedObject", "apiVersion"), SC_GROUP "/v1");
	ck_assert_str_eq(fx_json_str_at(stored, "involvedObject", "namespace"), FX_TEST_NAMESPACE);
	ck_assert(*fx_json_str_at(stored, "involvedObject", "uid"));
	ck_assert_int_eq(strncmp(metadata(stored, SC_GROUP "/revision"), "main@sha1:", 10), 0);
	ck_assert_int_eq(strncmp(metadata(stored, SC_GROUP "/digest"), "sha256:", 7), 0);
	const char *stamp = fx_json_str_at(stored, "timestamp");
	ck_assert_msg(strlen(stamp) == 20 && stamp[19] == 'Z', "%s", stamp);

	house_kustomization(
	        "told", "told", ", annotations: {event.toolkit.fluxcd.io/team: blue, other: no}", "");
	fx_auto(json) json_t *applied = wait_post("Kustomization", "told", "Progressing", "told created");
	ck_assert_str_eq(metadata(applied, "event.toolkit.fluxcd.io/team"), "blue");
	ck_assert_str_eq(metadata(applied, "other"), "");
	fx_auto(json) json_t *done =
	        wait_post("Kustomization", "told", "ReconciliationSucceeded", "Reconciliation finished in");
	ck_assert_ptr_nonnull(strstr(fx_json_str_at(done, "message"), ", next run in 1h0m0s"));
	ck_assert_str_eq(fx_json_str_at(done, "severity"), "info");
	ck_assert_str_eq(fx_json_str_at(done, "reportingController"), "kustomize-controller");
	ck_assert_str_eq(metadata(done, KS_GROUP "/commit_status"), "update");
	ck_assert_str_eq(metadata(done, KS_GROUP "/revision"), metadata(stored, SC_GROUP "/revision"));

	/* The reason is that of Ready; a failure is an error. */
	house_patch("Kustomization", "told", NULL, "{\"spec\":{\"path\":\"./missing\"}}");
	fx_auto(json) json_t *failed =
	        wait_post("Kustomization", "told", "ArtifactFailed", "kustomization path not found");
	ck_assert_str_eq(fx_json_str_at(failed, "severity"), "error");
	house_delete("Kustomization", "told");

	/* What is for the cluster alone is not forwarded. */
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"GitRepository", "told", NULL};
	char token[FX_TEST_TOKEN];
	OK(fx_test_env_reconcile(&env, &ref, token, &err));
	OK(fx_test_env_wait_event(&env, &ref, "GitOperationSucceeded", "no changes since", 0, &err));
	ck_assert_ptr_null(find_post("GitRepository", "told", "GitOperationSucceeded", NULL));
	house_delete("GitRepository", "told");
}
END_TEST

static int keep_event(void *arg, json_t *item, struct fx_error *err)
{
	(void)err;
	return json_array_append(arg, item);
}

START_TEST(events_in_the_cluster)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"GitRepository", "noted", NULL};
	fx_auto(json) json_t *list = json_array();
	house_source("noted");
	OK(fx_test_env_wait_event(&env, &ref, "NewArtifact", NULL, 0, &err));
	const struct fx_kube_path path = {
	        .version = "v1", .resource = "events", .namespace_ = FX_TEST_NAMESPACE};
	const struct fx_kube_list_options options = {
	        .field_selector = "involvedObject.name=noted,reason=NewArtifact"};
	OK(fx_kube_list(env.kube, &path, &options, NULL, keep_event, list, &err));
	fx_auto(json) json_t *object = house_get("GitRepository", "noted", NULL);
	const json_t *event = json_array_get(list, 0);
	static const struct {
		const char *first, *second, *want;
	} fields[] = {
	        {"type", NULL, "Normal"},
	        {"reportingComponent", NULL, "source-controller"},
	        {"source", "component", "source-controller"},
	        {"involvedObject", "kind", "GitRepository"},
	        {"involvedObject", "apiVersion", SC_GROUP "/v1"},
	        {"involvedObject", "namespace", FX_TEST_NAMESPACE},
	};
	for (size_t i = 0; i < FX_COUNT(fields); i++) {
		const json_t *at = json_object_get(event, fields[i].first);
		const char *have =
		        json_string_value(fields[i].second ? json_object_get(at, fields[i].second) : at);
		ck_assert_msg(have && strcmp(have, fields[i].want) == 0, "%s %s: %s", fields[i].first,
		        fields[i].second ? fields[i].second : "", have);
	}
	ck_assert_str_eq(fx_json_str_at(event, "involvedObject", "uid"), fx_object_uid(object));
	ck_assert_int_eq(fx_json_int_at(event, 0, "count"), 1);
	/* Name of the object, and the time in nanoseconds in hex. */
	const char *name = fx_object_name(event);
	ck_assert_int_eq(strncmp(name, "noted.", 6), 0);
	ck_assert_uint_eq(strspn(name + 6, "0123456789abcdef"), strlen(name + 6));
	ck_assert_ptr_nonnull(strstr(fx_object_annotation(event, SC_GROUP "/revision"), "main@sha1:"));
	house_delete("GitRepository", "noted");
}
END_TEST

/* ---- conditions ---- */

static int rank(const char *type)
{
	static const char *const first[] = {"Stalled", "Reconciling", "Ready"};
	for (size_t i = 0; i < FX_COUNT(first); i++)
		if (strcmp(first[i], type) == 0)
			return (int)i;
	return (int)FX_COUNT(first);
}

static bool is_negative(const char *type)
{
	static const char *const types[] = {"FetchFailed", "ArtifactOutdated", "StorageOperationFailed",
	        "IncludeUnavailable", "Stalled", "Reconciling"};
	for (size_t i = 0; i < FX_COUNT(types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

struct seen {
	bool ready, not_ready, unknown, reconciling, running, stalled, negative;
};

/* The rule that one version of an object breaks; NULL when it keeps all (section 1.7 of the reference). */
static const char *broken_rule(const json_t *object)
{
	const json_t *conditions = fx_json_at(object, "status", "conditions");
	json_int_t generation = fx_object_generation(object);
	json_int_t observed = fx_json_int_at(object, -1, "status", "observedGeneration");
	struct seen s = {0};
	bool behind = false, differs = false;
	int last = -1;
	size_t i;
	json_t *c;
	json_array_foreach (conditions, i, c) {
		const char *type = fx_json_str_at(c, "type"), *status = fx_json_str_at(c, "status");
		const char *time = fx_json_str_at(c, "lastTransitionTime");
		json_int_t own = fx_json_int_at(c, -1, "observedGeneration");
		bool is_true = strcmp(status, "True") == 0;
		if (rank(type) < last)
			return "the order is Stalled, Reconciling, Ready, others";
		last = rank(type);
		if (own < 1 || own > generation)
			return "a condition has a generation that was seen";
		if (strlen(time) != 20 || time[19] != 'Z')
			return "times have whole seconds in UTC";
		if (!*fx_json_str_at(c, "reason"))
			return "a condition has a reason";
		if (is_negative(type) && !is_true)
			return "what is not wrong is left out";
		behind = behind || own < generation;
		differs = differs || own != observed;
		s.negative = s.negative || is_negative(type);
		s.stalled = s.stalled || strcmp(type, "Stalled") == 0;
		if (strcmp(type, "Reconciling") == 0) {
			s.reconciling = true;
			s.running = strcmp(fx_json_str_at(c, "reason"), "Progressing") == 0;
		} else if (strcmp(type, "Ready") == 0) {
			s.ready = is_true;
			s.not_ready = strcmp(status, "False") == 0;
			s.unknown = strcmp(status, "Unknown") == 0;
		}
	}
	if (observed > generation)
		return "no generation is seen before it is there";
	if (s.reconciling && s.stalled)
		return "either Reconciling or Stalled";
	if (s.unknown && !s.reconciling)
		return "Ready=Unknown only while reconciling";
	if (s.running || json_array_size(conditions) == 0)
		return NULL;
	/* A run has ended. */
	if (!s.ready && !s.not_ready && !s.unknown)
		return "Ready is always there";
	if (s.ready && s.negative)
		return "Ready=True excludes what is wrong";
	if ((s.reconciling || s.stalled) && !s.not_ready)
		return "still trying or stalled is not ready";
	if (s.ready && observed == generation && (behind || differs))
		return "ready at this generation in every condition";
	return NULL;
}

static json_t *broken; /* under the lock: objects, each with the rule in `rule` */
static int versions;

static void check_version(void *arg, const struct fx_reflector_event *event)
{
	(void)arg;
	const char *text = event->new_record;
	json_t *object = text ? json_loads(text, 0, NULL) : NULL;
	const char *rule = object ? broken_rule(object) : NULL;
	pthread_mutex_lock(&lock);
	versions += object != NULL;
	if (rule) {
		json_object_set_new(object, "rule", json_string(rule));
		json_array_append(broken, object);
	}
	pthread_mutex_unlock(&lock);
	json_decref(object);
}

static struct fx_reflector *check_all(const char *group, const char *resource)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_reflector *reflector = NULL;
	const struct fx_reflector_options options = {.loop = env.loop,
	        .kube = env.kube,
	        .path = {.group = group, .version = "v1", .resource = resource, .namespace_ = ""},
	        .pack = fx_reflector_pack_json,
	        .on_change = check_version};
	OK(fx_reflector_new(&options, &reflector, &err));
	fx_reflector_start(reflector);
	return reflector;
}

START_TEST(conditions_hold_at_every_step)
{
	broken = json_array();
	struct fx_reflector *sources = check_all(SC_GROUP, "gitrepositories");
	struct fx_reflector *apps = check_all(KS_GROUP, "kustomizations");
	house_source("steps");
	house_kustomization("steps", "steps", "", ", wait: true");
	house_wait("Kustomization", "steps", (struct fx_test_condition){.status = "True"});
	house_patch("Kustomization", "steps", NULL, "{\"spec\":{\"path\":\"./missing\"}}");
	house_wait("Kustomization", "steps",
	        (struct fx_test_condition){.status = "False", .reason = "ArtifactFailed"});
	fx_auto(json) json_t *failing = house_get("Kustomization", "steps", NULL);
	/* A generation that was never brought about is not observed. */
	ck_assert_int_lt(
	        fx_json_int_at(failing, -1, "status", "observedGeneration"), fx_object_generation(failing));
	house_patch("Kustomization", "steps", NULL,
	        "{\"spec\":{\"path\":\"./\",\"sourceRef\":{\"kind\":\"ExternalArtifact\"}}}");
	house_wait("Kustomization", "steps",
	        (struct fx_test_condition){.type = "Stalled", .status = "True", .reason = "AccessDenied"});
	house_patch(
	        "Kustomization", "steps", NULL, "{\"spec\":{\"sourceRef\":{\"kind\":\"GitRepository\"}}}");
	house_wait("Kustomization", "steps", (struct fx_test_condition){.status = "True"});
	house_patch("GitRepository", "steps", NULL, "{\"spec\":{\"ref\":{\"branch\":\"none\"}}}");
	house_wait("GitRepository", "steps", (struct fx_test_condition){.status = "False"});
	house_patch("GitRepository", "steps", NULL, "{\"spec\":{\"ref\":{\"branch\":\"main\"}}}");
	house_wait("GitRepository", "steps", (struct fx_test_condition){.status = "True"});
	house_delete("Kustomization", "steps");
	house_delete("GitRepository", "steps");
	fx_reflector_free(sources);
	fx_reflector_free(apps);
	ck_assert_int_gt(versions, 10);
	const json_t *first = json_array_get(broken, 0);
	fx_autofree char *status =
	        first ? json_dumps(json_object_get(first, "status"), JSON_INDENT(1)) : NULL;
	ck_assert_msg(!first, "%s: %s", fx_json_str_at(first, "rule"), status);
	json_decref(broken);
}
END_TEST

/* ---- metrics, probes, logs ---- */

static const char *const lines_of_all[] = {
        "controller_runtime_reconcile_total{controller=\"@\",result=\"success\"} ",
        "controller_runtime_reconcile_total{controller=\"@\",result=\"error\"} ",
        "controller_runtime_reconcile_total{controller=\"@\",result=\"requeue\"} ",
        "controller_runtime_reconcile_total{controller=\"@\",result=\"requeue_after\"} ",
        "controller_runtime_reconcile_errors_total{controller=\"@\"} 0",
        "controller_runtime_terminal_reconcile_errors_total{controller=\"@\"} 0",
        "controller_runtime_reconcile_panics_total{controller=\"@\"} 0",
        "controller_runtime_reconcile_timeouts_total{controller=\"@\"} 0",
        "controller_runtime_max_concurrent_reconciles{controller=\"@\"} ",
        "controller_runtime_active_workers{controller=\"@\"} ",
        "controller_runtime_reconcile_time_seconds_bucket{controller=\"@\",le=\"0.005\"} ",
        "controller_runtime_reconcile_time_seconds_bucket{controller=\"@\",le=\"60\"} ",
        "workqueue_depth{name=\"@\",controller=\"@\",priority=\"0\"} ",
        "workqueue_adds_total{name=\"@\",controller=\"@\"} ",
        "workqueue_retries_total{name=\"@\",controller=\"@\"} ",
        "workqueue_unfinished_work_seconds{name=\"@\",controller=\"@\"} ",
        "workqueue_longest_running_processor_seconds{name=\"@\",controller=\"@\"} ",
        "workqueue_queue_duration_seconds_bucket{name=\"@\",controller=\"@\",le=\"1e-08\"} ",
        "workqueue_queue_duration_seconds_bucket{name=\"@\",controller=\"@\",le=\"9.999999999999999e-06\"} ",
        "workqueue_queue_duration_seconds_bucket{name=\"@\",controller=\"@\",le=\"9.999999999999999e-05\"} ",
        "workqueue_work_duration_seconds_bucket{name=\"@\",controller=\"@\",le=\"1000\"} ",
        "rest_client_requests_total{code=\"200\",method=\"GET\",host=\"127.0.0.1:",
        "# TYPE gotk_reconcile_duration_seconds histogram",
        "# TYPE rest_client_requests_total counter",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_start_time_seconds ",
};

static void expect_lines(const struct fx_test_controller *c, const char *controller)
{
	fx_autofree char *text = house_metrics(c);
	for (size_t i = 0; i < FX_COUNT(lines_of_all); i++) {
		fx_auto(buf) struct fx_buf line = FX_BUF_INIT;
		fx_buf_add_char(&line, '\n');
		for (const char *p = lines_of_all[i]; *p; p++)
			if (*p == '@')
				fx_buf_add_str(&line, controller);
			else
				fx_buf_add_char(&line, *p);
		ck_assert_msg(strstr(text, fx_buf_str(&line)), "no %s", fx_buf_str(&line) + 1);
	}
	ck_assert_ptr_null(strstr(text, "gotk_reconcile_condition{"));
	ck_assert_ptr_null(strstr(text, "gotk_suspend_status{"));
}

START_TEST(metrics_of_the_controllers)
{
	static const char series[] = "gotk_reconcile_duration_seconds_bucket{kind=\"Kustomization\","
	                             "name=\"measured\",namespace=\"" FX_TEST_NAMESPACE "\"";
	/* Fresh ones: nothing has failed yet. */
	house_restart(&env.source, env.source.args);
	house_restart(&env.kustomize, env.kustomize.args);
	house_source("measured");
	house_kustomization("measured", "measured", "", "");
	house_wait("Kustomization", "measured", (struct fx_test_condition){.status = "True"});
	/* Ten buckets and the infinite one, of one run at least. */
	house_wait_metric(&env.kustomize, series, 1);
	fx_autofree char *text = house_metrics(&env.kustomize);
	int buckets = 0;
	for (const char *at = text; (at = strstr(at, series)); at++)
		buckets++;
	ck_assert_int_eq(buckets, 11);
	ck_assert_ptr_nonnull(strstr(text, "le=\"0.038363583488692544\""));
	ck_assert_ptr_nonnull(strstr(text, "le=\"1799.9999999999986\""));
	expect_lines(&env.source, "gitrepository");
	expect_lines(&env.kustomize, "kustomization");
	house_delete("Kustomization", "measured");
	house_delete("GitRepository", "measured");
	/* The series goes with the object. */
	int64_t deadline = fx_now_ms() + FX_TEST_WAIT_MS;
	while (house_metric(&env.kustomize, series) > 0) {
		ck_assert_msg(fx_now_ms() < deadline, "the series stays");
		poll(NULL, 0, LOOK_MS);
	}
}
END_TEST

START_TEST(probes)
{
	static const struct {
		const char *path, *body; /* NULL: not found */
	} cases[] = {
	        {"healthz", "ok"},
	        {"readyz", "ok"},
	        {"healthz/ping", "ok"},
	        {"readyz/ping", "ok"},
	        {"healthz?verbose", "[+]ping ok\nhealthz check passed\n"},
	        {"readyz?verbose=1", "[+]ping ok\nreadyz check passed\n"},
	        {"readyz?verbose&exclude=ping", "[+]ping excluded: ok\nreadyz check passed\n"},
	        {"healthz?exclude=ping", "ok"},
	        {"healthz/none", NULL},
	        {"livez", NULL},
	        {"", NULL},
	};
	const struct fx_test_controller *const both[] = {&env.source, &env.kustomize};
	for (size_t i = 0; i < 2 * FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
		const char *path = cases[i / 2].path, *body = cases[i / 2].body;
		int rc = fx_test_env_download(&env, both[i % 2]->health_port, path, &out, &err);
		ck_assert_msg((rc == 0) == (body != NULL), "/%s: %s", path, fx_error_message(&err));
		if (body)
			ck_assert_msg(!strcmp(fx_buf_str(&out), body), "/%s: %s", path, fx_buf_str(&out));
	}
}
END_TEST

static bool is_handled(void *arg, const json_t *object)
{
	const char *token = fx_json_str_at(object, "status", "lastHandledReconcileAt");
	return token && strcmp(token, arg) == 0;
}

/* Whatever its conditions say: those of a suspended object are not of its generation. */
static void wait_handled(const struct fx_test_ref *ref, char *token)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	OK(fx_test_env_wait(&env, ref, is_handled, token, 0, NULL, &err));
}

/* Calls fn with each line of a log. */
static void each_line(char *log, void (*fn)(const char *line))
{
	char *rest = log;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line)
			fn(line);
}

static int run_records;

static void check_json_line(const char *line)
{
	static const char *const levels[] = {"trace", "debug", "info", "error"};
	static const char start[] = "{\"level\":\"";
	fx_auto(json) json_t *record = json_loads(line, 0, NULL);
	bool known = false;
	ck_assert_msg(json_is_object(record) && strncmp(line, start, strlen(start)) == 0, "%s", line);
	for (size_t i = 0; i < FX_COUNT(levels); i++)
		known = known || strcmp(levels[i], fx_json_str_at(record, "level")) == 0;
	const char *ts = fx_json_str_at(record, "ts");
	ck_assert_msg(known && ts && strlen(ts) == 24 && ts[10] == 'T' && ts[19] == '.' && ts[23] == 'Z',
	        "%s", line);
	ck_assert_msg(fx_json_str_at(record, "msg"), "%s", line);
	const char *kind = fx_json_str_at(record, "controllerKind");
	if (!kind)
		return;
	run_records++;
	const json_t *object = json_object_get(record, kind);
	ck_assert_msg(
	        fx_json_str_at(record, "controller") && fx_json_str_at(record, "controllerGroup") &&
	                strlen(fx_json_str_at(record, "reconcileID")) == 36 &&
	                !strcmp(fx_json_str_at(object, "name"), fx_json_str_at(record, "name")) &&
	                !strcmp(fx_json_str_at(object, "namespace"), fx_json_str_at(record, "namespace")),
	        "%s", line);
}

START_TEST(log_records)
{
	house_source("logged");
	house_kustomization("logged", "logged", "", ", path: ./missing");
	house_wait("Kustomization", "logged", (struct fx_test_condition){.status = "False"});
	house_patch("Kustomization", "logged", NULL, "{\"spec\":{\"suspend\":true}}");
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", "logged", NULL};
	char token[FX_TEST_TOKEN];
	OK(fx_test_env_reconcile(&env, &ref, token, &err));
	wait_handled(&ref, token);
	house_delete("Kustomization", "logged");
	house_delete("GitRepository", "logged");
	fx_autofree char *source = house_log(&env.source), *kustomize = house_log(&env.kustomize);
	ck_assert_ptr_nonnull(strstr(kustomize, "\"msg\":\"starting manager\""));
	ck_assert_ptr_nonnull(strstr(kustomize, "\"msg\":\"Reconciliation is suspended for this object\""));
	ck_assert_ptr_nonnull(strstr(kustomize, ", next try in 1h0m0s\""));
	ck_assert_ptr_null(strstr(kustomize, "stacktrace"));
	run_records = 0;
	each_line(source, check_json_line);
	each_line(kustomize, check_json_line);
	ck_assert_int_gt(run_records, 2);
}
END_TEST

/* ---- an object's life ---- */

static json_t *managed_by(const json_t *object, const char *manager)
{
	size_t i;
	json_t *entry;
	json_array_foreach (fx_json_at(object, "metadata", "managedFields"), i, entry)
		if (strcmp(fx_json_str_at(entry, "manager"), manager) == 0)
			return entry;
	return NULL;
}

START_TEST(life_of_an_object)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", "alive", NULL};
	static const char runs[] = "controller_runtime_reconcile_total{controller=\"kustomization\"";
	static const char active[] = "controller_runtime_active_workers";
	char token[FX_TEST_TOKEN];
	house_source("alive");
	house_kustomization("alive", "alive", "", "");
	house_wait("Kustomization", "alive", (struct fx_test_condition){.status = "True"});
	fx_auto(json) json_t *object = house_get("Kustomization", "alive", NULL);
	fx_auto(json) json_t *source = house_get("GitRepository", "alive", NULL);
	fx_auto(json) json_t *applied = house_get("ConfigMap", "alive", "default");
	ck_assert(fx_object_has_finalizer(object, "finalizers.fluxcd.io"));
	ck_assert_ptr_nonnull(managed_by(object, "gotk-kustomize-controller"));
	ck_assert_ptr_nonnull(managed_by(source, "source-controller"));
	ck_assert_str_eq(fx_json_str_at(managed_by(applied, "kustomize-controller"), "operation"), "Apply");

	OK(fx_test_env_reconcile(&env, &ref, token, &err));
	house_wait("Kustomization", "alive", (struct fx_test_condition){.status = "True", .handled = token});
	int64_t deadline = fx_now_ms() + FX_TEST_WAIT_MS;
	while (house_metric(&env.kustomize, active) > 0 && fx_now_ms() < deadline)
		poll(NULL, 0, LOOK_MS);
	double before = house_metric(&env.kustomize, runs);
	/* Neither a label nor a token that was handled starts a run; the new token comes behind them. */
	house_patch("Kustomization", "alive", NULL, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
	char same[200];
	snprintf(same, sizeof(same),
	        "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"%s\",\"c\":\"d\"}}}",
	        token);
	house_patch("Kustomization", "alive", NULL, same);
	OK(fx_test_env_reconcile(&env, &ref, token, &err));
	house_wait("Kustomization", "alive", (struct fx_test_condition){.status = "True", .handled = token});
	house_wait_metric(&env.kustomize, runs, before + 1);
	ck_assert_msg(house_metric(&env.kustomize, runs) == before + 1, "%g runs",
	        house_metric(&env.kustomize, runs) - before);

	/* Suspended: the token is handled all the same, the conditions stay, and deletion leaves what is
	 * there. */
	fx_auto(json) json_t *as_it_was = house_get("Kustomization", "alive", NULL);
	house_patch("Kustomization", "alive", NULL, "{\"spec\":{\"suspend\":true}}");
	OK(fx_test_env_reconcile(&env, &ref, token, &err));
	wait_handled(&ref, token);
	fx_auto(json) json_t *suspended = house_get("Kustomization", "alive", NULL);
	ck_assert(json_equal(fx_json_at(suspended, "status", "conditions"),
	        fx_json_at(as_it_was, "status", "conditions")));
	house_delete("Kustomization", "alive");
	json_t *left = house_get("ConfigMap", "alive", "default");
	ck_assert_ptr_nonnull(left);
	json_decref(left);
	house_delete("GitRepository", "alive");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("runtime");
	TCase *tc = tcase_create("runtime");
	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, events_reach_the_receiver);
	tcase_add_test(tc, events_in_the_cluster);
	tcase_add_test(tc, conditions_hold_at_every_step);
	tcase_add_test(tc, metrics_of_the_controllers);
	tcase_add_test(tc, probes);
	tcase_add_test(tc, log_records);
	tcase_add_test(tc, life_of_an_object);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_server *receiver = NULL;
	char address[64];
	const struct fx_server_options server = {.listen = "127.0.0.1:0", .handle = take_post};
	posts = json_array();
	if (fx_server_new(&server, &receiver, &err) < 0) {
		fprintf(stderr, "%s\n", fx_error_message(&err));
		return EXIT_FAILURE;
	}
	snprintf(address, sizeof(address), "--events-addr=http://127.0.0.1:%d/", fx_server_port(receiver));
	const char *const args[] = {address, "--min-retry-delay=200ms", NULL};
	const struct fx_test_env_options options = {
	        .kustomize = true, .source_args = args, .kustomize_args = args};
	int rc = fx_env_main(make_suite, &options);
	fx_server_free(receiver, 0);
	json_decref(posts);
	return rc;
}
