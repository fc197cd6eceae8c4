/* SPDX-License-Identifier: MIT */
/* modules/policy/policy.c - who may use the relay: rules and revocations, asked
 * at every login, and about who is connected when they change or begin. */
#include <errno.h>
#include <hyper-derp/event.h>
#include <stdio.h>
#include "modules/policy/devices.h"
#include "modules/policy/service.h"

/* ---- metrics ---- */

#define DECISIONS(end, verdict)                                                \
	HD_METRIC(struct policy_numbers, logins[end],                          \
		  "hyper_derp_policy_logins_total", "verdict=\"" verdict "\"", \
		  "Logins that the policy decided about")

#define QUOTAS(i, of, percent)                                                 \
	HD_METRIC(struct policy_numbers, quotas[i],                            \
		  "hyper_derp_policy_quotas_total",                            \
		  "of=\"" of "\",percent=\"" percent "\"",                     \
		  "Times that one has used so much of its quota of a month")

static const struct hd_metric metrics[] = {
	DECISIONS(POLICY_ENDS_ALLOWED, "allowed"),
	DECISIONS(POLICY_ENDS_RULE, "denied_by_rule"),
	DECISIONS(POLICY_ENDS_DEFAULT, "denied_by_default"),
	DECISIONS(POLICY_ENDS_REVOKED, "revoked"),
	DECISIONS(POLICY_ENDS_FAILURE, "denied_by_failure"),
	DECISIONS(POLICY_ENDS_QUOTA, "denied_by_quota"),
	QUOTAS(0, "tenant", "80"),
	QUOTAS(1, "tenant", "100"),
	QUOTAS(2, "key", "80"),
	QUOTAS(3, "key", "100"),
	HD_METRIC(struct policy_numbers, asks_answered,
		  "hyper_derp_policy_service_asks_total", "result=\"ok\"",
		  "Times that an admission service was asked"),
	HD_METRIC(struct policy_numbers, asks_failed,
		  "hyper_derp_policy_service_asks_total", "result=\"failed\"",
		  "Times that an admission service was asked"),
	HD_METRIC(struct policy_numbers, account_failed,
		  "hyper_derp_policy_accounting_failures_total", NULL,
		  "Times that a file of accounting could not be written"),
	HD_METRIC(struct policy_numbers, account_lost,
		  "hyper_derp_policy_accounting_lost_total", NULL,
		  "Connections that are not counted, for want of memory"),
	HD_METRIC(struct policy_numbers, devices_loaded,
		  "hyper_derp_policy_device_polls_total", "result=\"ok\"",
		  "Times that a list of devices was asked for"),
	HD_METRIC(struct policy_numbers, devices_failed,
		  "hyper_derp_policy_device_polls_total", "result=\"failed\"",
		  "Times that a list of devices was asked for"),
	HD_METRIC(struct policy_numbers, devices,
		  "hyper_derp_policy_devices", NULL,
		  "Keys in lists of devices"),
	HD_METRIC(struct policy_numbers, devices_failing,
		  "hyper_derp_policy_device_lists_failing", NULL,
		  "Lists of devices that could not be loaded the last time"),
	HD_METRIC_END,
};

static enum policy_end end_of(const struct policy_decision *d)
{
	static const enum policy_end denied[] = {
		[POLICY_BY_RULE] = POLICY_ENDS_RULE,
		[POLICY_BY_DEFAULT] = POLICY_ENDS_DEFAULT,
		[POLICY_BY_REVOCATION] = POLICY_ENDS_REVOKED,
		[POLICY_BY_FAILURE] = POLICY_ENDS_FAILURE,
		[POLICY_BY_QUOTA] = POLICY_ENDS_QUOTA,
	};

	return d->deny ? denied[d->by] : POLICY_ENDS_ALLOWED;
}

/* ---- a login ---- */

/* What a service has said may be old: others had the place of its tenant. */
static void check_named(const struct policy_worker *pw,
			struct policy_decision *d)
{
	if (d->deny || d->extra == NULL || d->rule->tenant != NULL ||
	    policy_may_name(pw, d->rule->url, d->extra->tenant) == 0)
		return;
	d->by = POLICY_BY_FAILURE;
	d->deny = true;
	snprintf(d->reason, sizeof(d->reason),
		 "the service that lets you in has too many tenants");
}

static enum hd_verdict say(const struct policy_worker *pw,
			   const struct policy_subject *who,
			   struct policy_decision *d, struct hd_ticket *ticket,
			   struct hd_ticket **held)
{
	struct policy_numbers *numbers = hd_metrics(pw->mod, pw->w);
	struct hd_ticket *t = ticket != NULL ? ticket : *held;
	enum hd_verdict verdict;

	check_named(pw, d);
	verdict = d->deny ? HD_VERDICT_DENY : HD_VERDICT_PASS;
	hd_count(&numbers->logins[end_of(d)], 1);
	if (d->deny)
		hd_admit_reason(t, d->reason);
	else
		hd_admit_name(t, d->name);
	if (policy_tenant_of(d)[0] != '\0')
		hd_admit_tenant(t, policy_tenant_of(d));
	if (who->given != NULL)
		who->given->tenant = policy_gives_tenant(d);
	if (policy_is_mesh(d, who->mesh) != who->mesh)
		hd_admit_mesh(t, !who->mesh);
	policy_limits_admit(pw, d, who->given, t);
	if (ticket == NULL)
		hd_admit_answer(held, verdict, NULL);
	return verdict;
}

