/* SPDX-License-Identifier: MIT */
/* core/relay/xpacket.h - a packet becomes a record between workers, and one
 * again. Inline: on the way of every packet to another worker.
 * Context: a worker. */
#pragma once
#include <hyper-derp/relay.h>
#include "core/loop/xring.h"

/* hd_record_of - @hash  of its destination, whose home takes it; HD_X_LINK: the
 * link's name
 * hd_packet_of - @x, @data  borrowed: it points into both */
static inline struct hd_xrecord hd_record_of(const struct hd_packet *packet,
					     uint64_t hash, enum hd_xkind kind)
{
	return (struct hd_xrecord){
		.len_bytes = packet->len_bytes,
		.hash = hash,
		.src = *packet->src,
		.dst = *packet->dst,
		.realm = packet->realm,
		.kind = (uint8_t)kind,
		.urgent = packet->urgent,
	};
}

static inline struct hd_packet hd_packet_of(const struct hd_xrecord *x,
					    const uint8_t *data)
{
	return (struct hd_packet){
		.src = &x->src,
		.dst = &x->dst,
		.data = data,
		.len_bytes = x->len_bytes,
		.realm = x->realm,
		.urgent = x->urgent,
		.forwarded = x->kind == HD_X_FORWARDED,
	};
}
