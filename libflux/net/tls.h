/*
 * TLS material: what the system trusts, and certificates and keys from a Secret. Usable from
 * any thread.
 */
#ifndef FX_NET_TLS_H
#define FX_NET_TLS_H

#include "core/error.h"

#include <stddef.h>

/* The largest set of trusted certificates that is read. */
#define FX_TLS_TRUST_MAX (4 * 1024 * 1024)
/* The largest certificate chain, key or CA in a Secret (a Secret itself has 1 MiB at most). */
#define FX_TLS_PEM_MAX (1024 * 1024)

/*
 * What the system trusts, as Go finds it: the first bundle of the distributions' usual places
 * (or SSL_CERT_FILE), and every certificate in the usual directories (or SSL_CERT_DIR) that
 * is not in the bundle. Either *out_file is the name of a bundle that has all, or *out_pem has
 * the texts; the other is NULL. Both NULL: nothing is trusted. Owned by the caller.
 */
int fx_tls_system_trust(char **out_file, char **out_pem, struct fx_error *err) fx_must_use;

/* The certificates that the system trusts followed by ca_pem, as one PEM text. Owned by the caller. */
int fx_tls_system_and(const char *ca_pem, char **out, struct fx_error *err) fx_must_use;

/* TLS material read from a Secret: NUL-terminated texts, owned; NULL where there is none. */
struct fx_tls_material {
	char *ca_pem, *cert_pem, *key_pem;
	bool legacy; /* a name of old was used: certFile, keyFile, caFile */
};
void fx_tls_material_release(struct fx_tls_material *material);
static inline void fx_auto_tls_material(struct fx_tls_material *material)
{
	fx_tls_material_release(material);
}

/* The decoded bytes of a Secret's key, or NULL. Borrowed. */
typedef const char *fx_tls_lookup(void *arg, const char *key, size_t *out_len);

/*
 * Reads tls.crt, tls.key and ca.crt, or their old names certFile, keyFile and caFile, and checks
 * that they are what they say. secret is how messages call it ("ns/name"). FX_E_NOT_FOUND
 * when none of the keys is there, FX_E_INVALID when a pair is incomplete or does not belong
 * together. Texts: runtime reference, section 18.
 */
int fx_tls_from_secret(const char *secret, fx_tls_lookup *lookup, void *arg, struct fx_tls_material *out,
        struct fx_error *err) fx_must_use;

/* Checks that the first certificate of cert_pem belongs to the key. FX_E_INVALID otherwise. */
int fx_tls_check_pair(const char *cert_pem, const char *key_pem, struct fx_error *err) fx_must_use;
/* Checks that there is at least one certificate, and that all can be parsed. */
int fx_tls_check_ca(const char *ca_pem, struct fx_error *err) fx_must_use;

#endif
