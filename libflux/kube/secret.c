#include "kube/secret.h"

#include "data/base64.h"
#include "data/crypto.h"
#include "kube/object.h"

#include <string.h>

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* "secret 'ns/n'" in front of a message of ours. */
static int fail_of(const json_t *object, const char *noun, struct fx_error *err, enum fx_error_code code,
        const char *fmt, ...) fx_printf(5, 6);
static int fail_of(const json_t *object, const char *noun, struct fx_error *err, enum fx_error_code code,
        const char *fmt, ...)
{
	struct fx_buf text = FX_BUF_INIT;
	va_list ap;
	fx_buf_addf(&text, "%s '%s/%s'", noun, fx_object_namespace(object), fx_object_name(object));
	va_start(ap, fmt);
	fx_buf_addv(&text, fmt, ap);
	va_end(ap);
	int rc = fx_fail(err, code, "%s", fx_buf_str(&text));
	fx_buf_release(&text);
	return rc;
}

static int get_named(struct fx_kube *kube, const char *resource, const char *noun, const char *namespace_,
        const char *name, struct fx_cancel *cancel, json_t **out, struct fx_error *err)
{
	const struct fx_kube_path path = {
	        .version = "v1", .resource = resource, .namespace_ = namespace_, .name = name};
	int rc = fx_kube_get(kube, &path, cancel, out, err);
	if (rc == -FX_E_NOT_FOUND)
		return fx_fail(err, FX_E_NOT_FOUND, "%s '%s/%s' not found", noun, namespace_, name);
	return rc;
}

int fx_secret_get(struct fx_kube *kube, const char *namespace_, const char *name, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err)
{
	return get_named(kube, "secrets", "secret", namespace_, name, cancel, out, err);
}

int fx_configmap_get(struct fx_kube *kube, const char *namespace_, const char *name, struct fx_cancel *cancel,
        json_t **out, struct fx_error *err)
{
	return get_named(kube, "configmaps", "configmap", namespace_, name, cancel, out, err);
}

bool fx_secret_has(const json_t *secret, const char *key)
{
	return fx_json_str_at(secret, "data", key) != NULL;
}

char *fx_secret_value_or_null(const json_t *secret, const char *key, size_t *out_len)
{
	const char *text = fx_json_str_at(secret, "data", key);
	return text ? fx_base64_decode(text, strlen(text), out_len) : NULL;
}

int fx_secret_value(const json_t *secret, const char *key, char **out, size_t *out_len, struct fx_error *err)
{
	if (!fx_secret_has(secret, key))
		return fail_of(secret, "secret", err, FX_E_NOT_FOUND, ": key '%s' not found", key);
	char *value = fx_secret_value_or_null(secret, key, out_len);
	if (!value)
		return fail_of(secret, "secret", err, FX_E_INVALID, ": key '%s' is not valid base64", key);
	*out = value;
	return 0;
}

int fx_configmap_value(
        const json_t *configmap, const char *key, char **out, size_t *out_len, struct fx_error *err)
{
	const json_t *text = fx_json_at(configmap, "data", key);
	const char *binary = fx_json_str_at(configmap, "binaryData", key);
	size_t len = json_string_length(text);
	char *value;
	if (json_is_string(text)) {
		value = malloc(len + 1);
		if (value)
			memcpy(value, json_string_value(text), len + 1);
	} else if (binary) {
		value = fx_base64_decode(binary, strlen(binary), &len);
	} else {
		return fail_of(configmap, "configmap", err, FX_E_NOT_FOUND, ": key '%s' not found", key);
	}
	if (!value)
		return fail_of(
		        configmap, "configmap", err, FX_E_INVALID, ": key '%s' cannot be decoded", key);
	if (out_len)
		*out_len = len;
	*out = value;
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int fx_secret_each(const json_t *secret,
        int (*each)(void *arg, const char *key, const char *value, size_t len, struct fx_error *err),
        void *arg, struct fx_error *err)
{
	const json_t *data = fx_json_at(secret, "data");
	bool is_config = strcmp(fx_object_kind(secret), "ConfigMap") == 0;
	size_t count = 0;
	fx_autofree const char **keys = calloc(json_object_size(data) + 1, sizeof(*keys));
	const char *key;
	json_t *item;
	int rc = 0;

	if (!keys)
		return fx_fail_nomem(err);
	json_object_foreach ((json_t *)data, key, item)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		char *value = NULL;
		size_t len = 0;
		rc = is_config ? fx_configmap_value(secret, keys[i], &value, &len, err)
		               : fx_secret_value(secret, keys[i], &value, &len, err);
		if (rc == 0)
			rc = each(arg, keys[i], value, len, err);
		if (value)
			explicit_bzero(value, len);
		free(value);
	}
	return rc;
}

