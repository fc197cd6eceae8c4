/* SPDX-License-Identifier: MIT */
/* modules/hd/tell.c - frames to a client. Context: the peer's worker. */
#include <hyper-derp/relay.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/hd/intents.h"
#include "modules/hd/redirect.h"

#define KNOCKS_AT_ONCE 16
#define KNOCK_MS 1000
#define VISIT_AGAIN_MS 10000

bool hdp_bucket_take(struct hdp_bucket *b, uint64_t now_ms)
{
	if (b->paid_ms < now_ms)
		b->paid_ms = now_ms;
	if (b->paid_ms - now_ms > (KNOCKS_AT_ONCE - 1) * KNOCK_MS)
		return false;
	b->paid_ms += KNOCK_MS;
	return true;
}

/* ---- frames ---- */

static void tell_text(struct hd_stream *s, enum hdp_type type,
		      const uint8_t *head, size_t head_bytes, const char *text)
{
	uint8_t frame[HDP_HEADER_BYTES + 1 + HDP_TEXT_MAX_BYTES];
	size_t n = strnlen(text, HDP_TEXT_MAX_BYTES);
	uint8_t *p = hdp_header_put(frame, type, (uint32_t)(head_bytes + n));

	if (head_bytes > 0)
		memcpy(p, head, head_bytes);
	memcpy(p + head_bytes, text, n);
	hd_stream_append(s, HD_LANE_CONTROL, frame,
			 HDP_HEADER_BYTES + head_bytes + n);
}

void hdp_tell_denied(struct hd_stream *s, enum hdp_denied why, const char *text)
{
	uint8_t reason = (uint8_t)why;

	tell_text(s, HDP_DENIED, &reason, 1, text);
}

void hdp_tell_pending(struct hd_stream *s, const char *text)
{
	tell_text(s, HDP_PENDING, NULL, 0, text);
}

void hdp_tell_health(struct hd_stream *s, const char *text)
{
	tell_text(s, HDP_HEALTH, NULL, 0, text);
}

void hdp_tell_redirect(struct hd_stream *s, enum hdp_redirect why,
		       const char *relay)
{
	char url[sizeof("https://") + HDP_REDIRECT_HOST_MAX_BYTES];
	uint8_t reason = (uint8_t)why;

	snprintf(url, sizeof(url), "https://%s", relay);
	tell_text(s, HDP_REDIRECT, &reason, 1, url);
}

void hdp_tell_welcome(struct hd_stream *s, const struct hdp_conf *conf,
		      const struct hd_key *address)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_WELCOME_BYTES];
	uint8_t *p = hdp_header_put(frame, HDP_WELCOME, HDP_WELCOME_BYTES);

	memcpy(p, address, HD_KEY_BYTES);
	p += HD_KEY_BYTES;
	hdp_put_u32(p, (uint32_t)conf->keepalive_ms);
	hdp_put_u32(p + 4, (uint32_t)conf->contacts_max);
	hdp_put_u32(p + 8, HDP_PACKET_MAX_BYTES);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

void hdp_tell_contact(struct hd_stream *s, uint32_t handle,
		      const struct hd_key *address, uint8_t flags)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_CONTACT_BYTES];
	uint8_t *p = hdp_header_put(frame, HDP_CONTACT, HDP_CONTACT_BYTES);

	hdp_put_u32(p, handle);
	memcpy(p + 4, address, HD_KEY_BYTES);
	p[4 + HD_KEY_BYTES] = flags;
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

