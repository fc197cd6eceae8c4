/* SPDX-License-Identifier: MIT */
/* t/unit/policy_decide_help.c - see policy_decide.h. */
#include "t/unit/policy_decide.h"
#include <stdlib.h>

/* ---- what the module has from others ---- */

const void *__wrap_hd_module_conf(struct hd_module *mod);
const void *__wrap_hd_module_worker_conf(struct hd_module *mod,
					 struct hd_worker *w);
uint64_t __wrap_hd_now_ms(const struct hd_worker *w);

struct policy_main policy_main;
struct policy_conf conf;
uint64_t now_ms;

const void *__wrap_hd_module_conf(struct hd_module *mod)
{
	(void)mod;
	return &conf;
}

const void *__wrap_hd_module_worker_conf(struct hd_module *mod,
					 struct hd_worker *w)
{
	(void)mod;
	(void)w;
	return &conf;
}

uint64_t __wrap_hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return now_ms;
}

void policy_waiters_deny(struct answer *a)
{
	assert_null(a->first);
}

unsigned renewed;

void policy_answers_renew(struct policy_worker *pw, const char *url,
			  const struct policy_subject *who)
{
	(void)pw;
	(void)url;
	(void)who;
	renewed++;
}

bool owes;

bool policy_answers_owed(const struct policy_worker *pw, const char *url,
			 const struct hd_key *key)
{
	(void)pw;
	(void)url;
	(void)key;
	return owes;
}

/* ---- rules ---- */

struct policy_worker worker_of(const struct policy_rule_conf *rules,
				      size_t n)
{
	struct policy_worker pw = { .answers = policy_answers_new() };
	struct policy_revoked *none = calloc(1, sizeof(*none));
	struct hd_error err;

	none->holders = 1;
	pw.revoked = none;
	conf.rules.v = rules;
	conf.rules.n = n;
	assert_int_equal(policy_rules_new(&conf, &pw.rules, &err), 0);
	return pw;
}

void worker_end(struct policy_worker *pw)
{
	policy_answers_end(&pw->answers);
	policy_rules_drop(&pw->rules);
	policy_revoked_drop(&pw->revoked);
}

const struct hd_key asked_key = { .b = { 1 } };

struct answer *about(struct policy_worker *pw, const char *url)
{
	struct service *s = policy_service_of(pw->answers, url);

	return policy_answer_of(s, &asked_key);
}

void say(struct policy_worker *pw, const char *url, char what)
{
	struct answer *a = about(pw, url);

	a->said = what == 'y' || what == 'n';
	a->allow = what == 'y';
	a->fresh_until_ms = a->stale_until_ms = now_ms + 1000;
	a->failed_until_ms = what == 'f' ? now_ms + 1000 : 0;
}

struct policy_decision decide(const struct policy_worker *pw,
				     enum policy_when when)
{
	union hd_addr in = { .in = { .sin_family = AF_INET } };
	const struct policy_subject who = { .key = &asked_key, .from = &in };
	struct policy_decision d;

	in.in.sin_addr.s_addr = htonl(0xc0000207); /* 192.0.2.7 */
	policy_decide(pw, &who, when, &d);
	return d;
}
