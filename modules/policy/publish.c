/* SPDX-License-Identifier: MIT */
/* modules/policy/publish.c - rules and revocations on their way from the main
 * thread, which makes them, to the workers, which ask them.
 *
 * check() makes the rules of a configuration that may be refused for another
 * module's sake: they are a candidate until the configuration is in force. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include "modules/policy/devices.h"
#include "modules/policy/service.h"

struct policy_main policy_main;

/* ---- a worker's ---- */

/* Holds before it drops: they may be the same. */
static void give_quotas(struct policy_worker *pw, struct policy_quotas *quotas)
{
	struct policy_quotas *old = pw->quotas;

	pw->quotas = policy_quotas_hold(quotas);
	policy_quotas_drop(&old);
}

static void give_devices(struct policy_worker *pw,
			 struct policy_devices *devices)
{
	struct policy_devices *old = pw->devices;

	pw->devices = policy_devices_hold(devices);
	policy_devices_drop(&old);
}

static void give(struct policy_worker *pw, struct policy_rules *rules,
		 struct policy_revoked *revoked)
{
	struct policy_rules *old_rules = pw->rules;
	struct policy_revoked *old_revoked = pw->revoked;

	pw->rules = policy_rules_hold(rules);
	pw->revoked = policy_revoked_hold(revoked);
	policy_rules_drop(&old_rules);
	policy_revoked_drop(&old_revoked);
}

void policy_take(struct hd_module *mod, struct hd_worker *w)
{
	give(hd_module_worker_data(mod, w), policy_main.rules,
	     policy_main.revoked);
	give_quotas(hd_module_worker_data(mod, w), policy_main.quotas);
	give_devices(hd_module_worker_data(mod, w), policy_main.devices);
}

void policy_changed(struct hd_module *mod, struct hd_worker *w,
		    const void *old_conf)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);

	(void)old_conf;
	give(pw, policy_main.candidate, pw->revoked);
	give_devices(pw, policy_main.devices);
	policy_sweep_begin(pw);
}

void policy_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);

	account_stop(pw);
	policy_answers_end(&pw->answers);
	policy_rules_drop(&pw->rules);
	policy_revoked_drop(&pw->revoked);
	policy_quotas_drop(&pw->quotas);
	policy_devices_drop(&pw->devices);
}

/* ---- from main to workers ---- */

struct gift {
	struct policy_rules *rules;
	struct policy_revoked *revoked;
	struct policy_quotas *quotas;
	struct policy_devices *devices;
	bool puts_out;
	struct hd_key put_out;
};

static void gift_free(void *gift)
{
	struct gift *g = gift;

	policy_rules_drop(&g->rules);
	policy_revoked_drop(&g->revoked);
	policy_quotas_drop(&g->quotas);
	policy_devices_drop(&g->devices);
	free(g);
}

static void on_gift(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);
	struct gift *g = arg;

	give(pw, g->rules, g->revoked);
	give_quotas(pw, g->quotas);
	give_devices(pw, g->devices);
	if (g->puts_out)
		policy_sweep_key(pw, &g->put_out);
	policy_sweep_begin(pw);
	gift_free(g);
}

