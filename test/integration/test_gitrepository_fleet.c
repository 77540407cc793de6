/* Several source-controllers and what one keeps: leader election, shards, namespaces, addresses, old
 * artifacts. */
#include "core/clock.h"
#include "test/harness/env_private.h"
#include "test/harness/port.h"
#include "test/integration/env_source.h"

#include <signal.h>
#include <sys/stat.h>

#define LEASE "Lease.coordination.k8s.io"

/* A second replica, with a storage and ports of its own. */
static struct fx_test_controller second = {.process = FX_TEST_PROCESS_INIT};

static void launch_second(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static char storage[300], storage_arg[330];
	static const char *const args[] = {storage_arg, FAST, ELECT, NULL};
	second = (struct fx_test_controller){.name = "source-controller", .args = args};
	second.process = (struct fx_test_process)FX_TEST_PROCESS_INIT;
	second.kubeconfig = strdup(env.source.kubeconfig);
	snprintf(storage, sizeof(storage), "%s/second", env.dir);
	snprintf(storage_arg, sizeof(storage_arg), "--storage-path=%s", storage);
	ck_assert_int_gt(asprintf(&second.log_path, "%s/second.log", env.dir), 0);
	second.tmp = strdup(env.source.tmp);
	ck_assert_int_eq(mkdir(storage, 0700), 0);
	ck_assert_ok(fx_test_free_port(&second.health_port, &err), &err);
	ck_assert_ok(fx_test_free_port(&second.metrics_port, &err), &err);
	ck_assert_ok(fx_test_free_port(&second.port, &err), &err);
	ck_assert_ok(fx_test_controller_launch(&env, &second, &err), &err);
}

static bool is_held(void *arg, const json_t *lease)
{
	const char *not_by = arg, *holder = fx_json_str_at(lease, "spec", "holderIdentity");
	return holder && *holder && strcmp(holder, not_by) != 0;
}

static bool is_released(void *arg, const json_t *lease)
{
	(void)arg;
	const char *holder = fx_json_str_at(lease, "spec", "holderIdentity");
	return holder && !*holder;
}

/* Who holds the lease when it is no longer not_by. Owned. */
static char *wait_holder(const char *lease, const char *not_by)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	const struct fx_test_ref ref = {LEASE, lease, NULL};
	ck_assert_ok(fx_test_env_wait(&env, &ref, is_held, (void *)not_by, WAIT_MS, &object, &err), &err);
	ck_assert_int_eq(fx_json_int_at(object, -1, "spec", "leaseDurationSeconds"), 3);
	return strdup(fx_json_str_at(object, "spec", "holderIdentity"));
}

#define MAIN_LEASE "source-controller-leader-election"

/* Two replicas: one works, the other is there; the first is killed; the lease is stolen from the second. */
START_TEST(leader_election)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref lease = {LEASE, MAIN_LEASE, NULL}, ref = {KIND, "led", NULL};
	fx_auto(json) json_t *object = NULL;
	char host[256] = "", part[300], now[FX_TIME_TEXT];
	int status = 0;
	restart(NULL, (const char *const[]){FAST, ELECT, NULL});
	fx_autofree char *first = wait_holder(MAIN_LEASE, "");
	gethostname(host, sizeof(host) - 1);
	snprintf(part, sizeof(part), "%s_", host);
	ck_assert_msg(
	        strncmp(first, part, strlen(part)) == 0 && strlen(first) == strlen(part) + 36, "%s", first);
	add("led", "", "");
	expect("led", READY);

	launch_second();
	expect_page(second.health_port, "readyz", "ok", true);
	expect_page(second.metrics_port, "metrics",
	        "leader_election_master_status{name=\"" MAIN_LEASE "\"} 0", true);
	ck_assert(!page_has(second.port, "", ""));

	fx_test_controller_kill(&env.source);
	fx_autofree char *heir = wait_holder(MAIN_LEASE, first);
	expect_page(second.port, "", "<pre>", true);
	expect_page(second.metrics_port, "metrics",
	        "leader_election_master_status{name=\"" MAIN_LEASE "\"} 1", true);
	snprintf(part, sizeof(part), "http://127.0.0.1:%d/", second.port);
	char token[FX_TEST_TOKEN];
	ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
	expect("led", (struct fx_test_condition){.status = "True", .revision = head, .handled = token});
	ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
	ck_assert_ptr_nonnull(strstr(fx_json_str_at(object, "status", "artifact", "url"), part));

	/* Whoever loses the lease must not work on: its process ends, and not well. */
	ck_assert_ok(fx_test_env_patch(&env, &lease, &err,
	                     "{\"spec\":{\"holderIdentity\":\"thief\",\"renewTime\":\"%s\"}}",
	                     fx_time_rfc3339_micro(fx_wall_ns(), now)),
	        &err);
	ck_assert_ok(fx_test_process_wait(&second.process, WAIT_MS, &status, &err), &err);
	ck_assert_int_ne(status, 0);
	ck_assert_ok(fx_test_controller_end(&second, &err), &err);

	/* A clean stop gives it up. */
	restart(NULL, (const char *const[]){FAST, ELECT, NULL});
	remove_object("led");
	ck_assert_ok(fx_test_controller_stop(&env.source, &err), &err);
	ck_assert_ok(fx_test_env_wait(&env, &lease, is_released, NULL, WAIT_MS, NULL, &err), &err);
}
END_TEST

