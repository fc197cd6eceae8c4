/* SPDX-License-Identifier: MIT */
/* core/relay/astray.c - see astray.h. */
#include "core/relay/astray.h"
#include "core/loop/xring.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_worker.h"

static void tell_here(struct hd_worker *w, uint32_t slot, uint16_t realm,
		      const struct hd_key *key)
{
	struct hd_stream *s = hd_slots_at(&w->streams->slots, slot);
	struct hd_peer *p = s != NULL ? hd_peer_up_of(s) : NULL;

	if (p == NULL || !p->login.mesh || p->watch != NULL)
		return;
	if (realm == p->login.realm)
		hd_peer_not_here(p, key);
	else
		hd_peer_not_here_in(p, realm, key);
}

void hd_astray_tell(struct hd_worker *w, const struct hd_packet *packet,
		    uint32_t from)
{
	unsigned worker = from >> HD_SLOT_BITS;
	const struct hd_xrecord x = {
		.hash = from & HD_SLOT_MAX,
		.src = *packet->dst,
		.realm = packet->realm,
		.kind = HD_X_ASTRAY,
	};

	if (worker == w->index)
		tell_here(w, from & HD_SLOT_MAX, packet->realm, packet->dst);
	else
		hd_xring_put(w, worker, &x, NULL);
}

void hd_astray_take(struct hd_worker *w, const struct hd_xrecord *x)
{
	tell_here(w, (uint32_t)x->hash, x->realm, &x->src);
}
