/* kustomize-controller as a process with other flags: what it refuses to start with, whose objects it takes,
 * what it watches, whom it acts as. */
#include "test/integration/house.h"

#include "core/clock.h"

#define KIND "Kustomization"

static const char *const usual_args[] = {"--min-retry-delay=200ms", NULL};

static void restart(const char *const *args)
{
	house_restart(&env.kustomize, args);
}

START_TEST(bad_starts)
{
	static const struct {
		const char *arg;
		int status;
		const char *text;
	} cases[] = {
	        {"--no-such-flag", 2, "unknown flag: --no-such-flag"},
	        {"--concurrent=many", 2, "concurrent"},
	        {"--requeue-dependency=soon", 2, "requeue-dependency"},
	        {"--feature-gates=NoSuchGate=true", 1, "feature-gate 'NoSuchGate' not supported"},
	        {"--interval-jitter-percentage=100", 1, "non-negative value and less than 100"},
	        {"--watch-label-selector=a in (", 1, "selector"},
	        {"--events-addr=:", 1, "events address"},
	        {"--custom-apply-stage-kinds=a/b/c", 1, "a/b/c"},
	        {"--default-kubeconfig-service-account=a", 1, "ObjectLevelWorkloadIdentity is not enabled"},
	        {"--default-decryption-service-account=a", 1, "ObjectLevelWorkloadIdentity is not enabled"},
	        {"--leader-election-renew-deadline=5s", 1, "--leader-election-renew-deadline"},
	};
	fx_autofree char *config = NULL, *program = NULL;
	const char *build = getenv("FX_BUILD");
	ck_assert_int_gt(asprintf(&config, "KUBECONFIG=%s", env.kustomize.kubeconfig), 0);
	ck_assert_int_gt(asprintf(&program, "%s/bin/kustomize-controller", build ? build : "build"), 0);
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
		int status = -1;
		/* Standard error goes where the test reads. */
		const char *const argv[] = {"sh", "-c", "exec \"$@\" 2>&1", "sh", program, "--metrics-addr=0",
		        "--health-addr=0", "--enable-leader-election", cases[i].arg, NULL};
		const struct fx_test_command command = {.argv = argv,
		        .env = (const char *const[]){config, NULL},
		        .timeout_ms = FX_TEST_WAIT_MS};
		OK(fx_test_run(&command, &out, &status, &err));
		ck_assert_msg(status == cases[i].status && strstr(fx_buf_str(&out), cases[i].text),
		        "%s: %d, want %d and '%s': %s", cases[i].arg, status, cases[i].status, cases[i].text,
		        fx_buf_str(&out));
	}
}
END_TEST

/* Section 13.1 and 13.2 of the runtime reference: names, types and defaults, as --help shows them. */
START_TEST(flags)
{
	static const char *const lines[][2] = {{"metrics-addr string", "(default \":8080\")"},
	        {"events-addr string", ""}, {"health-addr string", "(default \":9440\")"},
	        {"concurrent int", "(default 4)"}, {"requeue-dependency duration", "(default 30s)"},
	        {"watch-all-namespaces", "(default true)"}, {"watch-label-selector string", ""},
	        {"watch-configs-label-selector string", "(default \"reconcile.fluxcd.io/watch=Enabled\")"},
	        {"kube-api-qps float", "(default 50)"}, {"kube-api-burst int", "(default 300)"},
	        {"log-encoding string", "(default \"json\")"}, {"log-level string", "(default \"info\")"},
	        {"enable-leader-election", ""}, {"leader-election-release-on-cancel", "(default true)"},
	        {"leader-election-lease-duration duration", "(default 35s)"},
	        {"leader-election-renew-deadline duration", "(default 30s)"},
	        {"leader-election-retry-period duration", "(default 5s)"},
	        {"min-retry-delay duration", "(default 750ms)"},
	        {"max-retry-delay duration", "(default 15m0s)"},
	        {"interval-jitter-percentage", "(default 5)"}, {"feature-gates", ""},
	        {"token-cache-max-size int", "(default 100)"},
	        {"token-cache-max-duration duration", "(default 1h0m0s)"}, {"no-cross-namespace-refs", ""},
	        {"insecure-kubeconfig-exec", ""}, {"insecure-kubeconfig-tls", ""},
	        {"http-retry int", "(default 9)"}, {"override-manager", ""},
	        {"default-service-account string", ""}, {"default-kubeconfig-service-account string", ""},
	        {"default-decryption-service-account string", ""}, {"concurrent-ssa int", "(default 4)"},
	        {"no-remote-bases", ""}, {"sops-age-secret string", ""}, {"sops-vault-configmap string", ""},
	        {"custom-apply-stage-kinds string", ""}};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_autofree char *program = NULL;
	const char *build = getenv("FX_BUILD");
	ck_assert_int_gt(asprintf(&program, "%s/bin/kustomize-controller", build ? build : "build"), 0);
	const struct fx_test_command command = {.argv = (const char *const[]){program, "--help", NULL}};
	OK(fx_test_run(&command, &out, NULL, &err));
	for (size_t i = 0; i < FX_COUNT(lines); i++) {
		char start[80];
		snprintf(start, sizeof(start), "      --%s ", lines[i][0]);
		const char *line = strstr(fx_buf_str(&out), start);
		ck_assert_msg(line, "no line '%s' in %s", start, fx_buf_str(&out));
		fx_autofree char *text = strndup(line, strcspn(line, "\n"));
		const char *given = strstr(text, "(default");
		ck_assert_msg(
		        strcmp(given ? given : "", lines[i][1]) == 0, "'%s', want %s", text, lines[i][1]);
	}
}
END_TEST

