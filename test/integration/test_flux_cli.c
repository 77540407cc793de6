/* The upstream flux command line on our controllers, unmodified: what it says and its exit status. Skipped
 * where it is not installed (by test/cluster/tools.sh, or at FLUX_BIN), and on the embedded API server. */
#include "test/integration/tool.h"

#include <unistd.h>

#define RUN_TIMEOUT_MS 30000

static char flux[512];
static char first[41], second[41];

static const struct fx_test_file files[] = {
        {"app/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: default}\n"
                            "data: {level: info}\n"},
        {"app/claim.yaml", "apiVersion: v1\nkind: ServiceAccount\n"
                           "metadata: {name: runner, namespace: default}\n"},
        {NULL, NULL}};

/* Every part (NULL ends them) is in the text. */
static void expect_parts(const struct fx_buf *text, const char *command, const char *const *parts)
{
	for (; *parts; parts++)
		ck_assert_msg(strstr(text->data ? text->data : "", *parts), "flux %s: no '%s' in:\n%s",
		        command, *parts, text->data ? text->data : "");
}

/* `flux COMMAND` ends with the status and says each part. */
#define expect_flux(want_status, command, ...)                                                               \
	do {                                                                                                 \
		fx_auto(buf) struct fx_buf text_ = FX_BUF_INIT;                                              \
		int status_ = run_tool(&text_, flux, RUN_TIMEOUT_MS, "%s", (command));                       \
		ck_assert_msg(status_ == (want_status), "flux %s: status %d:\n%s", (command), status_,       \
		        fx_buf_str(&text_));                                                                 \
		expect_parts(&text_, (command), (const char *const[]){__VA_ARGS__, NULL});                   \
	} while (0)

static void expect_ready(const char *name, const char *revision)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref ref = {"Kustomization", name, NULL};
	const struct fx_test_condition want = {.status = "True", .revision = revision};
	ck_assert_ok(fx_test_env_wait_condition(&env, &ref, &want, 0, NULL, &err), &err);
}

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_test_git_create(&env.git, "fleet", &err), &err);
	ck_assert_ok(fx_test_git_commit(&env.git, "fleet", "main", "first", files, first, &err), &err);
	ck_assert_ok(fx_test_env_apply(&env, &err,
	                     "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
	                     "metadata: {name: fleet}\n"
	                     "spec: {interval: 1h, url: \"%s/fleet.git\", ref: {branch: main}}\n---\n"
	                     "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
	                     "metadata: {name: app}\n"
	                     "spec:\n  interval: 1h\n  retryInterval: 1s\n  prune: true\n  path: ./app\n"
	                     "  sourceRef: {kind: GitRepository, name: fleet}\n",
	                     env.git.url),
	        &err);
	expect_ready("app", first);
}

START_TEST(get)
{
	char revision[64], applied[96], stored[128];
	snprintf(revision, sizeof(revision), "main@sha1:%.8s", first);
	snprintf(applied, sizeof(applied), "Applied revision: %s", revision);
	snprintf(stored, sizeof(stored), "stored artifact for revision '%s", revision);
	expect_flux(0, "get all", "gitrepository/fleet", "kustomization/app", revision, applied);
	expect_flux(0, "get sources git", "NAME", "fleet", "True", stored);
	expect_flux(0, "get kustomizations app", "app", "True", applied);
	expect_flux(0, "get ks --status-selector ready=true", "app");
	expect_flux(
	        1, "get ks absent", "Kustomization object 'absent' not found in \"flux-system\" namespace");
}
END_TEST

START_TEST(reconcile)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	char fetched[96], applied[96];
	ck_assert_ok(fx_test_git_commit(&env.git, "fleet", "main", "second",
	                     (const struct fx_test_file[]){
	                             {"app/more.yaml", "apiVersion: v1\nkind: ConfigMap\n"
	                                               "metadata: {name: more, namespace: default}\n"},
	                             {NULL, NULL}},
	                     second, &err),
	        &err);
	snprintf(fetched, sizeof(fetched), "fetched revision main@sha1:%s", second);
	snprintf(applied, sizeof(applied), "applied revision main@sha1:%s", second);
	expect_flux(0, "reconcile ks app --with-source", "annotating GitRepository fleet in flux-system",
	        fetched, "annotating Kustomization app in flux-system",
	        "waiting for Kustomization reconciliation", applied);
	/* Nothing new. */
	expect_flux(0, "reconcile source git fleet", "GitRepository annotated", fetched);
	expect_flux(0, "reconcile kustomization app", "Kustomization annotated", applied);
	expect_flux(1, "reconcile ks absent", "not found");
}
END_TEST