static void tell_allowed(struct hd_stream *s, uint32_t handle)
{
	uint8_t frame[HDP_HEADER_BYTES + 4];

	hdp_put_u32(hdp_header_put(frame, HDP_ALLOWED, 4), handle);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

/* ---- packets ---- */

static void bring(struct hd_module *mod, struct hd_stream *s,
		  struct hdp_state *d, uint32_t handle,
		  const struct hd_packet *packet)
{
	size_t n = HDP_PACKET_FRAME_HEAD_BYTES + packet->len_bytes;
	uint8_t *out;

	if (d->path != NULL && hdp_path_send(mod, d->path, handle, packet))
		return;
	out = hd_stream_reserve(s, HD_LANE_BULK, n);
	if (out == NULL)
		return; /* dropped; the core has counted it */
	out = hdp_packet_head_put(out, handle, packet->len_bytes);
	memcpy(out, packet->data, packet->len_bytes);
	hd_stream_commit(s, n);
}

/* ---- signals of other clients' relays ---- */

/* A burst of knocks may cost the oldest of them, never the connection. */
static void tell_knock(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d, const uint8_t *p, uint32_t n)
{
	uint8_t frame[HDP_HEADER_BYTES + HD_KEY_BYTES + HDP_NOTE_MAX_BYTES];

	if (n < HD_KEY_BYTES || n > HD_KEY_BYTES + HDP_NOTE_MAX_BYTES ||
	    !d->wants_knocks ||
	    !hdp_bucket_take(&d->knocks_out, hd_now_ms(hd_stream_worker(s)))) {
		hd_count(&hdp_metrics(mod, s)->knocks_dropped, 1);
		return;
	}
	memcpy(hdp_header_put(frame, HDP_KNOCK, n), p, n);
	hd_stream_append(s, HD_LANE_URGENT, frame, HDP_HEADER_BYTES + n);
}

static void reply(struct hd_peer *peer, const struct hd_key *to)
{
	const struct hd_key address = *to; /* a packet's: the call's only */

	hdp_signal(peer, &address, HDP_SIGNAL_MUTUAL, NULL, 0);
}

/* To who is allowed, for a group that it is in: it is a contact from then on.
 * Returns its handle, or HDP_NO_HANDLE. */
static uint32_t by_group(struct hd_module *mod, struct hd_stream *s,
			 struct hdp_state *d, const struct hd_key *who,
			 const struct hdp_said *said)
{
	const struct hdp_conf *conf =
		hd_module_worker_conf(mod, hd_stream_worker(s));
	uint32_t handle;

	if ((said->kind != HDP_SIGNAL_ALLOWED &&
	     said->kind != HDP_SIGNAL_GROUP) ||
	    said->n < HDP_GROUP_BYTES ||
	    !hdp_grouped_allows(d, said->body) ||
	    hdp_contacts_allow(&d->contacts, who, (uint32_t)conf->contacts_max,
			       &handle) != 0)
		return HDP_NO_HANDLE;
	hd_gauge_add(&hdp_metrics(mod, s)->contacts, 1);
	hdp_tell_contact(s, handle, who, HDP_CONTACT_BY_GROUP);
	return handle;
}

/* A knock at somebody who has allowed the knocker is answered for him. */
static void take_signal(struct hd_module *mod, struct hd_peer *peer,
			struct hdp_state *d, const struct hd_packet *packet,
			const struct hdp_said *said)
{
	struct hd_stream *s = hd_peer_stream(peer);
	uint32_t handle = hdp_contacts_find(&d->contacts, packet->src);
	uint8_t kind = said->kind;

	if (handle == HDP_NO_HANDLE)
		handle = by_group(mod, s, d, packet->src, said);
	if (handle == HDP_NO_HANDLE) {
		if (kind == HDP_SIGNAL_KNOCK)
			tell_knock(mod, s, d, said->body, said->n);
		return;
	}
	if (kind == HDP_SIGNAL_GROUP && said->n >= HDP_GROUP_BYTES)
		bring(mod, s, d, handle,
		      &(struct hd_packet){
			      .data = said->body + HDP_GROUP_BYTES,
			      .len_bytes = said->n - HDP_GROUP_BYTES });
	if (kind == HDP_SIGNAL_OPEN || kind == HDP_SIGNAL_ANSWER)
		hdp_intents_signal(s, handle, said);
	if ((kind == HDP_SIGNAL_ALLOWED || kind == HDP_SIGNAL_MUTUAL) &&
	    hdp_contacts_tell(&d->contacts, handle,
			      hd_now_ms(hd_stream_worker(s)) / 1000))
		tell_allowed(s, handle);
	if (kind == HDP_SIGNAL_ALLOWED || kind == HDP_SIGNAL_KNOCK)
		reply(peer, packet->src);
}

static bool is_news(struct hdp_state *d, const struct hd_key *who,
		    uint64_t now_ms)
{
	if (memcmp(&d->visitor, who, sizeof(*who)) == 0 &&
	    now_ms - d->visited_ms < VISIT_AGAIN_MS)
		return false;
	if (!hdp_bucket_take(&d->visits, now_ms))
		return false;
	d->visitor = *who;
	d->visited_ms = now_ms;
	return true;
}

/* With the bridge: DERP's clients do not know how to knock, so a packet is one.
 */
static void tell_visitor(struct hd_module *mod, struct hd_stream *s,
			 struct hdp_state *d, const struct hd_packet *packet)
{
	uint8_t frame[HDP_HEADER_BYTES + HD_KEY_BYTES];

	if (!d->wants_visitors || !hdp_is_bridged(packet->realm) ||
	    !is_news(d, packet->src, hd_now_ms(hd_stream_worker(s))))
		return;
	memcpy(hdp_header_put(frame, HDP_VISITOR, HD_KEY_BYTES), packet->src,
	       HD_KEY_BYTES);
	hd_count(&hdp_metrics(mod, s)->visitors, 1);
	hd_stream_append(s, HD_LANE_URGENT, frame, sizeof(frame));
}

/* ---- what the core calls ---- */

static struct hdp_state *state_of(struct hd_peer *peer)
{
	return hd_stream_state(hd_peer_stream(peer));
}

static void deliver(struct hd_module *mod, struct hd_peer *peer,
		    const struct hd_packet *packet)
{
	struct hd_stream *s = hd_peer_stream(peer);
	struct hdp_state *d = hd_stream_state(s);
	struct hdp_said said;
	uint32_t handle;

	if (hdp_signal_get(hd_stream_worker(s), packet, &said)) {
		take_signal(mod, peer, d, packet, &said);
		return;
	}
	handle = hdp_contacts_find(&d->contacts, packet->src);
	if (handle == HDP_NO_HANDLE ||
	    packet->len_bytes > HDP_PACKET_MAX_BYTES) {
		hd_count(&hdp_metrics(mod, s)->packets_not_allowed, 1);
		if (handle == HDP_NO_HANDLE)
			tell_visitor(mod, s, d, packet);
		return;
	}
	bring(mod, s, d, handle, packet);
}

/* Of contacts only: who was dropped unseen leaves unseen. */
static void gone(struct hd_module *mod, struct hd_peer *peer,
		 const struct hd_key *other, enum hd_gone why)
{
	uint32_t handle = hdp_contacts_find(&state_of(peer)->contacts, other);
	uint8_t frame[HDP_HEADER_BYTES + HDP_GONE_BYTES];
	uint8_t *p = hdp_header_put(frame, HDP_PEER_GONE, HDP_GONE_BYTES);

	(void)mod;
	if (handle == HDP_NO_HANDLE)
		return;
	hdp_put_u32(p, handle);
	p[4] = why == HD_GONE_NOT_HERE ? HDP_GONE_NOT_HERE
				       : HDP_GONE_DISCONNECTED;
	hd_stream_append(hd_peer_stream(peer), HD_LANE_CONTROL, frame,
			 sizeof(frame));
}

static void drain(struct hd_module *mod, struct hd_peer *peer,
		  uint32_t reconnect_in_ms, uint32_t try_for_ms)
{
	uint8_t frame[HDP_HEADER_BYTES + 8];
	uint8_t *p = hdp_header_put(frame, HDP_RESTARTING, 8);

	hdp_redirect_drains(mod, peer);
	hdp_put_u32(p, reconnect_in_ms);
	hdp_put_u32(p + 4, try_for_ms);
	hd_stream_append(hd_peer_stream(peer), HD_LANE_CONTROL, frame,
			 sizeof(frame));
}

static enum hdp_denied denied_of(struct hd_stream *s, const struct hdp_state *d)
{
	if (!hd_worker_serving(hd_stream_worker(s)))
		return HDP_DENIED_LATER;
	if (hdp_admission_waits(d))
		return HDP_DENIED_APPROVAL;
	return d->denied != 0 ? (enum hdp_denied)d->denied : HDP_DENIED_WELCOME;
}

/* Before it is admitted, this is why it is not. An empty one is the core's, of
 * what the core has said: what else is not well is said once more. */
static void health(struct hd_module *mod, struct hd_peer *peer,
		   const char *text)
{
	struct hd_stream *s = hd_peer_stream(peer);
	struct hdp_state *d = state_of(peer);

	(void)mod;
	if (d->phase == HDP_ADMITTING)
		hdp_tell_denied(s, denied_of(s, d), text);
	else if (text[0] != '\0' || !hdp_grouped_tell_full(s, d))
		hdp_tell_health(s, text);
}

const struct hd_peer_ops hdp_peer_ops = {
	.deliver = deliver,
	.gone = gone,
	.drain = drain,
	.health = health,
	.refuses_aloud = true,
};
