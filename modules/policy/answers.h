/* SPDX-License-Identifier: MIT */
/* modules/policy/answers.h - what admission services have said, in memory:
 * between answers.c, which keeps it, and ask.c, which asks. */
#pragma once
#include <uthash.h>
#include "modules/policy/service.h"

struct policy_waiter; /* a login; ask.c */

struct answer {
	struct hd_key key;
	bool said, allow; /* said: it has answered once */
	bool asked; /* a request is under way */
	bool owed; /* the last question came to nothing: asked again */
	bool known; /* which list it is in */
	uint64_t fresh_until_ms; /* not asked again before */
	uint64_t stale_until_ms; /* stands until then */
	uint64_t failed_until_ms; /* no answer came, not asked again before */
	struct policy_extra extra;
	struct policy_waiter *first;
	struct answer *prev, *next;
	UT_hash_handle hh;
};

struct service { /* by URL; a handful */
	struct service *next;
	char *url;
	struct answer *answers; /* by key */
	/* The one used longest ago first. Those that were allowed go last:
	 * a crowd of strangers must not push them out. */
	struct answer *known, *others;
};

struct policy_answers {
	struct service *first;
	unsigned n_behind; /* questions that no login waits for */
};

/* policy_service_find - NULL: there is none. policy_service_of - makes it;
 * NULL when out of memory. */
struct service *policy_service_find(const struct policy_answers *answers,
				    const char *url);
struct service *policy_service_of(struct policy_answers *answers,
				  const char *url);
/* policy_answer_find, policy_answer_of - the same of a key. */
struct answer *policy_answer_find(struct service *s, const struct hd_key *key);
struct answer *policy_answer_of(struct service *s, const struct hd_key *key);
/* policy_answer_used - it is the last to make room; after a change of what it
 * says, too. */
void policy_answer_used(struct service *s, struct answer *a);

/* policy_waiters_deny - all who wait for it. */
void policy_waiters_deny(struct answer *a);
