/* SPDX-License-Identifier: MIT */
/* t/unit/fake_core.h - the core as a module sees it, without sockets, threads
 * or time. Tests set the fields and look at them; one module at a time. */
#pragma once
#include <hyper-derp/datagram.h>
#include <hyper-derp/http.h>
#include <hyper-derp/module.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/stream.h>

#define FAKE_SENT_MAX 64
#define FAKE_ROUTES_MAX 16
#define FAKE_HEADERS_MAX 16
#define FAKE_METRICS_MAX 64

struct fake_bytes { /* grows; zeroed is empty */
	uint8_t *v;
	size_t n;
};
void fake_bytes_add(struct fake_bytes *b, const void *p, size_t n);
void fake_bytes_free(struct fake_bytes *b);

struct hd_worker {
	bool serving;
	uint64_t now_ms;
};

struct hd_module {
	const struct hd_module_def *def;
	void *conf, *worker_data;
	uint64_t metrics[FAKE_METRICS_MAX]; /* def->metrics_size bytes */
};

struct hd_peer {
	struct hd_stream *stream;
	struct hd_login login;
	unsigned active; /* calls of hd_peer_active() */
};

struct hd_stream {
	const struct hd_proto *proto;
	void *state;
	struct hd_peer peer;
	union hd_addr addr;
	struct fake_bytes in; /* not used yet */
	size_t want;
	struct fake_bytes out, lane[HD_LANE_N]; /* out: all, in order */
	uint8_t *reserved;
	size_t reserved_n;
	enum hd_lane reserved_lane;
	bool lane_full[HD_LANE_N]; /* reserve() says no */
	uint32_t timer_ms[HD_STREAM_TIMERS];
	bool logging_in, admitted, closing;
	bool plain; /* no TLS */
	bool proxied; /* a PROXY header came with it */
	bool leaving; /* it has read when it will be closed */
	enum hd_close why;
};

struct fake_sent { /* hd_relay_send() */
	struct hd_key dst;
	bool urgent;
	uint32_t len_bytes;
	uint8_t head[128]; /* of the packet */
	uint8_t sum; /* of all of it */
};

struct fake_header {
	const char *name;
	char value[256];
};

struct hd_request {
	struct fake_header in[FAKE_HEADERS_MAX], out[FAKE_HEADERS_MAX];
	unsigned n_in, n_out;
	union hd_addr addr;
	int status; /* 0: not answered */
	const char *type;
	char body[1024];
	size_t body_len;
};

struct hd_udp {
	hd_datagrams_fn *fn;
	void *arg;
	union hd_addr bind, to, from; /* to, from: of the last datagram sent */
	uint8_t out[2048];
	size_t out_len;
	unsigned sent;
	int send_result;
};

struct fake_core {
	struct hd_worker worker;
	struct hd_module module;
	struct hd_route routes[FAKE_ROUTES_MAX];
	unsigned n_routes;
	struct fake_sent sent[FAKE_SENT_MAX];
	unsigned n_sent; /* may be more than are kept */
	/* hd_relay_forward(), which counts as sent too; hd_relay_kick() */
	struct hd_key forwarded, kicked;
	char forwarded_in[128]; /* the realm of hd_relay_forward_in() */
	unsigned watches; /* hd_presence_watch() */
	uint32_t also; /* hd_presence_watch_also() */
	struct fake_bytes state_file, certificate;
	const char *state_name; /* of the file written last */
	int state_error; /* of the next read, when not 0 */
	bool quiet; /* no log lines: fuzzing */
	struct hd_udp udp;
};
extern struct fake_core fake;

/* fake_load - forget everything, then load and start a module.
 * @conf  its options, filled; borrowed
 * Returns what load() or start() did. */
int fake_load(const struct hd_module_def *def, void *conf,
	      struct hd_error *err);
void fake_unload(void);
/* fake_metric - the number of the row with this name and these labels. */
int64_t fake_metric(const char *name, const char *labels);

/* fake_timer_ring - if its time has come (t/unit/fake_timer.c). */
bool fake_timer_ring(void);

/* fake_stream_new - as after an upgrade, which the test does itself. */
struct hd_stream *fake_stream_new(const struct hd_proto *proto);
void fake_stream_free(struct hd_stream **s);
/* fake_feed - bytes arrive; the protocol takes what it can. */
void fake_feed(struct hd_stream *s, const void *p, size_t n);
/* fake_admit - what hd_relay_login() asked for happens. */
void fake_admit(struct hd_stream *s);
/* fake_close - the end: closed() is called. */
void fake_close(struct hd_stream *s, enum hd_close why);
void fake_out_clear(struct hd_stream *s);

/* token: NULL the plain route */
const struct hd_route *fake_route(const char *path, const char *token);
void fake_request_header(struct hd_request *req, const char *name,
			 const char *value);
/* fake_replied - a header of the answer; NULL: absent. */
const char *fake_replied(const struct hd_request *req, const char *name);
