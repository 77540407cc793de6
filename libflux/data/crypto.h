/*
 * What the whole house takes of libcrypto, loaded at its first use (core/lazy.h): its relocations alone cost
 * a build command half of its time and memory. fx_crypto()->EVP_sha256() is EVP_sha256().
 */
#ifndef FX_DATA_CRYPTO_H
#define FX_DATA_CRYPTO_H

#include "core/lazy.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* clang-format off */
#define FX_CRYPTO_FUNCTIONS(X) \
	X(, BIO_free) X(, BIO_new_mem_buf) X(, ERR_clear_error) X(, ERR_peek_last_error) \
	X(, EVP_DigestFinal_ex) X(, EVP_DigestInit_ex) X(, EVP_DigestUpdate) X(, EVP_MD_CTX_free) \
	X(, EVP_MD_CTX_new) X(, EVP_PKEY_free) X(, EVP_sha1) X(, EVP_sha256) X(, EVP_sha384) X(, EVP_sha512) \
	X(, PEM_read_bio_PrivateKey) X(, PEM_read_bio_X509) X(, X509_check_private_key) X(, X509_free)
/* clang-format on */

FX_LAZY_TABLE(fx_crypto, FX_CRYPTO_FUNCTIONS);

#endif
