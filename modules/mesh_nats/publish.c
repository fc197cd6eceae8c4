/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/publish.c - the directory has what is so of a key that is
 * here. What stands there is read first, and is replaced by its revision only:
 * however late a write is done - NATS was away, a network held it back - it
 * replaces nothing that it has not seen.
 *
 *   here --> READS --nothing, ours, older,----> WRITES --revision--> published
 *              |     or of a relay that is dead    `-another was faster-> READS
 *              `--newer: LEASE --it lives--> elsewhere, looked at again later
 *
 *   gone --> WRITES --delete, by our revision--> forgotten
 *
 * The times of both logins are compared. One of just now that was not told yet
 * is newer than any of a time that is yet to come, which another relay's clock
 * has said. Who has the key by the time that it leaves here has written another
 * revision, so nothing is deleted that is another relay's. Context: the thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "modules/mesh_nats/here.h"

enum {
	/* The bucket forgets after a day. */
	WRITE_MS = 12 * 3600 * 1000,
	ELSEWHERE_MS = 60 * 1000, /* then it is looked at again */
	CONFLICT_MS = 200, /* whoever wrote has a copy to ask by then */
};

static unsigned n_asking;

/* ---- what is under way ---- */

static void asks(struct here *h, enum here_asks what)
{
	n_asking += (what != HERE_IDLE) - (h->asks != HERE_IDLE);
	h->asks = (uint8_t)what;
}

static void again_in(struct here *h, uint64_t ms)
{
	h->retry_ms = dir_now_ms() + ms;
}

static void ask(struct here *h, struct dir_send *what, enum here_asks next)
{
	char subject[DIR_SUBJECT_BYTES];

	what->of = &h->of;
	what->subject = subject;
	dir_subject(dir.keys, &h->of, next == HERE_READS, subject);
	if (dir_send(what) == 0)
		asks(h, next);
}

static void read_it(struct here *h)
{
	struct dir_send what = { .kind = DIR_R_READ };

	ask(h, &what, HERE_READS);
}

/* In place of what was read. */
static void put(struct here *h)
{
	char value[DIR_NAME_BYTES + DIR_INSTANCE_BYTES + 24];
	struct dir_send what = { .kind = DIR_R_PUT,
				 .data = value,
				 .expects = true,
				 .revision = h->stands };

	snprintf(value, sizeof(value), "%s %s %" PRIu64, dir.conf->name,
		 dir.instance, h->login_ms);
	h->telling_ms = h->login_ms;
	ask(h, &what, HERE_WRITES);
	__atomic_add_fetch(&dir.puts, h->asks == HERE_WRITES, __ATOMIC_RELAXED);
}

static void drop(struct here *h)
{
	struct dir_send what = { .kind = DIR_R_DEL,
				 .op = "DEL",
				 .expects = true,
				 .revision = h->revision };

	ask(h, &what, HERE_WRITES);
	__atomic_add_fetch(&dir.deletes, h->asks == HERE_WRITES,
			   __ATOMIC_RELAXED);
}

/* Does the directory have what is so? */
static bool is_settled(const struct here *h, uint64_t now_ms)
{
	if (h->asks != HERE_IDLE || h->inherited || now_ms < h->retry_ms)
		return true;
	return h->here && h->revision != 0 && h->told_ms == h->login_ms &&
	       now_ms - h->looked_ms < dir.conf->refresh_ms;
}

void here_settle(struct here *h, uint64_t now_ms)
{
	if (!h->here && h->revision == 0 && h->asks == HERE_IDLE) {
		here_forget(h);
		return;
	}
	if (is_settled(h, now_ms) || n_asking >= HERE_ASKING_MAX ||
	    !dir_is_up())
		return;
	if (h->here)
		read_it(h);
	else
		drop(h);
}

/* ---- what stands there ---- */

struct entry {
	char relay[DIR_NAME_BYTES], instance[DIR_INSTANCE_BYTES];
	uint64_t login_ms; /* 0: not said */
};

static bool is_ours(const struct entry *e)
{
	return strcmp(e->relay, dir.conf->name) == 0 &&
	       strcmp(e->instance, dir.instance) == 0;
}

/* Of a fresh login only a time that is yet to come is none: the key may have
 * gone on to another relay before this one was read. */
static bool is_skewed(const struct here *h, const struct entry *e)
{
	return dir_now_ms() < h->fresh_until_ms &&
	       e->login_ms > here_wall_ms();
}

/* What an earlier life of this relay has left behind is nobody's. Of the same
 * time the later name is the newer one, so that one of two gives way. */
static bool is_newer(const struct here *h, const struct entry *e)
{
	int name = strcmp(e->relay, dir.conf->name);

	if (e->login_ms == h->login_ms)
		return name > 0;
	return name != 0 && e->login_ms > h->login_ms && !is_skewed(h, e);
}