/* No condition, no finalizer: nobody has looked at it. */
static void expect_untouched(const struct fx_test_ref *ref)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	ck_assert_ok(fx_test_env_get(&env, ref, &object, &err), &err);
	fx_autofree char *text = json_dumps(object, JSON_COMPACT);
	ck_assert_msg(
	        !fx_json_at(object, "status", "conditions") && !fx_json_at(object, "metadata", "finalizers"),
	        "%s", text);
}

START_TEST(shards)
{
	static const char key[] = ", labels: {sharding.fluxcd.io/key: shard1}";
	static const struct fx_test_ref other = {KIND, "other", NULL};
	restart(NULL, (const char *const[]){FAST, ELECT, "--requeue-dependency=100ms",
	                      "--watch-label-selector=sharding.fluxcd.io/key=shard1", NULL});
	/* The suffix is the start of the selector's SHA-256. */
	fx_autofree char *holder = wait_holder(MAIN_LEASE "-73fdc1be", "");
	add("other", "", "");
	add("mine", key, "");
	add("including", key, ", include: [{repository: {name: other}}]");
	expect("mine", READY);
	expect("including", (struct fx_test_condition){.type = "IncludeUnavailable",
	                            .status = "True",
	                            .reason = "NotFound",
	                            .message = "could not get resource for include 'other'"});
	expect_untouched(&other);
	restart(NULL, (const char *const[]){FAST, "--watch-label-selector=!sharding.fluxcd.io/key", NULL});
	expect("other", READY);
	remove_object("other");
	restart(NULL, usual_args);
	remove_object("mine");
	remove_object("including");
}
END_TEST

START_TEST(one_namespace)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	static const struct fx_test_ref elsewhere = {KIND, "elsewhere", "default"};
	restart(NULL, (const char *const[]){FAST, "--watch-all-namespaces=false", NULL});
	add("elsewhere", ", namespace: default", "");
	add("here", "", "");
	expect("here", READY);
	expect_untouched(&elsewhere);
	restart(NULL, usual_args);
	const struct fx_test_condition ready = READY;
	ck_assert_ok(fx_test_env_wait_condition(&env, &elsewhere, &ready, WAIT_MS, NULL, &err), &err);
	ck_assert_ok(fx_test_env_delete(&env, &elsewhere, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &elsewhere, WAIT_MS, &err), &err);
	remove_object("here");
}
END_TEST

static bool has_url(void *arg, const json_t *object)
{
	const char *url = fx_json_str_at(object, "status", "artifact", "url");
	return url && strcmp(url, arg) == 0;
}

