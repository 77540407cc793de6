#include "cert.h"

#include "core/cleanup.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define LIFE_S 86400
/* Clocks of two programs on one machine do not differ, but certificates are compared by the second. */
#define BACKDATE_S 60

FX_DEFINE_AUTO(pkey, EVP_PKEY, EVP_PKEY_free)
FX_DEFINE_AUTO(x509, X509, X509_free)
FX_DEFINE_AUTO(bio, BIO, BIO_free_all)

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	int ok = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok ? 0 : -1;
}

static int fill(X509 *cert, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(cert);
	if (!X509_set_version(cert, X509_VERSION_3) || !ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) ||
	        !X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_S) ||
	        !X509_gmtime_adj(X509_getm_notAfter(cert), LIFE_S) || !X509_set_pubkey(cert, key) ||
	        !X509_NAME_add_entry_by_txt(
	                name, "CN", MBSTRING_ASC, (const unsigned char *)"embedded apiserver", -1, -1, 0) ||
	        !X509_set_issuer_name(cert, name))
		return -1;
	if (add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") < 0 ||
	        add_extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign") < 0 ||
	        add_extension(cert, NID_subject_key_identifier, "hash") < 0 ||
	        add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") < 0)
		return -1;
	return X509_sign(cert, key, EVP_sha256()) ? 0 : -1;
}

static char *bio_text(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	return len > 0 ? strndup(data, (size_t)len) : NULL;
}

int fx_as_cert_new(char **out_cert_pem, char **out_key_pem, struct fx_error *err)
{
	fx_auto(pkey) EVP_PKEY *key = EVP_EC_gen("P-256");
	fx_auto(x509) X509 *cert = X509_new();
	fx_auto(bio) BIO *cert_bio = BIO_new(BIO_s_mem());
	fx_auto(bio) BIO *key_bio = BIO_new(BIO_s_mem());
	if (!key || !cert || !cert_bio || !key_bio || fill(cert, key) < 0 ||
	        !PEM_write_bio_X509(cert_bio, cert) ||
	        !PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL))
		return fx_fail(err, FX_E_TLS, "the server's certificate cannot be made");
	*out_cert_pem = bio_text(cert_bio);
	*out_key_pem = bio_text(key_bio);
	return *out_cert_pem && *out_key_pem ? 0 : fx_fail_nomem(err);
}
