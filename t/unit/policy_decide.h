/* SPDX-License-Identifier: MIT */
/* t/unit/policy_decide.h - decide.c with everything around it in the test's
 * hands: the configuration, the clock, and what services have said. */
#pragma once
#include <string.h>
#include "modules/policy/answers.h"
#include "t/unit/unit.h"

/* Two services. */
#define A "http://a.example/"
#define B "http://b.example/"

extern struct policy_conf conf;
extern uint64_t now_ms;
extern unsigned renewed; /* calls of policy_answers_renew() */
extern bool owes; /* what policy_answers_owed() says */
extern const struct hd_key asked_key; /* that everything is about */

/* worker_of - the worker of these rules, and of what A and B have said of the
 * key. worker_end - frees it. */
struct policy_worker worker_of(const struct policy_rule_conf *rules, size_t n);
void worker_end(struct policy_worker *pw);
/* about - what is kept of the key. say - a service has said y: yes, n: no; f:
 * it cannot be asked; '-': it has not been asked. */
struct answer *about(struct policy_worker *pw, const char *url);
void say(struct policy_worker *pw, const char *url, char what);
/* decide - of the key, a client at 192.0.2.7. */
struct policy_decision decide(const struct policy_worker *pw,
			      enum policy_when when);
