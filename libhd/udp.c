/* SPDX-License-Identifier: MIT */
/* libhd/udp.c - when UDP is tried, used and given up. It is tried as soon as
 * the relay offers it, and used once the relay has answered. While packets pass
 * there is a Ping every 200 ms; without an answer for 700 ms packets go by TCP
 * again, and the relay is told by TCP to do the same; so they do where TCP is
 * better: udp_choice.h. Nothing is sent while nothing passes.
 * Source: doc/reference/protocol-hd.md, "UDP". */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include "libhd/udp.h"

#define PROBES 5 /* of a round: at 0, 0.2, 0.6, 1.4, 3 s */
#define ROUND_MIN_MS 2000
#define ROUND_MAX_MS 600000
#define GOOD_MS 60000 /* a path that was up for so long is tried soon */

/* ---- life ---- */

static int secret_of(struct libhd *h, const char *label,
		     uint8_t ret[HDP_UDP_SECRET_BYTES])
{
	return SSL_export_keying_material(h->ssl, ret, HDP_UDP_SECRET_BYTES,
					  label, strlen(label), NULL, 0,
					  0) == 1
		       ? 0
		       : -EIO;
}

/* Datagrams have TLS's cipher. */
static int keys_make(struct libhd *h)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(h->ssl);
	unsigned suite = cipher != NULL ? SSL_CIPHER_get_protocol_id(cipher)
					: 0;
	struct hdp_udp_secret secret = { .suite = (enum hd_aead_suite)suite };
	int r = hdp_udp_suite_known(suite) ? 0 : -ENOTSUP;

	if (r == 0)
		r = secret_of(h, HDP_UDP_LABEL_CLIENT, secret.v);
	if (r == 0) {
		hdp_udp_tx_init(&h->udp->tx, NULL, &secret);
		r = secret_of(h, HDP_UDP_LABEL_RELAY, secret.v);
	}
	if (r == 0)
		hdp_udp_rx_init(&h->udp->rx, NULL, &secret);
	sodium_memzero(&secret, sizeof(secret));
	return r;
}

void hdl_udp_end(struct libhd *h)
{
	struct hdl_udp *u = h->udp;

	if (u == NULL)
		return;
	hdl_udp_close(h);
	h->udp = NULL;
	hdp_udp_tx_end(&u->tx);
	hdp_udp_rx_end(&u->rx);
	sodium_memzero(u, sizeof(*u));
	free(u);
}

static void round_begin(struct hdl_udp *u, int64_t at_ms)
{
	u->state = HDL_UDP_PROBING;
	u->tries = 0;
	u->asked_ms = 0;
	u->next_ms = at_ms;
	randombytes_buf(u->token, sizeof(u->token));
}

int hdl_take_udp(struct libhd *h, const uint8_t *p, size_t n)
{
	uint16_t port;

	if (n < HDP_UDP_OFFER_BYTES)
		return -EPROTO;
	if (h->no_udp || h->udp != NULL || h->ssl == NULL)
		return 0;
	h->udp = calloc(1, sizeof(*h->udp));
	if (h->udp == NULL)
		return 0; /* there is TCP */
	h->udp->fd = -1;
	h->udp->conn = hdp_get_u32(p);
	h->udp->wait_ms = ROUND_MIN_MS;
	port = h->udp->port = (uint16_t)(p[4] << 8 | p[5]);
	if (keys_make(h) < 0 || hdl_udp_open(h, port) < 0) {
		hdl_udp_end(h);
		return 0;
	}
	round_begin(h->udp, hdl_now_ms());
	return 0;
}

/* ---- up, and lost ---- */

bool hdl_udp_up(const struct libhd *h)
{
	return h->udp != NULL && h->udp->state == HDL_UDP_UP;
}

bool libhd_by_udp(const struct libhd *h)
{
	return hdl_udp_up(h);
}

unsigned libhd_udp_port(const struct libhd *h)
{
	return h->udp != NULL ? h->udp->port : 0;
}

void hdl_udp_passed(struct libhd *h, size_t in, size_t out)
{
	struct hdl_udp *u = h->udp;

	if (u == NULL)
		return;
	u->seen.bytes_in += in;
	u->seen.bytes_out += out;
	if (u->state != HDL_UDP_UP || u->active)
		return;
	u->active = true;
	if (u->next_ms != 0)
		return;
	u->next_ms = hdl_now_ms();
	u->unsure |= u->next_ms - u->heard_ms > HDP_UDP_IDLE_MS;
}

static void longer(struct hdl_udp *u)
{
	u->wait_ms = HD_MIN(2 * u->wait_ms, ROUND_MAX_MS);
}

static void lost(struct hdl_udp *u)
{
	int64_t now = hdl_now_ms();

	hdl_choice_lost(&u->choice);
	if (now - u->up_ms >= GOOD_MS)
		u->wait_ms = ROUND_MIN_MS;
	round_begin(u, now + u->wait_ms);
	longer(u);
}

int hdl_take_udp_lost(struct libhd *h, const uint8_t *p, size_t n)
{
	(void)p, (void)n;
	if (hdl_udp_up(h))
		lost(h->udp);
	return 0;
}

/* ---- what the relay says by it ---- */

