/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/mesh_pair.c - packets from a client at one relay to a client at
 * another. Who has just logged in is not known everywhere at once: until the
 * first packet has arrived, others are sent. They look like disco: of those a
 * relay says when nobody has the key. */
#include "tools/hdprobe/mesh.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { PACKETS = 10, PACKET_BYTES = 1400, RETRY_MS = 100 };

struct packet {
	uint8_t disco[sizeof(DERP_DISCO_MAGIC) - 1];
	uint8_t pair[16]; /* of this pair, in this run */
	uint8_t rest[PACKET_BYTES - 16 - (sizeof(DERP_DISCO_MAGIC) - 1)];
};

struct pair {
	struct mesh_relay *from, *to;
	struct packet sent; /* the last one */
	bool nobody; /* its relay says that nobody has the key */
	const char *end; /* whose connection has failed; NULL: none */
};

static struct conn *conn_of(const struct mesh_relay *m)
{
	return m->p.conn[0];
}

static struct link *link_of(const struct mesh_relay *m)
{
	return m->p.peer[0];
}

/* Waits for a frame until then, and reads all of it.
 * Returns 1; 0 none; -errno: the connection has failed. */
static int next_frame(struct pair *x, const struct mesh_relay *at,
		      int64_t until_us, struct hd_error *err)
{
	struct conn *c = conn_of(at);
	int r;

	c->deadline_us = until_us;
	r = conn_fill(c, err);
	if (r == -ETIMEDOUT)
		return 0;
	conn_deadline(c, at->p.opt.timeout_ms);
	if (r == 0)
		r = link_read(link_of(at), err);
	if (r == 0)
		r = link_routine(link_of(at), err);
	if (r < 0)
		x->end = at->label;
	return r < 0 ? r : 1;
}

/* What the sender's relay has said by now. */
static int hear_sender(struct pair *x, struct hd_error *err)
{
	const struct link *l = link_of(x->from);
	const struct hd_key *to = &link_of(x->to)->self.pub;
	int r;

	while ((r = next_frame(x, x->from, 0, err)) > 0)
		if (l->frame.type == DERP_PEER_GONE &&
		    l->frame.len_bytes == HD_KEY_BYTES + 1 &&
		    l->payload[HD_KEY_BYTES] == DERP_GONE_NOT_HERE &&
		    memcmp(l->payload, to->b, HD_KEY_BYTES) == 0)
			x->nobody = true;
	return r;
}

static int send_one(struct pair *x, struct hd_error *err)
{
	int r;

	randombytes_buf(x->sent.rest, sizeof(x->sent.rest));
	conn_deadline(conn_of(x->from), x->from->p.opt.timeout_ms);
	r = link_send(link_of(x->from), &link_of(x->to)->self.pub, &x->sent,
		      sizeof(x->sent), err);
	if (r < 0)
		x->end = x->from->label;
	return r;
}

/* Is what has been read a packet of this pair? @any  not only the last one */
static bool is_ours(const struct pair *x, bool any)
{
	const struct link *l = link_of(x->to);
	size_t n = any ? offsetof(struct packet, rest) : sizeof(x->sent);

	return l->frame.type == DERP_RECV_PACKET &&
	       l->frame.len_bytes == HD_KEY_BYTES + sizeof(x->sent) &&
	       memcmp(l->payload, link_of(x->from)->self.pub.b,
		      HD_KEY_BYTES) == 0 &&
	       memcmp(l->payload + HD_KEY_BYTES, &x->sent, n) == 0;
}

/* Returns 1 it has come; 0 it has not, in time; -errno. */
static int wait_for_it(struct pair *x, bool any, int wait_ms,
		       struct hd_error *err)
{
	int64_t until_us = now_us() + (int64_t)wait_ms * 1000;
	int r;

	while ((r = next_frame(x, x->to, until_us, err)) > 0)
		if (is_ours(x, any))
			return 1;
	return r;
}

/* Until one has arrived. Returns as wait_for_it(). */
static int first_packet(struct pair *x, struct hd_error *err)
{
	int64_t until_us =
		now_us() + (int64_t)x->to->p.opt.timeout_ms * 1000;
	int r = 0;

	do {
		r = send_one(x, err);
		if (r == 0)
			r = wait_for_it(x, true, RETRY_MS, err);
		if (r == 0)
			r = hear_sender(x, err);
	} while (r == 0 && now_us() < until_us);
	return r;
}

static void broken(struct pair *x, struct result *r, const char *detail)
{
	result_bad(r, V_FAIL, "the client was closed: see that relay's log",
		   "the client at %s: %s", x->end, detail);
}

static void nothing(struct pair *x, struct result *r)
{
	const char *a = x->from->label, *b = x->to->label;
	char remedy[sizeof(r->remedy)];

	if (x->nobody)
		(void)snprintf(remedy, sizeof(remedy),
			       "%.150s must have a link to %.150s: see `hdctl "
			       "mesh status` on it (its members, and the mesh "
			       "key)",
			       a, b);
	else
		(void)snprintf(remedy, sizeof(remedy),
			       "see `hdctl mesh status` on %.150s: is the link "
			       "to %.150s up, and does it drop packets?",
			       a, b);
	result_bad(r, V_FAIL, remedy, "nothing arrives%s",
		   x->nobody ? ": it says that nobody has the key" : "");
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void all_arrived(const struct pair *x, struct result *r, int64_t *us,
			int64_t first_us)
{
	double p50, max, first = (double)first_us / 1e3;

	qsort(us, PACKETS, sizeof(us[0]), by_value);
	p50 = (double)us[PACKETS / 2] / 1e3;
	max = (double)us[PACKETS - 1] / 1e3;
	result_ok(r, "%d packets of %d bytes, one way p50 %.2f max %.2f ms",
		  PACKETS, PACKET_BYTES, p50, max);
	r->data = json_pack("{s:s, s:s, s:i, s:f, s:f, s:f}", "from",
			    x->from->label, "to", x->to->label, "packets",
			    PACKETS, "first_ms", first, "p50_ms", p50, "max_ms",
			    max);
}

/* Returns 1 all have arrived; 0 not this one, in time; -errno. */
static int time_packets(struct pair *x, int64_t *us, int *done,
			struct hd_error *err)
{
	int r = 1;

	for (*done = 0; *done < PACKETS; ++*done) {
		int64_t start = now_us();

		r = send_one(x, err);
		if (r == 0)
			r = wait_for_it(x, false, x->to->p.opt.timeout_ms, err);
		if (r <= 0)
			return r;
		us[*done] = now_us() - start;
	}
	return r;
}

void mesh_pair(struct mesh_relay *from, struct mesh_relay *to,
	       struct result *r)
{
	struct pair x = { .from = from, .to = to };
	struct hd_error err = { "" };
	int64_t start = now_us(), first_us, us[PACKETS];
	int got, done;

	memcpy(x.sent.disco, DERP_DISCO_MAGIC, sizeof(x.sent.disco));
	randombytes_buf(x.sent.pair, sizeof(x.sent.pair));
	got = first_packet(&x, &err);
	first_us = now_us() - start;
	if (got == 0) {
		nothing(&x, r);
		return;
	}
	if (got > 0)
		got = time_packets(&x, us, &done, &err);
	if (got > 0)
		all_arrived(&x, r, us, first_us);
	else if (got < 0)
		broken(&x, r, err.text);
	else
		result_bad(r, V_FAIL,
			   "packets are lost on an idle link: see the drops "
			   "in `hdctl mesh status`, and the relays' logs",
			   "%d packets arrive, the next one does not", done);
}
