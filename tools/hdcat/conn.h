/* SPDX-License-Identifier: MIT */
/* tools/hdcat/conn.h - many connections at once: each is a socket here and a
 * stream to the other end. Half-closes, resets and back-pressure go through.
 *
 *   accepted here ---- stream opened, its line written ----.
 *                                                           v
 *   HELLO --> LOOKUP --> CONNECT --> "ok" ----------------> OPEN --> gone
 *     |  `--> ECHO         |                                ^
 *     |                    `--> "no": LAST, until it is     |
 *     |--> KEPT             acknowledged             SOCKS --'
 *     `--> FILES, see files.h
 *
 * UDP has FLOW in place of OPEN, see flow.c. LOOKUP and CONNECT may be repeated
 * for the next address. KEPT: a stream that
 * stands for a socket which listens; it goes when the stream does. */
#pragma once
#include "tools/hdcat/hdcat.h"
#include "tools/hdcat/line.h"
#include "tools/hdcat/loop.h"
#include "tools/hdcat/target.h"

#define HALF_BYTES 32768
#define HELLO_MS 30000
#define CONNECT_MS 10000
#define LAST_MS 10000

enum conn_state {
	CONN_HELLO,
	CONN_ECHO,
	CONN_LOOKUP,
	CONN_CONNECT,
	CONN_SOCKS,
	CONN_OPEN,
	CONN_FLOW,
	CONN_KEPT,
	CONN_FILES,
	CONN_LAST,
};

struct half {
	char v[HALF_BYTES];
	size_t at, n; /* n bytes wait at v + at */
};

struct door;
struct way;
struct lookup;
struct addrinfo;
struct inflow;
struct flow;

struct conn {
	struct watch watch; /* the socket */
	struct hdcat *c;
	struct conn *prev, *next;
	struct libhd_stream *s; /* its user is the conn */
	enum conn_state state;
	int64_t deadline_ms; /* 0: none */
	struct line line;
	void (*said)(struct conn *k); /* HELLO: the line has come */
	bool answers; /* the other end says first whether it will */
	bool socks; /* whoever is at the socket wants to know it, too */
	bool greeted; /* SOCKS */
	bool again; /* there is more to do at once */
	bool readable, fd_eof, end_sent, s_eof, shut;
	struct half up, down; /* socket to stream; stream to socket */
	struct target to; /* what we, or the other end, are asked for */
	struct lookup *lookup;
	struct addrinfo *addrs, *addr;
	struct door *door; /* KEPT, where the socket is */
	struct way *way; /* KEPT, at the other end */
	struct inflow *in; /* FILES */
	struct flow *flow; /* FLOW */
};

/* ---- conn.c ---- */
/* conn_new - @fd  taken; -1: none yet. @s  taken; NULL: none yet.
 * Returns it; NULL: too many, and both are closed.
 * conn_run - go on as far as it goes; it may be freed.
 * conn_reset - break it off, at both sides; frees it.
 * conn_refuse - "no", and why; freed when that has arrived.
 * conn_last - what waits in the stream, and its end, then it is freed.
 * conn_open - a socket and a stream are there: from now on bytes pass.
 * conn_ended - nothing more is to be said; frees it.
 * conns_expire - those whose time is up. conns_deadline_ms - the first of
 * those, or until_ms. conns_free - all. */
struct conn *conn_new(struct hdcat *c, int fd, struct libhd_stream *s);
void conn_run(struct conn *k);
void conn_reset(struct conn *k);
void conn_refuse(struct conn *k, const char *why);
void conn_last(struct conn *k);
void conn_open(struct conn *k);
void conn_ended(struct conn *k);
void conns_expire(struct hdcat *c);
int64_t conns_deadline_ms(const struct hdcat *c, int64_t until_ms);
void conns_free(struct hdcat *c);

/* ---- pump.c ---- */
/* pump_run - of an open one. Returns 0; 1 both are at their end, and that is
 * known; -errno: break it off. */
int pump_run(struct conn *k);
/* pump_answer - whether the other end will. Returns 1 it does; 0 it has not
 * said yet; -ECONNREFUSED it will not, and why has been told; -errno. */
int pump_answer(struct conn *k);

/* ---- flow.c: datagrams ---- */
/* flow_socket - the connected socket of k is one end: from now on they pass.
 * It may be freed.
 * flow_came - what is to be read at a door. flow_run, flow_free - of a conn.
 * flow_evict - the one that has been silent for longest ends, if there is one.
 * flows_end - all of a door. */
void flow_socket(struct conn *k);
void flow_came(struct watch *w, uint32_t events);
void flow_run(struct conn *k);
void flow_free(struct conn *k);
void flow_evict(struct hdcat *c);
void flows_end(struct door *d);

/* ---- dialer.c ---- */
/* dialer_begin - connect to k->to, for the stream of k; it goes on in
 * dialer_run(). Both may free it. dialer_free - what it has of these.
 * dialer_next - UDP: nobody is at this address. Returns 0: k->watch is a socket
 * to the next one; -ENOENT there is none. */
void dialer_begin(struct conn *k);
void dialer_run(struct conn *k);
int dialer_next(struct conn *k);
void dialer_free(struct conn *k);

/* ---- proxy.c ---- */
/* socks_run - a client at the socket of k says where to. Returns 0; -EPROTO.
 * socks_answer - tell it what became of that. */
int socks_run(struct conn *k);
void socks_answer(struct conn *k, bool well);

/* ---- forward.c ---- */
/* socks_lead - a stream to k->to. Returns 0; negative errno. */
int socks_lead(struct conn *k);
/* way_lost - the listener has ended it. */
void way_lost(struct way *w);

/* ---- door.c ---- */
/* door - sockets that listen, of one place. `came` takes the fd, -1 for UDP,
 * and returns what goes on with it; NULL: nothing, or it has seen to that
 * itself. */
#define DOOR_SOCKETS 8
struct door_socket {
	struct watch watch;
	struct door *door;
};
struct door {
	struct hdcat *c;
	struct target at;
	const struct target *to; /* forward: what is at the other end */
	struct conn *kept; /* expose, over there: whose it is */
	struct conn *(*came)(struct door *d, int fd);
	struct door_socket v[DOOR_SOCKETS];
	unsigned n;
};

/* door_open - @ret  given: release with door_close()
 * Port 0 becomes a free one. Returns 0; negative errno, or -ENXIO: there is no
 * such address. door_close - NULL is fine. */
int door_open(struct hdcat *c, const struct target *at,
	      struct conn *(*came)(struct door *d, int fd), struct door **ret);
void door_close(struct door **d);
