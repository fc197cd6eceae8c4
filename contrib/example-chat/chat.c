/* SPDX-License-Identifier: MIT */
/* chat.c - lines of text between names, on the relay's own port; and a packet
 * hook that counts, and drops what is too long. See the module guide. */
#include <hyper-derp/hook.h>
#include <hyper-derp/http.h>
#include <hyper-derp/module.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CHAT_BUILD 1
#define CHAT_LINE_MAX_BYTES 512

struct chat_conf { uint64_t packet_max_bytes; }; /* the section `chat:` */
struct chat_state { struct hd_peer *peer; }; /* NULL: it has no name yet */

static const struct hd_option options[] = {
	{ .name = "packet_max", .type = HD_OPTION_SIZE_BYTES, .live = true,
	  .offset = offsetof(struct chat_conf, packet_max_bytes),
	  .def = "64KiB", .min = 1, .max = HD_PACKET_MAX_BYTES,
	  .help = "Longer packets between peers are dropped." },
	HD_OPTION_END,
};

struct chat_numbers { struct hd_counter packets; };
static const struct hd_metric metrics[] = {
	HD_METRIC(struct chat_numbers, packets, "chat_packets_total", NULL,
		  "Packets seen"),
	HD_METRIC_END,
};

static uint16_t realm; /* set by load(): names meet no other protocol's keys */

HD_PRINTF(2, 3) static void tell(struct hd_stream *s, const char *fmt, ...)
{
	char text[CHAT_LINE_MAX_BYTES + 64];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = HD_MIN(n, (int)sizeof(text) - 1);
	hd_stream_append(s, HD_LANE_URGENT, text, (size_t)n);
}

/* A name, padded with zeros, is the key: nobody proves anything. */
static bool key_of(const uint8_t *name, size_t n, struct hd_key *ret_key)
{
	memset(ret_key, 0, sizeof(*ret_key));
	memcpy(ret_key->b, name, HD_MIN(n, (size_t)HD_KEY_BYTES));
	return n > 0 && n <= HD_KEY_BYTES && memchr(name, ' ', n) == NULL;
}

/* `NAME text`. As urgent, so that gone() tells when nobody has that name. */
static void on_line(struct hd_stream *s, struct hd_peer *peer,
		    const uint8_t *p, size_t n)
{
	const uint8_t *space = memchr(p, ' ', n);
	struct hd_key dst;

	if (space != NULL && key_of(p, (size_t)(space - p), &dst))
		hd_relay_send(peer, &dst, true, space + 1,
			      (uint32_t)(p + n - space - 1));
	else
		tell(s, "* build %d: NAME text\n", CHAT_BUILD);
}

/* The first line is the own name. Returns the bytes used: whole lines. */
static size_t on_data(struct hd_module *mod, struct hd_stream *s, void *state,
		      uint8_t *p, size_t n)
{
	const struct chat_state *st = state;
	struct hd_login login = { .realm = realm, .agent = "chat" };
	const uint8_t *line = p, *behind = p + n, *end;

	(void)mod;
	for (; (end = memchr(line, '\n', behind - line)); line = end + 1) {
		size_t len = (size_t)(end - line);

		if (st->peer == NULL && key_of(line, len, &login.key)) {
			hd_relay_login(s, &login);
			return end + 1 - p; /* the rest: after admitted() */
		}
		if (st->peer == NULL || len > CHAT_LINE_MAX_BYTES)
			hd_stream_close(s, HD_CLOSE_PROTOCOL);
		else
			on_line(s, st->peer, line, len);
	}
	if (behind - line > CHAT_LINE_MAX_BYTES)
		hd_stream_close(s, HD_CLOSE_PROTOCOL);
	return line - p;
}

static void on_admitted(struct hd_module *mod, struct hd_stream *s, void *state,
			struct hd_peer *peer)
{
	(void)mod;
	((struct chat_state *)state)->peer = peer;
	tell(s, "* build %d\n", CHAT_BUILD);
}

static void on_deliver(struct hd_module *mod, struct hd_peer *peer,
		       const struct hd_packet *packet)
{
	(void)mod;
	tell(hd_peer_stream(peer), "%.*s: %.*s\n", HD_KEY_BYTES,
	     (const char *)packet->src->b, (int)packet->len_bytes,
	     (const char *)packet->data);
}

static void on_gone(struct hd_module *mod, struct hd_peer *peer,
		    const struct hd_key *key, enum hd_gone why)
{
	(void)mod;
	tell(hd_peer_stream(peer), "* %.*s is %s\n", HD_KEY_BYTES,
	     (const char *)key->b, why == HD_GONE_NOT_HERE ? "absent" : "gone");
}

static const struct hd_peer_ops peer_ops = { .deliver = on_deliver,
					     .gone = on_gone };
static const struct hd_proto proto = {
	.name = "chat", .state_size = sizeof(struct chat_state),
	.data = on_data, .admitted = on_admitted, .peer = &peer_ops
};

static int on_upgrade(struct hd_module *mod, struct hd_request *req,
		      struct hd_stream *s, void *state)
{
	(void)mod, (void)req, (void)state;
	tell(s, "HTTP/1.1 101 Switching Protocols\r\n"
		"Connection: Upgrade\r\nUpgrade: chat\r\n\r\n");
	return 0;
}

static enum hd_verdict on_packet(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_packet *packet)
{
	const struct chat_conf *conf = hd_module_worker_conf(mod, w);
	struct chat_numbers *numbers = hd_metrics(mod, w);

	hd_count(&numbers->packets, 1);
	return packet->len_bytes > conf->packet_max_bytes ? HD_VERDICT_DENY
							  : HD_VERDICT_PASS;
}

static const struct hd_route route = {
	.path = "/chat", .methods = HD_HTTP_GET, .token = "chat",
	.upgrade = on_upgrade, .proto = &proto
};

static int chat_load(struct hd_module *mod, struct hd_error *err)
{
	realm = hd_realm("chat");
	int r = hd_route_add(mod, &route, err);
	return r == 0 ? hd_hook_packet(mod, on_packet, err) : r;
}

HD_MODULE(chat, .version = "1.0", .licence = "MIT", .state_version = 1,
	  .summary = "lines of text between names", .options = options,
	  .metrics = metrics, .metrics_size = sizeof(struct chat_numbers),
	  .conf_size = sizeof(struct chat_conf), .load = chat_load);
