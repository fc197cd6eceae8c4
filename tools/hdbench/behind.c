/* SPDX-License-Identifier: MIT */
/* tools/hdbench/behind.c - packets that stand right behind a login: to the
 * peer itself, so that each must come back, in order. They reach the relay
 * while it moves the connection to another worker. */
#include "tools/hdbench/behind.h"

static size_t frame_bytes(const struct opts *o)
{
	return DERP_HEADER_BYTES + HD_KEY_BYTES + o->size_bytes;
}

size_t behind_bytes(const struct opts *o)
{
	return o->behind * frame_bytes(o);
}

void behind_put(const struct opts *o, struct peer *p, uint8_t *out)
{
	struct stamp s = { .pair = p->index };

	for (; s.seq < o->behind; s.seq++, out += frame_bytes(o)) {
		uint8_t *packet = derp_header_put(
			out, DERP_SEND_PACKET,
			(uint32_t)(HD_KEY_BYTES + o->size_bytes));

		memcpy(packet, p->keys.pub.b, HD_KEY_BYTES);
		memset(packet + HD_KEY_BYTES, 0, o->size_bytes);
		memcpy(packet + HD_KEY_BYTES, &s, sizeof(s));
	}
}

void behind_on_frame(void *peer, const uint8_t *head, struct derp_header h)
{
	struct peer_handshake *hs = ((struct peer *)peer)->hs;
	struct stamp s;

	if (h.type != DERP_RECV_PACKET ||
	    h.len_bytes < HD_KEY_BYTES + sizeof(s))
		return;
	memcpy(&s, head + DERP_HEADER_BYTES + HD_KEY_BYTES, sizeof(s));
	hs->behind_odd |= s.pair != ((struct peer *)peer)->index ||
			  s.seq != hs->behind_back;
	hs->behind_back++;
}

/* Where a write of n bytes is cut: elsewhere for each peer. */
size_t behind_cut(const struct peer *p, size_t n)
{
	return n - 1 - p->index * 7919u % (n - 1);
}
