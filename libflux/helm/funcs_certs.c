/* Private keys and certificates, as Sprig makes them. Key material comes from OpenSSL's generator. */
#include "funcs.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

/* Bits of `genPrivateKey "rsa"`, and of the key of a certificate that brings none. */
#define RSA_KEY_BITS 4096
#define RSA_CERT_BITS 2048
#define DSA_P_BITS 2048
#define DSA_Q_BITS 256
#define SERIAL_BYTES 16
/* Characters of a PEM header that an error shows. */
#define PEM_TYPE_MAX 200
#define PEM_TEXT_MAX (1024u * 1024)

/* What a call holds outside the arena; released before anything throws. */
struct held {
	EVP_PKEY *key, *signer_key;
	X509 *cert, *signer;
	BIO *bio;
};

static void held_release(struct held *h)
{
	EVP_PKEY_free(h->key);
	EVP_PKEY_free(h->signer_key);
	X509_free(h->cert);
	X509_free(h->signer);
	BIO_free(h->bio);
	*h = (struct held){0};
}

static _Noreturn void failed(struct fx_render *x, struct held *h, const char *why)
{
	held_release(h);
	fx_render_throw(x, "%s", why);
}

/* ---- keys ---- */

static EVP_PKEY *make_dsa(void)
{
	EVP_PKEY *params = NULL, *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	if (ctx && EVP_PKEY_paramgen_init(ctx) == 1 &&
	        EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, DSA_P_BITS) == 1 &&
	        EVP_PKEY_CTX_set_dsa_paramgen_q_bits(ctx, DSA_Q_BITS) == 1)
		(void)EVP_PKEY_paramgen(ctx, &params);
	EVP_PKEY_CTX_free(ctx);
	ctx = params ? EVP_PKEY_CTX_new(params, NULL) : NULL;
	if (ctx && EVP_PKEY_keygen_init(ctx) == 1)
		(void)EVP_PKEY_keygen(ctx, &key);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	return key;
}

/* The key in PEM in the render's memory; the form is the one that Go has for its type. */
static struct fx_val key_pem(struct fx_render *x, struct held *h, EVP_PKEY *key)
{
	h->bio = BIO_new(BIO_s_mem());
	int type = EVP_PKEY_base_id(key);
	bool old = type == EVP_PKEY_RSA || type == EVP_PKEY_EC || type == EVP_PKEY_DSA;
	char *data = NULL;
	if (!h->bio || (old ? PEM_write_bio_PrivateKey_traditional(h->bio, key, NULL, NULL, 0, NULL, NULL)
	                    : PEM_write_bio_PKCS8PrivateKey(h->bio, key, NULL, NULL, 0, NULL, NULL)) != 1)
		failed(x, h, "failed to encode private key");
	long n = BIO_get_mem_data(h->bio, &data);
	char *copy = fx_arena_strndup(fx_render_arena(x), data, (size_t)n);
	BIO_free(h->bio);
	h->bio = NULL;
	if (!copy)
		failed(x, h, "out of memory");
	return fx_v_strn(copy, (size_t)n);
}

