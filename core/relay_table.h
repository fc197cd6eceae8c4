/* SPDX-License-Identifier: MIT */
/* core/relay_table.h - the keys whose home is one worker. Linear probing over
 * the upper bits of a keyed hash. Context: that worker. */
#pragma once
#include <hyper-derp/relay.h>

struct hd_keyset { /* open addressing; an all-zero key is never in it */
	struct hd_key *v;
	uint32_t n, size;
};
/* hd_keyset_add - returns 1 added; 0 was there; -ENOMEM. At HD_KEYSET_MAX
 * another key goes for it. hd_keyset_remove - if it is there. */
#define HD_KEYSET_MAX 49152 /* three quarters of 2 MiB */
int hd_keyset_add(struct hd_keyset *set, const struct hd_key *key);
void hd_keyset_remove(struct hd_keyset *set, const struct hd_key *key);
bool hd_keyset_has(const struct hd_keyset *set, const struct hd_key *key);
void hd_keyset_free(struct hd_keyset *set);

struct hd_entry { /* one key; lives while it has connections */
	struct hd_key key;
	uint16_t realm;
	uint64_t hash;
	struct hd_peer *active; /* spoke last; the others follow it */
	struct hd_keyset told;  /* receivers of its packets: PeerGone is due */
};

struct hd_relay_table {
	struct hd_entry **v;
	uint32_t n, size;
	uint32_t version; /* changes when an entry goes: caches are stale */
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
void hd_relay_table_remove(struct hd_relay_table *t, struct hd_entry **entry);
void hd_relay_table_free(struct hd_relay_table *t);
