#include "data/blake3.h"

#include <string.h>

#define CHUNK_BLOCKS 16

enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

static const uint32_t iv[8] = {
        0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/* The message word that takes each place in the next round. */
static const uint8_t permutation[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

static uint32_t rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void mix(uint32_t *v, int a, int b, int c, int d, uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotr(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotr(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 7);
}

static void compress_words(
        uint32_t cv[8], const uint32_t words[16], uint64_t counter, uint32_t len, uint32_t flags)
{
	uint32_t m[16], next[16];
	uint32_t v[16] = {cv[0], cv[1], cv[2], cv[3], cv[4], cv[5], cv[6], cv[7], iv[0], iv[1], iv[2], iv[3],
	        (uint32_t)counter, (uint32_t)(counter >> 32), len, flags};
	memcpy(m, words, sizeof(m));
	for (int round = 0; round < 7; round++) {
		mix(v, 0, 4, 8, 12, m[0], m[1]);
		mix(v, 1, 5, 9, 13, m[2], m[3]);
		mix(v, 2, 6, 10, 14, m[4], m[5]);
		mix(v, 3, 7, 11, 15, m[6], m[7]);
		mix(v, 0, 5, 10, 15, m[8], m[9]);
		mix(v, 1, 6, 11, 12, m[10], m[11]);
		mix(v, 2, 7, 8, 13, m[12], m[13]);
		mix(v, 3, 4, 9, 14, m[14], m[15]);
		for (int i = 0; i < 16; i++)
			next[i] = m[permutation[i]];
		memcpy(m, next, sizeof(m));
	}
	for (int i = 0; i < 8; i++)
		cv[i] = v[i] ^ v[i + 8];
}

static void compress_block(
        uint32_t cv[8], const uint8_t block[FX_BLAKE3_BLOCK], uint64_t counter, size_t len, uint32_t flags)
{
	uint32_t words[16];
	for (int i = 0; i < 16; i++) {
		const uint8_t *b = block + 4 * i;
		words[i] = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
	}
	compress_words(cv, words, counter, (uint32_t)len, flags);
}

/* right becomes the chaining value of the parent of (left, right). */
static void compress_parent(const uint32_t left[8], uint32_t right[8], uint32_t flags)
{
	uint32_t words[16];
	memcpy(words, left, 32);
	memcpy(words + 8, right, 32);
	memcpy(right, iv, 32);
	compress_words(right, words, 0, FX_BLAKE3_BLOCK, PARENT | flags);
}

static void start_chunk(struct fx_blake3 *s, uint64_t number)
{
	memcpy(s->cv, iv, sizeof(s->cv));
	memset(s->block, 0, sizeof(s->block));
	s->chunk = number;
	s->block_len = 0;
	s->blocks = 0;
}

static uint32_t start_flag(const struct fx_blake3 *s)
{
	return s->blocks == 0 ? CHUNK_START : 0;
}

/* A finished chunk joins every complete subtree to its left: one for each zero bit that
 * its number, counted from one, ends in. */
static void end_chunk(struct fx_blake3 *s)
{
	uint32_t cv[8];
	memcpy(cv, s->cv, sizeof(cv));
	compress_block(cv, s->block, s->chunk, s->block_len, start_flag(s) | CHUNK_END);
	uint64_t total = s->chunk + 1;
	for (uint64_t t = total; (t & 1) == 0; t >>= 1)
		compress_parent(s->stack[--s->stack_len], cv, 0);
	memcpy(s->stack[s->stack_len++], cv, sizeof(cv));
	start_chunk(s, total);
}

void fx_blake3_init(struct fx_blake3 *state)
{
	memset(state, 0, sizeof(*state));
	start_chunk(state, 0);
}

void fx_blake3_update(struct fx_blake3 *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	while (len > 0) {
		/* The last block of a chunk waits until more comes: it may be the root. */
		if (s->block_len == FX_BLAKE3_BLOCK && s->blocks == CHUNK_BLOCKS - 1) {
			end_chunk(s);
		} else if (s->block_len == FX_BLAKE3_BLOCK) {
			compress_block(s->cv, s->block, s->chunk, FX_BLAKE3_BLOCK, start_flag(s));
			memset(s->block, 0, sizeof(s->block));
			s->block_len = 0;
			s->blocks++;
		}
		size_t n = FX_BLAKE3_BLOCK - s->block_len;
		if (n > len)
			n = len;
		memcpy(s->block + s->block_len, p, n);
		s->block_len += n;
		p += n;
		len -= n;
	}
}

void fx_blake3_final(const struct fx_blake3 *s, unsigned char out[FX_BLAKE3_BYTES])
{
	uint32_t cv[8];
	memcpy(cv, s->cv, sizeof(cv));
	compress_block(cv, s->block, s->chunk, s->block_len,
	        start_flag(s) | CHUNK_END | (s->stack_len == 0 ? ROOT : 0));
	for (size_t i = s->stack_len; i > 0; i--)
		compress_parent(s->stack[i - 1], cv, i == 1 ? ROOT : 0);
	for (int i = 0; i < 8; i++) {
		for (int b = 0; b < 4; b++)
			out[4 * i + b] = (unsigned char)(cv[i] >> (8 * b));
	}
}
