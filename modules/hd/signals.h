/* SPDX-License-Identifier: MIT */
/* modules/hd/signals.h - what relays tell each other about their clients. */
#pragma once
#include <hyper-derp/hd.h>
#include <hyper-derp/relay.h>
#include "modules/hd/groups.h"

/* hdp_signal - what one client's relay has to say to another's, as a packet
 * that clients cannot send; to all of a group. hdp_signal_get - Returns whether
 * a packet is one.
 * @body  n bytes behind the kind, HDP_SIGNAL_MAX_BYTES at most; borrowed
 * hdp_is_bridged - a realm is DERP's, too: others than ours are in it.
 * hdp_is_shared - ... and those who log in to it meet ours. */
#define HDP_SIGNAL_MAX_BYTES (HDP_GROUP_BYTES + HDP_GROUP_PACKET_MAX_BYTES)
enum hdp_signal {
	HDP_SIGNAL_KNOCK = 1, /* 32 identity, note */
	HDP_SIGNAL_ALLOWED = 2, /* I have allowed you; and you me? My group */
	HDP_SIGNAL_MUTUAL = 3, /* so have I */
	HDP_SIGNAL_GROUP = 4, /* my group, and a packet to yours */
	HDP_SIGNAL_OPEN = 5, /* intents.c */
	HDP_SIGNAL_ANSWER = 6,
};
struct hdp_said {
	uint8_t kind; /* enum hdp_signal, or another relay's newer one */
	const uint8_t *body; /* into the packet */
	uint32_t n;
};
void hdp_signal(struct hd_peer *from, const struct hd_key *to,
		enum hdp_signal kind, const void *body, uint32_t n);
void hdp_signal_group(struct hd_peer *from, const struct hd_key *to,
		      size_t n_to, const void *body, uint32_t n);
bool hdp_signal_get(const struct hd_worker *w, const struct hd_packet *packet,
		    struct hdp_said *ret);
bool hdp_is_bridged(uint16_t realm);
bool hdp_is_shared(uint16_t realm);
