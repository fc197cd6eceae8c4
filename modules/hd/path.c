/* SPDX-License-Identifier: MIT */
/* modules/hd/path.c - see path.h. Who is silent while packets go to it has lost
 * its way: it is told by TCP, where its packets go on. That is looked at when
 * there is a packet for it, so that an idle client costs nothing.
 * Source: doc/reference/protocol-hd.md, "UDP". Context: the client's home
 * worker. */
#include "modules/hd/path.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/tls.h>
#include <hyper-derp/worker.h>

#define CHALLENGE_MS 100 /* between two that were not asked for */
#define CONTROL_MS 100 /* of a client whose limits hold it back */

static uint64_t now_of(const struct hdp_path *path)
{
	return hd_now_ms(hd_stream_worker(path->stream));
}

static bool same(const union hd_addr *a, const union hd_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->in6.sin6_port == b->in6.sin6_port &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
		      sizeof(a->in6.sin6_addr)) == 0;
}

/* ---- life ---- */

static void offer(struct hd_stream *s, const struct hdp_conf *conf,
		  const struct hdp_path *path)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_UDP_OFFER_BYTES];
	uint8_t *p = hdp_header_put(frame, HDP_UDP, HDP_UDP_OFFER_BYTES);
	uint16_t port = htons((uint16_t)conf->udp_port);

	if (port == 0)
		port = conf->udp.in.sin_port; /* both families' place */
	hdp_put_u32(p, path->conn);
	memcpy(p + 4, &port, sizeof(port));
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

static int keys_make(struct hd_stream *s, struct hdp_path *path)
{
	struct hd_worker *w = hd_stream_worker(s);
	int suite = hd_stream_aead(s), r = suite;
	struct hdp_udp_secret secret = { .suite = (enum hd_aead_suite)suite };

	if (r >= 0)
		r = hd_stream_export(s, HDP_UDP_LABEL_CLIENT, NULL, 0,
				     secret.v, sizeof(secret.v));
	if (r == 0) {
		hdp_udp_rx_init(&path->rx, w, &secret);
		r = hd_stream_export(s, HDP_UDP_LABEL_RELAY, NULL, 0, secret.v,
				     sizeof(secret.v));
	}
	if (r == 0)
		hdp_udp_tx_init(&path->tx, w, &secret);
	sodium_memzero(&secret, sizeof(secret));
	return r;
}

/* Without memory for it the client has its TCP connection. */
void hdp_path_begin(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d)
{
	struct hd_worker *w = hd_stream_worker(s);
	struct hdp_path *path;

	if (!d->wants_udp || hdp_udp_of(mod, w) == NULL)
		return;
	path = hdp_udp_path_new(mod, w);
	if (path == NULL)
		return;
	path->stream = s;
	if (keys_make(s, path) < 0 || hdp_udp_place(mod, w, path) < 0) {
		hdp_udp_path_free(mod, w, path);
		return;
	}
	d->path = path;
	offer(s, hd_module_worker_conf(mod, w), path);
}

/* What it has sealed is another process's; it seals no more. */
void hdp_path_adopted(struct hd_module *mod, struct hd_stream *s,
		      struct hdp_state *d)
{
	struct hd_worker *w = hd_stream_worker(s);

	if (d->path == NULL)
		return;
	d->path->stream = s;
	if (hdp_udp_place_moved(mod, w, d->path) < 0) {
		hdp_udp_path_free(mod, w, d->path);
		d->path = NULL;
		return;
	}
	hd_gauge_add(&hdp_metrics(mod, s)->paths, d->path->valid);
	hd_peer_by_datagrams(d->peer, d->path->valid);
}

static void invalidate(struct hd_module *mod, struct hdp_path *path)
{
	const struct hdp_state *d = hd_stream_state(path->stream);

	path->asked = false;
	if (!path->valid)
		return;
	path->valid = false;
	hd_gauge_add(&hdp_metrics(mod, path->stream)->paths, -1);
	hd_peer_by_datagrams(d->peer, false);
}

void hdp_path_end(struct hd_module *mod, struct hd_stream *s,
		  struct hdp_state *d)
{
	struct hd_worker *w = hd_stream_worker(s);

	if (d->path == NULL)
		return;
	invalidate(mod, d->path);
	hdp_udp_remove(mod, w, d->path);
	hdp_udp_path_free(mod, w, d->path);
	d->path = NULL;
}

/* ---- lost ---- */

static void lost(struct hd_module *mod, struct hdp_path *path)
{
	char addr[HD_ADDR_TEXT_BYTES];
	const struct hdp_state *d = hd_stream_state(path->stream);

	if (path->valid) {
		hd_count(&hdp_metrics(mod, path->stream)->paths_lost, 1);
		hd_log_info("udp path lost: key=%s addr=%s",
			    hd_key_text(hd_peer_key(d->peer)).s,
			    hd_addr_text(&path->at.addr, addr));
	}
	invalidate(mod, path);
}

