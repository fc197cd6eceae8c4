/* SPDX-License-Identifier: MIT */
/* modules/policy/answers.c - what admission services have said, and who waits
 * for them. All of a key happens in its home worker, so each worker has answers
 * of its own, and concurrent logins of a key ask once.
 *
 * A service that does not answer: what it said last stands, however old; of who
 * is new `fail_open` decides. */
#include <errno.h>
#include <hyper-derp/fetch.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "modules/policy/policy.h"

enum {
	ANSWERS_MAX = 65536, /* of a service, in a worker; 250 bytes each */
	ANSWER_MAX_BYTES = 64 << 10,
	RETRY_MS = 1000,
};

struct waiter { /* a login */
	struct waiter *next;
	struct hd_ticket *ticket;
	union hd_addr from;
	char *listener, *server_name; /* NULL: none */
};

struct answer { /* in the order in which they were asked for */
	struct hd_key key;
	bool said, allow; /* said: it has answered once */
	bool failed; /* it has never answered, and did not when it was asked */
	bool asked; /* a request is under way */
	uint64_t fresh_until_ms;
	char name[POLICY_NAME_BYTES];
	struct waiter *first;
	UT_hash_handle hh;
};

struct service { /* by URL; a handful */
	struct service *next;
	char *url;
	struct answer *answers;
};

struct policy_answers {
	struct service *first;
};

/* ---- life ---- */

static void waiter_free(struct waiter **waiter)
{
	struct waiter *x = hd_steal(waiter);

	free(x->listener);
	free(x->server_name);
	free(x);
}

static void deny_all(struct answer *a)
{
	while (a->first != NULL) {
		struct waiter *x = a->first;

		a->first = x->next;
		hd_admit_answer(&x->ticket, HD_VERDICT_DENY,
				"the relay's rules have changed; try again");
		waiter_free(&x);
	}
}

