/*
 * BLAKE3 hash of 256 bits, unkeyed, portable. No Debian release before 13 has a library for it.
 * A state belongs to one thread at a time.
 *
 * Source: the BLAKE3 paper (J. O'Connor and others, 2020), sections 2.1 to 2.5.
 */
#ifndef FX_DATA_BLAKE3_H
#define FX_DATA_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define FX_BLAKE3_BYTES 32
#define FX_BLAKE3_BLOCK 64
/* Chunks are 1 KiB: 54 levels cover 2^64 bytes. */
#define FX_BLAKE3_LEVELS 54

struct fx_blake3 {
	uint32_t cv[8]; /* of the chunk under way */
	uint64_t chunk; /* its number */
	uint8_t block[FX_BLAKE3_BLOCK];
	size_t block_len;
	size_t blocks;                       /* compressed in this chunk */
	uint32_t stack[FX_BLAKE3_LEVELS][8]; /* finished subtrees, one for each bit set in `chunk` */
	size_t stack_len;
};

void fx_blake3_init(struct fx_blake3 *state);
void fx_blake3_update(struct fx_blake3 *state, const void *data, size_t len);
void fx_blake3_final(const struct fx_blake3 *state, unsigned char out[FX_BLAKE3_BYTES]);

#endif
