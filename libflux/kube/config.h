/*
 * Where the API server is and who we are: from a kubeconfig, or from the service account of
 * the pod. A configuration is immutable once loaded; the files of token and CA are read again by the
 * client.
 */
#ifndef FX_KUBE_CONFIG_H
#define FX_KUBE_CONFIG_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* A larger kubeconfig or credential file is refused. */
#define FX_KUBE_CONFIG_MAX (4 * 1024 * 1024)
/* Files in a KUBECONFIG list. */
#define FX_KUBE_CONFIG_FILES_MAX 64

/* A credential plugin (client.authentication.k8s.io). */
struct fx_kube_exec {
	char *api_version;
	char *command;
	char **args; /* NULL-terminated */
	char **env;  /* NULL-terminated, "NAME=value" */
};

/* All strings owned, NULL when unset; PEM texts are decoded. */
struct fx_kube_config {
	char *server; /* "https://host:port[/prefix]", no slash at the end */
	char *namespace_;
	char *ca_pem;
	char *ca_file; /* where ca_pem came from, NULL: no file; read again as the token's file is */
	char *cert_pem;
	char *key_pem;
	char *tls_server_name;
	bool insecure_skip_tls_verify;
	char *token;
	char *token_file; /* beats token; read again at most once a minute */
	char *username;
	char *password;
	char *proxy_url;
	char *impersonate_user;
	struct fx_kube_exec *exec;
	bool disable_compression;
};

void fx_kube_config_free(struct fx_kube_config *config);
FX_DEFINE_AUTO(kube_config, struct fx_kube_config, fx_kube_config_free)

/* What a kubeconfig from outside may do. Source: runtime reference, section 17. */
struct fx_kube_config_policy {
	bool allow_files;         /* certificate, key and token files */
	bool allow_exec;          /* else credential plugins are dropped */
	bool allow_insecure;      /* insecure-skip-tls-verify, else it is dropped */
	bool allow_impersonation; /* as, else it is dropped */
	const char *directory;    /* relative file names start here; NULL: the working directory */
	const char *context;      /* NULL: current-context */
};

/* A kubeconfig of len bytes, YAML or JSON. FX_E_PARSE, FX_E_INVALID (no such context, cluster,
 * user, bad base64), FX_E_IO, FX_E_NOT_FOUND (files). Owned by the caller. */
int fx_kube_config_parse(const char *text, size_t len, const struct fx_kube_config_policy *policy,
        struct fx_kube_config **out, struct fx_error *err) fx_must_use;

/* Reads one file or a colon separated list of them (the first that names a thing wins, files
 * that are not there are skipped, relative paths are relative to their own file). Everything
 * is allowed. */
int fx_kube_config_read(const char *paths, const char *context, struct fx_kube_config **out,
        struct fx_error *err) fx_must_use;

/* The pod's service account: KUBERNETES_SERVICE_HOST and _PORT, and the files token,
 * ca.crt and namespace below directory (NULL: /var/run/secrets/kubernetes.io/serviceaccount).
 * FX_E_NOT_FOUND outside a pod. */
int fx_kube_config_in_cluster(
        const char *directory, struct fx_kube_config **out, struct fx_error *err) fx_must_use;

/* What a controller uses: path when given (--kubeconfig), else KUBECONFIG, else in-cluster,
 * else ~/.kube/config. */
int fx_kube_config_load(const char *path, struct fx_kube_config **out, struct fx_error *err) fx_must_use;

/* The controller's own namespace: RUNTIME_NAMESPACE, else the service account's file.
 * FX_E_NOT_FOUND. Owned by the caller. */
int fx_kube_own_namespace(char **out, struct fx_error *err) fx_must_use;

#endif
