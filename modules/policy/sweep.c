/* SPDX-License-Identifier: MIT */
/* modules/policy/sweep.c - rules have changed, or begin to count: who is
 * connected is asked about once more, and leaves if it may no longer be here.
 * So does a login that has been let in here and waits for another module.
 *
 * Services are asked about those of whom they have said nothing yet. Meanwhile
 * they stay; and while a service does not answer, in which case all are gone
 * through again later. */
#include <errno.h>
#include <hyper-derp/about.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/timer.h>
#include "modules/policy/policy.h"

enum {
	PEERS_PER_TURN = 256,
	BUSY_MS = 20,
	LATER_MS = 30000,
};

/* @has_tenant  else it waits for us, and gets one with our answer */
static void judge(struct policy_worker *pw, const struct hd_about_peer *p,
		  bool has_tenant)
{
	const struct policy_subject who = {
		.key = p->key,
		.from = p->addr,
		.listener = p->listener,
		.server_name = p->server_name,
	};
	struct policy_decision d;

	policy_decide(pw, &who, POLICY_HERE, &d);
	if (has_tenant && policy_tenant_moved(&d, p->tenant))
		hd_relay_put_out(pw->w, p->conn,
				 "the rules have moved it to another tenant");
	else if (d.deny)
		hd_relay_put_out(pw->w, p->conn, d.reason);
	else if (d.by == POLICY_ASK)
		policy_answers_renew(pw, d.rule->url, &who);
	pw->sweep_later |= d.by == POLICY_ASK || d.by == POLICY_BY_FAILURE;
}

static void look_at(void *arg, const struct hd_about_peer *p)
{
	judge(arg, p, true);
}

static void look_at_login(void *arg, const struct hd_about_peer *p)
{
	judge(arg, p, p->tenant[0] != '\0');
}

/* Returns whether there are more. */
static bool look_at_some(struct policy_worker *pw)
{
	uint64_t at = pw->sweep_at;

	hd_about_logins(pw->w, &at, PEERS_PER_TURN, look_at_login, pw);
	return hd_about_peers(pw->w, &pw->sweep_at, PEERS_PER_TURN, look_at,
			      pw);
}

static void ended(struct policy_worker *pw)
{
	pw->sweep_at = 0;
	if (pw->sweep_again)
		hd_timer_set(pw->sweep, 1);
	else if (pw->sweep_later)
		hd_timer_set(pw->sweep, LATER_MS);
	pw->sweep_again = pw->sweep_later = false;
}

static void on_sweep(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_worker *pw = arg;

	(void)mod;
	(void)w;
	if (policy_answers_busy(pw))
		hd_timer_set(pw->sweep, BUSY_MS);
	else if (look_at_some(pw))
		hd_timer_set(pw->sweep, 1);
	else
		ended(pw);
}

void policy_sweep_key(struct policy_worker *pw, const struct hd_key *key)
{
	hd_about_key(pw->w, key, look_at, pw);
}

int policy_sweep_new(struct hd_module *mod, struct hd_worker *w)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);

	pw->sweep = hd_timer_new(mod, w, on_sweep, pw);
	return pw->sweep != NULL ? 0 : -ENOMEM;
}

/* What is under way has asked about the first of them by the old rules. */
void policy_sweep_begin(struct policy_worker *pw)
{
	pw->sweep_again = pw->sweep_at != 0;
	hd_timer_set(pw->sweep, 1);
}