void fx_secret_auth_release(struct fx_secret_auth *auth)
{
	if (!auth)
		return;
	wipe(&auth->username);
	wipe(&auth->password);
	wipe(&auth->bearer);
	wipe(&auth->token);
	wipe(&auth->cert_pem);
	wipe(&auth->key_pem);
	wipe(&auth->ca_pem);
	auth->legacy_tls_keys = false;
}

static void replace(char **slot, char *value)
{
	wipe(slot);
	*slot = value;
}

int fx_secret_basic_auth(const json_t *secret, struct fx_secret_auth *auth, struct fx_error *err)
{
	bool has_user = fx_secret_has(secret, "username"), has_password = fx_secret_has(secret, "password");
	char *user = NULL, *password = NULL;
	if (!has_user && !has_password)
		return fail_of(secret, "secret", err, FX_E_NOT_FOUND, ": key 'username' not found");
	if (has_user != has_password)
		return fail_of(secret, "secret", err, FX_E_INVALID,
		        ": malformed basic auth - has '%s' but missing '%s'",
		        has_user ? "username" : "password", has_user ? "password" : "username");
	int rc = fx_secret_value(secret, "username", &user, NULL, err);
	if (rc == 0)
		rc = fx_secret_value(secret, "password", &password, NULL, err);
	if (rc < 0) {
		wipe(&user);
		return rc;
	}
	replace(&auth->username, user);
	replace(&auth->password, password);
	return 0;
}

/* The value of the key, or of its legacy name; NULL when neither is there. */
static int tls_value(const json_t *secret, const char *key, const char *legacy_key, char **out, bool *legacy,
        struct fx_error *err)
{
	*out = NULL;
	if (fx_secret_has(secret, key))
		return fx_secret_value(secret, key, out, NULL, err);
	if (!fx_secret_has(secret, legacy_key))
		return 0;
	*legacy = true;
	return fx_secret_value(secret, legacy_key, out, NULL, err);
}

/* True when the text has at least one certificate. */
static bool is_certificate_pem(const char *pem)
{
	BIO *bio = fx_crypto()->BIO_new_mem_buf(pem, -1);
	X509 *certificate = bio ? fx_crypto()->PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool found = certificate != NULL;
	fx_crypto()->X509_free(certificate);
	fx_crypto()->BIO_free(bio);
	fx_crypto()->ERR_clear_error();
	return found;
}

static int check_tls(const json_t *secret, const struct fx_secret_auth *tls, struct fx_error *err)
{
	if (tls->cert_pem && !tls->key_pem)
		return fail_of(
		        secret, "secret", err, FX_E_INVALID, " contains 'tls.crt' but missing 'tls.key'");
	if (tls->key_pem && !tls->cert_pem)
		return fail_of(
		        secret, "secret", err, FX_E_INVALID, " contains 'tls.key' but missing 'tls.crt'");
	if (!tls->cert_pem && !tls->ca_pem)
		return fail_of(secret, "secret", err, FX_E_NOT_FOUND,
		        " must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'");
	if (tls->ca_pem && !is_certificate_pem(tls->ca_pem))
		return fx_fail(err, FX_E_INVALID, "failed to parse CA certificate");
	return 0;
}

