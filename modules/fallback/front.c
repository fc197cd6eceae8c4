/* SPDX-License-Identifier: MIT */
/* modules/fallback/front.c - a connection that is not the relay's, and the
 * server that gets it.
 *
 *   opened() --hd_dial()--> DIALLING --> PROXY header, hd_splice() --> closed()
 *                              `--no server--> 502, or closed before TLS
 *
 * Nothing is read from the client while it is being dialled: the relay keeps
 * what it has, and the kernel the rest. Context: the client's worker. */
#include <errno.h>
#include <hyper-derp/splice.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "modules/fallback/fallback.h"

static const char page_502[] =
	"HTTP/1.1 502 Bad Gateway\r\n"
	"Server: hyper-derp\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n"
	"Content-Length: 37\r\n"
	"Cache-Control: no-store\r\n"
	"Connection: close\r\n"
	"\r\n"
	"the web server here does not answer.\n";

struct front_state { /* of the client; plain: a reload keeps it */
	uint64_t dial; /* under way; 0: none */
	uint8_t way; /* enum fallback_way */
	uint8_t counted;
	struct hd_series series;
};

struct server_state {
	struct hd_series series; /* as the client's, which ends it */
};

struct pending { /* what the dial brings back */
	uint64_t front;
	unsigned version;
	enum fallback_way way;
	char to[]; /* for the log */
};

static struct fallback_numbers *numbers(struct hd_worker *w,
					struct hd_series series)
{
	return hd_series_numbers(fallback_family, w, series);
}

/* ---- the server is there, or it is not ---- */

static void no_server(struct hd_stream *s, const struct front_state *st)
{
	hd_count(&numbers(hd_stream_worker(s), st->series)->failed, 1);
	if (st->way == FALLBACK_HTTP)
		hd_stream_append(s, HD_LANE_CONTROL, page_502,
				 sizeof(page_502) - 1);
	hd_stream_close(s, HD_CLOSE_ERROR);
}

/* When the relay or this module goes, that is no fault of the server's. */
static void not_reached(struct hd_stream *s, const struct front_state *st,
			const char *to, int error, const char *text)
{
	if (error != -ECANCELED && error != -EBUSY)
		fallback_failed(hd_now_ms(hd_stream_worker(s)), to, error,
				text);
	no_server(s, st);
}

static void put_header(const struct hd_stream *client, unsigned version,
		       struct hd_stream *server)
{
	uint8_t buf[HD_PROXY_HEADER_BYTES];
	size_t n;

	if (version == FALLBACK_NO_HEADER)
		return;
	n = hd_proxy_header_put(client, version == FALLBACK_V1 ? 1 : 2, buf);
	hd_stream_append(server, HD_LANE_BULK, buf, n);
}

static void join(struct hd_module *mod, struct hd_worker *w,
		 struct hd_stream *client, const struct pending *p,
		 struct hd_stream *server)
{
	const struct fallback_conf *conf = hd_module_worker_conf(mod, w);
	const struct front_state *st = hd_stream_state(client);
	struct server_state *sst = hd_stream_state(server);

	sst->series = st->series;
	put_header(client, p->version, server);
	if (hd_splice(client, server, (uint32_t)conf->idle_timeout_ms) < 0) {
		hd_stream_close(server, HD_CLOSE_DONE);
		no_server(client, st);
	}
}

static void on_dialled(struct hd_module *mod, struct hd_worker *w, void *arg,
		       const struct hd_dialled *got)
{
	struct pending *p = arg;
	struct hd_stream *client = hd_stream_find(mod, w, p->front);
	struct front_state *st =
		client != NULL ? hd_stream_state(client) : NULL;

	if (st != NULL)
		st->dial = 0;
	if (client != NULL && got->stream != NULL) {
		join(mod, w, client, p, got->stream);
	} else if (got->stream != NULL) {
		hd_stream_close(got->stream, HD_CLOSE_DONE);
	} else if (client != NULL) {
		not_reached(client, st, p->to, got->error, got->text);
	}
	free(p);
}

/* ---- the client is there ---- */

static struct pending *pending_new(const struct hd_stream *s, const char *to,
				   unsigned version, enum fallback_way way)
{
	size_t n = strlen(to) + 1;
	struct pending *p = malloc(sizeof(*p) + n);

	if (p == NULL)
		return NULL;
	p->front = hd_stream_id(s);
	p->version = version;
	p->way = way;
	memcpy(p->to, to, n);
	return p;
}

static void begin_count(struct hd_stream *s, struct front_state *st,
			const char *to)
{
	const char *const values[] = { to };
	struct fallback_numbers *n;

	st->series = hd_series_open(fallback_family, values);
	st->counted = true;
	n = numbers(hd_stream_worker(s), st->series);
	hd_count(&n->connections, 1);
	hd_gauge_add(&n->open, 1);
}

