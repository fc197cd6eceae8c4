/* SPDX-License-Identifier: MIT */
/* modules/policy/ask.c - admission services are asked, once for all logins of a
 * key that wait, or behind a login that went on by an old answer. */
#include <errno.h>
#include <hyper-derp/fetch.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/answers.h"

enum {
	ANSWER_MAX_BYTES = 256 << 10, /* a node and all its capabilities */
	RETRY_MS = 1000,
	BEHIND_MAX = 64, /* of a worker: logins come first */
};

struct policy_waiter { /* a login */
	struct policy_waiter *next;
	struct hd_ticket *ticket;
	union hd_addr from;
	char *listener, *server_name, *app_name; /* NULL: none */
	struct policy_shown shown;
	char tenant[HD_TENANT_BYTES]; /* "" none */
	bool mesh;
};

struct question { /* on its way */
	struct hd_key key;
	bool behind;
	char url[];
};

/* ---- who waits ---- */

static void waiter_free(struct policy_waiter **waiter)
{
	struct policy_waiter *x = hd_steal(waiter);

	if (x == NULL)
		return;
	free(x->listener);
	free(x->server_name);
	free(x->app_name);
	free(x);
}

/* NULL stays NULL. Returns whether there was memory. */
static bool copy(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from == NULL || *to != NULL;
}

static struct policy_waiter *waiter_new(const struct policy_subject *who)
{
	struct policy_waiter *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->from = *who->from;
	x->mesh = who->mesh;
	if (who->shown != NULL)
		x->shown = *who->shown;
	if (who->tenant != NULL)
		snprintf(x->tenant, sizeof(x->tenant), "%s", who->tenant);
	if (!copy(&x->listener, who->listener) ||
	    !copy(&x->server_name, who->server_name) ||
	    !copy(&x->app_name, who->app_name))
		waiter_free(&x);
	return x;
}

void policy_waiters_deny(struct answer *a)
{
	while (a->first != NULL) {
		struct policy_waiter *x = a->first;

		a->first = x->next;
		hd_admit_answer(&x->ticket, HD_VERDICT_DENY,
				"the relay's rules have changed; try again");
		waiter_free(&x);
	}
}

/* The module goes: whoever is there then is asked. */
static void put_off(struct answer *a)
{
	while (a->first != NULL) {
		struct policy_waiter *x = a->first;

		a->first = x->next;
		hd_admit_answer(&x->ticket, HD_VERDICT_PENDING, NULL);
		waiter_free(&x);
	}
}

/* The next of the rules may name another service: then it waits again. */
static void go_on(struct policy_worker *pw, const struct hd_key *key,
		  struct policy_waiter *x)
{
	const struct policy_subject who = {
		.key = key,
		.from = &x->from,
		.listener = x->listener,
		.server_name = x->server_name,
		.app_name = x->app_name,
		.shown = &x->shown,
		.mesh = x->mesh,
		.tenant = x->tenant[0] != '\0' ? x->tenant : NULL,
	};

	policy_conclude(pw, &who, NULL, &x->ticket);
	waiter_free(&x);
}

/* An answer may make room for others while they go on. */
static void answered(struct policy_worker *pw, struct answer *a)
{
	struct policy_waiter *x = hd_steal(&a->first);
	const struct hd_key key = a->key;

	while (x != NULL) {
		struct policy_waiter *next = x->next;

		go_on(pw, &key, x);
		x = next;
	}
}

/* ---- what comes ---- */

static void take_answer(const struct policy_worker *pw, struct answer *a,
			bool allow)
{
	const struct policy_conf *conf = policy_conf_of(pw);

	a->said = true;
	a->owed = false;
	a->allow = allow;
	a->failed_until_ms = 0;
	a->fresh_until_ms = hd_now_ms(pw->w) +
			    (allow ? conf->allow_ttl_ms : conf->deny_ttl_ms);
	a->stale_until_ms = a->fresh_until_ms + conf->stale_ttl_ms;
}

/* Logins of the next second do not ask again. Who is let in meanwhile, or by an
 * old answer, is asked about later. */
