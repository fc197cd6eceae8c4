/* SPDX-License-Identifier: MIT */
/* tools/hdcat/outflow.h - files to the other end. Numbers count offers of this
 * stream: done <= turn <= offered.
 *
 *   OFFERED --WANT--> WANTED --> CHECKING --> SENDING --END--> SENT --> DONE
 *      |                 |           `-- SKIP --------------> ^
 *      `-- refused, dropped: OVER, also later
 *
 * After a break all of this begins anew, with what is not over of the items. */
#pragma once
#include "tools/hdcat/files.h"
#include "tools/hdcat/walk.h"

enum departure_state {
	DEPARTURE_OFFERED,
	DEPARTURE_WANTED,
	DEPARTURE_CHECKING, /* what the other end has, here */
	DEPARTURE_SENDING,
	DEPARTURE_SENT, /* its DONE is waited for */
	DEPARTURE_OVER,
};

struct departure {
	enum departure_state state;
	struct item *item;
	struct offer o;
	struct want want;
	uint8_t hash[HASH_BYTES]; /* SENT: of all of it */
};

struct outflow {
	struct hdcat *c;
	struct libhd_stream *s;
	struct items items;
	size_t next; /* item to be offered */
	struct records_in in;
	struct records_out out;
	struct line line; /* the answer to ours */
	bool answered, bye, well;
	struct departure ring[OFFERS_MAX];
	uint32_t done, turn, offered;
	int fd; /* of whose turn it is */
	struct sum *sum; /* of what has been read of it */
	int64_t lost_ms; /* since then nothing has come; 0: all is well */
	int64_t again_ms; /* not before, a stream is opened again */
	uint64_t bytes_over; /* of items: for the progress */
	unsigned files, failed;
};

/* ---- departure.c ---- */
/* departures_offer - as many as there is room for.
 * departure_turn - of whose turn it is, one step. Returns 1 there is more to
 * do; 0 it waits for an answer, or for room.
 * departure_answer - WANT, REFUSED or DONE. Returns 0; -EPROTO.
 * departures_reset - after a break. */
void departures_offer(struct outflow *f);
int departure_turn(struct outflow *f);
int departure_answer(struct outflow *f, const struct record *r);
void departures_reset(struct outflow *f);
