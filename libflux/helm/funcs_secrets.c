/* Derived passwords, password hashes and AES, as Sprig makes them. */
#include "funcs.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* ---- derivePassword: the algorithm of the Master Password application ---- */

#define SCRYPT_N 32768
#define SCRYPT_R 8
#define SCRYPT_P 2
#define SCRYPT_MEMORY_MAX (128u * 1024 * 1024)
#define MASTER_KEY_BYTES 64

static const char seed[] = "com.lyndir.masterpassword";

/* Passwords of a kind have one of these shapes, chosen by the first byte of the digest. */
static const struct {
	const char *kind, *shapes;
} password_kinds[] = {
        {"maximum", "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno"},
        {"long", "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv "
                 "CvccCvcvCvcvno CvcvnoCvccCvcv CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc "
                 "CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv CvccCvccCvcvno "
                 "CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc "
                 "CvccCvcvCvccno"},
        {"medium", "CvcnoCvc CvcCvcno"},
        {"short", "Cvcn"},
        {"basic", "aaanaaan aannaaan aaannaaa"},
        {"pin", "nnnn"},
};

static const char *characters(char class)
{
	switch (class) {
	case 'V':
		return "AEIOU";
	case 'C':
		return "BCDFGHJKLMNPQRSTVWXYZ";
	case 'v':
		return "aeiou";
	case 'c':
		return "bcdfghjklmnpqrstvwxyz";
	case 'A':
		return "AEIOUBCDFGHJKLMNPQRSTVWXYZ";
	case 'a':
		return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
	case 'n':
		return "0123456789";
	case 'o':
		return "@&%?,=[]_:-+*$#!'^~;()/.";
	default:
		return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()";
	}
}

static void add_counted(struct fx_text *t, struct fx_val s)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		fx_text_char(t, (char)(s.len >> shift));
	fx_text_add(t, s.s, s.len);
}

static struct fx_val fn_derive_password(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	const char *shapes = NULL;
	for (size_t i = 0; i < FX_COUNT(password_kinds); i++)
		if (fx_v_eq_str(a[1], password_kinds[i].kind))
			shapes = password_kinds[i].shapes;
	struct fx_text out = {.x = x}, salt = {.x = x}, message = {.x = x};
	if (!shapes) {
		fx_text_addf(&out, "cannot find password template %s", fx_v_cstr(x, a[1]));
		return fx_text_val(&out);
	}
	unsigned char key[MASTER_KEY_BYTES], h[EVP_MAX_MD_SIZE];
	fx_text_str(&salt, seed);
	add_counted(&salt, a[3]);
	if (EVP_PBE_scrypt(a[2].s, a[2].len, (const unsigned char *)salt.data, salt.len, SCRYPT_N, SCRYPT_R,
	            SCRYPT_P, SCRYPT_MEMORY_MAX, key, sizeof(key)) != 1)
		fx_render_throw(x, "failed to derive password");
	fx_text_str(&message, seed);
	add_counted(&message, a[4]);
	for (int shift = 24; shift >= 0; shift -= 8)
		fx_text_char(&message, (char)((uint32_t)a[0].i >> shift));
	unsigned len = 0;
	bool ok = HMAC(EVP_sha256(), key, sizeof(key), (const unsigned char *)message.data, message.len, h,
	                  &len) != NULL;
	OPENSSL_cleanse(key, sizeof(key));
	if (!ok)
		fx_render_throw(x, "failed to derive password");
	size_t one = strcspn(shapes, " "), count = (strlen(shapes) + 1) / (one + 1);
	const char *shape = shapes + (h[0] % count) * (one + 1);
	for (size_t i = 0; i < one; i++) {
		const char *set = characters(shape[i]);
		fx_text_char(&out, set[h[i + 1] % strlen(set)]);
	}
	OPENSSL_cleanse(h, sizeof(h));
	return fx_text_val(&out);
}

/* ---- bcrypt ---- */

#define BCRYPT_COST 10
#define BCRYPT_SALT_BYTES 16
#define BCRYPT_TEXT_MAX 72

