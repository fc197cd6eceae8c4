/* SPDX-License-Identifier: MIT */
/* modules/hd/packets.c - what an admitted client sends: packets, and who may
 * send to it. Context: the stream's worker, which is the client's home. */
#include <hyper-derp/relay.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/hd/hd.h"

/* ---- packets ---- */

struct sent { /* counted once for all that one read has brought */
	uint64_t packets, bytes, no_handle;
};

bool hdp_send_packet(struct hdp_state *d, uint32_t handle, const uint8_t *p,
		     uint32_t len_bytes)
{
	const struct hdp_contact *to = hdp_contacts_at(&d->contacts, handle);

	if (to != NULL)
		hd_relay_send(d->peer, &to->key, false, p, len_bytes);
	return to != NULL;
}

/* Returns whether the payload was whole packets. */
static bool send_all(struct hdp_state *d, const uint8_t *p, size_t n,
		     struct sent *sent)
{
	struct hdp_packet packet;

	do {
		size_t used = hdp_packet_get(p, n, &packet);

		if (used == 0)
			return false;
		sent->no_handle += !hdp_send_packet(
			d, packet.handle, packet.data, packet.len_bytes);
		sent->packets++;
		sent->bytes += packet.len_bytes;
		p += used;
		n -= used;
	} while (n > 0);
	return true;
}

static void count(struct hd_module *mod, const struct hd_stream *s,
		  const struct sent *sent)
{
	struct hdp_numbers *numbers = hdp_metrics(mod, s);

	hd_count(&numbers->packets_in, sent->packets);
	hd_count(&numbers->packet_bytes_in, sent->bytes);
	hd_count(&numbers->packets_no_handle, sent->no_handle);
}

/* A frame that is no whole packets stays: frames.c refuses it. */
size_t hdp_take_packets(struct hd_module *mod, struct hd_stream *s,
			struct hdp_state *d, uint8_t *p, size_t n)
{
	struct sent sent = { 0 };
	size_t used = 0;

	while (n - used >= HDP_HEADER_BYTES && p[used] == HDP_PACKETS) {
		uint32_t len = hdp_header_get(p + used).len_bytes;

		if (len > HDP_PAYLOAD_MAX_BYTES ||
		    n - used - HDP_HEADER_BYTES < len ||
		    !send_all(d, p + used + HDP_HEADER_BYTES, len, &sent))
			break;
		used += HDP_HEADER_BYTES + len;
	}
	if (used > 0)
		count(mod, s, &sent);
	return used;
}

int hdp_take_packet_to(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	const struct sent sent = { 1, len_bytes - HD_KEY_BYTES, 0 };

	hd_relay_send(d->peer, (const struct hd_key *)p, false,
		      p + HD_KEY_BYTES, len_bytes - HD_KEY_BYTES);
	count(mod, s, &sent);
	return 0;
}

/* ---- consent ---- */

int hdp_take_allow(struct hd_module *mod, struct hd_stream *s,
		   struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	const struct hdp_conf *conf =
		hd_module_worker_conf(mod, hd_stream_worker(s));
	struct hd_key address;
	uint32_t handle;
	int r;

	(void)len_bytes;
	memcpy(&address, p, sizeof(address));
	r = hdp_contacts_allow(&d->contacts, &address,
			       (uint32_t)conf->contacts_max, &handle);
	if (r < 0) {
		hdp_tell_contact(s, HDP_NO_HANDLE, &address,
				 HDP_CONTACT_REFUSED);
		return 0;
	}
	hd_gauge_add(&hdp_metrics(mod, s)->contacts, r == 0);
	hdp_tell_contact(s, handle, &address, 0);
	hdp_grouped_tell_allowed(d, &address);
	return 0;
}

void hdp_allowed_again(struct hdp_state *d, const struct hd_key *to)
{
	if (hdp_contacts_find(&d->contacts, to) != HDP_NO_HANDLE)
		hdp_grouped_tell_allowed(d, to);
}

int hdp_take_forbid(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	(void)len_bytes;
	if (hdp_contacts_forbid(&d->contacts, hdp_get_u32(p)))
		hd_gauge_add(&hdp_metrics(mod, s)->contacts, -1);
	return 0;
}

int hdp_take_knock(struct hd_module *mod, struct hd_stream *s,
		   struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	const struct hd_key *to = (const struct hd_key *)p;
	uint8_t body[HDP_SIGNAL_MAX_BYTES];
	uint32_t note_bytes = len_bytes - HD_KEY_BYTES;

	if (hdp_contacts_find(&d->contacts, to) == HDP_NO_HANDLE ||
	    !hdp_bucket_take(&d->knocks_in, hd_now_ms(hd_stream_worker(s)))) {
		hd_count(&hdp_metrics(mod, s)->knocks_dropped, 1);
		return 0;
	}
	memcpy(body, d->identity, HD_KEY_BYTES);
	memcpy(body + HD_KEY_BYTES, p + HD_KEY_BYTES, note_bytes);
	hd_count(&hdp_metrics(mod, s)->knocks, 1);
	if (!hdp_group_is_none(&d->group))
		hdp_grouped_tell_allowed(d, to); /* it may be enough */
	hdp_signal(d->peer, to, HDP_SIGNAL_KNOCK, body, len_bytes);
	return 0;
}