START_TEST(advertised_address)
{
	static const char *const cases[][2] = {
	        {"source-controller.flux-system.svc.cluster.local.",
	                "http://source-controller.flux-system.svc.cluster.local./"},
	        {"https://cdn.example.com/flux", "https://cdn.example.com/flux/"},
	        {"http://10.0.0.1:8080", "http://10.0.0.1:8080/"}};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		const struct fx_test_ref ref = {KIND, "addressed", NULL};
		char flag[128], url[300];
		snprintf(flag, sizeof(flag), "--storage-adv-addr=%s", cases[i][0]);
		snprintf(url, sizeof(url), "%sgitrepository/flux-system/addressed/%s.tar.gz", cases[i][1],
		        head);
		/* The first makes the artifact, the others find it. */
		restart(NULL, (const char *const[]){FAST, flag, NULL});
		if (i == 0)
			add("addressed", "", "");
		ck_assert_ok(fx_test_env_wait(&env, &ref, has_url, url, WAIT_MS, NULL, &err), &err);
	}
	remove_object("addressed");
}
END_TEST

/* Runs of an object so far, as its metric has them. */
static long runs_of(const char *name)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	char sample[200];
	snprintf(sample, sizeof(sample),
	        "gotk_reconcile_duration_seconds_count{kind=\"GitRepository\",name=\"%s\",namespace=\"flux-"
	        "system\"} ",
	        name);
	ck_assert_ok(fx_test_env_download(&env, env.source.metrics_port, "metrics", &out, &err), &err);
	const char *at = strstr(fx_buf_str(&out), sample);
	return at ? strtol(at + strlen(sample), NULL, 10) : 0;
}

static void wait_runs(const char *name, long want)
{
	int64_t deadline = fx_now_ms() + WAIT_MS;
	while (runs_of(name) < want && fx_now_ms() < deadline)
		poll(NULL, 0, STEP_MS);
	ck_assert_int_eq(runs_of(name), want);
}

/* One worker takes what is asked for in its order: when the later request is done, the earlier was no
 * reason to run. */
START_TEST(what_triggers)
{
	static const struct {
		const char *what, *patch;
		bool runs;
	} cases[] = {
	        {"asked for", "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"1\"}}}",
	                true},
	        {"asked again",
	                "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"2\"}}}", true},
	        {"the same once more",
	                "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"2\"}}}",
	                false},
	        {"no longer asked for",
	                "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":null}}}", false},
	        {"label", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}", false},
	        {"another annotation", "{\"metadata\":{\"annotations\":{\"a\":\"b\"}}}", false},
	        {"spec", "{\"spec\":{\"interval\":\"2h\"}}", true},
	};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref watched = {KIND, "watched", NULL}, pace = {KIND, "pace", NULL};
	restart(NULL, (const char *const[]){FAST, "--concurrent=1", NULL});
	add("watched", "", "");
	add("pace", "", "");
	expect("watched", READY);
	expect("pace", READY);
	wait_runs("watched", 1);
	wait_runs("pace", 1);
	long runs = 1;
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		char token[FX_TEST_TOKEN];
		ck_assert_ok(fx_test_env_patch(&env, &watched, &err, "%s", cases[i].patch), &err);
		ck_assert_ok(fx_test_env_reconcile(&env, &pace, token, &err), &err);
		expect("pace", (struct fx_test_condition){.handled = token});
		wait_runs("pace", (long)i + 2);
		runs += cases[i].runs;
		ck_assert_msg(runs_of("watched") == runs, "%s: %ld runs, want %ld", cases[i].what,
		        runs_of("watched"), runs);
	}
	remove_object("watched");
	remove_object("pace");
}
END_TEST

static int count_files(const char *dir)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	const struct fx_test_command find = {
	        .argv = (const char *const[]){"find", dir, "-type", "f", "-name", "*.tar.gz", NULL}};
	int count = 0;
	ck_assert_ok(fx_test_run(&find, &out, NULL, &err), &err);
	for (const char *p = fx_buf_str(&out); (p = strchr(p, '\n')); p++)
		count++;
	return count;
}