/* Each gate is known, and told when it is given. */
START_TEST(gates)
{
	static const char *const names[] = {"ObjectLevelWorkloadIdentity", "CacheSecretsAndConfigMaps",
	        "DirectSourceFetch", "DisableConfigWatchers", "ExternalArtifact",
	        "AdditiveCELDependencyCheck", "CancelHealthCheckOnNewRevision", "DisableStatusPollerCache",
	        "DisableFailFastBehavior", "StrictPostBuildSubstitutions", "GroupChangeLog",
	        "MigrateAPIVersion"};
	fx_auto(buf) struct fx_buf flag = FX_BUF_INIT;
	fx_buf_add_str(&flag, "--feature-gates=");
	for (size_t i = 0; i < FX_COUNT(names); i++)
		fx_buf_addf(&flag, "%s%s=%s", i ? "," : "", names[i], i % 2 ? "false" : "true");
	restart((const char *const[]){fx_buf_str(&flag), NULL});
	fx_autofree char *log = house_log(&env.kustomize);
	for (size_t i = 0; i < FX_COUNT(names); i++) {
		char record[160];
		snprintf(record, sizeof(record),
		        "\"msg\":\"loading feature gate\",\"name\":\"%s\",\"enabled\":%s", names[i],
		        i % 2 ? "false" : "true");
		ck_assert_msg(strstr(log, record), "no %s", record);
	}
	restart(usual_args);
}
END_TEST

/* References that are not allowed: stalled, told once, not tried again. */
START_TEST(denied_sources)
{
	static const struct {
		const char *name, *ref, *message;
	} cases[] = {
	        {"other-namespace", "{kind: GitRepository, name: a, namespace: default}",
	                "can't access 'GitRepository/default/a', cross-namespace references have been "
	                "blocked"},
	        {"external", "{kind: ExternalArtifact, name: a}",
	                "can't access 'ExternalArtifact/" FX_TEST_NAMESPACE
	                "/a', ExternalArtifact feature gate is disabled"},
	};
	static const char terminal[] =
	        "controller_runtime_terminal_reconcile_errors_total{controller=\"kustomization\"}";
	restart((const char *const[]){"--min-retry-delay=100ms", "--no-cross-namespace-refs", NULL});
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		const struct fx_test_ref ref = {KIND, cases[i].name, NULL};
		fx_auto(json) json_t *object = NULL;
		OK(fx_test_env_apply(&env, &err,
		        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
		        "metadata: {name: %s}\nspec: {interval: 1h, prune: true, sourceRef: %s}\n",
		        cases[i].name, cases[i].ref));
		struct fx_test_condition want = {
		        .status = "False", .reason = "AccessDenied", .message = cases[i].message};
		OK(fx_test_env_wait_condition(&env, &ref, &want, 0, NULL, &err));
		want.type = "Stalled";
		want.status = "True";
		OK(fx_test_env_wait_condition(&env, &ref, &want, 0, &object, &err));
		OK(fx_test_env_wait_event(&env, &ref, "AccessDenied", cases[i].message, 0, &err));
		house_wait_metric(&env.kustomize, terminal, (double)i + 1);
	}
	ck_assert_msg(
	        house_metric(&env.kustomize, terminal) == FX_COUNT(cases), "a denied one was tried again");
	ck_assert(house_metric(&env.kustomize, "workqueue_retries_total{") == 0);
	for (size_t i = 0; i < FX_COUNT(cases); i++)
		house_delete(KIND, cases[i].name);
	restart(usual_args);
}
END_TEST