int fx_secret_tls(const json_t *secret, struct fx_secret_auth *auth, struct fx_error *err)
{
	fx_auto(secret_auth) struct fx_secret_auth tls = FX_SECRET_AUTH_INIT;
	int rc = tls_value(secret, "tls.crt", "certFile", &tls.cert_pem, &tls.legacy_tls_keys, err);
	if (rc == 0)
		rc = tls_value(secret, "tls.key", "keyFile", &tls.key_pem, &tls.legacy_tls_keys, err);
	if (rc == 0)
		rc = tls_value(secret, "ca.crt", "caFile", &tls.ca_pem, &tls.legacy_tls_keys, err);
	if (rc == 0)
		rc = check_tls(secret, &tls, err);
	if (rc < 0)
		return rc;
	replace(&auth->cert_pem, fx_take(tls.cert_pem));
	replace(&auth->key_pem, fx_take(tls.key_pem));
	replace(&auth->ca_pem, fx_take(tls.ca_pem));
	auth->legacy_tls_keys = tls.legacy_tls_keys;
	return 0;
}

int fx_secret_auth(const json_t *secret, struct fx_secret_auth *auth, struct fx_error *err)
{
	fx_auto(secret_auth) struct fx_secret_auth all = FX_SECRET_AUTH_INIT;
	fx_auto(error) struct fx_error failure = FX_ERROR_INIT;
	int rc = fx_secret_basic_auth(secret, &all, &failure);
	if (rc < 0 && rc != -FX_E_NOT_FOUND) {
		fx_error_move(err, &failure);
		return rc;
	}
	all.bearer = fx_secret_value_or_null(secret, "bearerToken", NULL);
	all.token = fx_secret_value_or_null(secret, "token", NULL);
	/* A Secret made for something else may have half of a pair: that is no error here. */
	rc = fx_secret_tls(secret, &all, NULL);
	(void)rc;
	fx_secret_auth_release(auth);
	*auth = all;
	memset(&all, 0, sizeof(all));
	return 0;
}

static bool is_proxy_scheme(const char *address)
{
	static const char *const schemes[] = {"http://", "https://", "socks5://"};
	for (size_t i = 0; i < FX_COUNT(schemes); i++) {
		size_t len = strlen(schemes[i]);
		if (strncmp(address, schemes[i], len) == 0 && address[len])
			return true;
	}
	return false;
}

int fx_secret_proxy(
        const json_t *secret, char **out_address, char **out_user, char **out_password, struct fx_error *err)
{
	fx_autofree char *address = NULL;
	int rc = fx_secret_value(secret, "address", &address, NULL, err);
	if (rc < 0 || !address)
		return rc;
	if (strlen(address) > FX_SECRET_PROXY_ADDRESS_MAX)
		return fail_of(secret, "secret", err, FX_E_INVALID,
		        ": proxy address is longer than %d characters", FX_SECRET_PROXY_ADDRESS_MAX);
	if (!is_proxy_scheme(address))
		return fail_of(secret, "secret", err, FX_E_INVALID,
		        ": proxy address must be a URL with scheme http, https or socks5");
	*out_address = fx_take(address);
	*out_user = fx_secret_value_or_null(secret, "username", NULL);
	/* Without a user name of its own the address keeps what it carries. */
	*out_password = *out_user ? fx_secret_value_or_null(secret, "password", NULL) : NULL;
	return 0;
}

int fx_secret_kubeconfig(
        const json_t *secret, const char *key, char **out, size_t *out_len, struct fx_error *err)
{
	const char *const defaults[] = {"value", "value.yaml"};
	bool has_key = key && *key;
	const char *const *keys = has_key ? &key : defaults;
	for (size_t i = 0; i < (has_key ? 1 : FX_COUNT(defaults)); i++) {
		if (!fx_secret_has(secret, keys[i]))
			continue;
		char *value = fx_secret_value_or_null(secret, keys[i], out_len);
		if (value) {
			*out = value;
			return 0;
		}
	}
	return fx_fail(err, FX_E_INVALID,
	        "KubeConfig secret '%s/%s' does not contain a '%s' key with a kubeconfig",
	        fx_object_namespace(secret), fx_object_name(secret), has_key ? key : "value");
}
