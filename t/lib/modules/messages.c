/* SPDX-License-Identifier: MIT */
/* t/lib/modules/messages.c - WebSocket as messages: says back what comes, in
 * the kind in which it came, and does what some texts ask for. */
#include <errno.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/http.h>
#include <hyper-derp/log.h>
#include <hyper-derp/module.h>
#include <hyper-derp/relay.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const volatile char build[] = "BUILD=000000"; /* the test changes it */
static const volatile char mode[] = "MODE=fine"; /* and this: "data" */

struct state {
	uint64_t messages;
	struct hd_peer *peer; /* NULL: has not logged in */
};

static uint16_t realm;
static char filler[HD_FRAME_MAX_BYTES]; /* load() fills it */

static void text(struct hd_stream *s, const char *what)
{
	hd_ws_send(s, HD_LANE_CONTROL, HD_WS_TEXT, what, strlen(what));
}

/* ---- what texts ask for: the word, then its rest ---- */

static void do_build(struct hd_stream *s, struct state *st, const char *rest)
{
	char line[64];

	(void)rest;
	snprintf(line, sizeof(line), "%.12s messages=%ju", (const char *)build,
		 (uintmax_t)st->messages);
	text(s, line);
}

static void do_close(struct hd_stream *s, struct state *st, const char *rest)
{
	char *reason;
	unsigned code = (unsigned)strtoul(rest, &reason, 10);

	(void)st;
	text(s, "goes before the end");
	if (hd_ws_close(s, HD_CLOSE_DENIED, code,
			*reason == ' ' ? reason + 1 : NULL) < 0)
		text(s, "no such code");
}

static void do_deny(struct hd_stream *s, struct state *st, const char *rest)
{
	(void)st;
	(void)rest;
	hd_stream_close(s, HD_CLOSE_DENIED);
}

enum { FULL, FLOOD };
static const struct hd_close_reason reasons[] = {
	[FULL] = { .word = "room_full", .like = HD_CLOSE_DENIED },
	[FLOOD] = { .word = "flood",
		    .like = HD_CLOSE_PROTOCOL,
		    .ws_code = 4001,
		    .ws_reason = "zu schnell für uns" },
	HD_CLOSE_REASON_END,
};

static void do_reason(struct hd_stream *s, struct state *st, const char *rest)
{
	(void)st;
	hd_stream_close(s, HD_CLOSE_OWN(atoi(rest)));
}

static void do_subprotocol(struct hd_stream *s, struct state *st,
			   const char *rest)
{
	(void)st;
	(void)rest;
	text(s, hd_ws_subprotocol(s));
}

/* n messages whose sizes differ, so that a lost border shows. */
static void do_many(struct hd_stream *s, struct state *st, const char *rest)
{
	unsigned n = (unsigned)atoi(rest);

	(void)st;
	for (unsigned i = 0; i < n; i++)
		hd_ws_send(s, HD_LANE_BULK, i % 2 ? HD_WS_TEXT : HD_WS_BINARY,
			   filler, i * 97 % sizeof(filler));
}

/* No message is taken until the timer says so. */
static void do_hold(struct hd_stream *s, struct state *st, const char *rest)
{
	(void)st;
	(void)rest;
	hd_stream_pause(s, 60000);
	hd_stream_timer(s, 0, 300);
}

static void on_timer(struct hd_module *mod, struct hd_stream *s, void *state,
		     unsigned which)
{
	(void)mod;
	(void)state;
	(void)which;
	text(s, "goes on");
	hd_stream_pause(s, 0);
}

static void key_of(const char *name, struct hd_key *key)
{
	memset(key, 0, sizeof(*key));
	snprintf((char *)key->b, sizeof(key->b), "%s", name);
}

static void do_login(struct hd_stream *s, struct state *st, const char *rest)
{
	struct hd_login login = { .realm = realm, .agent = "messages" };

	(void)st;
	key_of(rest, &login.key);
	hd_relay_login(s, &login);
}

static void do_to(struct hd_stream *s, struct state *st, const char *rest)
{
	const char *what = strchr(rest, ' ');
	char name[HD_KEY_BYTES];
	struct hd_key key;

	if (st->peer == NULL || what == NULL) {
		text(s, "log in first");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(what - rest), rest);
	key_of(name, &key);
	hd_relay_send(st->peer, &key, false, (const uint8_t *)what + 1,
		      (uint32_t)strlen(what + 1));
}

static const struct {
	const char *word;
	void (*fn)(struct hd_stream *s, struct state *st, const char *rest);
} asks[] = {
	{ "build", do_build }, { "close ", do_close },
	{ "deny", do_deny },   { "subprotocol", do_subprotocol },
	{ "many ", do_many },  { "login ", do_login },
	{ "to ", do_to },      { "reason ", do_reason },
	{ "hold", do_hold },
};

static bool ask(struct hd_stream *s, struct state *st,
		const struct hd_ws_message *m)
{
	char line[256];

	if (m->kind != HD_WS_TEXT || m->len_bytes >= sizeof(line))
		return false;
	snprintf(line, sizeof(line), "%.*s", (int)m->len_bytes, m->data);
	for (size_t i = 0; i < HD_ARRAY_N(asks); i++) {
		size_t n = strlen(asks[i].word);

		if (strncmp(line, asks[i].word, n) == 0) {
			asks[i].fn(s, st, line + n);
			return true;
		}
	}
	return false;
}

/* ---- the protocol ---- */