static void take_failure(struct policy_worker *pw, struct answer *a,
			 const char *url, const char *why)
{
	uint64_t now = hd_now_ms(pw->w);
	char then[80] = "fail_open decides";

	if (a->said && now < a->stale_until_ms)
		snprintf(then, sizeof(then),
			 "what it said before stands for %llu s more",
			 (unsigned long long)(a->stale_until_ms - now) / 1000);
	hd_log_warn("no answer of an admission service: key=%s url=%s why=%s "
		    "(%s)",
		    hd_key_text(&a->key).s, url, why, then);
	a->failed_until_ms = now + RETRY_MS;
	a->owed = true;
	policy_sweep_later(pw);
}

/* Those that the operator lists are not the service's, and a rule's tenant
 * comes before what it names. */
static bool is_its_own(const struct policy_worker *pw, const char *url,
		       const char *tenant)
{
	const struct policy_conf *conf = policy_conf_of(pw);

	for (size_t i = 0; i < conf->tenants.n; i++)
		if (strcmp(conf->tenants.v[i].name, tenant) == 0)
			return false;
	for (size_t i = 0; i < pw->rules->n; i++)
		if (pw->rules->v[i].url != NULL &&
		    pw->rules->v[i].tenant == NULL &&
		    strcmp(pw->rules->v[i].url, url) == 0)
			return true;
	return false;
}

int policy_may_name(const struct policy_worker *pw, const char *url,
		    const char *tenant)
{
	if (tenant[0] == '\0' || !is_its_own(pw, url, tenant))
		return 0;
	return policy_named(url, tenant, hd_now_ms(pw->w));
}

/* Returns 1 yes; 0 no; -EPROTO it is no answer, -ENOSPC it names too many
 * tenants: what it said before stands. */
static int read_answer(const struct policy_worker *pw, struct answer *a,
		       const char *url, const struct hd_fetched *got)
{
	struct policy_extra extra = { .name = "" };
	int r = -EPROTO;

	if (policy_is_tailscaled(url))
		r = policy_whois_answer(got->status, got->body,
					got->body_len_bytes, &a->key,
					extra.name);
	else if (got->status == 200)
		r = policy_verify_answer(got->body, got->body_len_bytes,
					 &extra);
	if (r >= 0 && policy_may_name(pw, url, extra.tenant) < 0)
		return -ENOSPC;
	if (r >= 0)
		a->extra = extra;
	return r;
}

static void understand(struct policy_worker *pw, struct answer *a,
		       const char *url, const struct hd_fetched *got)
{
	struct policy_numbers *n = hd_metrics(pw->mod, pw->w);
	int r = got->error < 0 ? got->error : read_answer(pw, a, url, got);
	char text[64];

	hd_count(r >= 0 ? &n->asks_answered : &n->asks_failed, 1);
	snprintf(text, sizeof(text), "%s",
		 policy_is_tailscaled(url) ? "no JSON with this node"
					   : "no JSON with a boolean Allow, "
					     "or a bad Tenant or Limits");
	if (got->error < 0) {
		take_failure(pw, a, url, got->text);
		return;
	}
	if (r >= 0) {
		take_answer(pw, a, r);
		return;
	}
	if (r == -ENOSPC)
		snprintf(text, sizeof(text),
			 "it names more than %d tenants that have peers",
			 POLICY_NAMED_MAX);
	else if (got->status != 200)
		snprintf(text, sizeof(text), "HTTP status %u", got->status);
	take_failure(pw, a, url, text);
}

/* Who is connected may have to leave by what a service says now. */
static bool may_close(const struct policy_rules *rules, const char *url,
		      bool allow)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rules->v[i].url != NULL && rules->v[i].deny == allow &&
		    strcmp(rules->v[i].url, url) == 0)
			return true;
	return false;
}

static bool same_extra(const struct policy_extra *a,
		       const struct policy_extra *b)
{
	return strcmp(a->tenant, b->tenant) == 0 &&
	       a->has_limits == b->has_limits &&
	       a->limits.bytes_per_s == b->limits.bytes_per_s &&
	       a->limits.burst_bytes == b->limits.burst_bytes &&
	       a->limits.packet_bytes == b->limits.packet_bytes &&
	       a->limits.connections == b->limits.connections;
}

