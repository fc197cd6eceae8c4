/* SPDX-License-Identifier: MIT */
/* modules/hd/groups.h - who is here of each group: one table for all workers,
 * under a lock that is held for a copy only. Its clients' groups are in what an
 * operator has signed.
 *
 * A group is an operator and a name; in the relay it is HDP_GROUP_BYTES of a
 * hash over both. Any thread. */
#pragma once
#include <hyper-derp/base.h>

#define HDP_GROUP_BYTES 16
#define HDP_GROUP_MEMBERS_MAX 256 /* that a packet to it reaches */
#define HDP_GROUPS_ALLOWED_MAX 4 /* of one client */

struct hdp_group {
	uint8_t id[HDP_GROUP_BYTES]; /* zeros: none */
};

struct hdp_groups; /* counted: each worker holds it */
struct hdp_groups *hdp_groups_new(void); /* NULL: out of memory */
struct hdp_groups *hdp_groups_hold(struct hdp_groups *g);
void hdp_groups_drop(struct hdp_groups *g); /* NULL is nothing */

/* hdp_group_of - @name  n bytes. */
struct hdp_group hdp_group_of(const uint8_t *operator_identity,
			      const uint8_t *name, size_t n);
bool hdp_group_is(const struct hdp_group *a, const struct hdp_group *b);
bool hdp_group_is_none(const struct hdp_group *a);

/* hdp_groups_join - a connection of a key is here; as often as there are some.
 * Returns 0; -ENOSPC there are HDP_GROUP_MEMBERS_MAX; -ENOMEM.
 * hdp_groups_leave - one that has joined.
 * hdp_groups_members - who is here, in a realm. Returns how many. */
int hdp_groups_join(struct hdp_groups *g, const struct hdp_group *group,
		    uint16_t realm, const struct hd_key *key);
void hdp_groups_leave(struct hdp_groups *g, const struct hdp_group *group,
		      uint16_t realm, const struct hd_key *key);
size_t hdp_groups_members(struct hdp_groups *g, const struct hdp_group *group,
			  uint16_t realm,
			  struct hd_key to[HDP_GROUP_MEMBERS_MAX]);

/* hdp_copies - what packets to groups may cost the relay, of one client: a few
 * bytes of it become hundreds of packets. Zeroed at first. One thread. */
struct hdp_copies {
	uint64_t paid_us; /* until when what was taken is paid for */
};
/* hdp_copies_take - Returns whether one of n bytes may be made. */
bool hdp_copies_take(struct hdp_copies *c, uint64_t now_ms, uint32_t n);