static bool has_key(void *arg, const json_t *object)
{
	const char *value = fx_json_str_at(object, "data", "key");
	return value && strcmp(value, arg) == 0;
}

/* A change of what spec.postBuild.substituteFrom names starts a run, when it is watched. */
START_TEST(watched_configs)
{
	static const struct {
		const char *name, *kind, *data, *labels, *flag;
		bool runs;
	} cases[] = {
	        {"labelled", "ConfigMap", "data", "{reconcile.fluxcd.io/watch: Enabled}", NULL, true},
	        {"labelled-secret", "Secret", "stringData", "{reconcile.fluxcd.io/watch: Enabled}", NULL,
	                true},
	        {"plain", "ConfigMap", "data", "{}", NULL, false},
	        {"everything", "ConfigMap", "data", "{}", "--watch-configs-label-selector=", true},
	        {"own-label", "ConfigMap", "data", "{seen: \"yes\"}", "--watch-configs-label-selector=seen",
	                true},
	        {"gate", "ConfigMap", "data", "{reconcile.fluxcd.io/watch: Enabled}",
	                "--feature-gates=DisableConfigWatchers=true", false},
	};
	static char one[] = "one", two[] = "two";
	house_source("configs");
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		const struct fx_test_ref applied = {"ConfigMap", "configs", "default"},
		                         ref = {KIND, "configs", NULL};
		char spec[200], change[200], token[FX_TEST_TOKEN];
		restart((const char *const[]){"--min-retry-delay=200ms", cases[i].flag, NULL});
		OK(fx_test_env_apply(&env, &err,
		        "apiVersion: v1\nkind: %s\nmetadata: {name: %s, labels: %s}\n%s: {word: one}\n",
		        cases[i].kind, cases[i].name, cases[i].labels, cases[i].data));
		snprintf(spec, sizeof(spec), ", postBuild: {substituteFrom: [{kind: %s, name: %s}]}",
		        cases[i].kind, cases[i].name);
		house_kustomization("configs", "configs", "", spec);
		OK(fx_test_env_wait(&env, &applied, has_key, one, 0, NULL, &err));
		house_wait(KIND, "configs", (struct fx_test_condition){.status = "True"});
		snprintf(change, sizeof(change), "{\"%s\":{\"word\":\"two\"}}", cases[i].data);
		house_patch(cases[i].kind, cases[i].name, NULL, change);
		if (cases[i].runs) {
			OK(fx_test_env_wait(&env, &applied, has_key, two, 0, NULL, &err));
		} else {
			/* Another run of this controller later nothing has happened; when asked it does. */
			house_kustomization("configs-pace", "configs", "", ", path: ./missing");
			house_wait(KIND, "configs-pace", (struct fx_test_condition){.status = "False"});
			house_delete(KIND, "configs-pace");
			fx_auto(json) json_t *object = house_get("ConfigMap", "configs", "default");
			ck_assert_msg(strcmp(fx_json_str_at(object, "data", "key"), "one") == 0, "%s",
			        cases[i].name);
			OK(fx_test_env_reconcile(&env, &ref, token, &err));
			OK(fx_test_env_wait(&env, &applied, has_key, two, 0, NULL, &err));
		}
		house_delete(KIND, "configs");
		house_delete(cases[i].kind, cases[i].name);
	}
	house_delete("GitRepository", "configs");
	restart(usual_args);
}
END_TEST

static bool is_untouched(const char *name, const char *namespace_)
{
	fx_auto(json) json_t *object = house_get(KIND, name, namespace_);
	return object && !fx_json_at(object, "metadata", "finalizers") &&
	       json_array_size(fx_json_at(object, "status", "conditions")) == 0;
}

