/* SPDX-License-Identifier: MIT */
/* core/relay/relay_table.h - the keys whose home is one worker. Linear probing
 * over the upper bits of a keyed hash. Context: that worker. */
#pragma once
#include <hyper-derp/relay.h>

struct hd_keyset { /* open addressing; an all-zero key is never in it */
	struct hd_key *v;
	uint32_t n, size;
};
/* A set holds 49,152 keys at most (2 MiB). Those of a worker share 64 MiB, of
 * which a set of up to 48 keys needs nothing: who talks to few is never short.
 * @sum  of what the sets of the worker take; an atomic for those who show it
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
		  uint64_t *sum);
int hd_keyset_add(struct hd_keyset *set, const struct hd_key *key,
		  uint64_t *sum);
void hd_keyset_remove(struct hd_keyset *set, const struct hd_key *key);
bool hd_keyset_has(const struct hd_keyset *set, const struct hd_key *key);
bool hd_keyset_next(const struct hd_keyset *set, uint32_t *at, uint32_t *looks,
		    struct hd_key *ret);
void hd_keyset_free(struct hd_keyset *set, uint64_t *sum);

struct hd_entry { /* one key; lives while it has connections, or owes */
	struct hd_key key;
	uint16_t realm;
	uint64_t hash;
	struct hd_peer *active; /* spoke last; the others follow it */
	struct hd_keyset told;  /* receivers of its packets: PeerGone is due */
	/* it has left: core/relay/relay_gone.c */
	struct hd_entry *gone_prev, *gone_next;
	uint32_t gone_at; /* in told: those before it have been told */
};

struct hd_relay_table {
	struct hd_entry **v;
	uint32_t n, size;
	uint32_t version; /* changes when an entry goes: caches are stale */
};

struct hd_gone_queue { /* the first has left first */
	struct hd_relay_table table;
	struct hd_entry *first, *last;
};

/* hd_key_hash - SipHash under a key of this process, so that nobody can mint
 * keys that land on one worker or in one bucket. */
uint64_t hd_key_hash(uint16_t realm, const struct hd_key *key);
void hd_key_hash_seed(void); /* once, before workers start */

struct hd_entry *hd_relay_table_find(const struct hd_relay_table *t,
				     uint64_t hash, uint16_t realm,
				     const struct hd_key *key);
/* hd_relay_table_add - a fresh entry. Returns NULL when out of memory. */
struct hd_entry *hd_relay_table_add(struct hd_relay_table *t, uint64_t hash,
				    uint16_t realm, const struct hd_key *key);
/* hd_relay_table_put - an entry that is in another one, or was. Returns 0;
 * -ENOMEM. hd_relay_table_take - out of it; the entry stays.
 * hd_entry_free - in no table; its set is free. */
int hd_relay_table_put(struct hd_relay_table *t, struct hd_entry *e);
void hd_relay_table_take(struct hd_relay_table *t, struct hd_entry *e);
void hd_entry_free(struct hd_entry **entry);
void hd_relay_table_free(struct hd_relay_table *t);
