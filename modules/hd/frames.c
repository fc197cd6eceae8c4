/* SPDX-License-Identifier: MIT */
/* modules/hd/frames.c - the frame table and the receive loop. A known frame is
 * judged by its header, at once; unknown ones are swallowed without being kept.
 * Context: the stream's worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>
#include "modules/hd/intents.h"
#include "modules/hd/redirect.h"

/* ---- the table ---- */

struct frame {
	const char *name; /* NULL: not for a relay to read */
	uint32_t min_bytes, max_bytes;
	unsigned phases; /* bits: 1 << enum hdp_phase */
	/* Returns 0; negative errno: refused, the stream closes. */
	int (*take)(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
};

/* In the urgent lane: a burst of pings may cost its oldest answers, but never
 * the connection. */
static int take_ping(struct hd_module *mod, struct hd_stream *s,
		     struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_PING_BYTES];

	(void)mod, (void)d;
	memcpy(hdp_header_put(frame, HDP_PONG, len_bytes), p, len_bytes);
	hd_stream_append(s, HD_LANE_URGENT, frame, sizeof(frame));
	return 0;
}

static int take_pong(struct hd_module *mod, struct hd_stream *s,
		     struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	(void)mod, (void)s, (void)d, (void)p, (void)len_bytes;
	return 0;
}

/* hdp_take_packets() takes all that are right. */
static int take_broken_packets(struct hd_module *mod, struct hd_stream *s,
			       struct hdp_state *d, uint8_t *p,
			       uint32_t len_bytes)
{
	(void)mod, (void)s, (void)d, (void)p, (void)len_bytes;
	return -EBADMSG;
}

#define HELLO (1 << HDP_HELLO)
#define OPEN (1 << HDP_OPEN)

static const struct frame frames[] = {
	[HDP_PING] = { "Ping", HDP_PING_BYTES, HDP_PING_BYTES, HELLO | OPEN,
		       take_ping },
	[HDP_PONG] = { "Pong", HDP_PING_BYTES, HDP_PING_BYTES, OPEN,
		       take_pong },
	[HDP_PACKETS] = { "Packets", HDP_PACKET_HEAD_BYTES,
			  HDP_PAYLOAD_MAX_BYTES, OPEN, take_broken_packets },
	[HDP_PACKET_TO] = { "PacketTo", HD_KEY_BYTES,
			    HD_KEY_BYTES + HDP_PACKET_MAX_BYTES, OPEN,
			    hdp_take_packet_to },
	[HDP_PACKET_TO_GROUP] = { "PacketToGroup", 2,
				  1 + HDP_WORD_MAX_BYTES +
					  HDP_GROUP_PACKET_MAX_BYTES,
				  OPEN, hdp_take_packet_to_group },
	[HDP_ENROLL] = { "Enroll", HDP_ENROLL_MIN_BYTES, HDP_ENROLL_MAX_BYTES,
			 HELLO, hdp_enroll },
	[HDP_ALLOW] = { "Allow", HD_KEY_BYTES, HD_KEY_BYTES, OPEN,
			hdp_take_allow },
	[HDP_FORBID] = { "Forbid", 4, 4, OPEN, hdp_take_forbid },
	[HDP_KNOCK] = { "Knock", HD_KEY_BYTES,
			HD_KEY_BYTES + HDP_NOTE_MAX_BYTES, OPEN,
			hdp_take_knock },
	[HDP_ALLOW_GROUP] = { "AllowGroup", 1, HDP_WORD_MAX_BYTES, OPEN,
			      hdp_take_allow_group },
	[HDP_FORBID_GROUP] = { "ForbidGroup", 1, HDP_WORD_MAX_BYTES, OPEN,
			       hdp_take_forbid_group },
	[HDP_OPEN_CONNECTION] = { "OpenConnection", HDP_INTENT_BYTES,
				  HDP_INTENT_BYTES, OPEN, hdp_take_open },
	[HDP_ANSWER] = { "Answer", HDP_INTENT_BYTES + 1, HDP_INTENT_BYTES + 1,
			 OPEN, hdp_take_answer },
	[HDP_UDP_LOST] = { "UdpLost", 0, 0, OPEN, hdp_take_udp_lost },
};