static void tell_lost(struct hdp_path *path)
{
	uint8_t frame[HDP_HEADER_BYTES];

	hdp_header_put(frame, HDP_UDP_LOST, 0);
	hd_stream_append(path->stream, HD_LANE_CONTROL, frame, sizeof(frame));
}

int hdp_take_udp_lost(struct hd_module *mod, struct hd_stream *s,
		      struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	(void)s, (void)p, (void)len_bytes;
	if (d->path != NULL)
		lost(mod, d->path);
	return 0;
}

/* ---- to the client ---- */

static bool seal(struct hd_module *mod, struct hdp_path *path,
		 const struct hdp_path_place *to, enum hdp_udp_type type,
		 const void *head, size_t head_bytes, const void *tail,
		 size_t tail_bytes)
{
	const struct hdp_state *d = hd_stream_state(path->stream);
	struct hd_udp *udp = hdp_udp_of(mod, hd_stream_worker(path->stream));
	size_t n = HDP_UDP_FRAME_BYTES + head_bytes + tail_bytes;
	uint8_t *out = udp != NULL ? hd_udp_room(udp, n) : NULL;

	if (out == NULL)
		return false;
	n = hdp_udp_seal(&path->tx, type, path->conn, head, head_bytes, tail,
			 tail_bytes, out);
	if (n == 0 || hd_udp_send(udp, &to->addr, &to->local, out, n) < 0)
		return false;
	hd_peer_sent(d->peer, (uint32_t)n);
	return true;
}

/* Whether the client is there, as far as can be known. */
static bool is_up(struct hd_module *mod, struct hdp_path *path)
{
	uint64_t now = now_of(path);

	if (!path->valid)
		return false;
	if (path->unheard_ms != 0 && now - path->unheard_ms > HDP_UDP_LOST_MS) {
		lost(mod, path);
		tell_lost(path);
		return false;
	}
	return path->unheard_ms != 0 || now - path->heard_ms < HDP_UDP_IDLE_MS;
}

bool hdp_path_send(struct hd_module *mod, struct hdp_path *path,
		   uint32_t handle, const struct hd_packet *packet)
{
	uint8_t head[4];

	if (packet->len_bytes > HDP_UDP_PACKET_MAX_BYTES || !is_up(mod, path))
		return false;
	hdp_put_u32(head, handle);
	if (!seal(mod, path, &path->at, HDP_UDP_PACKET, head, sizeof(head),
		  packet->data, packet->len_bytes))
		return false;
	if (path->unheard_ms == 0)
		path->unheard_ms = now_of(path);
	hd_count(&hdp_metrics(mod, path->stream)->udp_packets_out, 1);
	return true;
}

/* @n  bytes in all, HDP_UDP_CONTROL_BYTES at least: the rest is 0 */
static void control_send(struct hd_module *mod, struct hdp_path *path,
			 const struct hdp_path_place *to, enum hdp_udp_op op,
			 const uint8_t *first, const uint8_t *second, size_t n)
{
	uint8_t control[HDP_UDP_DATA_MAX_BYTES] = { (uint8_t)op };

	if (first != NULL)
		memcpy(control + 1, first, HDP_UDP_TOKEN_BYTES);
	if (second != NULL)
		memcpy(control + 1 + HDP_UDP_TOKEN_BYTES, second,
		       HDP_UDP_TOKEN_BYTES);
	(void)seal(mod, path, to, HDP_UDP_CONTROL, control, n, NULL, 0);
}

/* ---- from the client ---- */

/* @n  as long as what came from there, or shorter */
static void challenge(struct hd_module *mod, struct hdp_path *path,
		      const struct hdp_path_place *from, const uint8_t *token,
		      size_t n)
{
	path->asked = true;
	path->asked_at = *from;
	path->asked_ms = now_of(path);
	randombytes_buf(path->token, sizeof(path->token));
	control_send(mod, path, from, HDP_UDP_CHALLENGE, token, path->token, n);
}

static void found(struct hd_module *mod, struct hdp_path *path,
		  const struct hdp_path_place *from)
{
	struct hdp_numbers *numbers = hdp_metrics(mod, path->stream);
	const struct hdp_state *d = hd_stream_state(path->stream);
	char addr[HD_ADDR_TEXT_BYTES];

	hd_log_info("udp path found: key=%s addr=%s",
		    hd_key_text(hd_peer_key(d->peer)).s,
		    hd_addr_text(&from->addr, addr));
	hd_count(&numbers->paths_found, 1);
	hd_gauge_add(&numbers->paths, !path->valid);
	hd_peer_by_datagrams(d->peer, true);
	path->valid = true;
	path->asked = false;
	path->at = *from;
	path->heard_ms = now_of(path);
	path->unheard_ms = 0;
}

static bool is_answer(const struct hdp_path *path,
		      const struct hdp_path_place *from, const uint8_t *token)
{
	return path->asked && same(&path->asked_at.addr, &from->addr) &&
	       sodium_memcmp(path->token, token, sizeof(path->token)) == 0;
}