/* Old artifacts go by number and by age, never the one that is served. */
START_TEST(retention)
{
	static const struct {
		const char *ttl, *records;
		int kept;
	} cases[] = {{"--artifact-retention-ttl=1h", "--artifact-retention-records=2", 2},
	        {"--artifact-retention-ttl=1h", "--artifact-retention-records=3", 3},
	        {"--artifact-retention-ttl=1ms", "--artifact-retention-records=3", 1}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "aging", NULL};
	char dir[300], newest[41] = "";
	ck_assert_ok(fx_test_git_create(&env.git, "aging", &err), &err);
	snprintf(dir, sizeof(dir), "%s/gitrepository/flux-system/aging", env.storage);
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		char token[FX_TEST_TOKEN];
		restart(NULL, (const char *const[]){FAST, cases[i].ttl, cases[i].records, NULL});
		for (int k = 0; k < 5; k++) {
			char text[32];
			snprintf(text, sizeof(text), "a: %zu.%d\n", i, k);
			const struct fx_test_file change[] = {{"a.yaml", text}, {NULL, NULL}};
			ck_assert_ok(
			        fx_test_git_commit(&env.git, "aging", "main", "change", change, newest, &err),
			        &err);
			if (i == 0 && k == 0)
				ck_assert_ok(fx_test_env_apply(&env, &err,
				                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: "
				                     "GitRepository\nmetadata: {name: aging}\n"
				                     "spec: {interval: 1h, url: %s/aging.git, ref: {branch: "
				                     "main}}\n",
				                     env.git.url),
				        &err);
			ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
			expect("aging", (struct fx_test_condition){
			                        .status = "True", .revision = newest, .handled = token});
		}
		/* A run collects before it stores. */
		ck_assert_ok(fx_test_env_reconcile(&env, &ref, token, &err), &err);
		expect("aging", (struct fx_test_condition){.status = "True", .handled = token});
		ck_assert_msg(count_files(dir) == cases[i].kept, "%s %s: %d files, want %d", cases[i].ttl,
		        cases[i].records, count_files(dir), cases[i].kept);
	}
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "GarbageCollectionSucceeded",
	                     "garbage collected 1 artifacts", WAIT_MS, &err),
	        &err);
	remove_object("aging");
	ck_assert_int_ne(access(dir, F_OK), 0);
}
END_TEST

/* Files that cannot be removed hold the object until they can. */
START_TEST(removal_is_tried_again)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "stuck", NULL};
	char dir[300];
	restart(NULL, usual_args);
	add("stuck", "", "");
	expect("stuck", READY);
	snprintf(dir, sizeof(dir), "%s/gitrepository/flux-system/stuck", env.storage);
	/* Deeper than anything that is removed. */
	const struct fx_test_command deep = {
	        .argv = (const char *const[]){"sh", "-c",
	                "cd \"$1\" && for i in $(seq 100); do mkdir d && cd d; done", "deep", dir, NULL}};
	ck_assert_ok(fx_test_run(&deep, NULL, NULL, &err), &err);
	ck_assert_ok(fx_test_env_delete(&env, &ref, &err), &err);
	ck_assert_ok(fx_test_env_wait_event(&env, &ref, "GarbageCollectionFailed",
	                     "garbage collection for deleted resource failed", WAIT_MS, &err),
	        &err);
	fx_auto(json) json_t *object = NULL;
	ck_assert_ok(fx_test_env_get(&env, &ref, &object, &err), &err);
	ck_assert(fx_object_has_finalizer(object, "finalizers.fluxcd.io"));
	const struct fx_test_command gone = {.argv = (const char *const[]){"rm", "-rf", dir, NULL}};
	ck_assert_ok(fx_test_run(&gone, NULL, NULL, &err), &err);
	ck_assert_ok(fx_test_env_wait_gone(&env, &ref, WAIT_MS, &err), &err);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("fleet of source-controllers");
	TCase *several = tcase_create("several"), *one = tcase_create("one");
	tcase_add_unchecked_fixture(several, make_app, NULL);
	tcase_add_unchecked_fixture(one, make_app, NULL);
	tcase_add_test(several, leader_election);
	tcase_add_test(several, shards);
	tcase_add_test(several, one_namespace);
	tcase_add_test(one, advertised_address);
	tcase_add_test(one, what_triggers);
	tcase_add_test(one, retention);
	tcase_add_test(one, removal_is_tried_again);
	suite_add_tcase(suite, several);
	suite_add_tcase(suite, one);
	return suite;
}

static const struct fx_test_env_options options = {.source_args = usual_args};

FX_ENV_MAIN(make_suite, &options)
