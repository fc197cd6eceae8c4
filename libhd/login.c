/* SPDX-License-Identifier: MIT */
/* libhd/login.c - the upgrade, and each side proves its key to the other.
 * Enroll goes out before the relay has said anything only to a relay whose
 * certificate is good and whose key we know: it costs no round trip then. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "libhd/inner.h"

#define APPROVAL_AGAIN_MS 60000
#define KEEPALIVE_MAX_MS 86400000u

static int request_put(struct libhd *h)
{
	char text[HDL_HOST_BYTES + 128];
	bool v6 = strchr(h->relay->host, ':') != NULL;
	int n = snprintf(text, sizeof(text),
			 "GET /hd HTTP/1.1\r\nHost: %s%s%s:%s\r\n"
			 "Upgrade: HD\r\nConnection: Upgrade\r\n\r\n",
			 v6 ? "[" : "", h->relay->host, v6 ? "]" : "",
			 h->relay->port);
	uint8_t *to = hdl_buf_room(&h->out, (size_t)n);

	if (to == NULL)
		return -ENOMEM;
	memcpy(to, text, (size_t)n);
	hdl_buf_add(&h->out, (size_t)n);
	return 0;
}

static int enroll_put(struct libhd *h, const uint8_t *relay)
{
	uint8_t payload[HDP_ENROLL_MAX_BYTES], *p = payload;
	uint8_t signed_[HDP_SIGNED_BYTES];
	size_t agent = strlen(h->agent);

	*p++ = HDP_VERSION;
	*p++ = (h->wants_knocks ? HDP_ENROLL_KNOCKS : 0) |
	       (h->no_udp ? 0 : HDP_ENROLL_UDP) |
	       (h->events.visitor != NULL ? HDP_ENROLL_VISITORS : 0);
	memcpy(p, h->id.key.v, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	hdp_signed_put(signed_, HDP_LABEL_CLIENT, h->binding, relay);
	crypto_sign_detached(p, NULL, signed_, sizeof(signed_), h->id.secret);
	p += HDP_SIGNATURE_BYTES;
	*p++ = (uint8_t)agent;
	memcpy(p, h->agent, agent);
	p += agent;
	p += hdl_proofs_put(h, relay, p);
	h->enrolled = true;
	return hdl_put(h, HDP_ENROLL, payload, (size_t)(p - payload), NULL, 0);
}

void hdl_login_begin(struct libhd *h)
{
	int r = request_put(h);

	h->phase = HDL_UPGRADING;
	if (r == 0 && h->verified && h->relay->has_wanted)
		r = enroll_put(h, h->relay->wanted.v);
	if (r < 0)
		hdl_lost(h, 0, "out of memory");
}

/* "HTTP/1.1 503 Service Unavailable" and what stands behind the head. */
static int refused(struct libhd *h, const uint8_t *p, size_t n)
{
	char text[128];
	size_t line = 0;

	while (line < n && p[line] != '\r' && p[line] != '\n')
		line++;
	hdl_text(text, sizeof(text), p, line);
	hdl_lost(h, 0, "%s is no HD relay, or refuses: %s", h->relay->host,
		 text);
	return -EPROTO;
}

int hdl_login_head(struct libhd *h, const uint8_t *p, size_t n)
{
	static const char good[] = "HTTP/1.1 101 ";
	const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);

	if (n >= sizeof(good) - 1 && memcmp(p, good, sizeof(good) - 1) != 0)
		return refused(h, p, n);
	if (end == NULL)
		return n > HDL_HTTP_HEAD_MAX_BYTES ? refused(h, p, n) : 0;
	if ((size_t)(end - p) < sizeof(good) - 1)
		return refused(h, p, n);
	h->phase = HDL_HELLO;
	return (int)(end - p) + 4;
}

static bool signed_here(const struct libhd *h, const uint8_t *identity,
			const uint8_t *signature)
{
	uint8_t message[HDP_SIGNED_BYTES];

	hdp_signed_put(message, HDP_LABEL_RELAY, h->binding, identity);
	return crypto_sign_verify_detached(signature, message, sizeof(message),
					   identity) == 0;
}

int hdl_take_hello(struct libhd *h, const uint8_t *p, size_t n)
{
	const uint8_t *identity = p + 2, *signature = identity + HD_KEY_BYTES;

	if (h->phase != HDL_HELLO || n != HDP_HELLO_BYTES)
		return -EPROTO;
	if (p[0] != HDP_VERSION) {
		hdl_fail(h, "%s speaks version %u of HD, and we 2",
			 h->relay->host, p[0]);
		return -EPROTO;
	}
	if (!signed_here(h, identity, signature)) {
		hdl_lost(h, 0, "%s has not proven its key: somebody in between "
			       "ends TLS", h->relay->host);
		return -EPROTO;
	}
	if (h->relay->has_wanted &&
	    memcmp(identity, h->relay->wanted.v, HD_KEY_BYTES) != 0) {
		hdl_lost(h, 0, "%s is another relay than the one we want",
			 h->relay->host);
		return -EPROTO;
	}
	memcpy(h->relay->key.v, identity, HD_KEY_BYTES);
	h->relay->has_key = h->proven = true;
	h->phase = HDL_ENROLLING;
	return h->enrolled ? 0 : enroll_put(h, identity);
}

int hdl_take_welcome(struct libhd *h, const uint8_t *p, size_t n)
{
	uint32_t keepalive_ms;

	if (h->phase != HDL_ENROLLING || n < HDP_WELCOME_BYTES)
		return -EPROTO;
	keepalive_ms = hdp_get_u32(p + HD_KEY_BYTES);
	h->peers_max = HD_MIN(hdp_get_u32(p + HD_KEY_BYTES + 4),
			      HDL_PEERS_MAX);
	h->packet_max = HD_MIN(hdp_get_u32(p + HD_KEY_BYTES + 8),
			       (uint32_t)HDP_PACKET_MAX_BYTES);
	/* 2.5 times as long as the relay is silent by itself */
	h->silence_ms = HD_MIN(keepalive_ms, KEEPALIVE_MAX_MS) / 2 * 5;
	h->deadline_ms = 0;
	h->phase = HDL_OPEN;
	h->opened_ms = hdl_now_ms();
	h->later_ms = 0;
	h->untried = h->n_relays - 1;
	h->error[0] = '\0';
	hdl_groups_open(h);
	hdl_peers_open(h);
	hdl_set_state(h, LIBHD_OPEN);
	return 0;
}

int hdl_take_pending(struct libhd *h, const uint8_t *p, size_t n)
{
	char text[200];

	if (h->phase != HDL_ENROLLING)
		return -EPROTO;
	hdl_text(text, sizeof(text), p, n);
	hdl_error(h, "%s", text);
	h->deadline_ms = 0; /* the relay ends the wait */
	hdl_set_state(h, LIBHD_PENDING);
	return 0;
}

int hdl_take_denied(struct libhd *h, const uint8_t *p, size_t n)
{
	char text[200];

	if (n < 1)
		return -EPROTO;
	hdl_text(text, sizeof(text), p + 1, n - 1);
	if (p[0] == HDP_DENIED_APPROVAL)
		hdl_lost(h, APPROVAL_AGAIN_MS, "%s: %s", h->relay->host, text);
	else if (p[0] == HDP_DENIED_LATER)
		hdl_lost(h, 0, "%s: %s", h->relay->host, text);
	else
		hdl_fail(h, "%s: %s", h->relay->host, text);
	return -EACCES;
}
