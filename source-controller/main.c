/* source-controller: flags, storage, artifact server, one controller a kind. */
#include "artifact/server.h"
#include "core/log.h"
#include "source-controller/gitrepository.h"
#include "source-controller/source.h"

#include <string.h>

#define CONCURRENT_DEFAULT 2
/* Within the ten seconds that Kubernetes gives the pod (terminationGracePeriodSeconds). */
#define GRACE_MS 7000

struct own_options {
	const char *storage_path;
	const char *storage_addr;
	const char *storage_adv_addr;
	int64_t retention_ttl_ns;
	int64_t retention_records;
	const char *digest_algo;
	/* Accepted for the kinds and protocols that come later. */
	int64_t helm_index_max, helm_chart_max, helm_chart_file_max, helm_cache_max;
	const char *helm_cache_ttl, *helm_cache_purge;
	struct fx_string_list ssh_kex, ssh_hostkey;
};

struct program {
	struct own_options own;
	struct fx_source_env env;
	struct fx_artifact_server *server;
};

static const char *env_or(const char *name, const char *fallback)
{
	const char *value = getenv(name);
	return value && *value ? value : fallback;
}

static void init_own(struct own_options *o)
{
	*o = (struct own_options){
	        .storage_path = env_or("STORAGE_PATH", "/data"),
	        .storage_addr = env_or("STORAGE_ADDRESS", ":9090"),
	        .storage_adv_addr = env_or("STORAGE_ADV_ADDR", ""),
	        .retention_ttl_ns = 60 * 1000000000LL,
	        .retention_records = 2,
	        .digest_algo = "sha256",
	        .helm_index_max = 52428800,
	        .helm_chart_max = 10485760,
	        .helm_chart_file_max = 5242880,
	        .helm_cache_ttl = "15m",
	        .helm_cache_purge = "1m",
	};
}

static struct fx_gate gates[] = {
        {"CacheSecretsAndConfigMaps", false, false},
        {"ObjectLevelWorkloadIdentity", false, false},
        {0},
};

static int open_store(struct program *p, struct fx_error *err)
{
	enum fx_digest_algo algo;
	int rc = fx_digest_algo_parse(p->own.digest_algo, &algo, err);
	if (rc < 0)
		return fx_error_wrap(err, "--artifact-digest-algo");
	if (p->own.retention_records < 0 || p->own.retention_records > 1000000)
		return fx_fail(err, FX_E_INVALID, "--artifact-retention-records %lld is out of range",
		        (long long)p->own.retention_records);
	struct fx_store_options options = {
	        .path = p->own.storage_path,
	        .addr = p->own.storage_addr,
	        .adv_addr = p->own.storage_adv_addr,
	        .retention_ttl_ms = p->own.retention_ttl_ns / 1000000,
	        .retention_records = (int)p->own.retention_records,
	        .algo = algo,
	};
	return fx_store_new(&options, &p->env.store, err);
}

/* Artifacts are served by the leader alone: a follower's storage is not the one written to. */
static int lead(void *arg, struct fx_manager *manager, struct fx_error *err)
{
	struct program *p = arg;
	(void)manager;
	return fx_artifact_server_new(p->env.store, p->own.storage_addr, &p->server, err);
}

static void stop(void *arg, struct fx_manager *manager)
{
	struct program *p = arg;
	(void)manager;
	fx_artifact_server_free(p->server);
	p->server = NULL;
}

/* A default identity is one of an object, and those are behind a gate. */
static int check_identity(const struct fx_options *options, struct fx_error *err)
{
	if (!*options->default_service_account || fx_gate_enabled(gates, "ObjectLevelWorkloadIdentity"))
		return 0;
	return fx_fail(err, FX_E_INVALID,
	        "--default-service-account needs the feature gate ObjectLevelWorkloadIdentity "
	        "(--feature-gates=ObjectLevelWorkloadIdentity=true)");
}

static int run(struct program *p, const struct fx_options *options, struct fx_error *err)
{
	struct fx_manager manager;
	struct fx_manager_options manager_options = {
	        .component = "source-controller",
	        .options = options,
	        .gates = gates,
	        .hooks = {.lead = lead, .stop = stop, .arg = p},
	        .grace_ms = GRACE_MS,
	};
	struct fx_source_kind kind;
	struct fx_controller *controller = NULL;
	int rc = fx_manager_init(&manager, &manager_options, err);
	if (rc == 0)
		rc = fx_gitrepository_new(&p->env, &kind, &controller, err);
	if (rc == 0)
		rc = fx_manager_add(&manager, controller, err);
	if (rc == 0)
		rc = fx_manager_run(&manager, err);
	fx_manager_release(&manager);
	return rc;
}

int main(int argc, char **argv)
{
	struct fx_options options;
	struct program program = {0};
	init_own(&program.own);
	fx_options_init(&options, CONCURRENT_DEFAULT);
	struct own_options *o = &program.own;
	const struct fx_flag flags[] = {
	        {"storage-path", FX_FLAG_STRING, &o->storage_path, "folder of the artifacts"},
	        {"storage-addr", FX_FLAG_STRING, &o->storage_addr, "address of the artifact server"},
	        {"storage-adv-addr", FX_FLAG_STRING, &o->storage_adv_addr,
	                "address of it that consumers are told"},
	        {"artifact-retention-ttl", FX_FLAG_DURATION, &o->retention_ttl_ns,
	                "time old artifacts are kept"},
	        {"artifact-retention-records", FX_FLAG_INT, &o->retention_records,
	                "artifacts kept for each object"},
	        {"artifact-digest-algo", FX_FLAG_STRING, &o->digest_algo,
	                "sha1, sha256, sha384, sha512 or blake3"},
	        {"helm-index-max-size", FX_FLAG_INT, &o->helm_index_max, "largest Helm index in bytes"},
	        {"helm-chart-max-size", FX_FLAG_INT, &o->helm_chart_max, "largest Helm chart in bytes"},
	        {"helm-chart-file-max-size", FX_FLAG_INT, &o->helm_chart_file_max,
	                "largest file of a Helm chart"},
	        {"helm-cache-max-size", FX_FLAG_INT, &o->helm_cache_max,
	                "Helm indexes kept in memory; 0: none"},
	        {"helm-cache-ttl", FX_FLAG_STRING, &o->helm_cache_ttl, "time a Helm index is kept"},
	        {"helm-cache-purge-interval", FX_FLAG_STRING, &o->helm_cache_purge,
	                "time between two purges"},
	        {"ssh-kex-algos", FX_FLAG_STRINGS, &o->ssh_kex, "SSH key exchange algorithms"},
	        {"ssh-hostkey-algos", FX_FLAG_STRINGS, &o->ssh_hostkey, "SSH host key algorithms"},
	        {0},
	};
	int code = fx_options_start(&options, "source-controller", argc, argv, flags, gates);
	if (code < 0) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		code = check_identity(&options, &err) < 0 || open_store(&program, &err) < 0 ||
		       run(&program, &options, &err) < 0;
		if (code)
			fx_log_error("setup", "unable to run source-controller", fx_error_message(&err));
	}
	fx_store_free(program.env.store);
	fx_vec_release(&o->ssh_kex);
	fx_vec_release(&o->ssh_hostkey);
	return code;
}
