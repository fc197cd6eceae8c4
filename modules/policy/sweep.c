/* SPDX-License-Identifier: MIT */
/* modules/policy/sweep.c - rules have changed, or begin to count: who is
 * connected is asked about once more, and leaves if it may no longer be here.
 * So does a login that has been let in here and waits for another module. Which
 * one a login waits for is not known: one that waits for us, and whose tenant
 * is another by now, has to come again, too.
 *
 * Services are asked about those of whom they have said nothing yet, or did not
 * answer the last time, or whose answer is old: whom one allows no longer
 * leaves without a new login. Meanwhile they stay; and while a service does not
 * answer, in which case all are gone through again later. */
#include <errno.h>
#include <hyper-derp/about.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/timer.h>
#include <hyper-derp/worker.h>
#include "modules/policy/service.h"

enum {
	PEERS_PER_TURN = 256,
	SOON_MS = 250,
	LATER_MS = 30000,
	OLD_MIN_MS = 1000,
};

/* Who stays, for now. */
static void ask_about(struct policy_worker *pw,
		      const struct policy_subject *who,
		      const struct policy_decision *d)
{
	if (d->by == POLICY_ASK && d->rule->url == NULL)
		return; /* a list of devices, which begins a sweep */
	if (d->by == POLICY_ASK) {
		policy_answers_renew(pw, d->rule->url, who);
		pw->sweep_later = true;
		return;
	}
	pw->sweep_later |= policy_renew_owed(pw, who, d);
	policy_renew(pw, who, d);
}

/* What it has sent is not known any more: it says so again when it comes. */
static void put_out_unknown(struct policy_worker *pw, uint64_t conn)
{
	hd_relay_put_out(pw->w, conn,
			 "the relay's rules depend on what this client has "
			 "sent, which they have not seen: come again");
}

/* Its rights are those that it was let in with. */
static bool has_another_role(const struct policy_decision *d, bool has_key,
			     bool now)
{
	return !d->deny && d->by != POLICY_ASK && d->by != POLICY_BY_FAILURE &&
	       policy_is_mesh(d, has_key) != now;
}

/* It is in the tenant of this decision. */
static void note_tenant(struct policy_given *given,
			const struct policy_decision *d)
{
	if (given != NULL && !d->deny && d->by != POLICY_ASK &&
	    d->by != POLICY_BY_FAILURE)
		given->tenant = policy_gives_tenant(d);
}

static void look_with(struct policy_worker *pw, const struct hd_about_peer *p,
		      const struct policy_shown *shown)
{
	struct policy_given *given = policy_given_of(pw->mod, p->peer);
	const struct policy_subject who = {
		.key = p->key,
		.from = p->addr,
		.listener = p->listener,
		.server_name = p->server_name,
		.app_name = p->agent,
		.shown = shown,
		.unsaid = shown != NULL ? 0 : POLICY_TERMS,
		.mesh = hd_peer_has_mesh_key(p->peer),
		.tenant = policy_given_besides(given, p->tenant),
	};
	struct policy_decision d;

	policy_decide(pw, &who, POLICY_HERE, &d);
	if (d.by == POLICY_UNSAID) {
		put_out_unknown(pw, p->conn);
		return;
	}
	if (d.by != POLICY_ASK && d.by != POLICY_BY_FAILURE)
		account_quota(pw->mod, p->peer,
			      d.rule != NULL ? d.rule->quota.bytes : 0);
	if (policy_tenant_moved(&d, p->tenant)) {
		hd_relay_put_out(pw->w, p->conn,
				 "the rules have moved it to another tenant");
		return; /* the limits of that one are none of this one's */
	}
	if (has_another_role(&d, who.mesh, p->mesh)) {
		hd_relay_put_out(pw->w, p->conn,
				 "the rules have given it another role");
		return;
	}
	note_tenant(given, &d);
	policy_limits_again(pw, p->conn, &d, given);
	if (d.deny)
		hd_relay_put_out(pw->w, p->conn, d.reason);
	else
		ask_about(pw, &who, &d);
}

static void look_at(void *arg, const struct hd_about_peer *p)
{
	struct policy_worker *pw = arg;

	look_with(pw, p, policy_shown_of(pw->mod, p->peer));
}

/* Its request is still there. */
static void look_at_login(void *arg, const struct hd_about_peer *p)
{
	struct policy_worker *pw = arg;

	look_with(pw, p, policy_shown_login(pw->mod, pw->rules, p->peer));
}

/* Returns whether there are more. */
static bool look_at_some(struct policy_worker *pw)
{
	uint64_t at = pw->sweep_at;

	hd_about_logins(pw->w, &at, PEERS_PER_TURN, look_at_login, pw);
	return hd_about_peers(pw->w, &pw->sweep_at, PEERS_PER_TURN, look_at,
			      pw);
}

/* What is due sooner stays. */
static void set(struct policy_worker *pw, uint64_t ms)
{
	uint64_t due = hd_now_ms(pw->w) + ms;

	if (pw->sweep_due_ms != 0 && pw->sweep_due_ms <= due)
		return;
	pw->sweep_due_ms = due;
	hd_timer_set(pw->sweep, ms);
}

/* When what services have said of who is here may be old. 0: none is asked. */
static uint64_t old_ms(const struct policy_worker *pw)
{
	for (size_t i = 0; i < pw->rules->n; i++)
		if (pw->rules->v[i].url != NULL)
			return HD_MAX(policy_conf_of(pw)->allow_ttl_ms / 2,
				      (uint64_t)OLD_MIN_MS);
	return 0;
}

static uint64_t next_ms(const struct policy_worker *pw)
{
	uint64_t old = old_ms(pw);

	if (pw->sweep_again)
		return 1;
	if (pw->sweep_soon)
		return SOON_MS;
	if (pw->sweep_later && (old == 0 || old > LATER_MS))
		return LATER_MS;
	return old;
}

static void ended(struct policy_worker *pw)
{
	uint64_t ms = next_ms(pw);

	pw->sweep_at = 0;
	pw->sweep_again = pw->sweep_soon = pw->sweep_later = false;
	if (ms > 0)
		set(pw, ms);
}

static void on_sweep(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_worker *pw = arg;

	(void)mod;
	(void)w;
	pw->sweep_due_ms = 0;
	if (look_at_some(pw))
		set(pw, 1);
	else
		ended(pw);
}

void policy_sweep_key(struct policy_worker *pw, const struct hd_key *key)
{
	hd_about_key(pw->w, key, look_at, pw);
}

void policy_sweep_peer(struct policy_worker *pw, const struct hd_about_peer *p)
{
	look_at(pw, p);
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
	set(pw, LATER_MS);
}

void policy_sweep_soon(struct policy_worker *pw)
{
	pw->sweep_soon = true;
	set(pw, SOON_MS);
}
