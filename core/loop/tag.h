/* SPDX-License-Identifier: MIT */
/* core/loop/tag.h - what a completion carries: operation, slot and generation
 * of a core object; never an fd or a pointer. Packed only here. */
#pragma once
#include <stdint.h>
#include "core/base/slots.h"

enum hd_op {
	HD_OP_NONE,   /* nobody waits for it */
	HD_OP_WAKE,   /* the worker's eventfd */
	HD_OP_ACCEPT, /* a listener is readable; slot: which */
	HD_OP_STREAM, /* a stream is ready */
	HD_OP_SENT,   /* a stream's send ended */
	HD_OP_UDP,    /* a UDP socket is readable */
	HD_OP_CARRIER, /* what brings its datagrams another way is */
	HD_OP_N
};

static inline uint64_t hd_tag(enum hd_op op, uint32_t slot, uint32_t gen)
{
	return (uint64_t)op << 56 | (uint64_t)slot << 32 | gen;
}

static inline enum hd_op hd_tag_op(uint64_t tag)
{
	return (enum hd_op)(tag >> 56);
}

static inline uint32_t hd_tag_slot(uint64_t tag)
{
	return (uint32_t)(tag >> 32) & HD_SLOT_MAX;
}

static inline uint32_t hd_tag_gen(uint64_t tag)
{
	return (uint32_t)tag;
}
