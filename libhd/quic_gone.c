/* SPDX-License-Identifier: MIT */
/* libhd/quic_gone.c - a peer whose connection to the relay has ended: has it
 * only lost it, or is there nobody any more?
 *
 *   here --PeerGone--> away --GONE_MS--> asked --nobody is here--> over
 *     ^                  |                 |
 *     `- here again; or ours is lost -----'
 *
 * Who has lost its connection tries again after 1 s at most, and then after 2 s
 * at most (connect.c): it has time for both. Only what the relay says on the
 * connection that knows of the peer's end counts; where ours is lost, too, the
 * relay was the reason, and QUIC's own minute is what there is. */
#include <errno.h>
#include "libhd/quic.h"

#define GONE_MS 3500
#define ASK_MS 1000 /* again; the answer may be dropped */

void hdl_quic_gone_back(struct libhd_peer *peer)
{
	peer->gone_ms = 0;
	peer->gone_asked = false;
}

static void over(struct libhd_peer *peer)
{
	hdl_quic_gone_back(peer);
	for (struct hdl_quic *q = peer->quic; q != NULL; q = q->next) {
		if (!q->up || q->error != 0)
			continue;
		q->error = -ECONNRESET;
		q->told = q->moves = true;
	}
	peer->h->tls->dirty = true;
}

void hdl_streams_gone(struct libhd_peer *peer, bool not_here)
{
	hdl_streams_away(peer);
	for (struct hdl_quic *q = peer->quic; q != NULL; q = q->next)
		q->gone = q->doubted;
	if (not_here && peer->gone_asked)
		over(peer);
	else if (!not_here && peer->quic != NULL && peer->gone_ms == 0)
		peer->gone_ms = hdl_now_ms() + GONE_MS;
}

void hdl_quic_gone_run(struct libhd_peer *peer)
{
	int64_t now;

	if (peer->gone_ms == 0)
		return;
	if (peer->quic == NULL) {
		hdl_quic_gone_back(peer);
		return;
	}
	now = hdl_now_ms();
	if (now < peer->gone_ms)
		return;
	peer->gone_asked = true;
	peer->gone_ms = now + ASK_MS;
	/* without memory the buffer breaks with the next frame */
	(void)hdl_peer_ask(peer);
}
