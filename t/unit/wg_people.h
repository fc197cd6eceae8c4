/* SPDX-License-Identifier: MIT */
/* t/unit/wg_people.h - a small model that knows who is who: two peers with real
 * sessions, which they renew and move, and attackers who send every kind of
 * packet, with forged sources, indexes that they saw, and hosts of their own.
 * t/unit/wg_model.c throws dice, t/fuzz/fuzz_wg_model.c is led by the fuzzer.
 *
 * Always: what the two send each other arrives; who moves is answered within
 * 2 s; each address of the attackers gets of the two's data at most three times
 * what was sent from it, and of what the attackers sent not more than that; no
 * endpoint is one of theirs. */
#pragma once
#include "t/unit/wg_net.h"

enum { PEOPLE_EVILS = 6 };

struct people {
	const char *name; /* of this run */
	uint32_t (*dice)(uint32_t n); /* below n */
	union hd_addr at[2], evil[PEOPLE_EVILS];
	uint32_t live[2]; /* what they listen at */
	uint64_t made_ms, spoke_ms, counter;
	uint64_t forged[2]; /* the highest near its own, in its name */
	uint32_t next;
	uint64_t all_in; /* of what the attackers sent, in whoever's name */
	uint64_t in[PEOPLE_EVILS]; /* from these addresses */
	uint64_t back[PEOPLE_EVILS]; /* of all_in, to them */
	uint64_t got[PEOPLE_EVILS]; /* of the two's data */
	struct cookie { /* that it was given, as who asks or who answers */
		bool has;
		uint8_t v[16];
	} asks[2], answers[2];
};
extern struct people m;

/* people_begin - the two have a tunnel. */
void people_begin(const char *name, uint32_t (*dice)(uint32_t n));
/* people_end - bounds that hold for each run. */
void people_end(void);
/* people_attack - the attackers do something. */
void people_attack(void);
/* people_echo - data of `first` and back. */
void people_echo(unsigned first);
/* people_renew - a handshake; through at the second try. */
void people_renew(unsigned who);
/* people_try - one try. Returns whether they use the new session now. */
bool people_try(unsigned who);
/* people_roam - a new mapping in the middle of traffic, then a handshake. */
void people_roam(unsigned who);
/* people_settle - the attacks pause: both endpoints are where the two are. */
void people_settle(void);
/* people_fail - the program's: it does not return. */
_Noreturn void people_fail(const char *what);
