/* SPDX-License-Identifier: MIT */
/* t/lib/modules/pair.c - bytes between two clients, on a TCP port of the
 * module's own. A client says in its first line a word and which half of the
 * pair it is, "tea a" or "tea b"; from then on it hears what the other says.
 *
 * What it sends goes in packets: who reads too slowly loses some. Clients that
 * need every byte count and repeat, as they would over UDP. */
#include <hyper-derp/listen.h>
#include <hyper-derp/module.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/stream.h>
#include <string.h>

#define PART_MAX_BYTES 16384

struct pair_conf {
	union hd_addr listen;
};

static const struct hd_option options[] = {
	{ .name = "listen",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct pair_conf, listen),
	  .def = "[::]:7777",
	  .help = "where clients come" },
	HD_OPTION_END,
};

enum { BAD_WORD };
static const struct hd_close_reason reasons[] = {
	[BAD_WORD] = { .word = "bad_word", .like = HD_CLOSE_PROTOCOL },
	HD_CLOSE_REASON_END,
};

struct pair_state {
	struct hd_peer *peer; /* NULL: it has said no word yet */
	struct hd_key other;
};

static uint16_t realm; /* words meet no keys of other protocols */

/* "WORD a" and "WORD b", padded with zeros, are the keys of the two. */
static bool keys_of(const uint8_t *line, size_t n, struct hd_key *ret_own,
		    struct hd_key *ret_other)
{
	uint8_t half = n >= 3 && line[n - 2] == ' ' ? line[n - 1] : 0;

	if (n > HD_KEY_BYTES || (half != 'a' && half != 'b'))
		return false;
	*ret_own = (struct hd_key){ { 0 } };
	memcpy(ret_own->b, line, n);
	*ret_other = *ret_own;
	ret_other->b[n - 1] = half == 'a' ? 'b' : 'a';
	return true;
}

/* Returns the bytes used. What the client sends behind its line comes again
 * after pair_admitted(). */
static size_t first_line(struct hd_stream *s, struct pair_state *st,
			 const uint8_t *p, size_t n)
{
	struct hd_login login = { .realm = realm, .agent = "pair" };
	const uint8_t *end = memchr(p, '\n', n);

	if (end == NULL && n <= HD_KEY_BYTES)
		return 0;
	if (end == NULL ||
	    !keys_of(p, (size_t)(end - p), &login.key, &st->other)) {
		hd_stream_close(s, HD_CLOSE_OWN(BAD_WORD));
		return n;
	}
	hd_relay_login(s, &login);
	return (size_t)(end + 1 - p);
}

/* As urgent packets, so that gone() says when nobody has them. */
static size_t pair_data(struct hd_module *mod, struct hd_stream *s,
			void *state, uint8_t *p, size_t n)
{
	struct pair_state *st = state;
	size_t part;

	(void)mod;
	if (st->peer == NULL)
		return first_line(s, st, p, n);
	for (size_t at = 0; at < n; at += part) {
		part = HD_MIN(n - at, (size_t)PART_MAX_BYTES);
		hd_relay_send(st->peer, &st->other, true, p + at,
			      (uint32_t)part);
	}
	return n;
}

static void say(struct hd_stream *s, const char *text)
{
	hd_stream_append(s, HD_LANE_CONTROL, text, strlen(text));
}

static void pair_admitted(struct hd_module *mod, struct hd_stream *s,
			  void *state, struct hd_peer *peer)
{
	struct pair_state *st = state;

	(void)mod;
	st->peer = peer;
	say(s, "welcome\n");
}

/* In a new process: peer is another pointer. */
static void pair_adopted(struct hd_module *mod, struct hd_stream *s,
			 void *state, struct hd_peer *peer)
{
	struct pair_state *st = state;

	(void)mod;
	(void)s;
	st->peer = peer;
}

static void pair_deliver(struct hd_module *mod, struct hd_peer *peer,
			 const struct hd_packet *packet)
{
	(void)mod;
	hd_stream_append(hd_peer_stream(peer), HD_LANE_BULK, packet->data,
			 packet->len_bytes);
}

static void pair_gone(struct hd_module *mod, struct hd_peer *peer,
		      const struct hd_key *other, enum hd_gone why)
{
	(void)mod;
	(void)other;
	say(hd_peer_stream(peer),
	    why == HD_GONE_NOT_HERE ? "nobody is there\n" : "it has left\n");
}

static const struct hd_peer_ops peer_ops = { .deliver = pair_deliver,
					     .gone = pair_gone };
static const struct hd_proto proto = {
	.name = "pair",
	.state_size = sizeof(struct pair_state),
	.data = pair_data,
	.admitted = pair_admitted,
	.adopted = pair_adopted,
	.peer = &peer_ops,
};

static const struct hd_service services[] = {
	{ .name = "pair", .proto = &proto },
	HD_SERVICE_END,
};

static int pair_load(struct hd_module *mod, struct hd_error *err)
{
	const struct pair_conf *conf = hd_module_conf(mod);
	const struct hd_listen listen = { .name = "pair",
					  .addr = conf->listen,
					  .protocol = "pair" };

	realm = hd_realm("pair");
	return hd_listen_open(mod, &listen, err);
}

HD_MODULE(pair, .version = "1.0", .licence = "MIT", .state_version = 1,
	  .summary = "bytes between two clients", .options = options,
	  .conf_size = sizeof(struct pair_conf), .services = services,
	  .reasons = reasons, .load = pair_load,
	  .flags = HD_MODULE_UPGRADES);
