/* SPDX-License-Identifier: MIT */
/* tools/hdcat/sum.c - see sum.h. */
#include "tools/hdcat/sum.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES 65536

/* Its state is aligned as calloc() need not be. */
struct sum *sum_new(void)
{
	struct sum *s = aligned_alloc(_Alignof(struct sum), sizeof(*s));

	if (s != NULL)
		sum_reset(s);
	return s;
}

void sum_free(struct sum **s)
{
	free(*s);
	*s = NULL;
}

void sum_reset(struct sum *s)
{
	s->n = 0;
	crypto_generichash_init(&s->state, NULL, 0, HASH_BYTES);
}

void sum_add(struct sum *s, const void *p, size_t n)
{
	s->n += n;
	crypto_generichash_update(&s->state, p, n);
}

void sum_get(const struct sum *s, uint8_t ret[HASH_BYTES])
{
	crypto_generichash_state copy = s->state;

	crypto_generichash_final(&copy, ret, HASH_BYTES);
}

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

int sum_file(struct sum *s, int fd, uint64_t until)
{
	uint8_t v[READ_BYTES];

	for (size_t had = 0; had < SUM_SLICE_BYTES && s->n < until;) {
		ssize_t n = pread(fd, v, smaller(until - s->n, sizeof(v)),
				  (off_t)s->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		sum_add(s, v, (size_t)n);
		had += (size_t)n;
	}
	return s->n >= until;
}