/* Returns 0 it waits; -EAGAIN decide once more; -EBUSY; -ENOMEM. */
static int ask(struct policy_worker *pw, const struct policy_decision *d,
	       const struct policy_subject *who, struct hd_ticket *ticket,
	       struct hd_ticket **held)
{
	if (*held == NULL)
		*held = hd_admit_hold(ticket);
	if (*held == NULL)
		return -ENOMEM;
	return policy_answers_ask(pw, d->rule->url, who, held);
}

static void out_of_memory(struct policy_decision *ret)
{
	ret->by = POLICY_BY_FAILURE;
	ret->deny = true;
	snprintf(ret->reason, sizeof(ret->reason),
		 "the relay is out of memory; try again");
}

/* Who is known need not wait for a service that takes its time. */
static bool is_known(struct policy_worker *pw, const struct policy_subject *who,
		     struct policy_decision *ret)
{
	policy_decide(pw, who, POLICY_KNOWN, ret);
	if (ret->by == POLICY_ASK || ret->deny)
		return false;
	policy_renew(pw, who, ret);
	return true;
}

/* At most once for each rule with a service: whoever cannot be asked is known
 * to have failed. */
enum hd_verdict policy_conclude(struct policy_worker *pw,
				const struct policy_subject *who,
				struct hd_ticket *ticket,
				struct hd_ticket **held)
{
	struct policy_decision d;
	int r = -EAGAIN;

	if (is_known(pw, who, &d))
		return say(pw, who, &d, ticket, held);
	while (policy_decide(pw, who, POLICY_LOGIN, &d), d.by == POLICY_ASK) {
		r = ask(pw, &d, who, ticket, held);
		if (r == -EBUSY) /* the code that comes is asked once more */
			hd_admit_answer(held, HD_VERDICT_PENDING, NULL);
		if (r == 0 || r == -EBUSY)
			return HD_VERDICT_PENDING;
		if (r != -EAGAIN)
			break;
	}
	if (d.by == POLICY_ASK)
		out_of_memory(&d);
	return say(pw, who, &d, ticket, held);
}

static const char *text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *admission,
				struct hd_ticket *ticket)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);
	const struct policy_subject who = {
		.key = &admission->login->key,
		.from = admission->from,
		.listener = admission->listener,
		.server_name = admission->server_name,
		.app_name = admission->login->agent,
		.shown = policy_shown_login(mod, pw->rules, admission->peer),
		.mesh = hd_peer_has_mesh_key(admission->peer),
		.tenant = text_or_null(admission->tenant),
		.given = policy_given_of(mod, admission->peer),
	};
	struct hd_ticket *held = NULL;
	enum hd_verdict verdict;

	if (who.given != NULL)
		*who.given = (struct policy_given){ .unsure = true };
	verdict = policy_conclude(pw, &who, ticket, &held);
	if (who.given != NULL)
		who.given->unsure = verdict == HD_VERDICT_PENDING;
	account_begin(mod, admission->peer);
	hd_admit_answer(&held, verdict, NULL); /* nobody waits for it */
	return verdict;
}

/* ---- its life ---- */

static int policy_start(struct hd_module *mod, struct hd_worker *w,
			struct hd_error *err)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);

	policy_take(mod, w);
	pw->mod = mod;
	pw->w = w;
	pw->answers = policy_answers_new();
	if (pw->answers == NULL || policy_sweep_new(mod, w) < 0 ||
	    account_start(pw) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	policy_sweep_begin(pw); /* nobody has asked about who is here already */
	return 0;
}

static void policy_serving(struct hd_module *mod, struct hd_worker *w, bool on)
{
	(void)on;
	account_serving(hd_module_worker_data(mod, w));
}

static int add_commands(struct hd_module *mod, const struct hd_command *c,
			struct hd_error *err)
{
	int r = 0;

	for (; r == 0 && c->words != NULL; c++)
		r = hd_command_add(mod, c, err);
	return r;
}

static int policy_load(struct hd_module *mod, struct hd_error *err)
{
	int r = policy_main_init(mod, err);

	if (r == 0)
		r = account_load(mod, err);
	if (r == 0)
		r = account_top_load(mod, err);
	if (r == 0)
		r = hd_hook_admit(mod, on_admit, err);
	if (r == 0)
		r = hd_hook_admit_mesh(mod, on_admit, err);
	if (r == 0)
		r = policy_given_hooks(mod, err);
	if (r == 0)
		r = add_commands(mod, policy_commands, err);
	if (r == 0)
		r = add_commands(mod, policy_devices_commands, err);
	if (r == 0)
		r = add_commands(mod, account_commands, err);
	if (r < 0)
		policy_unload(mod);
	return r;
}

static const struct hd_event_def events[] = {
	{ "policy.quota", "a tenant, or a key, has used 80 or 100 % of its "
			  "quota, or may go on" },
	{ NULL, NULL },
};

HD_MODULE(policy, .version = "1.0", .licence = "MIT",
	  .summary = "who may use the relay",
	  .flags = HD_MODULE_GUARD | HD_MODULE_UPGRADES | HD_MODULE_AHEAD,
	  .upgrade = &policy_upgrade, .options = policy_options,
	  .metrics = metrics, .events = events,
	  .metrics_size = sizeof(struct policy_numbers),
	  .conf_size = sizeof(struct policy_conf),
	  .worker_size = sizeof(struct policy_worker), .check = policy_check,
	  .load = policy_load, .start = policy_start, .changed = policy_changed,
	  .serving = policy_serving, .stop = policy_stop,
	  .unload = policy_unload);