/* Only its own objects, but sources and dependencies of any shard. */
START_TEST(shards)
{
	static const char key[] = ", labels: {sharding.fluxcd.io/key: b}";
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	/* The start of the selector's SHA-256. */
	const struct fx_test_ref lease = {
	        "Lease.coordination.k8s.io", "kustomize-controller-leader-election-defaf186", NULL};
	house_source("shard");
	restart((const char *const[]){"--enable-leader-election", "--min-retry-delay=200ms",
	        "--watch-label-selector=sharding.fluxcd.io/key in (a, b)", NULL});
	house_kustomization("other", "shard", "", ", targetNamespace: " FX_TEST_NAMESPACE);
	house_kustomization("mine", "shard", key, "");
	house_wait(KIND, "mine", (struct fx_test_condition){.status = "True"});
	ck_assert(is_untouched("other", NULL));
	fx_auto(json) json_t *held = NULL;
	OK(fx_test_env_get(&env, &lease, &held, &err));
	ck_assert_int_eq(fx_json_int_at(held, 0, "spec", "leaseDurationSeconds"), 35);
	const struct fx_test_ref told = {"Lease", lease.name, NULL};
	OK(fx_test_env_wait_event(&env, &told, "LeaderElection", " became leader", 0, &err));
	/* It moves to this shard. */
	house_patch(KIND, "other", NULL, "{\"metadata\":{\"labels\":{\"sharding.fluxcd.io/key\":\"a\"}}}");
	house_wait(KIND, "other", (struct fx_test_condition){.status = "True"});
	house_delete(KIND, "mine");
	house_delete(KIND, "other");
	house_delete("GitRepository", "shard");
	restart(usual_args);
	OK(fx_test_env_wait_event(&env, &told, "LeaderElection", " stopped leading", 0, &err));
}
END_TEST

START_TEST(one_namespace)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref elsewhere = {KIND, "elsewhere", "default"};
	house_source("place");
	restart((const char *const[]){"--watch-all-namespaces=false", NULL});
	house_kustomization("elsewhere", "place", ", namespace: default", "");
	house_kustomization("here", "place", "", "");
	house_wait(KIND, "here", (struct fx_test_condition){.status = "True"});
	ck_assert(is_untouched("elsewhere", "default"));
	OK(fx_test_env_delete(&env, &elsewhere, &err));
	house_delete(KIND, "here");
	house_delete("GitRepository", "place");
	restart(usual_args);
}
END_TEST

/* The account of the object's namespace, and when it is gone, nothing is pruned in another name. */
START_TEST(acts_as_an_account)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {KIND, "tenant", NULL}, account = {"ServiceAccount", "tenant", NULL};
	house_source("tenant");
	restart((const char *const[]){"--min-retry-delay=200ms", "--default-service-account=tenant", NULL});
	house_kustomization("tenant", "tenant", "", ", retryInterval: 1s");
	if (env.real)
		house_wait(KIND, "tenant",
		        (struct fx_test_condition){.status = "False",
		                .reason = "ReconciliationFailed",
		                .message = "User \"system:serviceaccount:" FX_TEST_NAMESPACE
		                           ":tenant\" cannot"});
	house_apply(
	        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: tenant, namespace: " FX_TEST_NAMESPACE
	        "}\n---\n"
	        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n"
	        "metadata: {name: tenant, namespace: default}\n"
	        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}\n"
	        "subjects: [{kind: ServiceAccount, name: tenant, namespace: " FX_TEST_NAMESPACE "}]\n");
	house_wait(KIND, "tenant", (struct fx_test_condition){.status = "True"});
	if (!env.real) {
		fx_auto(buf) struct fx_buf list = FX_BUF_INIT;
		OK(fx_test_apiserver_request(&env.embedded, "GET", "/_requests", NULL, &list, &err));
		ck_assert_msg(
		        strstr(fx_buf_str(&list), "\"system:serviceaccount:" FX_TEST_NAMESPACE ":tenant\""),
		        "%s", fx_buf_str(&list));
	}
	OK(fx_test_env_delete(&env, &account, &err));
	OK(fx_test_env_delete(&env, &ref, &err));
	OK(fx_test_env_wait_event(
	        &env, &ref, NULL, "unable to prune objects: \nConfigMap/default/tenant", 0, &err));
	OK(fx_test_env_wait_gone(&env, &ref, 0, &err));
	fx_auto(json) json_t *left = house_get("ConfigMap", "tenant", "default");
	ck_assert_ptr_nonnull(left);
	house_delete("GitRepository", "tenant");
	restart(usual_args);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("process of kustomize-controller");
	TCase *tc = tcase_create("process");
	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, bad_starts);
	tcase_add_test(tc, flags);
	tcase_add_test(tc, gates);
	tcase_add_test(tc, denied_sources);
	tcase_add_test(tc, watched_configs);
	tcase_add_test(tc, shards);
	tcase_add_test(tc, one_namespace);
	tcase_add_test(tc, acts_as_an_account);
	suite_add_tcase(suite, tc);
	return suite;
}

static const struct fx_test_env_options options = {.kustomize = true, .kustomize_args = usual_args};

FX_ENV_MAIN(make_suite, &options)