static void service_free(struct service *s)
{
	struct answer *a, *next;

	HASH_ITER (hh, s->answers, a, next) {
		HASH_DEL(s->answers, a);
		deny_all(a);
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

/* ---- looked up ---- */

static struct service *service_find(const struct policy_answers *answers,
				    const char *url)
{
	struct service *s = answers->first;

	while (s != NULL && strcmp(s->url, url) != 0)
		s = s->next;
	return s;
}

static struct service *service_of(struct policy_answers *answers,
				  const char *url)
{
	struct service *s = service_find(answers, url);

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

static struct answer *answer_find(struct service *s, const struct hd_key *key)
{
	struct answer *a;

	HASH_FIND(hh, s->answers, key, sizeof(*key), a);
	return a;
}

/* The oldest that nobody waits for makes room. */
static void make_room(struct service *s)
{
	struct answer *a, *next;

	if (HASH_COUNT(s->answers) < ANSWERS_MAX)
		return;
	HASH_ITER (hh, s->answers, a, next) {
		if (a->asked)
			continue;
		HASH_DEL(s->answers, a);
		free(a);
		return;
	}
}

static struct answer *answer_of(struct service *s, const struct hd_key *key)
{
	struct answer *a = answer_find(s, key);

	if (a != NULL)
		return a;
	make_room(s);
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->key = *key;
	HASH_ADD(hh, s->answers, key, sizeof(a->key), a);
	return a;
}

struct policy_answer policy_answers_find(const struct policy_worker *pw,
					 const char *url,
					 const struct hd_key *key, bool stale)
{
	struct service *s = service_find(pw->answers, url);
	const struct answer *a = s != NULL ? answer_find(s, key) : NULL;
	bool fresh = a != NULL && a->fresh_until_ms > hd_now_ms(pw->w);

	if (a == NULL || !(a->said || a->failed) || !(fresh || stale))
		return (struct policy_answer){ .name = "" };
	return (struct policy_answer){ .known = true,
				       .failed = a->failed,
				       .allow = a->allow,
				       .name = a->name };
}

/* ---- answered ---- */

struct question { /* on its way */
	struct hd_key key;
	char url[];
};

static const struct policy_conf *conf_of(const struct policy_worker *pw)
{
	return hd_module_worker_conf(pw->mod, pw->w);
}

static void take_answer(const struct policy_worker *pw, struct answer *a,
			bool allow)
{
	const struct policy_conf *conf = conf_of(pw);

	a->said = true;
	a->failed = false;
	a->allow = allow;
	a->fresh_until_ms = hd_now_ms(pw->w) +
			    (allow ? conf->allow_ttl_ms : conf->deny_ttl_ms);
}

/* What was said before stands. Logins of the next second do not ask again. */
static void take_failure(const struct policy_worker *pw, struct answer *a,
			 const char *url, const char *why)
{
	hd_log_warn("no answer of an admission service: key=%s url=%s why=%s "
		    "(%s)",
		    hd_key_text(&a->key).s, url, why,
		    a->said ? "what it said before stands"
			    : "fail_open decides");
	a->failed = !a->said;
	a->fresh_until_ms = hd_now_ms(pw->w) + RETRY_MS;
}

/* The next of the rules may name another service: then it waits again. */
static void go_on(struct policy_worker *pw, const struct answer *a,
		  struct waiter *x)
{
	const struct policy_subject who = { &a->key, &x->from, x->listener,
					    x->server_name };

	policy_conclude(pw, &who, NULL, &x->ticket);
	waiter_free(&x);
}

static void answered(struct policy_worker *pw, struct answer *a)
{
	struct waiter *x = hd_steal(&a->first);

	a->asked = false;
	while (x != NULL) {
		struct waiter *next = x->next;

		go_on(pw, a, x);
		x = next;
	}
}

static void understand(struct policy_worker *pw, struct answer *a,
		       const char *url, const struct hd_fetched *got)
{
	char text[32];
	int r;

	if (got->error < 0) {
		take_failure(pw, a, url, got->text);
		return;
	}
	if (got->status != 200) {
		snprintf(text, sizeof(text), "HTTP status %u", got->status);
		take_failure(pw, a, url, text);
		return;
	}
	r = policy_verify_answer(got->body, got->body_len_bytes, a->name);
	if (r < 0)
		take_failure(pw, a, url, "no JSON with a boolean Allow");
	else
		take_answer(pw, a, r);
}

static void on_answer(struct hd_module *mod, struct hd_worker *w, void *arg,
		      const struct hd_fetched *got)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);
	struct question *q = arg;
	struct service *s = service_find(pw->answers, q->url);
	struct answer *a = s != NULL ? answer_find(s, &q->key) : NULL;

	if (a != NULL) {
		understand(pw, a, q->url, got);
		answered(pw, a);
	}
	free(q);
}

/* ---- asked ---- */

static int fetch(const struct policy_worker *pw, const char *url,
		 const struct policy_subject *who, struct hd_error *err)
{
	static const char *const headers[] = { "Content-Type: application/json",
					       NULL };
	struct question *q = malloc(sizeof(*q) + strlen(url) + 1);
	char body[POLICY_REQUEST_BYTES];
	const struct hd_fetch_request request = {
		.url = url,
		.headers = headers,
		.body = policy_verify_request(who, body),
		.body_len_bytes = strlen(body),
		.timeout_ms = (uint32_t)conf_of(pw)->ask_timeout_ms,
		.answer_max_bytes = ANSWER_MAX_BYTES,
	};

	if (q == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	q->key = *who->key;
	strcpy(q->url, url);
	return hd_fetch(pw->mod, pw->w, &request, on_answer, q, free, NULL,
			err);
}

static struct waiter *waiter_new(const struct policy_subject *who)
{
	struct waiter *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->from = *who->from;
	x->listener = who->listener != NULL ? strdup(who->listener) : NULL;
	x->server_name =
		who->server_name != NULL ? strdup(who->server_name) : NULL;
	if ((who->listener != NULL && x->listener == NULL) ||
	    (who->server_name != NULL && x->server_name == NULL))
		waiter_free(&x);
	return x;
}

int policy_answers_ask(struct policy_worker *pw, const char *url,
		       const struct policy_subject *who,
		       struct hd_ticket **ticket)
{
	struct service *s = service_of(pw->answers, url);
	struct answer *a = s != NULL ? answer_of(s, who->key) : NULL;
	struct waiter *x = a != NULL ? waiter_new(who) : NULL;
	struct hd_error err = { "" };

	if (x == NULL)
		return -ENOMEM;
	if (!a->asked && fetch(pw, url, who, &err) < 0) {
		take_failure(pw, a, url, err.text);
		waiter_free(&x);
		return -EAGAIN;
	}
	a->asked = true;
	x->ticket = hd_steal(ticket);
	x->next = a->first;
	a->first = x;
	return 0;
}
