/* SPDX-License-Identifier: MIT */
/* core/relay/relay_table.h - the keys whose home is one worker. Linear probing
 * over the upper bits of a keyed hash. Context: that worker. */
#pragma once
#include <hyper-derp/relay.h>
#include "core/base/key.h"
#include "core/base/keyset.h"

struct hd_limit;

struct hd_entry { /* one key; lives while it has connections, or owes */
	struct hd_key key;
	uint16_t realm;
	bool had_way; /* when its time in wayless.c is over, it has gone */
	uint64_t hash;
	struct hd_peer *active; /* spoke last; the others follow it */
	struct hd_keyset
		to_notify; /* receivers of its packets: PeerGone is due */
	struct hd_limit *limit; /* of what it may send; NULL: none */
	/* it has left: core/relay/relay_gone.c; or waits: wayless.c */
	struct hd_entry *gone_prev, *gone_next;
	uint32_t gone_at; /* in to_notify: those before it have been told */
	uint32_t since_ms; /* it waits; the lower half */
};

struct hd_relay_table {
	struct hd_entry **v;
	uint32_t n, size;
	uint32_t version; /* changes when an entry goes: caches are stale */
	uint32_t came; /* entries that were put in, ever */
};

struct hd_gone_queue { /* the first has left first */
	struct hd_relay_table table;
	uint32_t began; /* changes when somebody is owed more */
	struct hd_entry *first, *last;
};

/* hd_gone_queue_in - it is the last. hd_gone_queue_out - it is in there. None
 * looks at the table. */
void hd_gone_queue_in(struct hd_gone_queue *q, struct hd_entry *e);
void hd_gone_queue_out(struct hd_gone_queue *q, struct hd_entry *e);

/* hd_realm_find - the number of a protocol's realm, without making one; -1
 * none. Any thread. */
int hd_realm_find(const char *name);

struct hd_entry *hd_relay_table_find(const struct hd_relay_table *t,
				     uint64_t hash, uint16_t realm,
				     const struct hd_key *key);
/* hd_relay_table_next - those of a key, in all tenants of a protocol's realm,
 * one after the other. @at  0 before the first. Returns NULL after the last. */
struct hd_entry *hd_relay_table_next(const struct hd_relay_table *t,
				     uint64_t hash, const struct hd_key *key,
				     uint32_t *at);
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
