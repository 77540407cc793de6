/*
 * Credentials in Secrets and values in ConfigMaps, with the error texts of Flux. Values never
 * appear in an error. Pure but for the readers, which are [worker].
 *
 * Source: runtime reference, section 18.
 */
#ifndef FX_KUBE_SECRET_H
#define FX_KUBE_SECRET_H

#include "kube/client.h"

/* A proxy address longer than this is refused. */
#define FX_SECRET_PROXY_ADDRESS_MAX 2048

/* [worker] FX_E_NOT_FOUND `secret 'ns/n' not found` (`configmap 'ns/n' not found`). New reference. */
int fx_secret_get(struct fx_kube *kube, const char *namespace_, const char *name, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err) fx_must_use;
int fx_configmap_get(struct fx_kube *kube, const char *namespace_, const char *name, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err) fx_must_use;

/* The decoded value of a key of data, NUL-terminated and owned by the caller (free(3)); *out_len may be NULL.
 * FX_E_NOT_FOUND `secret 'ns/n': key 'k' not found`, FX_E_INVALID for bad base64. */
int fx_secret_value(
        const json_t *secret, const char *key, char **out, size_t *out_len, struct fx_error *err) fx_must_use;
/* NULL when the key is not there (or cannot be decoded). Owned by the caller. */
char *fx_secret_value_or_null(const json_t *secret, const char *key, size_t *out_len) fx_must_use;
bool fx_secret_has(const json_t *secret, const char *key);

/* Of data, else of binaryData (decoded). `configmap 'ns/n': key 'k' not found`. */
int fx_configmap_value(const json_t *configmap, const char *key, char **out, size_t *out_len,
        struct fx_error *err) fx_must_use;

/* Every key of a Secret's data or a ConfigMap's data, decoded; sorted by key. A negative result of each ends
 * it. */
int fx_secret_each(const json_t *secret,
        int (*each)(void *arg, const char *key, const char *value, size_t len, struct fx_error *err),
        void *arg, struct fx_error *err) fx_must_use;

/* All members owned, NULL when absent. Released (and wiped) by fx_secret_auth_release(). */
struct fx_secret_auth {
	char *username, *password;
	char *bearer;
	char *token;
	char *cert_pem, *key_pem, *ca_pem;
	bool legacy_tls_keys; /* certFile, keyFile or caFile was used: worth a log line */
};
#define FX_SECRET_AUTH_INIT                                                                                  \
	{                                                                                                    \
		0                                                                                            \
	}
void fx_secret_auth_release(struct fx_secret_auth *auth);
static inline void fx_auto_secret_auth(struct fx_secret_auth *auth)
{
	fx_secret_auth_release(auth);
}

/* username and password; neither: FX_E_NOT_FOUND, one: FX_E_INVALID `secret 'ns/n': malformed basic auth -
 * ...`. */
int fx_secret_basic_auth(const json_t *secret, struct fx_secret_auth *auth, struct fx_error *err) fx_must_use;
/* tls.crt, tls.key, ca.crt (legacy names accepted). FX_E_INVALID with the texts of section 18. */
int fx_secret_tls(const json_t *secret, struct fx_secret_auth *auth, struct fx_error *err) fx_must_use;
/* All methods that the Secret has; missing keys and incomplete TLS are no error, malformed basic auth is. */
int fx_secret_auth(const json_t *secret, struct fx_secret_auth *auth, struct fx_error *err) fx_must_use;

/* address with username and password. FX_E_INVALID for a scheme other than http, https, socks5 or a length
 * above the maximum. Outputs owned by the caller; user and password are NULL when absent. */
int fx_secret_proxy(const json_t *secret, char **out_address, char **out_user, char **out_password,
        struct fx_error *err) fx_must_use;

/* The kubeconfig of a Secret: key, else `value`, else `value.yaml`, with the error text of section 17. Owned.
 */
int fx_secret_kubeconfig(
        const json_t *secret, const char *key, char **out, size_t *out_len, struct fx_error *err) fx_must_use;

#endif
