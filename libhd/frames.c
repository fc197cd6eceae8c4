/* SPDX-License-Identifier: MIT */
/* libhd/frames.c - frames in and out: a table of what the relay may say. */
#include <errno.h>
#include <string.h>
#include "libhd/inner.h"

void hdl_text(char *to, size_t size, const uint8_t *p, size_t n)
{
	n = HD_MIN(n, size - 1);
	for (size_t i = 0; i < n; i++)
		to[i] = p[i] >= ' ' && p[i] < 0x7f ? (char)p[i] : '?';
	to[n] = '\0';
}

int hdl_put(struct libhd *h, enum hdp_type type, const void *head,
	    size_t head_bytes, const void *tail, size_t tail_bytes)
{
	size_t n = head_bytes + tail_bytes;
	uint8_t *p = hdl_buf_room(&h->out, HDP_HEADER_BYTES + n);

	if (p == NULL)
		return -ENOMEM;
	p = hdp_header_put(p, type, (uint32_t)n);
	if (head_bytes > 0)
		memcpy(p, head, head_bytes);
	if (tail_bytes > 0)
		memcpy(p + head_bytes, tail, tail_bytes);
	hdl_buf_add(&h->out, HDP_HEADER_BYTES + n);
	return 0;
}

int hdl_answer(struct libhd *h, enum hdp_type type, const uint8_t *p, size_t n)
{
	return h->out.n < HDL_OUT_MAX_BYTES ? hdl_put(h, type, p, n, NULL, 0)
					    : 0;
}

static int take_ping(struct libhd *h, const uint8_t *p, size_t n)
{
	return n == HDP_PING_BYTES ? hdl_answer(h, HDP_PONG, p, n) : -EPROTO;
}

static int take_pong(struct libhd *h, const uint8_t *p, size_t n)
{
	(void)p, (void)n;
	h->pings -= h->pings > 0;
	return 0;
}

static int take_nothing(struct libhd *h, const uint8_t *p, size_t n)
{
	(void)h, (void)p, (void)n;
	return 0;
}

/* The relay goes, and says when to come again. */
static int take_restarting(struct libhd *h, const uint8_t *p, size_t n)
{
	if (n != 8)
		return -EPROTO;
	hdl_lost(h, HD_MIN(hdp_get_u32(p), 60000u), "%s restarts",
		 h->relay->host);
	return -ECONNRESET;
}

static int take_health(struct libhd *h, const uint8_t *p, size_t n)
{
	hdl_text(h->error, sizeof(h->error), p, n);
	return 0;
}

static const struct {
	int (*take)(struct libhd *h, const uint8_t *p, size_t n);
	bool open; /* only then */
} table[] = {
	[HDP_PING] = { take_ping, false },
	[HDP_PONG] = { take_pong, false },
	[HDP_PACKETS] = { hdl_take_packets, true },
	[HDP_KEEP_ALIVE] = { take_nothing, false },
	[HDP_RELAY_HELLO] = { hdl_take_hello, false },
	[HDP_WELCOME] = { hdl_take_welcome, false },
	[HDP_DENIED] = { hdl_take_denied, false },
	[HDP_PENDING] = { hdl_take_pending, false },
	[HDP_CONTACT] = { hdl_take_contact, true },
	[HDP_KNOCK] = { hdl_take_knock, true },
	[HDP_ALLOWED] = { hdl_take_allowed, true },
	[HDP_VISITOR] = { hdl_take_visitor, true },
	[HDP_ALLOW_GROUP] = { hdl_take_group, true },
	[HDP_PEER_GONE] = { hdl_take_gone, true },
	[HDP_REDIRECT] = { hdl_take_redirect, true },
	[HDP_OPEN_RESULT] = { hdl_take_agreed, true },
	[HDP_INCOMING] = { hdl_take_incoming, true },
	[HDP_ANSWER_RESULT] = { hdl_take_agreed, true },
	[HDP_RESTARTING] = { take_restarting, false },
	[HDP_HEALTH] = { take_health, false },
	[HDP_UDP] = { hdl_take_udp, true },
	[HDP_UDP_LOST] = { hdl_take_udp_lost, true },
};

/* Unknown types, and those that clients send, are skipped. */
static int take(struct libhd *h, uint8_t type, const uint8_t *p, size_t n)
{
	if (type >= HD_ARRAY_N(table) || table[type].take == NULL)
		return 0;
	if (table[type].open && h->phase != HDL_OPEN)
		return -EPROTO;
	return table[type].take(h, p, n);
}

/* A handler that has closed the connection itself has said why. */
static int broken(struct libhd *h, int r, uint8_t type)
{
	if (h->phase == HDL_IDLE)
		return r;
	if (r == -ENOMEM)
		hdl_lost(h, 0, "out of memory");
	else
		hdl_lost(h, 0, "%s has sent a frame of type 0x%02x that is "
			       "wrong", h->relay->host, type);
	return r;
}

int hdl_frames(struct libhd *h, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (n - at >= HDP_HEADER_BYTES) {
		struct hdp_header f = hdp_header_get(p + at);
		int r;

		if (f.len_bytes > HDP_PAYLOAD_MAX_BYTES)
			return broken(h, -EPROTO, f.type);
		if (n - at - HDP_HEADER_BYTES < f.len_bytes)
			break;
		r = take(h, f.type, p + at + HDP_HEADER_BYTES, f.len_bytes);
		if (r < 0)
			return broken(h, r, f.type);
		at += HDP_HEADER_BYTES + f.len_bytes;
	}
	return (int)at;
}
