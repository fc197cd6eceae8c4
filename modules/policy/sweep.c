/* SPDX-License-Identifier: MIT */
/* modules/policy/sweep.c - rules have changed: who is connected is asked about
 * once more, and leaves if it may no longer be here. */
#include <errno.h>
#include <hyper-derp/about.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/timer.h>
#include <stdio.h>
#include "modules/policy/policy.h"

enum { PEERS_PER_TURN = 256 };

static void look_at(void *arg, const struct hd_about_peer *p)
{
	const struct policy_worker *pw = arg;
	const struct policy_subject who = {
		.key = p->key,
		.from = p->addr,
		.listener = p->listener,
		.server_name = p->server_name,
	};
	struct policy_decision d;

	policy_decide(pw, &who, true, &d);
	if (policy_tenant_moved(&d, p->tenant))
		snprintf(d.reason, sizeof(d.reason),
			 "the rules have moved it to another tenant");
	else if (!d.deny)
		return;
	hd_log_notice("closed by policy: key=%s reason=%s",
		      hd_key_text(p->key).s, d.reason);
	hd_relay_kick(p->realm, p->key, HD_CLOSE_KICKED);
}

static void on_sweep(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_worker *pw = arg;

	(void)mod;
	if (hd_about_peers(w, &pw->sweep_at, PEERS_PER_TURN, look_at, pw)) {
		hd_timer_set(pw->sweep, 1);
		return;
	}
	pw->sweep_at = 0;
	if (pw->sweep_again)
		hd_timer_set(pw->sweep, 1);
	pw->sweep_again = false;
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
