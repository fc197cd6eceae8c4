/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/here.h - a key that is here, and what the directory has of
 * it: here.c has the table, publish.c asks and writes. Context: the thread. */
#pragma once
#include "modules/mesh_nats/mesh_nats.h"

enum {
	HERE_ASKING_MAX = 1000, /* at once */
	HERE_RETRY_MS = 1000,
};

enum here_asks { HERE_IDLE, HERE_READS, HERE_LEASE, HERE_WRITES };

struct here {
	struct dir_of of; /* its realm is held */
	bool here;
	bool inherited; /* another process's; not seen here yet: left alone */
	bool elsewhere; /* it has logged in at another relay since */
	uint8_t asks; /* enum here_asks: one thing at a time */
	uint64_t login_ms; /* by the clock on the wall; 0: not known */
	uint64_t fresh_until_ms; /* that login was just now, until then */
	/* the entry of ours */
	uint64_t revision; /* 0: it is not known there */
	uint64_t told_ms; /* the login that it tells */
	uint64_t put_ms, looked_ms;
	/* what is under way */
	uint64_t stands; /* the revision that was read; 0: there is none */
	uint64_t telling_ms; /* the login that is written */
	uint64_t retry_ms;
	UT_hash_handle hh;
};

/* ---- here.c ---- */

struct here *here_find(const struct dir_of *of);
void here_forget(struct here *h);
void here_set_revision(struct here *h, uint64_t revision);
void here_set_elsewhere(struct here *h, bool elsewhere);
/* here_wall_ms - the clock that logins are told by. */
uint64_t here_wall_ms(void);

/* ---- publish.c ---- */

/* here_settle - does what there is to do for it now; it may be forgotten. */
void here_settle(struct here *h, uint64_t now_ms);