/* ---- the receive loop ---- */

static int refuse(struct hd_module *mod, struct hd_stream *s,
		  struct hdp_state *d, const struct frame *f, uint32_t len)
{
	char from[HD_ADDR_TEXT_BYTES];

	if (d->phase == HDP_HELLO)
		return hdp_enroll_refused(mod, s, HDP_REFUSED_FRAME);
	hd_count(&hdp_metrics(mod, s)->refused_length, 1);
	hd_log_info("frame refused: from=%s key=%s frame=%s length=%u",
		    hd_addr_text(hd_stream_addr(s), from),
		    hd_key_text(hd_peer_key(d->peer)).s,
		    f != NULL ? f->name : "unknown", len);
	hd_stream_close(s, HD_CLOSE_OWN(HDP_REASON_FRAME_LENGTH));
	return -EPROTO;
}

static const struct frame *find(uint8_t type)
{
	if (type >= HD_ARRAY_N(frames) || frames[type].name == NULL)
		return NULL;
	return &frames[type];
}

/* Returns the bytes of the payload that are here: the frame is dealt with. */
static int64_t swallow(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d, uint32_t len_bytes,
		       size_t have_bytes)
{
	uint32_t n = (uint32_t)HD_MIN((size_t)len_bytes, have_bytes);

	hd_count(&hdp_metrics(mod, s)->unknown_frames, 1);
	d->skip_bytes = len_bytes - n;
	return n;
}

static bool frame_ok(const struct hdp_state *d, const struct frame *f,
		     uint32_t len)
{
	return f->phases & 1u << d->phase && len >= f->min_bytes &&
	       len <= f->max_bytes;
}

/* @p  a header and what came behind it: n bytes
 * Returns the bytes of the payload that were used; -EAGAIN come again with the
 * whole frame; other negative errno: refused, the stream closes. */
static int64_t take(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d, uint8_t *p, size_t n)
{
	struct hdp_header h = hdp_header_get(p);
	const struct frame *f = find(h.type);
	int r;

	if (f == NULL && d->phase == HDP_OPEN &&
	    h.len_bytes <= HDP_PAYLOAD_MAX_BYTES)
		return swallow(mod, s, d, h.len_bytes, n - HDP_HEADER_BYTES);
	if (f == NULL || !frame_ok(d, f, h.len_bytes))
		return refuse(mod, s, d, f, h.len_bytes);
	if (n - HDP_HEADER_BYTES < h.len_bytes) {
		hd_stream_want(s, HDP_HEADER_BYTES + (size_t)h.len_bytes);
		return -EAGAIN;
	}
	r = f->take(mod, s, d, p + HDP_HEADER_BYTES, h.len_bytes);
	if (r == -EBADMSG)
		r = refuse(mod, s, d, f, h.len_bytes);
	return r < 0 ? r : (int64_t)h.len_bytes;
}

static size_t skip(struct hdp_state *d, size_t n)
{
	size_t used = HD_MIN(n, (size_t)d->skip_bytes);

	d->skip_bytes -= (uint32_t)used;
	return used;
}

