/* SPDX-License-Identifier: MIT */
/* modules/policy/answers.c - what admission services have said. All of a key
 * happens in its home worker, so each worker has answers of its own.
 *
 *   asked -> fresh --allow_ttl, deny_ttl--> stale --stale_ttl--> forgotten
 *
 * While it is stale, it stands, and the service is asked. When that does not
 * answer, it stands to the end of stale_ttl, and not longer. */
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "modules/policy/answers.h"

enum { ANSWERS_MAX = 65536 }; /* of a service, in a worker; 350 bytes each */

/* ---- life ---- */

static void service_free(struct service *s)
{
	struct answer *a, *next;

	HASH_ITER (hh, s->answers, a, next) {
		HASH_DEL(s->answers, a);
		policy_waiters_deny(a);
		free(a);
	}
	free(s->url);
	free(s);
}

struct policy_answers *policy_answers_new(void)
{
	return calloc(1, sizeof(struct policy_answers));
}

void policy_answers_end(struct policy_answers **answers)
{
	struct policy_answers *a = hd_steal(answers);

	while (a != NULL && a->first != NULL) {
		struct service *s = a->first;

		a->first = s->next;
		service_free(s);
	}
	free(a);
}

/* ---- services ---- */

struct service *policy_service_find(const struct policy_answers *answers,
				    const char *url)
{
	struct service *s = answers->first;

	while (s != NULL && strcmp(s->url, url) != 0)
		s = s->next;
	return s;
}

struct service *policy_service_of(struct policy_answers *answers,
				  const char *url)
{
	struct service *s = policy_service_find(answers, url);

	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->url = strdup(url);
	if (s->url == NULL) {
		free(s);
		return NULL;
	}
	s->next = answers->first;
	answers->first = s;
	return s;
}

/* ---- answers ---- */

static struct answer **list_of(struct service *s, const struct answer *a)
{
	return a->known ? &s->known : &s->others;
}

void policy_answer_used(struct service *s, struct answer *a)
{
	DL_DELETE(*list_of(s, a), a);
	a->known = a->said && a->allow;
	DL_APPEND(*list_of(s, a), a);
}

struct answer *policy_answer_find(struct service *s, const struct hd_key *key)
{
	struct answer *a;

	HASH_FIND(hh, s->answers, key, sizeof(*key), a);
	return a;
}

static bool forget_first(struct service *s, struct answer *list)
{
	struct answer *a = list;

	while (a != NULL && a->asked)
		a = a->next;
	if (a == NULL)
		return false;
	DL_DELETE(*list_of(s, a), a);
	HASH_DEL(s->answers, a);
	free(a);
	return true;
}

static void make_room(struct service *s)
{
	if (HASH_COUNT(s->answers) >= ANSWERS_MAX &&
	    !forget_first(s, s->others))
		forget_first(s, s->known);
}

struct answer *policy_answer_of(struct service *s, const struct hd_key *key)
{
	struct answer *a = policy_answer_find(s, key);

	if (a != NULL)
		return a;
	make_room(s);
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->key = *key;
	HASH_ADD(hh, s->answers, key, sizeof(a->key), a);
	DL_APPEND(s->others, a);
	return a;
}

/* ---- looked up ---- */

static enum policy_said said(const struct answer *a, enum policy_when when,
			     uint64_t now)
{
	enum policy_said is = a->allow ? POLICY_SAID_YES : POLICY_SAID_NO;
	bool failed = now < a->failed_until_ms;
	bool old_will_do = when != POLICY_LOGIN || failed;

	if (a->said &&
	    now < (old_will_do ? a->stale_until_ms : a->fresh_until_ms))
		return is;
	return failed ? POLICY_FAILED : POLICY_SAID_NOTHING;
}

struct policy_answer policy_answers_find(const struct policy_worker *pw,
					 const char *url,
					 const struct hd_key *key,
					 enum policy_when when)
{
	struct service *s = policy_service_find(pw->answers, url);
	struct answer *a = s != NULL ? policy_answer_find(s, key) : NULL;

	if (a == NULL)
		return (struct policy_answer){ POLICY_SAID_NOTHING, NULL };
	policy_answer_used(s, a);
	return (struct policy_answer){ said(a, when, hd_now_ms(pw->w)),
				       &a->extra };
}
