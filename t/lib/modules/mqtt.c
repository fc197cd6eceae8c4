/* SPDX-License-Identifier: MIT */
/* t/lib/modules/mqtt.c - as much of MQTT 3.1.1 as mosquitto_pub and
 * mosquitto_sub need, QoS 0: who subscribes gets what was published last.
 * Numbers in brackets are sections of the standard (OASIS, 2014). */
#include <hyper-derp/module.h>
#include <hyper-derp/stream.h>
#include <hyper-derp/worker.h>
#include <string.h>

enum { /* [2.2.1] the first four bits */
       CONNECT = 1,
       CONNACK = 2,
       PUBLISH = 3,
       SUBSCRIBE = 8,
       SUBACK = 9,
       DISCONNECT = 14,
};

#define BODY_MAX_BYTES 1000

struct mqtt_worker { /* the test has one */
	size_t len;
	uint8_t last[BODY_MAX_BYTES]; /* the body of a PUBLISH */
};

struct mqtt_state {
	bool connected;
};

/* [2.2.3] Returns the bytes of the fixed header; 0: there are not enough. */
static size_t header(const uint8_t *p, size_t n, size_t *ret_body)
{
	size_t body = 0;

	for (size_t i = 1; i < n && i < 5; i++) {
		body |= (size_t)(p[i] & 0x7f) << (7 * (i - 1));
		if ((p[i] & 0x80) == 0) {
			*ret_body = body;
			return i + 1;
		}
	}
	return 0;
}

static void put(struct hd_stream *s, unsigned first, const uint8_t *body,
		size_t n)
{
	uint8_t packet[BODY_MAX_BYTES + 3] = { (uint8_t)first };
	size_t head = n < 0x80 ? 2 : 3;

	packet[1] = (uint8_t)(n < 0x80 ? n : (n & 0x7f) | 0x80);
	packet[2] = (uint8_t)(n >> 7);
	memcpy(packet + head, body, n);
	hd_stream_append(s, HD_LANE_CONTROL, packet, head + n);
}

static void on_subscribe(struct hd_stream *s, const struct mqtt_worker *mw,
			 const uint8_t *body)
{
	const uint8_t ack[] = { body[0], body[1], 0 }; /* [3.9] */

	put(s, SUBACK << 4, ack, sizeof(ack));
	if (mw->len > 0)
		put(s, PUBLISH << 4 | 1, mw->last, mw->len);
}

static bool on_packet(struct hd_stream *s, struct mqtt_state *st,
		      struct mqtt_worker *mw, unsigned type,
		      const uint8_t *body, size_t n)
{
	static const uint8_t accepted[] = { 0, 0 }; /* [3.2.2] */

	if (!st->connected && type != CONNECT)
		return false;
	switch (type) {
	case CONNECT:
		st->connected = true;
		hd_stream_stay(s);
		put(s, CONNACK << 4, accepted, sizeof(accepted));
		return true;
	case PUBLISH:
		memcpy(mw->last, body, n);
		mw->len = n;
		return true;
	case SUBSCRIBE:
		if (n < 2)
			return false;
		on_subscribe(s, mw, body);
		return true;
	case DISCONNECT:
		hd_stream_close(s, HD_CLOSE_DONE);
		return true;
	default:
		return false;
	}
}

static size_t mqtt_data(struct hd_module *mod, struct hd_stream *s, void *state,
			uint8_t *p, size_t n)
{
	struct mqtt_worker *mw =
		hd_module_worker_data(mod, hd_stream_worker(s));
	size_t used = 0, head, body;

	while ((head = header(p + used, n - used, &body)) > 0 &&
	       body <= BODY_MAX_BYTES && head + body <= n - used) {
		if (!on_packet(s, state, mw, p[used] >> 4, p + used + head,
			       body)) {
			hd_stream_close(s, HD_CLOSE_PROTOCOL);
			return n;
		}
		used += head + body;
	}
	if (head > 0 && body > BODY_MAX_BYTES)
		hd_stream_close(s, HD_CLOSE_PROTOCOL);
	else if (head > 0)
		hd_stream_want(s, head + body);
	return used;
}

static const struct hd_proto proto = {
	.name = "mqtt",
	.state_size = sizeof(struct mqtt_state),
	.data = mqtt_data,
};

static const struct hd_service services[] = {
	{ .name = "mqtt", .proto = &proto, .alpn = { "mqtt" } },
	HD_SERVICE_END,
};

HD_MODULE(mqtt, .version = "1.0", .licence = "MIT",
	  .summary = "a little MQTT", .services = services,
	  .worker_size = sizeof(struct mqtt_worker));