static struct fx_val bcrypt(struct fx_render *x, struct fx_val password)
{
	if (password.len > BCRYPT_TEXT_MAX)
		return fx_v_str(
		        "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
	if (memchr(password.s, 0, password.len))
		fx_render_throw(x, "a password with a NUL byte cannot be hashed");
	char random[BCRYPT_SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	fx_render_random(x, random, sizeof(random));
	struct crypt_data *data = fx_render_zalloc(x, sizeof(*data));
	if (!crypt_gensalt_rn("$2b$", BCRYPT_COST, random, sizeof(random), setting, sizeof(setting)))
		fx_render_throw(x, "failed to encrypt string with bcrypt");
	const char *hash = crypt_r(fx_v_cstr(x, password), setting, data);
	struct fx_val out = hash ? fx_v_dup(x, hash, strlen(hash)) : fx_v_nil();
	OPENSSL_cleanse(data, sizeof(*data));
	if (out.len < 4 || out.s[0] != '$')
		fx_render_throw(x, "failed to encrypt string with bcrypt");
	/* Go names the same algorithm by its older letter. */
	((char *)out.s)[2] = 'a';
	return out;
}

static struct fx_val fn_bcrypt(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	return bcrypt(x, a[0]);
}

static struct fx_val fn_htpasswd(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_text t = {.x = x};
	bool bad = memchr(a[0].s, ':', a[0].len) != NULL;
	fx_text_str(&t, bad ? "invalid username: " : "");
	fx_text_add(&t, a[0].s, a[0].len);
	if (bad)
		return fx_text_val(&t);
	struct fx_val hash = bcrypt(x, a[1]);
	fx_text_char(&t, ':');
	fx_text_add(&t, hash.s, hash.len);
	return fx_text_val(&t);
}

/* ---- AES ---- */

#define AES_KEY_BYTES 32
#define AES_BLOCK 16

/* CBC over whole blocks; in and out may not overlap. Nothing throws while the context is held. */
static void aes_cbc(struct fx_render *x, bool encrypt, struct fx_val password, const unsigned char *iv,
        const unsigned char *in, size_t len, unsigned char *out)
{
	unsigned char key[AES_KEY_BYTES] = {0};
	memcpy(key, password.s, password.len < sizeof(key) ? password.len : sizeof(key));
	int done = 0;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ok = ctx && len <= INT32_MAX &&
	          EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, encrypt) == 1 &&
	          EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
	          EVP_CipherUpdate(ctx, out, &done, in, (int)len) == 1 && (size_t)done == len;
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(key, sizeof(key));
	if (!ok)
		fx_render_throw(x, "crypto/aes: failed");
}

static struct fx_val fn_encrypt_aes(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val text = a[1];
	if (text.len == 0)
		return text;
	size_t pad = AES_BLOCK - text.len % AES_BLOCK, len = text.len + pad;
	unsigned char *plain = fx_render_alloc(x, len), *out = fx_render_alloc(x, AES_BLOCK + len);
	memcpy(plain, text.s, text.len);
	memset(plain + text.len, (int)pad, pad);
	fx_render_random(x, out, AES_BLOCK);
	aes_cbc(x, true, a[0], out, plain, len, out + AES_BLOCK);
	return fx_v_base64(x, (const char *)out, AES_BLOCK + len);
}

static struct fx_val fn_decrypt_aes(struct fx_render *x, const struct fx_val *a, size_t n)
{
	(void)n;
	struct fx_val raw;
	size_t bad;
	if (a[1].len == 0)
		return a[1];
	if (!fx_v_base64_decode(x, a[1].s, a[1].len, &raw, &bad))
		fx_render_throw(x, "illegal base64 data at input byte %zu", bad);
	if (raw.len < AES_BLOCK)
		fx_render_throw(x, "runtime error: slice bounds out of range [:16] with capacity %u",
		        a[1].len / 4 * 3);
	size_t len = raw.len - AES_BLOCK;
	if (len % AES_BLOCK)
		fx_render_throw(x, "crypto/cipher: input not full blocks");
	if (len == 0)
		fx_render_throw(x, "runtime error: index out of range [-1]");
	unsigned char *out = fx_render_alloc(x, len + 1);
	aes_cbc(x, false, a[0], (const unsigned char *)raw.s, (const unsigned char *)raw.s + AES_BLOCK, len,
	        out);
	long left = (long)len - out[len - 1];
	if (left < 0)
		fx_render_throw(x, "runtime error: slice bounds out of range [:%ld]", left);
	return fx_v_strn((char *)out, (size_t)left);
}

const struct fx_fn fx_fns_secrets[] = {
        {"derivePassword", "USSSS", fn_derive_password},
        {"bcrypt", "S", fn_bcrypt},
        {"htpasswd", "SS", fn_htpasswd},
        {"encryptAES", "SS", fn_encrypt_aes},
        {"decryptAES", "SS", fn_decrypt_aes},
        {NULL, NULL, NULL},
};