static int dial(struct hd_module *mod, struct hd_stream *s,
		struct front_state *st, const char *to, unsigned version,
		struct hd_error *err)
{
	struct hd_worker *w = hd_stream_worker(s);
	const struct fallback_conf *conf = hd_module_worker_conf(mod, w);
	struct hd_dial_options o = {
		.proto = &fallback_server_proto,
		.connect_ms = (uint32_t)conf->connect_timeout_ms,
		.for_client = true,
	};
	struct fallback_target t;
	struct pending *p = pending_new(s, to, version, st->way);

	if (p == NULL || fallback_target_parse(to, &t) < 0) {
		free(p);
		return hd_error_set(err, -ENOMEM, "out of memory");
	}
	fallback_target_options(&t, &o);
	return hd_dial(mod, w, &o, on_dialled, p, free, &st->dial, err);
}

/* The pause outlasts the dial, which ends it. */
static void hand_over(struct hd_module *mod, struct hd_stream *s,
		      struct front_state *st, const char *to, unsigned version)
{
	struct hd_worker *w = hd_stream_worker(s);
	const struct fallback_conf *conf = hd_module_worker_conf(mod, w);
	struct hd_error err = { "" };
	int r;

	begin_count(s, st, to);
	hd_stream_stay(s);
	hd_stream_pause(s, (uint32_t)conf->connect_timeout_ms + 1000);
	r = dial(mod, s, st, to, version, &err);
	if (r < 0)
		not_reached(s, st, to, r, err.text);
}

static void sni_opened(struct hd_module *mod, struct hd_stream *s, void *state,
		       const char *alpn)
{
	struct fallback_worker *fw =
		hd_module_worker_data(mod, hd_stream_worker(s));
	const struct fallback_sni_conf *c = hd_steal(&fw->chosen);
	struct front_state *st = state;

	(void)alpn;
	st->way = FALLBACK_SNI;
	hand_over(mod, s, st, c->to, (unsigned)c->version);
}

static void http_opened(struct hd_module *mod, struct hd_stream *s, void *state,
			const char *alpn)
{
	const struct fallback_conf *conf =
		hd_module_worker_conf(mod, hd_stream_worker(s));
	struct front_state *st = state;

	(void)alpn;
	st->way = FALLBACK_HTTP;
	hand_over(mod, s, st, conf->http.v[0].to,
		  (unsigned)conf->http.v[0].version);
}

/* ---- bytes, and the end ---- */

static size_t front_data(struct hd_module *mod, struct hd_stream *s,
			 void *state, uint8_t *p, size_t n)
{
	const struct front_state *st = state;
	size_t used = hd_splice_data(s, p, n);

	(void)mod;
	hd_count(&numbers(hd_stream_worker(s), st->series)->to_server_bytes,
		 used);
	return used;
}

static size_t server_data(struct hd_module *mod, struct hd_stream *s,
			  void *state, uint8_t *p, size_t n)
{
	const struct server_state *st = state;
	size_t used = hd_splice_data(s, p, n);

	(void)mod;
	hd_count(&numbers(hd_stream_worker(s), st->series)->to_client_bytes,
		 used);
	return used;
}

static bool is_broken(enum hd_close why)
{
	return why == HD_CLOSE_PEER || why == HD_CLOSE_ERROR ||
	       why == HD_CLOSE_SLOW || why == HD_CLOSE_TIMEOUT;
}

static void front_closed(struct hd_module *mod, struct hd_stream *s,
			 void *state, enum hd_close why)
{
	struct front_state *st = state;
	struct hd_worker *w = hd_stream_worker(s);
	struct fallback_numbers *n;

	if (st->dial != 0)
		hd_dial_cancel(mod, w, st->dial);
	if (!st->counted)
		return;
	n = numbers(w, st->series);
	hd_gauge_add(&n->open, -1);
	hd_count(&n->broken, is_broken(why));
	hd_series_end(fallback_family, &st->series);
}

const struct hd_proto fallback_sni_proto = {
	.name = "fallback-sni",
	.state_size = sizeof(struct front_state),
	.opened = sni_opened,
	.data = front_data,
	.closed = front_closed,
};

const struct hd_proto fallback_http_proto = {
	.name = "fallback-http",
	.state_size = sizeof(struct front_state),
	.opened = http_opened,
	.data = front_data,
	.closed = front_closed,
};

const struct hd_proto fallback_server_proto = {
	.name = "fallback-server",
	.state_size = sizeof(struct server_state),
	.data = server_data,
};
