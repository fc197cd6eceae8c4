/* SPDX-License-Identifier: MIT */
/* core/base/keyset.h - sets of public keys. Context: one worker. */
#pragma once
#include <hyper-derp/metric.h>

struct hd_keyset { /* open addressing; an all-zero key is never in it */
	struct hd_key *v;
	uint32_t n, size;
};
/* A set holds 49,152 keys at most (2 MiB). Those of a worker share 64 MiB, of
 * which a set of up to 48 keys needs nothing: who talks to few is never short.
 * @sum  of what the sets of the worker take
 *
 * hd_keyset_try - returns 1 added; 0 was there; -ENOSPC it may not grow;
 * -ENOMEM. hd_keyset_add - the same, but where it may not grow another key goes
 * for it: HD_KEYSET_INSTEAD. hd_keyset_remove - if it is there.
 * hd_keyset_next - the first key at *at or behind it; *at is its place. *looks
 * counts places down. Returns false at the end, or when *looks is 0. What
 * stands behind a key that is removed may move before *at: begin again. */
#define HD_KEYSET_MAX 49152
#define HD_KEYSETS_BYTES (64u << 20)
enum { HD_KEYSET_INSTEAD = 2 };
int hd_keyset_try(struct hd_keyset *set, const struct hd_key *key,
		  struct hd_gauge *sum);
int hd_keyset_add(struct hd_keyset *set, const struct hd_key *key,
		  struct hd_gauge *sum);
void hd_keyset_remove(struct hd_keyset *set, const struct hd_key *key);
bool hd_keyset_has(const struct hd_keyset *set, const struct hd_key *key);
bool hd_keyset_next(const struct hd_keyset *set, uint32_t *at, uint32_t *looks,
		    struct hd_key *ret);
void hd_keyset_free(struct hd_keyset *set, struct hd_gauge *sum);
