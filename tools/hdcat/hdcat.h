/* SPDX-License-Identifier: MIT */
/* tools/hdcat/hdcat.h - the inside of hdcat: main.c options, listen.c and
 * dial.c the two ends, pipe.c what goes through, end.c endpoints and words. */
#pragma once
#include <hd/hd.h>

enum status {
	STATUS_OK = 0,
	STATUS_BROKEN = 1, /* in the middle, or what was said did not arrive */
	STATUS_USAGE = 2,
	STATUS_RELAY = 3, /* cannot be reached, or refuses */
	STATUS_PEER = 4, /* is not there, or does not let us in */
	STATUS_RUNNING = -1,
};

/* What a stream begins with: whoever opens it says what it is for. */
#define HELLO_BYTES 12
#define HELLO_CAT "hdcat/1 cat\n"
#define HELLO_PING "hdcat/1 png\n"

struct hdcat {
	/* options */
	const char *identity_file, *ticket_file, *relay, *ca_file;
	const char *invitation, *credential;
	struct libhd_key relay_key;
	bool has_relay_key, quiet;
	unsigned timeout_s, count;
	/* both ends */
	struct libhd *h;
	struct libhd_key self;
	struct libhd_ticket ticket;
	struct libhd_peer *peer; /* whom we speak with */
	struct libhd_stream *s; /* what is piped */
	int status; /* enum status */
	bool was_open;
	/* listening */
	uint8_t hello[HELLO_BYTES];
	size_t hello_bytes;
	bool ticket_told;
};

/* ---- end.c ---- */
/* end_open - the endpoint. @relay_key  NULL: none is known.
 * Returns 0; -1, having said why and set c->status. */
int end_open(struct hdcat *c, const char *relay,
	     const struct libhd_key *relay_key, bool listens,
	     const struct libhd_events *events);
/* end_turn - wait for fds, at most until until_ms, 0: for ever.
 * end_state - what a change of state means: for libhd_events.state.
 * end_finish - let go of the peer, and of all that waits to be sent.
 * fail - says why, unless it is quiet; sets the status. note - says it. */
void end_turn(struct hdcat *c, struct pollfd *fds, unsigned n,
	      int64_t until_ms);
void end_state(struct libhd *h, enum libhd_state state, void *user);
void end_finish(struct hdcat *c);
void fail(struct hdcat *c, enum status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void note(const struct hdcat *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int64_t now_us(void);

/* ---- pipe.c ---- */
/* pipe_run - input and output through c->s, until both have ended. */
void pipe_run(struct hdcat *c);

/* ---- listen.c, dial.c: whole commands, return the exit status ---- */
int run_listen(struct hdcat *c);
int run_dial(struct hdcat *c);
int run_ping(struct hdcat *c);
