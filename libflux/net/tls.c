#include "net/tls.h"

#include "data/crypto.h"

#include <string.h>

static void free_bio(BIO **bio)
{
	fx_crypto()->BIO_free(*bio);
}

static void free_x509(X509 **x509)
{
	fx_crypto()->X509_free(*x509);
}

static void free_key(EVP_PKEY **key)
{
	fx_crypto()->EVP_PKEY_free(*key);
}

/* Encrypted keys are not supported; without this OpenSSL would ask on the terminal. */
static int no_password(fx_unused char *buf, fx_unused int size, fx_unused int rwflag, fx_unused void *arg)
{
	return -1;
}

int fx_tls_check_pair(const char *cert_pem, const char *key_pem, struct fx_error *err)
{
	fx_cleanup(free_bio) BIO *cert_bio = fx_crypto()->BIO_new_mem_buf(cert_pem, -1);
	fx_cleanup(free_bio) BIO *key_bio = fx_crypto()->BIO_new_mem_buf(key_pem, -1);
	if (!cert_bio || !key_bio)
		return fx_fail_nomem(err);
	fx_crypto()->ERR_clear_error();
	fx_cleanup(free_x509) X509 *cert = fx_crypto()->PEM_read_bio_X509(cert_bio, NULL, no_password, NULL);
	fx_cleanup(free_key) EVP_PKEY *key =
	        fx_crypto()->PEM_read_bio_PrivateKey(key_bio, NULL, no_password, NULL);
	bool match = cert && key && fx_crypto()->X509_check_private_key(cert, key) == 1;
	fx_crypto()->ERR_clear_error();
	if (!cert)
		return fx_fail(err, FX_E_INVALID, "tls: failed to find any PEM data in certificate input");
	if (!key)
		return fx_fail(err, FX_E_INVALID, "tls: failed to find any PEM data in key input");
	if (!match)
		return fx_fail(err, FX_E_INVALID, "tls: private key does not match public key");
	return 0;
}

int fx_tls_check_ca(const char *ca_pem, struct fx_error *err)
{
	fx_cleanup(free_bio) BIO *bio = fx_crypto()->BIO_new_mem_buf(ca_pem, -1);
	if (!bio)
		return fx_fail_nomem(err);
	int count = 0;
	X509 *cert;
	fx_crypto()->ERR_clear_error();
	while ((cert = fx_crypto()->PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		fx_crypto()->X509_free(cert);
		count++;
	}
	bool at_end = ERR_GET_REASON(fx_crypto()->ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	fx_crypto()->ERR_clear_error();
	if (count == 0 || !at_end)
		return fx_fail(err, FX_E_INVALID, "failed to parse CA certificate");
	return 0;
}

void fx_tls_material_release(struct fx_tls_material *material)
{
	free(material->ca_pem);
	free(material->cert_pem);
	if (material->key_pem)
		explicit_bzero(material->key_pem, strlen(material->key_pem));
	free(material->key_pem);
	*material = (struct fx_tls_material){0};
}

/* One entry of the Secret under its name or its old one. */
struct entry {
	const char *name, *old_name;
	const char *used; /* the name it was found under */
	char *pem;
};

static int read_entry(struct entry *entry, fx_tls_lookup *lookup, void *arg, struct fx_error *err)
{
	size_t len = 0;
	entry->used = entry->name;
	const char *data = lookup(arg, entry->name, &len);
	if (!data || !len) {
		entry->used = entry->old_name;
		data = lookup(arg, entry->old_name, &len);
	}
	if (!data || !len)
		return 0;
	if (len > FX_TLS_PEM_MAX)
		return fx_fail(err, FX_E_LIMIT, "'%s' is larger than %d bytes", entry->used, FX_TLS_PEM_MAX);
	if (memchr(data, '\0', len))
		return fx_fail(err, FX_E_INVALID, "'%s' is not PEM", entry->used);
	entry->pem = strndup(data, len);
	return entry->pem ? 0 : fx_fail_nomem(err);
}

static int check_material(const char *secret, const struct fx_tls_material *m, const struct entry *cert,
        const struct entry *key, const struct entry *ca, struct fx_error *err)
{
	if (!m->cert_pem != !m->key_pem) {
		const struct entry *there = m->cert_pem ? cert : key, *missing = m->cert_pem ? key : cert;
		bool old = there->used == there->old_name;
		return fx_fail(err, FX_E_INVALID, "secret '%s' contains '%s' but missing '%s'", secret,
		        there->used, old ? missing->old_name : missing->name);
	}
	if (!m->cert_pem && !m->ca_pem)
		return fx_fail(err, FX_E_NOT_FOUND,
		        "secret '%s' must contain either '%s' or both '%s' and '%s'", secret, ca->name,
		        cert->name, key->name);
	int rc = m->ca_pem ? fx_tls_check_ca(m->ca_pem, err) : 0;
	if (rc == 0 && m->cert_pem) {
		rc = fx_tls_check_pair(m->cert_pem, m->key_pem, err);
		if (rc)
			rc = fx_error_wrap(err, "failed to parse TLS certificate and key");
	}
	return rc;
}

int fx_tls_from_secret(const char *secret, fx_tls_lookup *lookup, void *arg, struct fx_tls_material *out,
        struct fx_error *err)
{
	struct entry cert = {.name = "tls.crt", .old_name = "certFile"};
	struct entry key = {.name = "tls.key", .old_name = "keyFile"};
	struct entry ca = {.name = "ca.crt", .old_name = "caFile"};
	int rc = read_entry(&cert, lookup, arg, err);
	if (rc == 0)
		rc = read_entry(&key, lookup, arg, err);
	if (rc == 0)
		rc = read_entry(&ca, lookup, arg, err);
	if (rc)
		rc = fx_error_wrap(err, "secret '%s'", secret);
	struct fx_tls_material m = {.ca_pem = ca.pem, .cert_pem = cert.pem, .key_pem = key.pem};
	m.legacy = (cert.pem && cert.used == cert.old_name) || (key.pem && key.used == key.old_name) ||
	           (ca.pem && ca.used == ca.old_name);
	if (rc == 0)
		rc = check_material(secret, &m, &cert, &key, &ca, err);
	if (rc) {
		fx_tls_material_release(&m);
		return rc;
	}
	*out = m;
	return 0;
}