static void lives(struct here *h, enum dir_lives answer)
{
	uint64_t ms = HD_MIN((uint64_t)ELSEWHERE_MS, dir.conf->refresh_ms);

	if (answer == DIR_LIVES) {
		here_set_revision(h, 0);
		here_set_elsewhere(h, true);
		again_in(h, ms);
	} else if (answer == DIR_DEAD && h->here) {
		put(h);
	} else {
		again_in(h, HERE_RETRY_MS);
	}
}

/* Of ours: nothing is written before it is old, or tells another login. */
static void found_ours(struct here *h, const struct entry *e)
{
	uint64_t now_ms = dir_now_ms();

	here_set_revision(h, h->stands);
	here_set_elsewhere(h, false);
	h->told_ms = e->login_ms;
	if (h->login_ms == 0)
		h->login_ms = e->login_ms;
	if (h->put_ms == 0 || now_ms - h->put_ms >= WRITE_MS ||
	    h->told_ms != h->login_ms)
		put(h);
	else
		h->looked_ms = now_ms;
}

static void found(struct here *h, const struct entry *e)
{
	enum dir_lives answer;

	if (is_ours(e)) {
		found_ours(h, e);
		return;
	}
	here_set_revision(h, 0);
	if (!is_newer(h, e)) {
		put(h);
		return;
	}
	asks(h, HERE_LEASE);
	answer = dir_relay_lives(e->relay, e->instance, &h->of);
	if (answer == DIR_ASKED)
		return;
	asks(h, HERE_IDLE);
	lives(h, answer);
}

/* "relay instance login"; the third is missing in what 0.1 wrote first. */
static bool parse(const char *text, struct entry *ret)
{
	ret->login_ms = 0;
	return sscanf(text, "%255s %16s %" SCNu64, ret->relay, ret->instance,
		      &ret->login_ms) >= 2;
}

static void read_answered(struct here *h, const struct dir_answer *a)
{
	struct entry e;

	if (!dir_answer_says(a)) {
		h->fresh_until_ms = 0;
		again_in(h, HERE_RETRY_MS);
		return;
	}
	h->stands = a->status[0] == '\0' ? a->revision : 0;
	if (h->stands != 0 && !a->deleted && parse(a->text, &e)) {
		if (h->here)
			found(h, &e);
		else
			here_set_revision(h, is_ours(&e) ? h->stands : 0);
	} else {
		here_set_revision(h, 0);
		if (h->here)
			put(h);
	}
}

/* ---- what was written ---- */

/* That there is no answer, or that nobody leads it, is said already. */
static void not_done(struct here *h, const struct dir_answer *a,
		     const char *what, const char *why)
{
	again_in(h, HERE_RETRY_MS);
	if (a->msg == NULL)
		return; /* and counted */
	__atomic_add_fetch(&dir.failures, 1, __ATOMIC_RELAXED);
	if (strcmp(a->status, "503") != 0)
		dir_error("a key is not %s: %s", what, why);
}

static void not_put(struct here *h, const struct dir_answer *a,
		    const char *why)
{
	h->fresh_until_ms = 0;
	if (dir_is_conflict(a))
		again_in(h, CONFLICT_MS);
	else
		not_done(h, a, "published", why);
}

static void put_answered(struct here *h, const struct dir_answer *a)
{
	char why[128];
	uint64_t revision = dir_revision(a, why);

	if (revision == 0) {
		not_put(h, a, why);
		return;
	}
	here_set_revision(h, revision);
	here_set_elsewhere(h, false);
	h->told_ms = h->telling_ms;
	if (h->told_ms == h->login_ms) /* who writes after it has come later */
		h->fresh_until_ms = 0;
	h->put_ms = h->looked_ms = dir_now_ms();
}

/* Another relay's entry is there when it conflicts, or none of ours. Without an
 * answer, or when the server cannot do it now, it is tried again. */
static void delete_answered(struct here *h, const struct dir_request *r,
			    const struct dir_answer *a)
{
	char why[128];

	if (h->revision != r->revision)
		return; /* a put has been done meanwhile */
	if (dir_revision(a, why) != 0 || dir_is_conflict(a))
		here_set_revision(h, 0);
	else
		not_done(h, a, "deleted", why);
}

void dir_here_answered(const struct dir_request *r, const struct dir_answer *a)
{
	struct here *h = here_find(&r->of);

	if (h == NULL || h->asks == HERE_IDLE)
		return;
	asks(h, HERE_IDLE);
	if (r->kind == DIR_R_READ)
		read_answered(h, a);
	else if (r->kind == DIR_R_PUT)
		put_answered(h, a);
	else
		delete_answered(h, r, a);
	here_settle(h, dir_now_ms());
}

void dir_here_lives(const struct dir_of *of, enum dir_lives answer)
{
	struct here *h = here_find(of);

	if (h == NULL || h->asks != HERE_LEASE)
		return;
	asks(h, HERE_IDLE);
	lives(h, answer);
	here_settle(h, dir_now_ms());
}
