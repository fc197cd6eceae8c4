/* SPDX-License-Identifier: MIT */
/* t/lib/modules/askfirst.c - ask somebody, then log in: the first line is
 * `NAME WORD`, and a service says by the status of URL/WORD whether NAME comes
 * in. Each line after it comes back with the number of the build, which the
 * test writes into copies of the file. See doc/guides/module-guide.md. */
#include <errno.h>
#include <hyper-derp/fetch.h>
#include <hyper-derp/http.h>
#include <hyper-derp/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 120

/* Of hd_stream_timer(); how long until it is asked again. */
enum { ASK_TIMER };
enum { AGAIN_MS = 200, HOLD_MS = 60000 };

static const volatile char build[] = "BUILD=000000";

struct askfirst_conf {
	const char *url;
};

struct guest { /* state of a stream: plain memory, kept over a reload */
	struct hd_peer *peer; /* NULL: has not logged in */
	char name[HD_KEY_BYTES], word[LINE_MAX_BYTES]; /* "": not known yet */
};

struct question { /* on its way */
	uint64_t stream;
};

static uint16_t realm;

static void tell(struct hd_stream *s, const char *what, const char *more)
{
	char text[LINE_MAX_BYTES + 64];
	int n = snprintf(text, sizeof(text), "%s %.*s\n", what, LINE_MAX_BYTES,
			 more);

	hd_stream_append(s, HD_LANE_CONTROL, text, (size_t)n);
}

/* ---- ask, then log in ---- */

static void let_in(struct hd_stream *s)
{
	const struct guest *g = hd_stream_state(s);
	struct hd_login login = { .realm = realm, .agent = "askfirst" };

	memcpy(login.key.b, g->name, sizeof(g->name));
	hd_stream_pause(s, 0);
	hd_relay_login(s, &login);
}

static void on_answer(struct hd_module *mod, struct hd_worker *w, void *arg,
		      const struct hd_fetched *got)
{
	struct question *q = arg;
	struct hd_stream *s = hd_stream_find(mod, w, q->stream);

	free(q);
	if (s == NULL)
		return; /* it has gone */
	if (got->error == -ECANCELED) { /* the new code asks */
		hd_stream_timer(s, ASK_TIMER, AGAIN_MS);
	} else if (got->status == 200) {
		let_in(s);
	} else {
		tell(s, "no", got->text);
		hd_stream_close(s, HD_CLOSE_DENIED);
	}
}

static void ask(struct hd_module *mod, struct hd_stream *s,
		const struct guest *g)
{
	struct hd_worker *w = hd_stream_worker(s);
	const struct askfirst_conf *conf = hd_module_worker_conf(mod, w);
	struct question *q = malloc(sizeof(*q));
	char url[1024];
	const struct hd_fetch_request request = { .url = url };

	snprintf(url, sizeof(url), "%s/%s", conf->url, g->word);
	hd_stream_pause(s, HOLD_MS); /* nothing more until we know */
	if (q != NULL)
		q->stream = hd_stream_id(s);
	if (q == NULL || hd_fetch(mod, w, &request, on_answer, q, free, NULL,
				  NULL) < 0)
		hd_stream_timer(s, ASK_TIMER, AGAIN_MS); /* refused: later */
}

static void on_timer(struct hd_module *mod, struct hd_stream *s, void *state,
		     unsigned which)
{
	(void)which;
	ask(mod, s, state);
}

/* ---- lines ---- */

static void on_line(struct hd_module *mod, struct hd_stream *s,
		    struct guest *g, const char *line)
{
	char number[sizeof(build)];

	for (unsigned i = 0; i < sizeof(build); i++)
		number[i] = build[i];
	if (g->peer != NULL)
		tell(s, number, line);
	else if (sscanf(line, "%31s %119s", g->name, g->word) == 2)
		ask(mod, s, g);
	else
		hd_stream_close(s, HD_CLOSE_PROTOCOL);
}

/* One line a call: after the first, nothing is wanted until the answer. */
static size_t on_data(struct hd_module *mod, struct hd_stream *s, void *state,
		      uint8_t *p, size_t n)
{
	struct guest *g = state;
	uint8_t *end = memchr(p, '\n', n);

	if (g->peer == NULL && g->word[0] != '\0') { /* HOLD_MS are over */
		hd_stream_pause(s, HOLD_MS);
		return 0;
	}
	if (end == NULL ? n > LINE_MAX_BYTES : end - p > LINE_MAX_BYTES) {
		hd_stream_close(s, HD_CLOSE_PROTOCOL);
		return n;
	}
	if (end == NULL)
		return 0;
	*end = '\0';
	on_line(mod, s, g, (const char *)p);
	hd_stream_want(s, 1); /* there may be another */
	return (size_t)(end - p) + 1;
}

static void on_admitted(struct hd_module *mod, struct hd_stream *s, void *state,
			struct hd_peer *peer)
{
	struct guest *g = state;

	(void)mod;
	g->peer = peer;
	tell(s, "welcome", g->name);
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
	.name = "askfirst",
	.state_size = sizeof(struct guest),
	.data = on_data,
	.timer = on_timer,
	.admitted = on_admitted,
	.peer = &peer_ops,
};

static int on_upgrade(struct hd_module *mod, struct hd_request *req,
		      struct hd_stream *s, void *state)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\n"
				   "Connection: Upgrade\r\n"
				   "Upgrade: askfirst\r\n\r\n";

	(void)mod;
	(void)req;
	(void)state;
	hd_stream_append(s, HD_LANE_CONTROL, head, sizeof(head) - 1);
	return 0;
}

static const struct hd_route route = {
	.path = "/askfirst",
	.methods = HD_HTTP_GET,
	.token = "askfirst",
	.upgrade = on_upgrade,
	.proto = &proto,
};

static const struct hd_option options[] = {
	{ .name = "url",
	  .type = HD_OPTION_STRING,
	  .offset = offsetof(struct askfirst_conf, url),
	  .def = "http://127.0.0.1:1",
	  .live = true,
	  .help = "who says whether somebody comes in" },
	HD_OPTION_END,
};

/* A URL that is none is refused when the configuration is read. */
static int check(struct hd_module *mod, const void *data, struct hd_error *err)
{
	const struct askfirst_conf *conf = data;
	const struct hd_fetch_request request = { .url = conf->url };

	(void)mod;
	return hd_fetch_check(&request, err);
}

static int askfirst_load(struct hd_module *mod, struct hd_error *err)
{
	realm = hd_realm("askfirst");
	return hd_route_add(mod, &route, err);
}

HD_MODULE(askfirst, .version = "1.0", .licence = "MIT",
	  .summary = "asks before it lets in", .state_version = 1,
	  .options = options, .conf_size = sizeof(struct askfirst_conf),
	  .check = check, .load = askfirst_load);
