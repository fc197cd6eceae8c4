/* SPDX-License-Identifier: MIT */
/* libhd/quic_reset.c - packets of a connection that nobody here knows: we have
 * been restarted, with the same key. The other end is told by a stateless reset
 * (RFC 9000, 10.3), else it would wait for a minute. Its token is made of our
 * secret key, so that it is the same after a restart. */
#include <errno.h>
#include <string.h>
#include "libhd/quic.h"

/* A reset is shorter than what it answers, so that two who both know nothing
 * soon say nothing. */
#define RANDOM_BYTES 16
#define RESET_BYTES (RANDOM_BYTES + NGTCP2_STATELESS_RESET_TOKENLEN)
_Static_assert(RANDOM_BYTES >= NGTCP2_MIN_STATELESS_RESET_RANDLEN,
	       "ngtcp2 takes it");
#define ASK_BYTES (2 * RESET_BYTES)
#define ASK_MS 250 /* the first time, then twice as long */
#define ASK_DOUBLES_MAX 5

void hdl_quic_token(const struct libhd_peer *peer, const uint8_t *cid,
		    size_t n, uint8_t ret[NGTCP2_STATELESS_RESET_TOKENLEN])
{
	static const char label[] = "libhd stateless reset";
	uint8_t key[crypto_generichash_KEYBYTES];
	crypto_generichash_state s;

	crypto_generichash(key, sizeof(key), (const uint8_t *)label,
			   sizeof(label), peer->h->id.secret,
			   LIBHD_SEED_BYTES);
	crypto_generichash_init(&s, key, sizeof(key),
				NGTCP2_STATELESS_RESET_TOKENLEN);
	crypto_generichash_update(&s, peer->address.v,
				  sizeof(peer->address.v));
	crypto_generichash_update(&s, cid, n);
	crypto_generichash_final(&s, ret, NGTCP2_STATELESS_RESET_TOKENLEN);
	sodium_memzero(key, sizeof(key));
}

void hdl_quic_reset(struct libhd_peer *peer, const ngtcp2_version_cid *id,
		    const uint8_t *p, size_t n)
{
	uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], random[RANDOM_BYTES];
	uint8_t packet[RESET_BYTES];
	ngtcp2_ssize len;

	if ((p[0] & 0x80) != 0 || n <= sizeof(packet))
		return; /* a long header: it is at its beginning */
	hdl_quic_token(peer, id->dcid, id->dcidlen, token);
	randombytes_buf(random, sizeof(random));
	len = ngtcp2_pkt_write_stateless_reset(packet, sizeof(packet), token,
					       random, sizeof(random));
	if (len > 0)
		(void)hdl_packet_put_tcp(peer, packet, (size_t)len);
}

void hdl_quic_maybe_reset(struct libhd_peer *peer, const uint8_t *p, size_t n)
{
	if ((p[0] & 0x80) != 0)
		return;
	for (struct hdl_quic *q = peer->quic; q != NULL; q = q->next)
		if (q->up)
			hdl_quic_read(q, p, n); /* ngtcp2 knows the token */
}

/* ---- doubt ----
 *
 *   known --it has gone, or we, or it is here again--> doubted
 *     ^                                                   | asked, when it is
 *     |-- it acknowledges something ----------------------|    here
 *     `-- a reset: another connection <-------------------'
 *
 * Streams that are opened in doubt wait: so one that has sent nothing goes by
 * the next connection, and none is ever sent to two. */

/* What nobody can decrypt: who knows the connection drops it, who has forgotten
 * it says so. Else that would only come when we next send. */
static void ask_stranger(struct hdl_quic *q)
{
	const ngtcp2_cid *to = ngtcp2_conn_get_dcid(q->conn);
	uint8_t packet[ASK_BYTES];

	randombytes_buf(packet, sizeof(packet));
	packet[0] = (packet[0] & 0x3f) | 0x40; /* a short header */
	memcpy(packet + 1, to->data, to->datalen);
	(void)hdl_packet_put_tcp(q->peer, packet, sizeof(packet));
}

int64_t hdl_quic_doubts_ms(const struct hdl_quic *q)
{
	return q->doubted && q->error == 0 && q->peer->here ? q->ask_ms : 0;
}

/* A PING is acknowledged by who knows the connection, but is shorter than what
 * a reset answers. */
void hdl_quic_doubts(struct hdl_quic *q)
{
	int64_t at = hdl_quic_doubts_ms(q), now = hdl_now_ms();

	if (at == 0 || now < at)
		return;
	ask_stranger(q);
	q->wants_ping = true;
	q->ask_ms = now +
		    ((int64_t)ASK_MS << HD_MIN(q->asked, ASK_DOUBLES_MAX));
	q->asked++;
}

static void doubt(struct hdl_quic *q)
{
	q->doubted = true;
	q->ask_ms = hdl_now_ms();
	q->asked = 0;
}

void hdl_streams_away(struct libhd_peer *peer)
{
	for (struct hdl_quic *q = peer->quic; q != NULL; q = q->next)
		if (q->up)
			doubt(q);
}

/* One that has not begun would only be tried again when its timer says so. */
static void begin_again(struct hdl_quic *q)
{
	q->error = -ECONNRESET;
	q->told = q->moves = true;
}

void hdl_streams_here(struct libhd_peer *peer)
{
	hdl_quic_gone_back(peer);
	for (struct hdl_quic *q = peer->quic; q != NULL; q = q->next) {
		if (q->up)
			doubt(q);
		else if (!q->server && !q->heard && q->error == 0)
			begin_again(q);
		peer->h->tls->dirty = true;
	}
}