static size_t data(struct hd_module *mod, struct hd_stream *s, void *state,
		   uint8_t *p, size_t n)
{
	struct hdp_state *d = state;
	size_t used = skip(d, n);

	if (d->phase == HDP_CLOSED)
		return n;
	/* Any frame makes its connection the active one among duplicates. */
	if (d->phase == HDP_OPEN && n - used >= HDP_HEADER_BYTES)
		hd_peer_active(d->peer);
	while (d->phase != HDP_ADMITTING) {
		int64_t r;

		if (d->phase == HDP_OPEN)
			used += hdp_take_packets(mod, s, d, p + used, n - used);
		if (n - used < HDP_HEADER_BYTES)
			break;
		r = take(mod, s, d, p + used, n - used);
		if (r == -EAGAIN)
			break;
		if (r < 0) {
			d->phase = HDP_CLOSED;
			return n;
		}
		used += HDP_HEADER_BYTES + (size_t)r;
	}
	return used;
}

/* ---- life of a connection ---- */

static void timer(struct hd_module *mod, struct hd_stream *s, void *state,
		  unsigned which)
{
	const struct hdp_conf *conf =
		hd_module_worker_conf(mod, hd_stream_worker(s));
	uint8_t frame[HDP_HEADER_BYTES];
	struct hdp_state *d = state;

	if (d->phase == HDP_OPEN)
		hdp_grouped_again(mod, s, d);
	hdp_header_put(frame, HDP_KEEP_ALIVE, 0);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
	hd_stream_timer(s, which, (uint32_t)conf->keepalive_ms);
}

static void admitted(struct hd_module *mod, struct hd_stream *s, void *state,
		     struct hd_peer *peer)
{
	const struct hdp_conf *conf =
		hd_module_worker_conf(mod, hd_stream_worker(s));
	struct hdp_state *d = state;

	d->peer = peer;
	d->phase = HDP_OPEN;
	hdp_grouped_begin(mod, s, d, d->claim);
	d->credential = hdp_claim_subject(d->claim);
	hdp_admission_over(d);
	hdp_tell_welcome(s, conf, hd_peer_key(peer));
	hdp_redirect_by_rule(mod, d);
	(void)hdp_grouped_tell_full(s, d);
	hdp_path_begin(mod, s, d);
	/* the first one early, by chance: not all at once after a restart */
	hd_stream_timer(s, HDP_TIMER_KEEP_ALIVE,
			1 + randombytes_uniform((uint32_t)conf->keepalive_ms));
	hd_gauge_add(&hdp_metrics(mod, s)->clients, 1);
}

/* Its timer is the core's, and goes on; upgrade.c has read what it allows. */
static void adopted(struct hd_module *mod, struct hd_stream *s, void *state,
		    struct hd_peer *peer)
{
	struct hdp_numbers *numbers = hdp_metrics(mod, s);
	struct hdp_state *d = state;

	d->peer = peer;
	hd_gauge_add(&numbers->clients, 1);
	hd_gauge_add(&numbers->contacts, (int64_t)d->contacts.n);
	hdp_path_adopted(mod, s, d);
	hdp_grouped_adopted(mod, s, d);
}

static void closed(struct hd_module *mod, struct hd_stream *s, void *state,
		   enum hd_close why)
{
	struct hdp_numbers *numbers = hdp_metrics(mod, s);
	struct hdp_state *d = state;

	hdp_admission_over(d);
	hdp_path_end(mod, s, d);
	if (d->peer != NULL)
		hdp_grouped_end(mod, s, d);
	hd_gauge_add(&numbers->contacts, -(int64_t)d->contacts.n);
	hdp_contacts_clear(&d->contacts);
	if (d->peer != NULL) {
		hd_gauge_add(&numbers->clients, -1);
		return;
	}
	hd_count(&numbers->enrolls_refused[HDP_REFUSED_TIMEOUT],
		 why == HD_CLOSE_TIMEOUT);
	hd_count(&numbers->enrolls_refused[HDP_REFUSED_DENIED],
		 why == HD_CLOSE_DENIED);
}

const struct hd_proto hdp_proto = {
	.name = "hd",
	.state_size = sizeof(struct hdp_state),
	.data = data,
	.timer = timer,
	.admitted = admitted,
	.closed = closed,
	.adopted = adopted,
	.peer = &hdp_peer_ops,
};
