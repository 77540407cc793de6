#include "../unit.h"
#include "data/digest.h"

#include <string.h>

/* The input of the published BLAKE3 vectors: the numbers 0 to 250, over and over. */
static void fill(unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (unsigned char)(i % 251);
}

static const struct {
	const char *name;
	enum fx_digest_algo algo;
	size_t len;
	const char *want;
} vectors[] = {
        {"sha1 of nothing", FX_DIGEST_SHA1, 0, "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"sha256 of nothing", FX_DIGEST_SHA256, 0,
                "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"blake3 of nothing", FX_DIGEST_BLAKE3, 0,
                "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
        {"blake3 of a whole chunk", FX_DIGEST_BLAKE3, 1024,
                "blake3:42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
        {"blake3 of a chunk and a byte", FX_DIGEST_BLAKE3, 1025,
                "blake3:d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"},
        {"blake3 of two chunks", FX_DIGEST_BLAKE3, 2048,
                "blake3:e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"},
        {"blake3 of three chunks", FX_DIGEST_BLAKE3, 3072,
                "blake3:b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2"},
        {"blake3 of 31 chunks", FX_DIGEST_BLAKE3, 31744,
                "blake3:62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"},
};

START_TEST(known_vectors)
{
	fx_autofree unsigned char *data = malloc(32768);
	fill(data, 32768);
	struct fx_digest got;
	ck_assert_ok(fx_digest_bytes(vectors[_i].algo, data, vectors[_i].len, &got, NULL), NULL);
	ck_assert_msg(strcmp(got.text, vectors[_i].want) == 0, "%s: %s, want %s", vectors[_i].name, got.text,
	        vectors[_i].want);
}
END_TEST

START_TEST(pieces_do_not_matter)
{
	fx_autofree unsigned char *data = malloc(5000);
	fill(data, 5000);
	for (int algo = FX_DIGEST_SHA1; algo <= FX_DIGEST_BLAKE3; algo++) {
		struct fx_digest whole, pieces;
		ck_assert_ok(fx_digest_bytes((enum fx_digest_algo)algo, data, 5000, &whole, NULL), NULL);
		fx_auto(digester) struct fx_digester *d = fx_digester_new((enum fx_digest_algo)algo);
		for (size_t at = 0, n = 1; at < 5000; at += n, n = n % 97 + 3)
			fx_digester_update(d, data + at, at + n > 5000 ? 5000 - at : n);
		fx_digester_final(d, &pieces);
		ck_assert_str_eq(pieces.text, whole.text);
	}
}
END_TEST

START_TEST(parsing)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} cases[] = {
	        {"sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
	                "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	                "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	        {"", NULL},
	        {"md5:d41d8cd98f00b204e9800998ecf8427e", NULL},
	        {"sha256:abcd", NULL},
	        {"sha1:DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", NULL},
	        {"sha1:za39a3ee5e6b4b0d3255bfef95601890afd80709", NULL},
	};
	for (size_t i = 0; i < FX_COUNT(cases); i++) {
		struct fx_digest got;
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		int rc = fx_digest_parse(cases[i].text, &got, &err);
		ck_assert_msg((rc == 0) == (cases[i].want != NULL), "'%s': %d", cases[i].text, rc);
		if (cases[i].want)
			ck_assert_str_eq(got.text, cases[i].want);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("digest");
	TCase *tc = tcase_create("digest");
	tcase_add_loop_test(tc, known_vectors, 0, FX_COUNT(vectors));
	tcase_add_test(tc, pieces_do_not_matter);
	tcase_add_test(tc, parsing);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
