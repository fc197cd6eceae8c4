/* SPDX-License-Identifier: MIT */
/* modules/policy/sweep.c - rules have changed, or begin to count: who is
 * connected is asked about once more, and leaves if it may no longer be here.
 * So does a login that has been let in here and waits for another module. Which
 * one a login waits for is not known: one that waits for us, and whose tenant
 * is another by now, has to come again, too.
 *
 * Services are asked about those of whom they have said nothing yet, or did not
 * answer the last time. Meanwhile they stay; and while a service does not
 * answer, in which case all are gone through again later. */
#include <errno.h>
#include <hyper-derp/about.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/timer.h>
#include "modules/policy/service.h"

enum {
	PEERS_PER_TURN = 256,
	SOON_MS = 250,
	LATER_MS = 30000,
};

static void look_at(void *arg, const struct hd_about_peer *p)
{
	struct policy_worker *pw = arg;
	const struct policy_subject who = {
		.key = p->key,
		.from = p->addr,
		.listener = p->listener,
		.server_name = p->server_name,
		.app_name = p->agent,
	};
	struct policy_decision d;

	if (p->mesh) /* was not asked about, and is not a client */
		return;
	policy_decide(pw, &who, POLICY_HERE, &d);
	if (policy_tenant_moved(&d, p->tenant)) {
		hd_relay_put_out(pw->w, p->conn,
				 "the rules have moved it to another tenant");
		return; /* the limits of that one are none of this one's */
	}
	policy_limits_again(pw, p->conn, &d);
	if (d.deny)
		hd_relay_put_out(pw->w, p->conn, d.reason);
	else if (d.by == POLICY_ASK)
		policy_answers_renew(pw, d.rule->url, &who);
	else if (policy_renew_owed(pw, &who, &d))
		pw->sweep_later = true;
	pw->sweep_later |= d.by == POLICY_ASK;
}

/* Returns whether there are more. */
static bool look_at_some(struct policy_worker *pw)
{
	uint64_t at = pw->sweep_at;

	hd_about_logins(pw->w, &at, PEERS_PER_TURN, look_at, pw);
	return hd_about_peers(pw->w, &pw->sweep_at, PEERS_PER_TURN, look_at,
			      pw);
}

static void set(struct policy_worker *pw, uint64_t ms)
{
	pw->sweep_set = true;
	hd_timer_set(pw->sweep, ms);
}

static void ended(struct policy_worker *pw)
{
	pw->sweep_at = 0;
	if (pw->sweep_again)
		set(pw, 1);
	else if (pw->sweep_soon)
		set(pw, SOON_MS);
	else if (pw->sweep_later)
		set(pw, LATER_MS);
	pw->sweep_again = pw->sweep_soon = pw->sweep_later = false;
}

static void on_sweep(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_worker *pw = arg;

	(void)mod;
	(void)w;
	pw->sweep_set = false;
	if (look_at_some(pw))
		set(pw, 1);
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
	set(pw, 1);
}

void policy_sweep_later(struct policy_worker *pw)
{
	pw->sweep_later = true;
	if (!pw->sweep_set)
		set(pw, LATER_MS);
}

void policy_sweep_soon(struct policy_worker *pw)
{
	pw->sweep_soon = true;
	if (!pw->sweep_set)
		set(pw, SOON_MS);
}
