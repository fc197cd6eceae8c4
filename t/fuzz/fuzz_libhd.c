/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_libhd.c - what a relay sends to libhd, and texts of people.
 *
 * Input: 1 byte what it is, then the bytes: a ticket, an invitation and a
 * credential; or what a ticket has in it, whose checksum is made here; or the
 * answer to the upgrade; or frames, in that phase; or
 * datagrams, each as 2 bytes of length, 1 of flags and bytes: as they are, or
 * what the relay seals in one. */
#include "libhd/udp.h"
#include "modules/hd/bech32.h"
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { TEXTS, HEAD, TICKET = 254, DATAGRAMS, FRAMES_N = HDL_OPEN + 1 };
enum { RAW = 1, OTHER_EPOCH = 2, CONTROL = 4, RUN = 8 }; /* flags */

static bool on_knock(struct libhd *h, const struct libhd_key *from,
		     const void *note, size_t len_bytes, void *user)
{
	(void)h, (void)from, (void)note, (void)user;
	return len_bytes % 2 == 0;
}

/* One who may be forbidden while a frame of his is read. */
static void on_packet(struct libhd *h, struct libhd_peer *from,
		      const void *data, size_t len_bytes, void *user)
{
	struct libhd_peer *peer = from;

	(void)h, (void)user;
	if (len_bytes > 0 && *(const uint8_t *)data == 'f')
		libhd_forbid(&peer);
}

static void on_member(struct libhd *h, struct libhd_peer *peer, void *user)
{
	(void)h, (void)user;
	if (libhd_peer_address(peer)->v[0] == 'f')
		libhd_forbid(&peer);
	else
		(void)libhd_peer_set_intent(peer, LIBHD_PREFER_DIRECT);
}

static bool on_visitor(struct libhd *h, const struct libhd_address *from,
		       void *user)
{
	(void)h, (void)user;
	return from->v[0] % 2 == 0;
}

/* One for all: what a connection leaves behind goes with it. */
static struct libhd *endpoint(void)
{
	static const uint8_t seed[LIBHD_SEED_BYTES] = { 1 };
	static const struct libhd_events events = { .size = sizeof(events),
						    .knock = on_knock,
						    .packet = on_packet,
						    .member = on_member,
						    .visitor = on_visitor };
	struct libhd_conf conf = { .size = sizeof(conf),
				   .relay = "x",
				   .insecure = true };
	static struct libhd *h;
	struct libhd_identity *id;

	if (libhd_identity_from_seed(seed, &id) < 0)
		abort();
	conf.identity = id;
	if (h == NULL && libhd_new(&conf, &events, NULL, &h) < 0)
		abort();
	hdl_disconnect(h);
	hdl_peers_free(h);
	h->state = LIBHD_CONNECTING;
	libhd_allow(h, libhd_identity_key(id), NULL);
	(void)libhd_allow_group(h, "ops");
	h->peers_max = 8;
	libhd_identity_free(&id);
	return h;
}

static void texts(const uint8_t *p, size_t n)
{
	char text[LIBHD_TICKET_TEXT_BYTES], again[LIBHD_TICKET_TEXT_BYTES];
	struct hdl_welcome welcome = { 0 };
	struct libhd_ticket t;

	n = HD_MIN(n, sizeof(text) - 1);
	if (n > 0)
		memcpy(text, p, n);
	text[n] = '\0';
	(void)hdl_welcome_parse(&welcome, text, NULL);
	(void)hdl_welcome_parse(&welcome, NULL, text);
	if (libhd_ticket_parse(text, &t) == 0)
		hd_assert(strcasecmp(libhd_ticket_text(&t, again), text) == 0);
}

static void ticket(const uint8_t *p, size_t n)
{
	char text[LIBHD_TICKET_TEXT_BYTES], again[LIBHD_TICKET_TEXT_BYTES];
	char name[LIBHD_RELAY_TEXT_BYTES];
	struct hdl_relay relay = { 0 };
	struct libhd_ticket t;

	n = HD_MIN(n, (size_t)1269); /* whose text fits */
	hdp_bech32_text("hdticket", p, n, text, sizeof(text));
	if (libhd_ticket_parse(text, &t) < 0)
		return;
	hd_assert(strcmp(libhd_ticket_text(&t, again), text) == 0);
	for (unsigned i = 0; i < t.n_relays; i++) {
		hd_assert(hdl_relay_split(t.relays[i].name, relay.host,
					  relay.port) == 0);
		hdl_relay_text(&relay, name);
	}
}

static void bytes(uint8_t what, const uint8_t *p, size_t n)
{
	struct libhd *h = endpoint();
	int used;

	if (what == HEAD) {
		h->phase = HDL_UPGRADING;
		used = hdl_login_head(h, p, n);
	} else {
		h->phase = what % FRAMES_N;
		h->packet_max = LIBHD_PACKET_MAX_BYTES;
		used = hdl_frames(h, p, n);
	}
	hd_assert(used <= (int)n);
}

/* ---- datagrams ---- */

static void datagram(struct libhd *h, struct hdp_udp_tx *relay, uint8_t flags,
		     const uint8_t *p, size_t n)
{
	uint8_t v[HDP_UDP_MAX_BYTES + 1];

	if ((flags & OTHER_EPOCH) != 0)
		relay->counter |= (1u << HDP_UDP_EPOCH_BITS) - 2;
	if ((flags & RAW) != 0) {
		n = HD_MIN(n, sizeof(v));
		memcpy(v, p, n);
	} else {
		n = hdp_udp_seal(relay,
				 (flags & CONTROL) != 0 ? HDP_UDP_CONTROL
							: HDP_UDP_PACKET,
				 h->udp->conn, p,
				 HD_MIN(n, HDP_UDP_DATA_MAX_BYTES), NULL, 0, v);
	}
	hdl_udp_take(h, v, n);
	if ((flags & RUN) != 0)
		hdl_udp_run(h);
}

static void datagrams(const uint8_t *p, size_t n)
{
	static const struct hdp_udp_secret secret = {
		.suite = HD_AEAD_AES_128_GCM, .v = { 2 }
	};
	struct libhd *h = endpoint();
	struct hdp_udp_tx relay;

	h->phase = HDL_OPEN;
	h->udp = calloc(1, sizeof(*h->udp));
	if (h->udp == NULL)
		abort();
	h->udp->fd = -1;
	h->udp->tries = 1;
	hdp_udp_tx_init(&relay, NULL, &secret);
	hdp_udp_rx_init(&h->udp->rx, NULL, &secret);
	hdp_udp_tx_init(&h->udp->tx, NULL, &secret);
	while (n >= 3) {
		size_t len = HD_MIN((size_t)(p[0] << 8 | p[1]), n - 3);

		datagram(h, &relay, p[2], p + 3, len);
		p += 3 + len;
		n -= 3 + len;
	}
	hdp_udp_tx_end(&relay);
	hdl_udp_end(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (p[0] == TEXTS)
		texts(p + 1, n - 1);
	else if (p[0] == TICKET)
		ticket(p + 1, n - 1);
	else if (p[0] == DATAGRAMS)
		datagrams(p + 1, n - 1);
	else
		bytes(p[0], p + 1, n - 1);
	return 0;
}
