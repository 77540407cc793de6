#include "data/digest.h"
#include "data/blake3.h"
#include "data/crypto.h"

#include <string.h>

#define READ_BYTES (64 * 1024)

#define EVP(name) offsetof(struct fx_crypto, EVP_##name)

static const struct algo {
	const char *name;
	size_t size;
	/* Its place in the table of libcrypto's functions; 0: not there. */
	size_t evp;
} algos[] = {
        [FX_DIGEST_SHA1] = {"sha1", 20, EVP(sha1)},
        [FX_DIGEST_SHA256] = {"sha256", 32, EVP(sha256)},
        [FX_DIGEST_SHA384] = {"sha384", 48, EVP(sha384)},
        [FX_DIGEST_SHA512] = {"sha512", 64, EVP(sha512)},
        [FX_DIGEST_BLAKE3] = {"blake3", FX_BLAKE3_BYTES, 0},
};

struct fx_digester {
	enum fx_digest_algo algo;
	EVP_MD_CTX *evp; /* NULL for BLAKE3 */
	struct fx_blake3 blake3;
};

static const EVP_MD *evp_of(enum fx_digest_algo algo)
{
	const char *table = (const char *)fx_crypto();
	const EVP_MD *(*make)(void);
	memcpy(&make, table + algos[algo].evp, sizeof(make));
	return make();
}

static int algo_find(const char *name, size_t len)
{
	for (size_t i = 0; i < FX_COUNT(algos); i++) {
		if (strlen(algos[i].name) == len && memcmp(algos[i].name, name, len) == 0)
			return (int)i;
	}
	return -1;
}

int fx_digest_algo_parse(const char *name, enum fx_digest_algo *out, struct fx_error *err)
{
	int i = algo_find(name, strlen(name));
	if (i < 0)
		return fx_fail(err, FX_E_INVALID, "unsupported digest algorithm '%s'", name);
	*out = (enum fx_digest_algo)i;
	return 0;
}

const char *fx_digest_algo_name(enum fx_digest_algo algo)
{
	return algos[algo].name;
}

size_t fx_digest_algo_size(enum fx_digest_algo algo)
{
	return algos[algo].size;
}

const char *fx_digest_hex(const struct fx_digest *digest)
{
	return digest->text + strlen(algos[digest->algo].name) + 1;
}

int fx_digest_parse(const char *text, struct fx_digest *out, struct fx_error *err)
{
	if (!*text)
		return fx_fail(err, FX_E_INVALID, "empty digest");
	const char *colon = strchr(text, ':');
	const char *hex = colon ? colon + 1 : text;
	int i = colon ? algo_find(text, (size_t)(colon - text)) : FX_DIGEST_SHA256;
	if (i < 0)
		return fx_fail(err, FX_E_INVALID, "unsupported digest algorithm '%.*s'",
		        (int)(colon - text > 64 ? 64 : colon - text), text);
	if (strlen(hex) != algos[i].size * 2)
		return fx_fail(err, FX_E_INVALID,
		        "invalid digest length: a %s digest has %zu digits, not %zu", algos[i].name,
		        algos[i].size * 2, strlen(hex));
	if (strspn(hex, "0123456789abcdef") != algos[i].size * 2)
		return fx_fail(err, FX_E_INVALID, "invalid digest format: not lower-case hexadecimal");
	out->algo = (enum fx_digest_algo)i;
	snprintf(out->text, sizeof(out->text), "%s:%s", algos[i].name, hex);
	return 0;
}

bool fx_digest_equal(const struct fx_digest *a, const struct fx_digest *b)
{
	return a->algo == b->algo && strcmp(a->text, b->text) == 0;
}

struct fx_digester *fx_digester_new(enum fx_digest_algo algo)
{
	struct fx_digester *d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->algo = algo;
	if (!algos[algo].evp) {
		fx_blake3_init(&d->blake3);
		return d;
	}
	d->evp = fx_crypto()->EVP_MD_CTX_new();
	if (!d->evp || fx_crypto()->EVP_DigestInit_ex(d->evp, evp_of(algo), NULL) != 1) {
		fx_digester_free(d);
		return NULL;
	}
	return d;
}

void fx_digester_free(struct fx_digester *digester)
{
	if (!digester)
		return;
	fx_crypto()->EVP_MD_CTX_free(digester->evp);
	free(digester);
}

void fx_digester_update(struct fx_digester *digester, const void *data, size_t len)
{
	if (digester->evp)
		fx_crypto()->EVP_DigestUpdate(digester->evp, data, len);
	else
		fx_blake3_update(&digester->blake3, data, len);
}

void fx_digester_final(struct fx_digester *digester, struct fx_digest *out)
{
	unsigned char raw[EVP_MAX_MD_SIZE] = {0};
	if (digester->evp)
		fx_crypto()->EVP_DigestFinal_ex(digester->evp, raw, NULL);
	else
		fx_blake3_final(&digester->blake3, raw);
	out->algo = digester->algo;
	int at = snprintf(out->text, sizeof(out->text), "%s:", algos[digester->algo].name);
	for (size_t i = 0; i < algos[digester->algo].size; i++)
		at += snprintf(out->text + at, sizeof(out->text) - (size_t)at, "%02x", raw[i]);
}

int fx_digest_bytes(
        enum fx_digest_algo algo, const void *data, size_t len, struct fx_digest *out, struct fx_error *err)
{
	fx_auto(digester) struct fx_digester *d = fx_digester_new(algo);
	if (!d)
		return fx_fail_nomem(err);
	fx_digester_update(d, data, len);
	fx_digester_final(d, out);
	return 0;
}

int fx_digest_fd(enum fx_digest_algo algo, int fd, struct fx_digest *out, struct fx_error *err)
{
	fx_auto(digester) struct fx_digester *d = fx_digester_new(algo);
	fx_autofree char *buf = malloc(READ_BYTES);
	if (!d || !buf)
		return fx_fail_nomem(err);
	for (;;) {
		ssize_t n = read(fd, buf, READ_BYTES);
		if (n < 0)
			return fx_fail_errno(err, "cannot read file for its digest");
		if (n == 0)
			break;
		fx_digester_update(d, buf, (size_t)n);
	}
	fx_digester_final(d, out);
	return 0;
}
