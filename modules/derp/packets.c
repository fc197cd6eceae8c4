/* SPDX-License-Identifier: MIT */
/* modules/derp/packets.c - the packet path, from bytes to the core. Nothing
 * here allocates. Context: the stream's worker. */
#include "modules/derp/derp.h"
#include <hyper-derp/relay.h>

#define likely(x) __builtin_expect(!!(x), 1)

/* As many whole SendPacket frames as stand at the front. Returns the bytes
 * used. */
static size_t take_packets(struct hd_module *mod, struct hd_stream *s,
			   const struct derp_state *d, uint8_t *p, size_t n)
{
	uint64_t count[2] = { 0, 0 }, bytes[2] = { 0, 0 };
	size_t used = 0;

	while (n - used >= DERP_PACKET_HEAD_BYTES &&
	       p[used] == DERP_SEND_PACKET) {
		uint8_t *frame = p + used;
		/* below 32 wraps round and is too long, too */
		uint32_t len = derp_get_u32(frame + 1) - HD_KEY_BYTES;
		bool disco;

		if (len > DERP_PACKET_MAX_BYTES ||
		    n - used - DERP_PACKET_HEAD_BYTES < len)
			break;
		disco = derp_looks_disco(frame + DERP_PACKET_HEAD_BYTES, len);
		hd_relay_send(
			d->peer,
			(const struct hd_key *)(frame + DERP_HEADER_BYTES),
			disco, frame + DERP_PACKET_HEAD_BYTES, len);
		count[disco]++;
		bytes[disco] += len;
		used += DERP_PACKET_HEAD_BYTES + len;
	}
	if (likely(used > 0)) {
		struct derp_numbers *numbers = derp_metrics(mod, s);

		for (unsigned kind = 0; kind < 2; kind++) {
			hd_count(&numbers->packets[kind], count[kind]);
			hd_count(&numbers->bytes[kind], bytes[kind]);
		}
	}
	return used;
}

/* The same of ForwardPacket, from another relay. They never leave again:
 * hd_relay_forward() looks here only. */
static size_t take_forwards(struct hd_module *mod, struct hd_stream *s,
			    const struct derp_state *d, uint8_t *p, size_t n)
{
	uint64_t count[2] = { 0, 0 }, bytes[2] = { 0, 0 };
	size_t used = 0;

	while (n - used >= DERP_FORWARD_HEAD_BYTES &&
	       p[used] == DERP_FORWARD_PACKET) {
		uint8_t *frame = p + used;
		const struct hd_key *keys = (void *)(frame + DERP_HEADER_BYTES);
		const uint8_t *packet = frame + DERP_FORWARD_HEAD_BYTES;
		/* below 64 wraps round and is too long, too */
		uint32_t len = derp_get_u32(frame + 1) - 2 * HD_KEY_BYTES;
		bool disco;

		if (len > DERP_PACKET_MAX_BYTES ||
		    n - used - DERP_FORWARD_HEAD_BYTES < len)
			break;
		disco = derp_looks_disco(packet, len);
		hd_relay_forward(d->peer, &keys[0], &keys[1], disco, packet,
				 len);
		count[disco]++;
		bytes[disco] += len;
		used += DERP_FORWARD_HEAD_BYTES + len;
	}
	for (unsigned kind = 0; used > 0 && kind < 2; kind++) {
		struct derp_numbers *numbers = derp_metrics(mod, s);

		hd_count(&numbers->forwarded[kind], count[kind]);
		hd_count(&numbers->forwarded_bytes[kind], bytes[kind]);
	}
	return used;
}

size_t derp_take_packets(struct hd_module *mod, struct hd_stream *s,
			 const struct derp_state *d, uint8_t *p, size_t n)
{
	size_t used = take_packets(mod, s, d, p, n);

	while (d->mesh) {
		size_t more = take_forwards(mod, s, d, p + used, n - used);

		if (more == 0)
			break;
		used += more;
		used += take_packets(mod, s, d, p + used, n - used);
	}
	return used;
}
