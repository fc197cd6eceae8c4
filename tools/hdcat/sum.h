/* SPDX-License-Identifier: MIT */
/* tools/hdcat/sum.h - the hash of a file's bytes, as they come: BLAKE2b. */
#pragma once
#include "tools/hdcat/record.h"
#include <sodium.h>

/* What is hashed of a file that is there before others have a turn. */
#define SUM_SLICE_BYTES (1u << 20)

struct sum {
	crypto_generichash_state state;
	uint64_t n; /* bytes that are in it */
};

/* sum_new - given: release with sum_free(); NULL: no memory.
 * sum_reset - to the beginning. sum_add. sum_get - of what is in it; it may go
 * on. sum_file - the next bytes of a file, until it has `until`, or a slice.
 * Returns 0; 1 it has; -errno; -ENODATA the file is shorter. */
struct sum *sum_new(void);
void sum_free(struct sum **s);
void sum_reset(struct sum *s);
void sum_add(struct sum *s, const void *p, size_t n);
void sum_get(const struct sum *s, uint8_t ret[HASH_BYTES]);
int sum_file(struct sum *s, int fd, uint64_t until);
