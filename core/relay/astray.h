/* SPDX-License-Identifier: MIT */
/* core/relay/astray.h - another relay has brought a packet for a key that is
 * not here: it is told, so that it looks elsewhere. One that watches who is
 * here (presence.h) hears that anyway, and in order: it is not told. */
#pragma once
#include "core/base/slots.h"
#include "core/relay/peer.h"

struct hd_xrecord;

/* hd_astray_from - a name for who brought it, good for a short while: the slot
 * of its stream may be another relay's when it is used. What that one is told
 * is true all the same. In its worker.
 * hd_astray_tell - its destination is not here. In the home of that.
 * hd_astray_take - the same from another worker. */
static inline uint32_t hd_astray_from(const struct hd_peer *link)
{
	const struct hd_stream *s = link->stream;

	return s->worker->index << HD_SLOT_BITS | s->slot;
}
void hd_astray_tell(struct hd_worker *w, const struct hd_packet *packet,
		    uint32_t from);
void hd_astray_take(struct hd_worker *w, const struct hd_xrecord *x);