static void take(struct policy_worker *pw, struct service *s, struct answer *a,
		 const struct question *q, const struct hd_fetched *got)
{
	bool was_said = a->said, before = a->allow;
	const struct policy_extra extra = a->extra;

	a->asked = false;
	if (got->error == -ECANCELED) {
		put_off(a);
		return;
	}
	understand(pw, a, s->url, got);
	policy_answer_used(s, a);
	if (a->said && (was_said ? before != a->allow : q->behind) &&
	    may_close(pw->rules, s->url, a->allow))
		policy_sweep_begin(pw);
	if (was_said && !same_extra(&extra, &a->extra))
		policy_sweep_begin(pw); /* another tenant, other limits */
	answered(pw, a);
}

static void on_answer(struct hd_module *mod, struct hd_worker *w, void *arg,
		      const struct hd_fetched *got)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);
	struct question *q = arg;
	struct service *s = policy_service_find(pw->answers, q->url);
	struct answer *a = s != NULL ? policy_answer_find(s, &q->key) : NULL;

	pw->answers->n_behind -= q->behind;
	if (a != NULL)
		take(pw, s, a, q, got);
	free(q);
}

/* ---- asked ---- */

static int fetch(const struct policy_worker *pw, const char *url,
		 const struct policy_subject *who, bool behind,
		 struct hd_error *err)
{
	static const char *const headers[] = { "Content-Type: application/json",
					       NULL };
	struct question *q = malloc(sizeof(*q) + strlen(url) + 1);
	char buf[POLICY_REQUEST_BYTES];
	struct hd_fetch_request request = {
		.url = url,
		.timeout_ms = (uint32_t)policy_conf_of(pw)->ask_timeout_ms,
		.answer_max_bytes = ANSWER_MAX_BYTES,
	};

	if (policy_is_tailscaled(url)) {
		request.url = policy_whois_url(who->key, buf);
		request.via = url;
	} else {
		request.headers = headers;
		request.body = policy_verify_request(who, buf);
		request.body_len_bytes = strlen(buf);
	}
	if (q == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	q->key = *who->key;
	q->behind = behind;
	strcpy(q->url, url);
	return hd_fetch(pw->mod, pw->w, &request, on_answer, q, free, NULL,
			err);
}

/* Returns 0; -EBUSY; -EAGAIN it cannot be asked, which is known now. */
static int ask(struct policy_worker *pw, struct answer *a, const char *url,
	       const struct policy_subject *who, bool behind)
{
	struct hd_error err = { "" };
	int r = a->asked ? 0 : fetch(pw, url, who, behind, &err);

	if (r == -EBUSY)
		return r;
	if (r < 0) {
		take_failure(pw, a, url, err.text);
		return -EAGAIN;
	}
	pw->answers->n_behind += !a->asked && behind;
	a->asked = true;
	return 0;
}

int policy_answers_ask(struct policy_worker *pw, const char *url,
		       const struct policy_subject *who,
		       struct hd_ticket **ticket)
{
	struct service *s = policy_service_of(pw->answers, url);
	struct answer *a = s != NULL ? policy_answer_of(s, who->key) : NULL;
	struct policy_waiter *x = a != NULL ? waiter_new(who) : NULL;
	int r = x != NULL ? ask(pw, a, url, who, false) : -ENOMEM;

	if (r < 0) {
		waiter_free(&x);
		return r;
	}
	x->ticket = hd_steal(ticket);
	x->next = a->first;
	a->first = x;
	return 0;
}

void policy_answers_renew(struct policy_worker *pw, const char *url,
			  const struct policy_subject *who)
{
	struct service *s = policy_service_of(pw->answers, url);
	struct answer *a = s != NULL ? policy_answer_of(s, who->key) : NULL;
	uint64_t now = hd_now_ms(pw->w);

	if (a == NULL || a->asked || now < a->failed_until_ms ||
	    (a->said && now < a->fresh_until_ms))
		return;
	if (pw->answers->n_behind < BEHIND_MAX) {
		ask(pw, a, url, who, true);
	} else {
		a->owed = true;
		policy_sweep_soon(pw);
	}
}

bool policy_answers_owed(const struct policy_worker *pw, const char *url,
			 const struct hd_key *key)
{
	struct service *s = policy_service_find(pw->answers, url);
	const struct answer *a = s != NULL ? policy_answer_find(s, key) : NULL;

	return a != NULL && a->owed;
}
