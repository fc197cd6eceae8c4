/* SPDX-License-Identifier: MIT */
/* modules/derp/realms.c - relays of ours bring packets in, and are told of keys
 * of, realms that DERP does not know: those of other protocols, and tenants.
 * derp_realms.h has the frames. Context: the stream's worker. */
#include "modules/derp/derp.h"
#include <errno.h>
#include <hyper-derp/derp_realms.h>
#include <hyper-derp/presence.h>

void derp_realms_tell(struct hd_stream *s, struct derp_state *d)
{
	uint8_t frame[DERP_HEADER_BYTES + DERP_REALMS_MAX_BYTES];
	const uint8_t *end;

	d->realms = (uint8_t)(1 + hd_realms_n());
	end = derp_realms_put(frame);
	hd_stream_append(s, HD_LANE_CONTROL, frame, (size_t)(end - frame));
}

void derp_realms_look(struct hd_stream *s, struct derp_state *d)
{
	if (d->realms != 0 && d->realms != 1 + hd_realms_n())
		derp_realms_tell(s, d);
}

/* One that does not watch is told nothing. */
int derp_take_realms(struct hd_module *mod, struct hd_stream *s,
		     struct derp_state *d, uint8_t *p, uint32_t len_bytes)
{
	int r = hd_presence_watch_also(d->peer, derp_realms_get(p, len_bytes));

	(void)mod;
	if (r < 0 && r != -ENOENT)
		hd_stream_close(s, HD_CLOSE_ERROR);
	return 0;
}

/* One without a readable realm, or with a packet that is too long, is for
 * nobody: it is skipped. */
int derp_take_realm_forward(struct hd_module *mod, struct hd_stream *s,
			    struct derp_state *d, uint8_t *p,
			    uint32_t len_bytes)
{
	const struct hd_key *keys = (const struct hd_key *)p;
	struct derp_numbers *numbers = derp_metrics(mod, s);
	bool urgent = p[2 * HD_KEY_BYTES] & DERP_REALM_URGENT;
	struct derp_realm realm;
	uint32_t used, n;

	p += DERP_REALM_FORWARD_REALM_AT;
	len_bytes -= DERP_REALM_FORWARD_REALM_AT;
	used = derp_realm_get(p, len_bytes, &realm);
	n = len_bytes - used;
	if (used == 0 || n > DERP_PACKET_MAX_BYTES)
		return 0;
	hd_count(&numbers->forwarded[urgent], 1);
	hd_count(&numbers->forwarded_bytes[urgent], n);
	hd_relay_forward_in(d->peer, realm.text, realm.len_bytes, &keys[0],
			    &keys[1], urgent, p + used, n);
	return 0;
}

size_t derp_realm_presence(uint8_t *frame, const struct hd_presence *what)
{
	struct hd_realm_text realm = hd_realm_text(what->realm);

	return (size_t)(derp_realm_key_put(frame,
					   what->present ? DERP_REALM_PRESENT
							 : DERP_REALM_GONE,
					   what->key, realm.s) -
			frame);
}