static int post_gift(struct hd_worker *w, const struct hd_key *put_out)
{
	struct gift *g = malloc(sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	*g = (struct gift){
		.rules = policy_rules_hold(policy_main.rules),
		.revoked = policy_revoked_hold(policy_main.revoked),
		.quotas = policy_quotas_hold(policy_main.quotas),
		.devices = policy_devices_hold(policy_main.devices),
		.puts_out = put_out != NULL,
	};
	if (put_out != NULL)
		g->put_out = *put_out;
	return hd_post(policy_main.mod, w, on_gift, g, gift_free);
}

static void publish(const struct hd_key *put_out)
{
	for (unsigned i = 0; i < hd_workers(); i++)
		if (post_gift(hd_worker_at(i), put_out) < 0)
			hd_log_error("policy: worker %u keeps its old rules: "
				     "out of memory; send HUP when "
				     "there is some",
				     i);
}

/* ---- main's ---- */

/* The candidate is in force as soon as its configuration is. */
static void settle(void)
{
	struct policy_main *m = &policy_main;

	if (m->candidate == NULL || m->candidate_conf != hd_module_conf(m->mod))
		return;
	policy_rules_drop(&m->rules);
	m->rules = policy_rules_hold(m->candidate);
}

const struct policy_rules *policy_rules_now(void)
{
	settle();
	return policy_main.rules;
}

/* Of a check before the start, too: then nobody is locked out yet. */
static void warn_of_none(const struct policy_rules *rules)
{
	if (rules->n == 0)
		hd_log_warn("policy has no rules: %s may log in; write some "
			    "below `policy: rules:`",
			    rules->deny ? "nobody" : "everybody");
}

int policy_check(struct hd_module *mod, const void *conf, struct hd_error *err)
{
	struct policy_main *m = &policy_main;
	struct policy_rules *rules;
	int r = 0;

	(void)mod;
	if (m->mod != NULL)
		settle();
	if (m->rules != NULL)
		r = policy_watch_whole(err);
	if (r == 0)
		r = policy_rules_new(conf, &rules, err);
	if (r < 0)
		return r;
	warn_of_none(rules);
	policy_rules_drop(&m->candidate);
	m->candidate = rules;
	m->candidate_conf = conf;
	if (m->mod != NULL) {
		policy_watch_files(rules);
		policy_devices_want(rules);
	}
	return 0; /* else load() follows; or nothing does, after -t */
}

/* After -t nobody calls unload(): the candidate goes with the module's code. */
__attribute__((destructor)) static void drop_candidate(void)
{
	policy_rules_drop(&policy_main.candidate);
}

int policy_main_init(struct hd_module *mod, struct hd_error *err)
{
	struct policy_main *m = &policy_main;
	int r = policy_watch_init(mod, err);

	m->mod = mod;
	if (r == 0)
		r = policy_devices_init(mod, err);
	if (r == 0)
		r = policy_revoked_load(&m->revoked, err);
	if (r < 0)
		return r;
	settle(); /* what check() has just made */
	policy_watch_files(m->rules);
	policy_devices_want(m->rules);
	return 0;
}

void policy_unload(struct hd_module *mod)
{
	struct policy_main *m = &policy_main;

	account_top_unload();
	account_unload(mod);
	policy_watch_end(mod);
	policy_devices_end();
	policy_named_end();
	policy_rules_drop(&m->candidate);
	policy_rules_drop(&m->rules);
	policy_revoked_drop(&m->revoked);
	policy_quotas_drop(&m->quotas);
	policy_devices_drop(&m->devices);
	m->mod = NULL;
}

static void revoke(struct policy_revoked **revoked,
		   const struct hd_key *put_out)
{
	settle();
	policy_revoked_drop(&policy_main.revoked);
	policy_main.revoked = hd_steal(revoked);
	publish(put_out);
}

/* Disks may take a second, and be full: who has to go goes before that. */
int policy_revoke_now(struct policy_revoked **revoked,
		      const struct hd_key *put_out, struct hd_error *err)
{
	struct hd_error why;
	int e;

	revoke(revoked, put_out);
	e = policy_revoked_save(policy_main.revoked, &why);
	return e < 0 ? hd_error_set(err, e,
				    "the key is put out, but will be back "
				    "after a restart: %s; remove the cause, "
				    "then revoke it again",
				    why.text)
		     : 0;
}

int policy_unrevoke_with(struct policy_revoked **revoked, struct hd_error *err)
{
	int e = policy_revoked_save(*revoked, err);

	if (e < 0)
		policy_revoked_drop(revoked);
	else
		revoke(revoked, NULL);
	return e;
}

void policy_quotas_publish(struct policy_quotas **quotas)
{
	settle();
	policy_quotas_drop(&policy_main.quotas);
	policy_main.quotas = hd_steal(quotas);
	publish(NULL);
}

static void take_devices(struct policy_devices *set)
{
	policy_devices_drop(&policy_main.devices);
	policy_main.devices = set;
}

/* Returns 0; -ENOMEM. */
static int keep_devices(struct policy_device_list **list)
{
	struct policy_devices *set =
		policy_devices_with(policy_main.devices, *list);

	policy_device_list_drop(list);
	if (set == NULL)
		return -ENOMEM;
	take_devices(set);
	return 0;
}

void policy_devices_keep(struct policy_device_list **list)
{
	if (keep_devices(list) < 0)
		hd_log_error("policy: a list of devices stays as it was: out "
			     "of memory");
}

int policy_devices_publish(struct policy_device_list **list)
{
	int r;

	settle();
	r = keep_devices(list);
	if (r == 0)
		publish(NULL);
	return r;
}

/* The candidate's stay: it may be in force in a moment. */
void policy_devices_tidy(void)
{
	const struct policy_devices *old = policy_main.devices;
	struct policy_devices *set;

	if (old == NULL)
		return;
	settle();
	set = policy_devices_named(old, policy_main.rules,
				   policy_main.candidate);
	if (set == NULL || set->n == old->n) {
		policy_devices_drop(&set);
		return;
	}
	take_devices(set);
	publish(NULL);
}

int policy_reread(struct hd_error *err)
{
	struct policy_rules *rules;
	int r = policy_watch_whole(err);

	if (r == 0)
		r = policy_rules_new(hd_module_conf(policy_main.mod), &rules,
				     err);
	if (r < 0)
		return r;
	policy_rules_drop(&policy_main.candidate);
	policy_rules_drop(&policy_main.rules);
	policy_main.rules = rules;
	publish(NULL);
	return 0;
}