/* Whoever is held back by limits may still show that it is there. Returns as
 * hd_peer_received(). */
static int charge(struct hdp_path *path, const struct hdp_state *d,
		  uint32_t len_bytes, bool control)
{
	int r = hd_peer_received(d->peer, len_bytes, control ? 0 : 1);
	uint64_t now = now_of(path);

	if (r != -EBUSY || !control || now - path->control_ms < CONTROL_MS)
		return r;
	path->control_ms = now;
	return 0;
}

/* With how many have come: so the client knows how many have not. */
static void pong(struct hd_module *mod, struct hdp_path *path,
		 const uint8_t *token)
{
	uint8_t opened[HDP_UDP_TOKEN_BYTES];

	hdp_put_u64(opened, path->rx.opened);
	control_send(mod, path, &path->at, HDP_UDP_PONG, token, opened,
		     HDP_UDP_CONTROL_BYTES);
}

static void take_control(struct hd_module *mod, struct hdp_path *path,
			 const struct hdp_path_place *from, const uint8_t *p,
			 size_t n)
{
	const uint8_t *token = p + 1;

	if (p[0] == HDP_UDP_PROBE)
		challenge(mod, path, from, token, n);
	else if (p[0] == HDP_UDP_RESPONSE && is_answer(path, from, token))
		found(mod, path, from);
	else if (p[0] == HDP_UDP_PING && path->valid &&
		 same(&path->at.addr, &from->addr))
		pong(mod, path, token);
}

static void take_packet(struct hd_module *mod, struct hdp_path *path,
			const uint8_t *p, size_t n)
{
	struct hdp_numbers *numbers = hdp_metrics(mod, path->stream);
	struct hdp_state *d = hd_stream_state(path->stream);
	uint32_t len_bytes = (uint32_t)n - 4;

	hd_count(&numbers->packets_in, 1);
	hd_count(&numbers->udp_packets_in, 1);
	hd_count(&numbers->packet_bytes_in, len_bytes);
	hd_count(&numbers->packets_no_handle,
		 !hdp_send_packet(d, hdp_get_u32(p), p + 4, len_bytes));
}

/* Where it came from, whoever sent it from there. Somewhere else is asked, with
 * no more than that one was long. A Probe has had its Challenge already. */
static void heard(struct hd_module *mod, struct hdp_path *path,
		  const struct hdp_path_place *from, bool control,
		  const uint8_t *p, size_t n)
{
	uint64_t now = now_of(path);
	bool asks = !control || p[0] == HDP_UDP_PING;

	if (path->valid && same(&path->at.addr, &from->addr)) {
		path->heard_ms = now;
		path->unheard_ms = 0;
	} else if (asks && n >= HDP_UDP_CONTROL_BYTES &&
		   now - path->asked_ms >= CHALLENGE_MS) {
		challenge(mod, path, from, NULL, HDP_UDP_CONTROL_BYTES);
	}
}

static void drop(struct hd_module *mod, struct hdp_path *path,
		 enum hdp_udp_drop why)
{
	hd_count(&hdp_metrics(mod, path->stream)->udp_dropped[why], 1);
}

/* Sealed by the client; once. */
static void take_right(struct hd_module *mod, struct hdp_path *path,
		       const struct hd_datagram *dg, enum hdp_udp_type type,
		       size_t n)
{
	const struct hdp_path_place from = { .addr = dg->from,
					     .local = dg->to };
	const uint8_t *p = dg->data + HDP_UDP_HEAD_BYTES;
	bool control = type == HDP_UDP_CONTROL;
	const struct hdp_state *d = hd_stream_state(path->stream);
	int r = charge(path, d, dg->len_bytes, control);

	if (r == -ESHUTDOWN) {
		drop(mod, path, HDP_UDP_DROP_UNKNOWN);
		return;
	}
	hd_peer_active(d->peer);
	if (r < 0)
		drop(mod, path, HDP_UDP_DROP_LIMIT);
	else if (control)
		take_control(mod, path, &from, p, n);
	else
		take_packet(mod, path, p, n);
	heard(mod, path, &from, control, p, n);
}

void hdp_path_take(struct hd_module *mod, struct hdp_path *path,
		   const struct hdp_udp_head *head,
		   const struct hd_datagram *dg)
{
	int n = hdp_udp_open(&path->rx, head, dg->data, dg->len_bytes);
	size_t min = head->type == HDP_UDP_PACKET ? 4 : HDP_UDP_CONTROL_BYTES;

	if (n == -EALREADY)
		drop(mod, path, HDP_UDP_DROP_REPLAY);
	else if (n < 0)
		drop(mod, path, HDP_UDP_DROP_FORGED);
	else if ((size_t)n < min)
		drop(mod, path, HDP_UDP_DROP_SHAPE);
	else
		take_right(mod, path, dg, head->type, (size_t)n);
}
