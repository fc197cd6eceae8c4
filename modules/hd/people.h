/* SPDX-License-Identifier: MIT */
/* modules/hd/people.h - whom the operator knows: who has been let in or put
 * out, who is invited, and who waits to be looked at. One table for all
 * threads, under a lock that nobody holds for long: it is asked at logins only.
 *
 * Files: people.c the table, people_file.c its file, waiting.c who waits.
 * But for those who wait it is in state_dir, and so survives a restart. */
#pragma once
#include <hyper-derp/hook.h>
#include "modules/hd/hd.h"

#define HDP_WAITING_MAX 100
#define HDP_WAITING_FROM_MAX 8 /* with addresses of one client, or its /64 */
#define HDP_INVITES_MAX 10000

struct hdp_person {
	struct hd_key address;
	bool denied; /* then the grant's name says why */
	int64_t since_s;
	struct hdp_grant grant;
};

struct hdp_invite {
	uint8_t id[HDP_INVITATION_ID_BYTES];
	int64_t expires_s;
	struct hdp_grant grant;
};

struct hdp_waiting {
	struct hd_key address;
	uint8_t identity[HD_KEY_BYTES];
	char agent[64];
	union hd_addr from;
	int64_t since_s;
	uint64_t number; /* of struct hdp_state */
	struct hd_ticket *ticket; /* NULL: it has gone, and may come again */
	bool has_tenant; /* of a module that was asked before */
};

struct hdp_people {
	struct hdp_person *person; /* by address */
	size_t n_persons, persons_cap;
	struct hdp_invite *invite;
	size_t n_invites, invites_cap;
	struct hdp_waiting waiting[HDP_WAITING_MAX]; /* the oldest first */
	size_t n_waiting;
	uint64_t last_number;
};

/* hdp_people - locked until hdp_people_unlock(). Any thread; not twice. */
struct hdp_people *hdp_people(void);
void hdp_people_unlock(void);

/* hdp_people_load - from the file; main thread, in load(). hdp_people_save - to
 * it, all of it; main or helper threads, without the lock. hdp_people_settled -
 * nobody is writing the file now; waits for 1 s. They return 0 or negative
 * errno. hdp_people_clear - who waits is asked about once more, by
 * whoever is there then. */
int hdp_people_load(struct hd_error *err);
int hdp_people_save(struct hd_error *err);
int hdp_people_settled(struct hd_error *err);
void hdp_people_clear(void);

/* ---- with the lock; pointers are good until the next change ---- */

/* Find: NULL if it is not there. hdp_person_set - enter, or in place of what is
 * there. hdp_invite_new - with an id made here; the others return -ENOMEM
 * likewise, or -ENOSPC. */
struct hdp_person *hdp_person_find(struct hdp_people *p,
				   const struct hd_key *address);
int hdp_person_set(struct hdp_people *p, const struct hdp_person *person);
void hdp_person_remove(struct hdp_people *p, struct hdp_person *person);
struct hdp_invite *hdp_invite_find(struct hdp_people *p, const uint8_t *id);
int hdp_invite_add(struct hdp_people *p, const struct hdp_invite *invite);
void hdp_invite_remove(struct hdp_people *p, struct hdp_invite *invite);

/* hdp_waiting_add - in place of an older one of the same address, if there is
 * one. @ticket  taken, if it succeeds. Returns its number; 0: too many wait.
 * hdp_waiting_is - whether it waits still.
 * hdp_waiting_left - its connection has ended; nothing happens if it is not
 * there.
 * hdp_waiting_settle - an answer for all with that address, who are not there
 * any more then. @grant  what they are given if they pass; may be NULL
 * Returns how many there were. */
uint64_t hdp_waiting_add(struct hdp_people *p, const struct hdp_waiting *who);
bool hdp_waiting_is(const struct hdp_people *p, uint64_t number);
void hdp_waiting_left(struct hdp_people *p, uint64_t number);
unsigned hdp_waiting_settle(struct hdp_people *p, const struct hd_key *address,
			    enum hd_verdict verdict,
			    const struct hdp_grant *grant, const char *reason);
/* hdp_grant_give - name, tenant and limits to a login. @has_tenant  of a module
 * that was asked before: it stays, or rules that give one would put out whom
 * they find in another, each time that he comes */
void hdp_grant_give(struct hd_ticket *ticket, const struct hdp_grant *grant,
		    bool has_tenant);
