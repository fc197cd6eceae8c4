/* SPDX-License-Identifier: MIT */
/* tools/hdcat/hdcat.h - the inside of hdcat: main.c commands, options.c their
 * options, listen.c and dial.c the two ends, guests.c who is let in, pipe.c
 * input and output, end.c endpoints and words; conn.h and loop.h what
 * forward.c, socks.c and serve.c stand on. */
#pragma once
#include <hd/hd.h>
#include "tools/hdcat/inbox.h"
#include "tools/hdcat/target.h"

enum status {
	STATUS_OK = 0,
	STATUS_BROKEN = 1, /* in the middle, or what was said did not arrive */
	STATUS_USAGE = 2,
	STATUS_RELAY = 3, /* cannot be reached, or refuses */
	STATUS_PEER = 4, /* is not there, or does not let us in */
	STATUS_RUNNING = -1,
};

#define ALLOW_MAX 32
#define GUESTS_MAX 64

struct conn;

/* What a listener is for. */
enum purpose {
	FOR_CAT, /* standard input and output, once */
	FOR_CONNECTIONS, /* forward, expose: --allow, --allow-listen */
	FOR_FILES, /* send */
};

struct allow {
	struct target v[ALLOW_MAX];
	unsigned n;
};

struct hdcat {
	/* options */
	const char *identity_file, *ticket_file, *ca_file;
	const char *invitation, *credential;
	struct libhd_relay relays[LIBHD_RELAYS_MAX]; /* of a listener */
	unsigned n_relays, n_relay_keys;
	bool quiet, qr;
	unsigned timeout_s, count, max_conns, udp_idle_s;
	struct allow allow, allow_listen;
	bool keeps_ticket;
	/* both ends */
	struct libhd *h;
	struct libhd_key self;
	struct libhd_ticket ticket;
	struct libhd_peer *peer; /* whom we speak with */
	struct libhd_stream *s; /* what is piped */
	int status; /* enum status */
	int status_at_signal;
	bool was_open;
	/* connections */
	struct conn *conns;
	unsigned n_conns;
	void (*hello)(struct conn *k); /* a stream says what it is for */
	/* dialing */
	bool looks; /* at one relay after the other */
	bool stays; /* when the listener is gone: it may come back */
	int64_t knock_ms; /* when to ask again, if it is gone */
	unsigned knocks; /* at this relay, without an answer */
	/* listening */
	enum purpose purpose;
	struct libhd_peer *guests[GUESTS_MAX];
	bool ticket_told;
	/* files */
	const char *into; /* where received ones go */
	struct inbox inbox;
	bool keeps_on; /* after the first transfer */
	uint64_t max_size_bytes; /* of all that comes; 0: no limit */
	uint64_t taken_bytes; /* of it, up to now */
};

/* ---- options.c ---- */
/* options - Returns STATUS_RUNNING, optind is the first word of the command; or
 * the exit status. wrong - says what is wrong in the words. unread - says why
 * nothing came of a file: errno, or 0. Both return STATUS_USAGE. */
int options(struct hdcat *c, int argc, char **argv);
int wrong(const char *what, const char *value);
int unread(const char *path);

/* ---- end.c ---- */
/* end_open - the endpoint. Returns 0; -1, having said why and set c->status. */
int end_open(struct hdcat *c, const struct libhd_relay *relays,
	     unsigned n_relays, bool listens,
	     const struct libhd_events *events);
/* end_turn - wait for fds, at most until until_ms, 0: for ever.
 * end_state - what a change of state means: for libhd_events.state.
 * end_finish - let go of the peer, and of all that waits to be sent.
 * fail - says why; sets the status. warn - says it.
 * note - unless it is quiet, or there are too many of them. */
void end_turn(struct hdcat *c, struct pollfd *fds, unsigned n,
	      int64_t until_ms);
void end_state(struct libhd *h, enum libhd_state state, void *user);
void end_finish(struct hdcat *c);
void fail(struct hdcat *c, enum status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void note(const struct hdcat *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void warn(const struct hdcat *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int64_t now_us(void);

/* ---- pipe.c ---- */
/* pipe_run - input and output through c->s, until both have ended. */
void pipe_run(struct hdcat *c);

/* ---- guests.c ---- */
/* guest_knocks - for libhd_events.knock. */
bool guest_knocks(struct libhd *h, const struct libhd_key *from,
		  const void *text, size_t len_bytes, void *user);

/* ---- dial.c ---- */
/* dial_reach - connect, until the listener has let us in. Returns 0: c->peer
 * is there; -1: c->status says what is wrong.
 * dial_keep - ask again, once it is gone. Returns when to call it again; 0:
 * no matter. */
int dial_reach(struct hdcat *c);
int64_t dial_keep(struct hdcat *c);

/* ---- listen.c ---- */
/* ticket_read - the first line of a file. Returns 0; -1 there is none: errno
 * says why, if it is not 0. */
int ticket_read(const char *path, char ret[LIBHD_TICKET_TEXT_BYTES]);
/* end_stream, end_ready - a stream of the other end, and what is ready: for
 * libhd_events. */
void end_stream(struct libhd *h, struct libhd_peer *from,
		struct libhd_stream *s, void *user);
void end_ready(struct libhd *h, struct libhd_stream *s, void *user);

/* ---- serve.c: what a listener does for others ---- */
void serve_dial(struct conn *k, const char *to);
void serve_listen(struct conn *k, const char *at);

/* ---- whole commands, return the exit status ---- */
/* words, n: what comes before the ticket. */
int run_listen(struct hdcat *c);
int run_receive(struct hdcat *c);
int run_send(struct hdcat *c, char **words, unsigned n);
int run_dial(struct hdcat *c);
int run_ping(struct hdcat *c);
int run_forward(struct hdcat *c, char **words, unsigned n);
int run_expose(struct hdcat *c, char **words, unsigned n);
int run_socks(struct hdcat *c, const char *word);