static struct fx_val fn_gen_private_key(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct held h = {0};
	if (a[0].len == 0 || fx_v_eq_str(a[0], "rsa")) {
		h.key = EVP_RSA_gen(RSA_KEY_BITS);
	} else if (fx_v_eq_str(a[0], "dsa")) {
		h.key = make_dsa();
	} else if (fx_v_eq_str(a[0], "ecdsa")) {
		h.key = EVP_EC_gen("P-256");
	} else if (fx_v_eq_str(a[0], "ed25519")) {
		h.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else {
		struct fx_text t = {.x = x};
		fx_text_str(&t, "Unknown type ");
		fx_text_add(&t, a[0].s, a[0].len);
		return fx_text_val(&t);
	}
	if (!h.key)
		failed(x, &h, "failed to generate private key");
	struct fx_val pem = key_pem(x, &h, h.key);
	held_release(&h);
	return pem;
}

/* The type named by the first PEM block; false: there is none. */
static bool pem_type(struct fx_val pem, char type[PEM_TYPE_MAX])
{
	static const char begin[] = "-----BEGIN ";
	const char *p = memmem(pem.s, pem.len, begin, sizeof(begin) - 1);
	if (!p)
		return false;
	p += sizeof(begin) - 1;
	size_t left = pem.len - (size_t)(p - pem.s);
	const char *end = memmem(p, left, "-----", 5);
	if (!end || end - p >= PEM_TYPE_MAX)
		return false;
	memcpy(type, p, (size_t)(end - p));
	type[end - p] = 0;
	return true;
}

/* NULL, or why the text is no private key that Sprig knows. */
static const char *read_key(struct fx_render *x, struct fx_val pem, EVP_PKEY **out)
{
	static const char suffix[] = " PRIVATE KEY";
	char type[PEM_TYPE_MAX];
	struct fx_text t = {.x = x};
	if (pem.len > PEM_TEXT_MAX || !pem_type(pem, type))
		return "no PEM data in input";
	size_t len = strlen(type), tail = sizeof(suffix) - 1;
	bool pkcs8 = strcmp(type, "PRIVATE KEY") == 0;
	if (!pkcs8 && (len < tail || strcmp(type + len - tail, suffix) != 0)) {
		fx_text_addf(&t, "no private key data in PEM block of type %s", type);
		return fx_text_c(&t);
	}
	if (!pkcs8)
		type[len - tail] = 0;
	if (!pkcs8 && strcmp(type, "RSA") != 0 && strcmp(type, "EC") != 0 && strcmp(type, "DSA") != 0) {
		fx_text_addf(&t, "invalid private key type %s", type);
		return fx_text_c(&t);
	}
	fx_text_addf(&t,
	        pkcs8 ? "decoding PEM as PKCS#8: invalid key"
	              : "parsing %s private key from PEM: invalid key",
	        type);
	BIO *bio = BIO_new_mem_buf(pem.s, (int)pem.len);
	*out = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
	BIO_free(bio);
	return *out ? NULL : fx_text_c(&t);
}

/* ---- certificates ---- */

struct request {
	struct fx_val cn, ips, names;
	int64_t days;
	bool is_ca;
};

static const char *subject_names(struct fx_render *x, const struct request *r, struct fx_val *out)
{
	struct fx_text t = {.x = x}, why = {.x = x};
	fx_text_add(&t, "", 0);
	for (size_t i = 0; i < fx_v_len(r->ips); i++) {
		struct fx_val v = r->ips.list->items[i];
		unsigned char addr[16];
		const char *s = v.kind == FX_VAL_STR ? fx_v_cstr(x, v) : "";
		if (v.kind == FX_VAL_STR &&
		        (inet_pton(AF_INET, s, addr) == 1 || inet_pton(AF_INET6, s, addr) == 1)) {
			fx_text_addf(&t, "%sIP:%s", t.len ? "," : "", s);
			continue;
		}
		fx_text_str(&why, "error parsing ip: ");
		fx_fmt_v(&why, v);
		fx_text_str(&why, v.kind == FX_VAL_STR ? "" : " is not a string");
		return fx_text_c(&why);
	}
	for (size_t i = 0; i < fx_v_len(r->names); i++) {
		struct fx_val v = r->names.list->items[i];
		if (v.kind != FX_VAL_STR) {
			fx_text_str(&why, "error processing alternate dns name: ");
			fx_fmt_v(&why, v);
			fx_text_str(&why, " is not a string");
			return fx_text_c(&why);
		}
		/* The list is text to OpenSSL: nothing in a name may end its entry. */
		if (memchr(v.s, ',', v.len) || memchr(v.s, 0, v.len) || memchr(v.s, '\n', v.len))
			return "x509: cannot create certificate with invalid name";
		fx_text_str(&t, t.len ? ",DNS:" : "DNS:");
		fx_text_add(&t, v.s, v.len);
	}
	*out = fx_text_val(&t);
	return NULL;
}

static bool add_extension(X509 *cert, X509 *signer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, signer ? signer : cert, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(cert, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool set_serial(X509 *cert, const unsigned char serial[SERIAL_BYTES])
{
	BIGNUM *number = BN_bin2bn(serial, SERIAL_BYTES, NULL);
	bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return ok;
}

static bool fill(struct held *h, const struct request *r, struct fx_val names, int64_t now,
        const unsigned char serial[SERIAL_BYTES])
{
	X509 *c = h->cert, *signer = h->signer;
	X509_NAME *subject = X509_get_subject_name(c);
	time_t from = (time_t)now, until = (time_t)(now + r->days * 86400);
	if (X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c, serial) ||
	        X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
	                (const unsigned char *)r->cn.s, (int)r->cn.len, -1, 0) != 1 ||
	        X509_set_issuer_name(c, signer ? X509_get_subject_name(signer) : subject) != 1 ||
	        !X509_time_adj_ex(X509_getm_notBefore(c), 0, 0, &from) ||
	        !X509_time_adj_ex(X509_getm_notAfter(c), 0, 0, &until) || X509_set_pubkey(c, h->key) != 1)
		return false;
	if (!add_extension(c, signer, NID_key_usage,
	            r->is_ca ? "critical,digitalSignature,keyEncipherment,keyCertSign"
	                     : "critical,digitalSignature,keyEncipherment") ||
	        !add_extension(c, signer, NID_ext_key_usage, "serverAuth,clientAuth") ||
	        !add_extension(c, signer, NID_basic_constraints,
	                r->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"))
		return false;
	if (r->is_ca && !add_extension(c, signer, NID_subject_key_identifier, "hash"))
		return false;
	if (signer && X509_get0_subject_key_id(signer) &&
	        !add_extension(c, signer, NID_authority_key_identifier, "keyid"))
		return false;
	return names.len == 0 || add_extension(c, signer, NID_subject_alt_name, names.s);
}

static struct fx_val cert_pem(struct fx_render *x, struct held *h)
{
	char *data = NULL;
	h->bio = BIO_new(BIO_s_mem());
	if (!h->bio || PEM_write_bio_X509(h->bio, h->cert) != 1)
		failed(x, h, "error creating certificate");
	long n = BIO_get_mem_data(h->bio, &data);
	char *copy = fx_arena_strndup(fx_render_arena(x), data, (size_t)n);
	BIO_free(h->bio);
	h->bio = NULL;
	if (!copy)
		failed(x, h, "out of memory");
	return fx_v_strn(copy, (size_t)n);
}

static struct fx_val certificate(struct fx_render *x, struct fx_val cert, struct fx_val key)
{
	struct fx_certificate *c = fx_render_zalloc(x, sizeof(*c));
	c->cert = cert;
	c->key = key;
	return fx_v_obj(c, FX_T_CERTIFICATE);
}

static const char *prefixed(struct fx_render *x, const char *prefix, const char *why)
{
	const char *text = why ? fx_arena_printf(fx_render_arena(x), "%s: %s", prefix, why) : NULL;
	return text || !why ? text : "out of memory";
}

/* Signs with its own key, or with the certificate and key of ca. key_text: NULL makes a new key. */
static struct fx_val issue(struct fx_render *x, const struct request *r, const struct fx_certificate *ca,
        const struct fx_val *key_text)
{
	struct held h = {0};
	struct fx_val names;
	unsigned char serial[SERIAL_BYTES];
	fx_render_random(x, serial, sizeof(serial));
	serial[0] &= 0x7f;
	const char *why = subject_names(x, r, &names);
	if (!why && key_text)
		why = prefixed(x, "parsing private key", read_key(x, *key_text, &h.key));
	if (!why && ca) {
		BIO *bio = BIO_new_mem_buf(ca->cert.s, (int)ca->cert.len);
		h.signer = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
		BIO_free(bio);
		why = h.signer ? NULL : "unable to decode certificate";
	}
	if (!why && ca)
		why = prefixed(x, "error parsing private key", read_key(x, ca->key, &h.signer_key));
	if (why)
		failed(x, &h, why);
	if (!h.key)
		h.key = EVP_RSA_gen(RSA_CERT_BITS);
	h.cert = X509_new();
	EVP_PKEY *signer = h.signer_key ? h.signer_key : h.key;
	const EVP_MD *md = h.key && EVP_PKEY_base_id(signer) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	if (!h.key || !h.cert || !fill(&h, r, names, fx_render_now(x).sec, serial) ||
	        X509_sign(h.cert, signer, md) <= 0)
		failed(x, &h, "error creating certificate");
	struct fx_val cert = cert_pem(x, &h), key = key_pem(x, &h, h.key);
	held_release(&h);
	return certificate(x, cert, key);
}

static struct fx_val fn_gen_ca(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct request r = {.cn = a[0], .days = a[1].i, .is_ca = true};
	return issue(x, &r, NULL, n > 2 ? &a[2] : NULL);
}

static struct fx_val fn_gen_self_signed(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct request r = {.cn = a[0], .ips = a[1], .names = a[2], .days = a[3].i};
	return issue(x, &r, NULL, n > 4 ? &a[4] : NULL);
}

static struct fx_val fn_gen_signed(struct fx_render *x, const struct fx_val *a, size_t n)
{
	struct request r = {.cn = a[0], .ips = a[1], .names = a[2], .days = a[3].i};
	return issue(x, &r, a[4].obj, n > 5 ? &a[5] : NULL);
}

static struct fx_val fn_build_custom(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val cert, key;
	size_t bad;
	if (!fx_v_base64_decode(x, a[0].s, a[0].len, &cert, &bad))
		fx_render_throw(x, "unable to decode base64 certificate");
	if (!fx_v_base64_decode(x, a[1].s, a[1].len, &key, &bad))
		fx_render_throw(x, "unable to decode base64 private key");
	char type[PEM_TYPE_MAX];
	if (!pem_type(cert, type))
		fx_render_throw(x, "unable to decode certificate");
	BIO *bio = BIO_new_mem_buf(cert.s, (int)cert.len);
	X509 *parsed = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!parsed)
		fx_render_throw(
		        x, "error parsing certificate: decodedCert.Bytes: x509: malformed certificate");
	X509_free(parsed);
	EVP_PKEY *pkey = NULL;
	const char *why = read_key(x, key, &pkey);
	EVP_PKEY_free(pkey);
	if (why)
		fx_render_throw(x, "error parsing private key: %s", why);
	return certificate(x, cert, key);
}

const struct fx_fn fx_fns_certs[] = {
        {"genPrivateKey", "S", fn_gen_private_key},
        {"genCA", "SI", fn_gen_ca},
        {"genCAWithKey", "SIS", fn_gen_ca},
        {"genSelfSignedCert", "SVVI", fn_gen_self_signed},
        {"genSelfSignedCertWithKey", "SVVIS", fn_gen_self_signed},
        {"genSignedCert", "SVVIC", fn_gen_signed},
        {"genSignedCertWithKey", "SVVICS", fn_gen_signed},
        {"buildCustomCert", "SS", fn_build_custom},
        {NULL, NULL, NULL},
};
