/* kustomize-controller: applies what sources hold to the cluster. */
#include "build.h"
#include "reconciler.h"
#include "watches.h"

#include <string.h>

#define PROGRAM "kustomize-controller"

static struct fx_options options;
static struct fx_ks_flags flags = {.concurrent_ssa = 4, .http_retry = 9};

/* Order: enum fx_ks_gate. */
static struct fx_gate gates[] = {
        {.name = "CacheSecretsAndConfigMaps"},
        {.name = "DisableStatusPollerCache", .enabled = true},
        {.name = "DisableFailFastBehavior"},
        {.name = "StrictPostBuildSubstitutions", .enabled = true},
        {.name = "GroupChangeLog"},
        {.name = "AdditiveCELDependencyCheck"},
        {.name = "ExternalArtifact"},
        {.name = "CancelHealthCheckOnNewRevision"},
        {.name = "DisableConfigWatchers"},
        {.name = "DirectSourceFetch"},
        {.name = "MigrateAPIVersion"},
        {.name = "ObjectLevelWorkloadIdentity"},
        {0},
};
_Static_assert(FX_COUNT(gates) == FX_KS_GATE_COUNT + 1, "one gate for each enum fx_ks_gate");

static const struct fx_flag own_flags[] = {
        {"concurrent-ssa", FX_FLAG_INT, &flags.concurrent_ssa, "dry runs of one Kustomization at a time"},
        {"no-remote-bases", FX_FLAG_BOOL, &flags.no_remote_bases,
                "overlays may name only files of the artifact"},
        {"http-retry", FX_FLAG_INT, &flags.http_retry, "tries of an artifact download after the first"},
        {"no-cross-namespace-refs", FX_FLAG_BOOL, &flags.no_cross_namespace_refs,
                "sources must be in the Kustomization's namespace"},
        {"insecure-kubeconfig-exec", FX_FLAG_BOOL, &flags.insecure_kubeconfig_exec,
                "kubeconfigs may run credential plugins"},
        {"insecure-kubeconfig-tls", FX_FLAG_BOOL, &flags.insecure_kubeconfig_tls,
                "kubeconfigs may turn TLS verification off"},
        {"default-decryption-service-account", FX_FLAG_STRING, &flags.default_decryption_service_account,
                "service account for decryption when the object names none"},
        {"default-kubeconfig-service-account", FX_FLAG_STRING, &flags.default_kubeconfig_service_account,
                "service account for remote clusters when the object names none"},
        {"sops-age-secret", FX_FLAG_STRING, &flags.sops_age_secret,
                "Secret with age keys for all Kustomizations"},
        {"sops-vault-configmap", FX_FLAG_STRING, &flags.sops_vault_configmap,
                "ConfigMap with Vault login paths"},
        {"override-manager", FX_FLAG_STRINGS, &flags.override_managers,
                "field manager whose fields are taken over, repeatable"},
        {"custom-apply-stage-kinds", FX_FLAG_STRING, &flags.custom_apply_stage_kinds,
                "kinds (group/Kind,...) that are applied before the rest"},
        {0},
};

static int make_fetcher(struct fx_ks *ks, const char *variable, struct fx_fetcher **out, struct fx_error *err)
{
	/* Retries are a state of the Kustomization (reconciler.c). */
	struct fx_fetcher_options o = {.http = ks->manager->http, .host = getenv(variable)};
	return fx_fetcher_new(&o, out, err);
}

static int on_start(void *arg, struct fx_manager *manager, struct fx_error *err)
{
	struct fx_ks *ks = arg;
	ks->manager = manager;
	int rc = make_fetcher(ks, "SOURCE_CONTROLLER_LOCALHOST", &ks->fetcher, err);
	if (rc == 0)
		rc = make_fetcher(ks, "SOURCE_WATCHER_LOCALHOST", &ks->watcher_fetcher, err);
	return rc < 0 ? rc : fx_ks_watches_start(ks, err);
}

static int on_lead(void *arg, struct fx_manager *manager, struct fx_error *err)
{
	(void)manager;
	return fx_ks_watches_wait(arg, err);
}

static void on_stop(void *arg, struct fx_manager *manager)
{
	struct fx_ks *ks = arg;
	(void)manager;
	fx_ks_watches_stop(ks);
	fx_fetcher_free(ks->fetcher);
	fx_fetcher_free(ks->watcher_fetcher);
}

static int prepare(struct fx_ks *ks, struct fx_error *err)
{
	ks->overrides = (struct fx_overrides){flags.override_managers.items, flags.override_managers.len};
	if (!gates[FX_KS_GATE_OBJECT_IDENTITY].enabled &&
	        ((flags.default_decryption_service_account && *flags.default_decryption_service_account) ||
	                (flags.default_kubeconfig_service_account &&
	                        *flags.default_kubeconfig_service_account)))
		return fx_fail(err, FX_E_INVALID,
		        "cannot set default service accounts when the feature gate "
		        "ObjectLevelWorkloadIdentity is not enabled");
	return fx_stage_kinds_parse(
	        flags.custom_apply_stage_kinds ? flags.custom_apply_stage_kinds : "", &ks->stage_kinds, err);
}

static int run(struct fx_ks *ks, struct fx_error *err)
{
	fx_cleanup(fx_manager_release) struct fx_manager manager = {0};
	struct fx_manager_options manager_options = {.component = PROGRAM,
	        .options = &options,
	        .gates = gates,
	        .hooks = {.start = on_start, .lead = on_lead, .stop = on_stop, .arg = ks}};
	struct fx_controller_options controller = {.name = "kustomization",
	        .kind = FX_KS_KIND,
	        .group = FX_KS_GROUP,
	        .version = "v1",
	        .resource = "kustomizations",
	        .field_manager = FX_KS_STATUS_MANAGER,
	        .reconcile = fx_ks_reconcile,
	        .on_seen = fx_ks_on_seen,
	        .on_gone = fx_ks_on_gone,
	        .arg = ks};
	int rc = fx_manager_init(&manager, &manager_options, err);
	if (rc == 0)
		rc = fx_controller_new(&controller, &ks->controller, err);
	if (rc == 0)
		rc = fx_manager_add(&manager, ks->controller, err);
	if (rc == 0)
		rc = fx_manager_run(&manager, err);
	return rc;
}

int main(int argc, char **argv)
{
	static struct fx_ks ks = {.flags = &flags, .options = &options, .gates = gates};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (argc > 1 && !strcmp(argv[1], "build"))
		return fx_build_command(argc - 1, argv + 1);
	fx_options_init(&options, 4);
	int code = fx_options_start(&options, PROGRAM, argc, argv, own_flags, gates);
	if (code >= 0)
		return code;
	fx_ks_states_init(&ks.states);
	int rc = prepare(&ks, &err);
	if (rc == 0)
		rc = run(&ks, &err);
	if (rc < 0)
		fx_log_error("setup", "problem running manager", fx_error_message(&err), {0});
	fx_ks_states_release(&ks.states);
	return rc < 0 ? 1 : 0;
}