static void on_message(struct hd_module *mod, struct hd_stream *s, void *state,
		       const struct hd_ws_message *m)
{
	struct state *st = state;
	char line[64];

	(void)mod;
	st->messages++;
	if (ask(s, st, m))
		return;
	if (m->len_bytes > HD_FRAME_MAX_BYTES) {
		snprintf(line, sizeof(line), "%s of %u bytes",
			 m->kind == HD_WS_TEXT ? "text" : "binary",
			 m->len_bytes);
		text(s, line);
	} else if (m->kind == HD_WS_TEXT || m->len_bytes == 0) {
		hd_ws_send(s, HD_LANE_BULK, m->kind, m->data, m->len_bytes);
	} else { /* a frame is a binary message */
		hd_stream_append(s, HD_LANE_BULK, m->data, m->len_bytes);
	}
}

static void on_admitted(struct hd_module *mod, struct hd_stream *s, void *state,
			struct hd_peer *peer)
{
	struct state *st = state;

	(void)mod;
	st->peer = peer;
	if (mode[5] == 'd')
		hd_stream_append(s, HD_LANE_CONTROL, "logged in", 9);
	else
		text(s, "logged in");
}

/* Where the route is one of bytes: the first ones log in. */
static size_t on_data(struct hd_module *mod, struct hd_stream *s, void *state,
		      uint8_t *p, size_t n)
{
	const struct state *st = state;

	(void)mod;
	if (st->peer == NULL)
		do_login(s, state, "bytes");
	else
		hd_stream_append(s, HD_LANE_CONTROL, p, n);
	return n;
}

static void on_closed(struct hd_module *mod, struct hd_stream *s, void *state,
		      enum hd_close why)
{
	(void)state;
	hd_log_write(HD_LOG_NOTICE, /* each of them: the test counts on it */
		     "messages: closed why=%s code=%u reason=%s",
		     hd_close_text(mod, why), hd_ws_peer_code(s),
		     hd_ws_peer_reason(s));
}

/* By `hdctl upgrade`: the pointer is of the process before this one. */
static void on_adopted(struct hd_module *mod, struct hd_stream *s, void *state,
		       struct hd_peer *peer)
{
	struct state *st = state;

	(void)mod;
	(void)s;
	st->peer = peer;
}

static void deliver(struct hd_module *mod, struct hd_peer *peer,
		    const struct hd_packet *packet)
{
	(void)mod;
	hd_stream_append(hd_peer_stream(peer), HD_LANE_BULK, packet->data,
			 packet->len_bytes);
}

static void gone(struct hd_module *mod, struct hd_peer *peer,
		 const struct hd_key *other, enum hd_gone why)
{
	(void)mod;
	(void)peer;
	(void)other;
	(void)why;
}

static const struct hd_peer_ops peer_ops = { .deliver = deliver, .gone = gone };

static const struct hd_proto proto = {
	.name = "messages",
	.state_size = sizeof(struct state),
	.message = on_message,
	.timer = on_timer,
	.admitted = on_admitted,
	.adopted = on_adopted,
	.closed = on_closed,
	.peer = &peer_ops,
};

static const struct hd_proto bytes = { /* what messages was once */
	.name = "messages",
	.state_size = sizeof(struct state),
	.data = on_data,
	.admitted = on_admitted,
	.adopted = on_adopted,
	.closed = on_closed,
	.peer = &peer_ops,
};

/* A browser says from which page it comes. */
static int accept_origin(struct hd_module *mod, struct hd_request *req)
{
	const char *origin = hd_request_header(req, "Origin");

	(void)mod;
	return origin != NULL && strstr(origin, "evil") != NULL ? -EPERM : 0;
}

static const char *const subprotocols[] = { "v2", "v1", NULL };

#define MESSAGES(at)                                                           \
	.path = (at), .methods = HD_HTTP_GET, .token = "websocket",            \
	.websocket = HD_WS_MODE_MESSAGES, .subprotocols = subprotocols,        \
	.accept = accept_origin, .proto = &proto

static const struct hd_route routes[] = {
	{ MESSAGES("/messages"), .message_max_bytes = HD_WS_MESSAGE_MAX_BYTES },
	{ MESSAGES("/messages/needed"), .subprotocol_needed = true },
	{ MESSAGES("/messages/small"), .message_max_bytes = 100,
	  .message_timeout_ms = 1000 },
	{ MESSAGES("/messages/pinged"), .ping_ms = 1500 },
	{ MESSAGES("/messages/slow"), .message_timeout_ms = 600000 },
};

/* The reason is 40 characters of three bytes, and one more that no Close frame
 * has room for. */
static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *who,
				struct hd_ticket *ticket)
{
	char reason[41 * 3 + 3] = "no";

	(void)mod;
	(void)w;
	if (strcmp((const char *)who->login->key.b, "mallory") != 0)
		return HD_VERDICT_PASS;
	for (unsigned i = 0; i < 41; i++)
		memcpy(reason + 2 + 3 * i, "\u20ac", 3);
	hd_admit_reason(ticket, reason);
	return HD_VERDICT_DENY;
}

static int messages_load(struct hd_module *mod, struct hd_error *err)
{
	realm = hd_realm("messages");
	memset(filler, 'm', sizeof(filler));
	int e = hd_hook_admit(mod, on_admit, err);
	if (e < 0)
		return e;
	for (size_t i = 0; i < HD_ARRAY_N(routes); i++) {
		struct hd_route route = routes[i];

		if (mode[5] == 'd') {
			route.websocket = HD_WS_MODE_BYTES;
			route.proto = &bytes;
		}
		int r = hd_route_add(mod, &route, err);

		if (r < 0)
			return r;
	}
	return 0;
}

HD_MODULE(messages, .version = "1.0", .licence = "MIT",
	  .summary = "speaks WebSocket's messages", .state_version = 1,
	  .flags = HD_MODULE_UPGRADES, .reasons = reasons,
	  .load = messages_load);
