/* SPDX-License-Identifier: MIT */
/* tools/hdcat/files.h - files to the other end (outflow.c) and from it
 * (inflow.c, arrival.c); the protocol is in doc/reference/protocol-hdcat.md. */
#pragma once
#include "tools/hdcat/conn.h"
#include "tools/hdcat/inbox.h"
#include "tools/hdcat/sum.h"

#define INFLOWS_MAX 8 /* at once, of a receiver */
#define QUIET_MS 10000 /* then another may take a part over */
#define GONE_MS 10000 /* then a sender that has left the relay is given up */
#define TICK_MS 1000

/* ---- receiving ---- */

enum arrival_state {
	ARRIVAL_LOOKING, /* what is there is hashed */
	ARRIVAL_WANTED,
	ARRIVAL_GOING, /* bytes come */
	ARRIVAL_DIRECTORY,
	ARRIVAL_OVER,
};

struct arrival { /* an offer, until it is over */
	struct arrival *next;
	uint32_t number;
	enum arrival_state state;
	struct offer o;
	char *name; /* of o */
	int fd; /* what there is of it */
	bool whole; /* that has its name already */
	uint64_t had; /* WANTED: how much that was */
	struct sum *sum; /* of what fd has */
};

struct inflow {
	struct records_in in;
	struct records_out out;
	struct arrival *first, *last;
	unsigned n; /* arrivals */
	uint32_t numbers; /* offers */
	bool taken; /* another has taken over what we write to */
	bool well; /* the sender has said BYE */
	int64_t heard_ms; /* when it last spoke, or could not have */
	int64_t here_ms; /* likewise: was at the relay */
	unsigned files, refused;
	uint64_t bytes;
};

/* inflow_begin - the stream of k has said that it sends files.
 * inflow_run - as far as it goes; k may be gone.
 * inflow_tick - once a second: whether the sender is there and speaks, else k
 * is gone, and its place is free.
 * inflow_free - of a k that goes; what has come of a file stays. */
void inflow_begin(struct conn *k);
void inflow_run(struct conn *k);
void inflow_tick(struct conn *k);
void inflow_free(struct conn *k);

/* ---- arrival.c: of one file; all return 0 or what inflow_run() breaks off
 * with: -EPROTO, or of the disk ---- */
int arrival_offer(struct conn *k, const struct record *r);
/* arrival_look - one slice of what is there. arrivals_turn - those that are
 * over go, and directories have their turn. */
int arrival_look(struct conn *k);
int arrivals_turn(struct conn *k);
int arrival_go(struct conn *k, const struct record *r);
int arrival_skip(struct conn *k, const struct record *r);
int arrival_data(struct conn *k, const struct record *r);
int arrival_end(struct conn *k, const struct record *r);
int arrival_drop(struct conn *k, const struct record *r);
/* arrival_release - its fd, and the lock on it. arrivals_free - all. */
void arrival_release(struct arrival *a);
void arrivals_free(struct inflow *in);

/* ---- room.c ---- */
/* room_for - so many bytes more, beside what is wanted already: on the disk,
 * and within --max-size. Returns NULL there is room; else why there is none.
 * room_take - they have come. Returns 0; -EFBIG it is too much. */
const char *room_for(const struct conn *k, uint64_t bytes);
int room_take(struct conn *k, uint64_t bytes);

/* ---- shown.c: what others have named, for people ---- */
/* shown - control characters, and what is not UTF-8, become \xNN.
 * @ret  at least SHOWN_BYTES; what does not fit is cut, with "..."
 * Returns ret. */
#define SHOWN_BYTES 256
char *shown(const char *text, size_t n, char *ret);
/* shown_bytes - "12.3 MB". @ret  at least 16 */
char *shown_bytes(uint64_t n, char *ret);