static void challenged(struct hdl_udp *u, const uint8_t *p)
{
	const uint8_t *ours = p + 1, *theirs = ours + HDP_UDP_TOKEN_BYTES;

	/* until it is up: of a Probe that got through, both ways */
	if (u->state == HDL_UDP_PROBING &&
	    (u->tries == 0 || sodium_memcmp(ours, u->token, sizeof(u->token))))
		return;
	hdl_udp_control(u, HDP_UDP_RESPONSE, theirs, HDP_UDP_CONTROL_BYTES);
	if (u->state == HDL_UDP_UP)
		return;
	u->state = HDL_UDP_UP;
	u->up_ms = u->next_ms = u->heard_ms = hdl_now_ms();
	u->unsure = false;
	u->active = true; /* a Ping shows whether the answer has come */
}

/* What TCP has measured, in ms; -1: nothing. */
static int64_t tcp_rtt(const struct libhd *h)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	return getsockopt(h->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0
		       ? (int64_t)info.tcpi_rtt / 1000
		       : -1;
}

/* Packets go by TCP, both ways, for so long. */
static void leave(struct libhd *h, int64_t for_ms)
{
	round_begin(h->udp, hdl_now_ms() + for_ms);
	/* without memory the buffer breaks with the next frame */
	(void)hdl_put(h, HDP_UDP_LOST, NULL, 0, NULL, 0);
}

/* @opened  datagrams, by the relay, when it answered; 0: it does not say */
static void compare(struct libhd *h, uint64_t ping, uint64_t opened)
{
	struct hdl_udp *u = h->udp;
	int64_t now = hdl_now_ms(), for_ms;

	u->seen.out_sent = opened > 0 ? u->pinged[ping % HDL_UDP_PINGS] : 0;
	u->seen.out_got = opened;
	u->seen.in_sent = u->rx.top;
	u->seen.in_got = u->rx.opened;
	for_ms = hdl_choice_udp(&u->choice, &u->seen,
				now - u->pinged_ms[ping % HDL_UDP_PINGS],
				tcp_rtt(h), now);
	if (for_ms > 0)
		leave(h, for_ms);
}

static void ponged(struct libhd *h, const uint8_t *p)
{
	struct hdl_udp *u = h->udp;
	uint64_t ping = hdp_get_u64(p);

	if (ping == 0 || ping > u->pings || u->pings - ping >= HDL_UDP_PINGS)
		return;
	u->heard_ms = hdl_now_ms();
	u->unsure = false;
	u->asked_ms = ping == u->pings ? 0
				       : u->pinged_ms[(ping + 1) %
						      HDL_UDP_PINGS];
	if (hdp_get_u64(p + HDP_UDP_TOKEN_BYTES) >= u->seen.out_got)
		compare(h, ping, hdp_get_u64(p + HDP_UDP_TOKEN_BYTES));
}

void hdl_udp_take_control(struct libhd *h, const uint8_t *p, size_t n)
{
	if (n < HDP_UDP_CONTROL_BYTES)
		return;
	if (p[0] == HDP_UDP_CHALLENGE)
		challenged(h->udp, p);
	else if (p[0] == HDP_UDP_PONG && hdl_udp_up(h))
		ponged(h, p + 1);
}

/* ---- time ---- */

static void probe(struct hdl_udp *u, int64_t now)
{
	if (u->choice.is != HDL_CHOICE_UDP) {
		int64_t for_ms = hdl_choice_tcp(&u->choice, &u->seen, now);

		u->next_ms = now + for_ms;
		if (for_ms > 0)
			return;
	}
	if (u->tries == PROBES)
		round_begin(u, now);
	hdl_udp_control(u, HDP_UDP_PROBE, u->token, HDP_UDP_DATA_MAX_BYTES);
	u->next_ms = now + (HDP_UDP_PING_MS << u->tries++);
	if (u->tries < PROBES)
		return;
	u->next_ms = now + u->wait_ms;
	longer(u);
}

static void ping(struct hdl_udp *u, int64_t now)
{
	uint8_t token[HDP_UDP_TOKEN_BYTES];

	u->pings++;
	u->pinged_ms[u->pings % HDL_UDP_PINGS] = now;
	if (u->asked_ms == 0)
		u->asked_ms = now;
	u->active = false;
	hdp_put_u64(token, u->pings);
	hdl_udp_control(u, HDP_UDP_PING, token, HDP_UDP_CONTROL_BYTES);
	u->pinged[u->pings % HDL_UDP_PINGS] = u->tx.counter - u->batch.n;
	u->next_ms = now + HDP_UDP_PING_MS;
}

static void up(struct libhd *h, int64_t now)
{
	struct hdl_udp *u = h->udp;

	if (u->asked_ms != 0 && now - u->asked_ms >= HDP_UDP_LOST_MS) {
		lost(u);
		/* without memory the buffer breaks with the next frame */
		(void)hdl_put(h, HDP_UDP_LOST, NULL, 0, NULL, 0);
	} else if (u->active || u->asked_ms != 0) {
		ping(u, now);
	} else {
		u->next_ms = 0;
		hdl_udp_idle(u);
	}
}

void hdl_udp_run(struct libhd *h)
{
	int64_t now;

	if (h->udp == NULL)
		return;
	h->udp_again = hdl_udp_read(h);
	now = hdl_now_ms(); /* after it: a caller that was busy has lost
			       nothing */
	if (h->udp->next_ms == 0 || now < h->udp->next_ms || h->udp_again)
		return;
	if (h->udp->state == HDL_UDP_PROBING)
		probe(h->udp, now);
	else
		up(h, now);
}

int64_t hdl_udp_timeout_ms(const struct libhd *h)
{
	if (h->udp == NULL || h->udp->next_ms == 0)
		return -1;
	return hdl_left_ms(h->udp->next_ms);
}
