/* SPDX-License-Identifier: MIT */
/* core/relay/put_out.c - one connection is told why, and closed. Context: the
 * key's home worker. */
#include <hyper-derp/log.h>
#include "core/relay/audited.h"
#include "core/relay/peer.h"
#include "core/stream/proxied.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"

static void put_out(struct hd_stream *s, const char *reason)
{
	char addr[HD_ADDR_TEXT_BYTES], via[HD_VIA_TEXT_BYTES];

	hd_log_notice("put out: key=%s addr=%s%s reason=%s", s->user->key_text,
		      hd_addr_text(&s->addr, addr), hd_proxied_text(s, via),
		      reason);
	hd_peer_audit(s, "peer.put_out", reason);
	hd_login_tell(s, reason);
	hd_ws_reason(s, reason);
	hd_stream_close(s, HD_CLOSE_KICKED);
}

void hd_relay_put_out(struct hd_worker *w, uint64_t conn, const char *reason)
{
	struct hd_stream *s = hd_slots_get(&w->streams->slots, (uint32_t)conn,
					   (uint32_t)(conn >> 32));
	const struct hd_peer *p = s != NULL ? hd_peer_of(s) : NULL;

	if (p == NULL || !hd_stream_is_open(s))
		return;
	if (p->state == HD_PEER_PENDING)
		hd_login_refuse(s, HD_CLOSE_DENIED, reason);
	else if (p->state == HD_PEER_UP)
		put_out(s, reason);
}