START_TEST(suspend_and_resume)
{
	expect_flux(0, "suspend ks app", "suspending kustomization app", "kustomization suspended");
	expect_flux(0, "get ks app", "True");
	expect_flux(1, "reconcile ks app", "resource is suspended");
	expect_flux(0, "resume ks app", "kustomization resumed", "waiting for Kustomization reconciliation",
	        "Kustomization app reconciliation completed", "applied revision main@sha1:");
	expect_flux(0, "suspend source git fleet", "source git suspended");
	expect_flux(1, "reconcile source git fleet", "resource is suspended");
	expect_flux(0, "resume source git fleet", "source git resumed",
	        "GitRepository fleet reconciliation completed", "fetched revision main@sha1:");
}
END_TEST

START_TEST(looking)
{
	expect_flux(0, "events --for Kustomization/app", "ReconciliationSucceeded", "Kustomization/app",
	        "Reconciliation finished in", "ConfigMap/default/config created");
	expect_flux(
	        0, "events --for GitRepository/fleet", "NewArtifact", "stored artifact for commit 'first'");
	expect_flux(0, "tree ks app", "Kustomization/flux-system/app", "ConfigMap/default/config",
	        "ServiceAccount/default/runner");
	expect_flux(0, "trace config --kind ConfigMap --api-version v1 --namespace default",
	        "ConfigMap/config", "Managed by Flux", "Kustomization:   app", "Path:            ./app",
	        "GitRepository:   fleet", "Message:         Applied revision: main@sha1:",
	        "Message:         stored artifact for revision");
	expect_flux(0, "stats", "RECONCILERS", "GitRepository", "Kustomization");
}
END_TEST

START_TEST(export)
{
	expect_flux(0, "export ks app", "apiVersion: kustomize.toolkit.fluxcd.io/v1", "kind: Kustomization",
	        "  name: app", "  path: ./app");
	expect_flux(0, "export source git --all", "apiVersion: source.toolkit.fluxcd.io/v1",
	        "kind: GitRepository", "/fleet.git");
}
END_TEST

START_TEST(failure_and_delete)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_test_ref app = {"Kustomization", "app", NULL};
	ck_assert_ok(fx_test_env_patch(&env, &app, &err, "{\"spec\":{\"path\":\"./nowhere\"}}"), &err);
	const struct fx_test_condition want = {.status = "False", .reason = "ArtifactFailed"};
	ck_assert_ok(fx_test_env_wait_condition(&env, &app, &want, 0, NULL, &err), &err);
	/* It is retried, so that the command line waits as long as it is told to. */
	expect_flux(1, "reconcile ks app --timeout=3s", "Kustomization annotated", "deadline exceeded");
	expect_flux(0, "get ks app", "False", "kustomization path not found");
	expect_flux(0, "delete ks app --silent", "kustomization deleted");
	ck_assert_ok(
	        fx_test_env_wait_gone(&env, &(struct fx_test_ref){"ConfigMap", "config", "default"}, 0, &err),
	        &err);
	expect_flux(0, "delete source git fleet --silent", "source git deleted");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("flux command line");
	TCase *tc = tcase_create("flux");
	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_add_test(tc, get);
	tcase_add_test(tc, reconcile);
	tcase_add_test(tc, suspend_and_resume);
	tcase_add_test(tc, looking);
	tcase_add_test(tc, export);
	tcase_add_test(tc, failure_and_delete);
	suite_add_tcase(suite, tc);
	return suite;
}

static bool find_flux(void)
{
	const char *bin = getenv("FLUX_BIN"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (bin && *bin)
		snprintf(flux, sizeof(flux), "%s", bin);
	else if (cache && *cache)
		snprintf(flux, sizeof(flux), "%s/flux-in-c/tools/bin/flux", cache);
	else
		snprintf(flux, sizeof(flux), "%s/.cache/flux-in-c/tools/bin/flux", home ? home : "");
	return access(flux, X_OK) == 0;
}

int main(void)
{
	static const struct fx_test_env_options options = {.kustomize = true};
	const char *api = getenv("FX_TEST_API");
	if (!api || strcmp(api, "real") != 0) {
		fprintf(stderr, "test_flux_cli: for the real API server only\n");
		return FX_TEST_EXIT_SKIPPED;
	}
	if (!find_flux()) {
		fprintf(stderr, "test_flux_cli: no flux at %s; set FLUX_BIN or run test/cluster/tools.sh\n",
		        flux);
		return FX_TEST_EXIT_SKIPPED;
	}
	return fx_env_main(make_suite, &options);
}
