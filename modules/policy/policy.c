/* SPDX-License-Identifier: MIT */
/* modules/policy/policy.c - who may use the relay: rules and revocations, asked
 * at every login, and about who is connected when they change or begin. */
#include <errno.h>
#include <hyper-derp/event.h>
#include <stdio.h>
#include <string.h>
#include "modules/policy/service.h"

/* ---- the section ---- */

static const char *const actions[] = { [POLICY_ALLOW] = "allow",
				       [POLICY_DENY] = "deny",
				       [POLICY_DENY + 1] = NULL };

#define RULE(field) .offset = offsetof(struct policy_rule_conf, field)

/* What a rule matches has no default: "[]" must be told from not set. */
static const struct hd_option rule_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, RULE(at) },
	{ .name = "keys", .type = HD_OPTION_PLACE, RULE(at_keys) },
	{ .name = "url", .type = HD_OPTION_PLACE, RULE(at_url) },
	{ .name = "app_name", .type = HD_OPTION_PLACE, RULE(at_app_name) },
	{ .name = "tailscaled", .type = HD_OPTION_PLACE, RULE(at_tailscaled) },
	{ .name = "from", .type = HD_OPTION_PLACE, RULE(at_from) },
	{ .name = "listener", .type = HD_OPTION_PLACE, RULE(at_listener) },
	{ .name = "server_name",
	  .type = HD_OPTION_PLACE,
	  RULE(at_server_name) },
	{ .name = "tenant", .type = HD_OPTION_PLACE, RULE(at_tenant) },
	{ .name = "limits", .type = HD_OPTION_PLACE, RULE(at_limits) },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  RULE(name),
	  .example = "staff",
	  .help = "what the log and hdctl call the rule" },
	{ .name = "action",
	  .type = HD_OPTION_CHOICE,
	  RULE(action),
	  .def = "allow",
	  .choices = actions,
	  .help = "what happens to those whom the rule matches" },
	{ .name = "keys",
	  .type = HD_OPTION_PATH,
	  RULE(keys),
	  .example = "/etc/hyper-derp/keys/staff",
	  .help = "matches the keys of this file: a key a line, and its name" },
	{ .name = "from",
	  .type = HD_OPTION_LIST,
	  RULE(from),
	  .example = "[192.0.2.0/24]",
	  .help = "matches clients with these addresses or prefixes" },
	{ .name = "listener",
	  .type = HD_OPTION_STRING,
	  RULE(listener),
	  .example = "internal",
	  .help = "matches who came in by the listener of this name" },
	{ .name = "server_name",
	  .type = HD_OPTION_STRING,
	  RULE(server_name),
	  .example = "derp.example.com",
	  .help = "matches who asked for this host in TLS (SNI)" },
	{ .name = "app_name",
	  .type = HD_OPTION_STRING,
	  RULE(app_name),
	  .example = "tailcat",
	  .help = "matches clients that call themselves so (AppName of derp)" },
	{ .name = "url",
	  .type = HD_OPTION_STRING,
	  RULE(url),
	  .example = "https://headscale.example.com/verify",
	  .help = "matches whom this admission service allows, as derper's "
		  "--verify-client-url" },
	{ .name = "tailscaled",
	  .type = HD_OPTION_PATH,
	  RULE(tailscaled),
	  .example = "/run/tailscale/tailscaled.sock",
	  .help = "matches whom the tailscaled with this socket knows, as "
		  "derper's --verify-clients" },
	{ .name = "reason",
	  .type = HD_OPTION_STRING,
	  RULE(reason),
	  .example = "ask admin@example.com",
	  .help = "what a denied client and the log are told" },
	{ .name = "tenant",
	  .type = HD_OPTION_STRING,
	  RULE(tenant),
	  .example = "office",
	  .help = "whom the rule allows are of this tenant: they reach its "
		  "peers and nobody else, and nobody else reaches them" },
	{ .name = "limits",
	  .type = HD_OPTION_ENTRIES,
	  RULE(limits),
	  .max = 1,
	  .example = "{rate: 1MiB, burst: 256KiB}",
	  .entry = policy_limits_options,
	  .entry_size = sizeof(struct policy_limits_conf),
	  .help = "of each key that the rule allows" },
	HD_OPTION_END,
};

#define CONF(field) .offset = offsetof(struct policy_conf, field)

const struct hd_option policy_options[] = {
	{ .name = "ask_timeout",
	  .type = HD_OPTION_PLACE,
	  CONF(at_ask_timeout) },
	{ .name = "rules",
	  .type = HD_OPTION_ENTRIES,
	  CONF(rules),
	  .def = "[]",
	  .live = true,
	  .entry = rule_options,
	  .entry_size = sizeof(struct policy_rule_conf),
	  .help = "who may log in. The first rule that matches decides; a rule "
		  "matches when all that it names does" },
	{ .name = "tenants",
	  .type = HD_OPTION_ENTRIES,
	  CONF(tenants),
	  .def = "[]",
	  .live = true,
	  .entry = policy_tenant_options,
	  .entry_size = sizeof(struct policy_tenant_conf),
	  .help = "what counts for all clients of a tenant together" },
	{ .name = "default",
	  .type = HD_OPTION_CHOICE,
	  CONF(otherwise),
	  .def = "deny",
	  .choices = actions,
	  .live = true,
	  .help = "what happens to those whom no rule matches" },
	{ .name = "ask_timeout",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(ask_timeout_ms),
	  .def = "5s",
	  .min = 100,
	  .max = 60000,
	  .live = true,
	  .help = "how long an admission service may take" },
	{ .name = "allow_ttl",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(allow_ttl_ms),
	  .def = "5m",
	  .min = 1000,
	  .max = 86400000,
	  .live = true,
	  .help = "how long a service is not asked again about a key that it "
		  "allowed" },
	{ .name = "deny_ttl",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(deny_ttl_ms),
	  .def = "10s",
	  .min = 1000,
	  .max = 86400000,
	  .live = true,
	  .help = "the same of one that it denied" },
	{ .name = "stale_ttl",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(stale_ttl_ms),
	  .def = "24h",
	  .max = 2592000000,
	  .live = true,
	  .help = "how much longer an answer stands while the service is asked "
		  "again, or does not answer" },
	{ .name = "fail_open",
	  .type = HD_OPTION_BOOL,
	  CONF(fail_open),
	  .def = "false",
	  .live = true,
	  .help = "let in whom no rule matches when a service of a rule does "
		  "not answer; derper's default is true" },
	{ .name = "accounting",
	  .type = HD_OPTION_BOOL,
	  CONF(accounting),
	  .def = "true",
	  .live = true,
	  .help = "count for each month who has used the relay how much, in "
		  "files below state_dir: hdctl accounting" },
	{ .name = "accounting_keys",
	  .type = HD_OPTION_UINT,
	  CONF(accounting_keys),
	  .def = "100000",
	  .min = 1,
	  .max = 1000000,
	  .live = true,
	  .help = "so many keys have counts of their own in a month; more "
		  "count together, for each tenant" },
	HD_OPTION_END,
};

/* ---- metrics ---- */

#define DECISIONS(end, verdict)                                                \
	HD_METRIC(struct policy_numbers, logins[end],                          \
		  "hyper_derp_policy_logins_total", "verdict=\"" verdict "\"", \
		  "Logins that the policy decided about")

static const struct hd_metric metrics[] = {
	DECISIONS(POLICY_ENDS_ALLOWED, "allowed"),
	DECISIONS(POLICY_ENDS_RULE, "denied_by_rule"),
	DECISIONS(POLICY_ENDS_DEFAULT, "denied_by_default"),
	DECISIONS(POLICY_ENDS_REVOKED, "revoked"),
	DECISIONS(POLICY_ENDS_FAILURE, "denied_by_failure"),
	DECISIONS(POLICY_ENDS_QUOTA, "denied_by_quota"),
	HD_METRIC(struct policy_numbers, account_failed,
		  "hyper_derp_policy_accounting_failures_total", NULL,
		  "Times that a file of accounting could not be written"),
	HD_METRIC(struct policy_numbers, account_lost,
		  "hyper_derp_policy_accounting_lost_total", NULL,
		  "Connections that are not counted, for want of memory"),
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

static enum hd_verdict say(const struct policy_worker *pw,
			   const struct policy_decision *d,
			   struct hd_ticket *ticket, struct hd_ticket **held)
{
	struct policy_numbers *numbers = hd_metrics(pw->mod, pw->w);
	enum hd_verdict verdict = d->deny ? HD_VERDICT_DENY : HD_VERDICT_PASS;
	struct hd_ticket *t = ticket != NULL ? ticket : *held;

	hd_count(&numbers->logins[end_of(d)], 1);
	if (d->deny)
		hd_admit_reason(t, d->reason);
	else
		hd_admit_name(t, d->name);
	if (policy_tenant_of(d)[0] != '\0')
		hd_admit_tenant(t, policy_tenant_of(d));
	policy_limits_admit(pw, d, t);
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
		return say(pw, &d, ticket, held);
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
	return say(pw, &d, ticket, held);
}

static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *admission,
				struct hd_ticket *ticket)
{
	const struct policy_subject who = {
		.key = &admission->login->key,
		.from = admission->from,
		.listener = admission->listener,
		.server_name = admission->server_name,
		.app_name = admission->login->agent,
	};
	struct hd_ticket *held = NULL;
	enum hd_verdict verdict = policy_conclude(hd_module_worker_data(mod, w),
						  &who, ticket, &held);

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
		r = hd_hook_admit(mod, on_admit, err);
	if (r == 0)
		r = add_commands(mod, policy_commands, err);
	if (r == 0)
		r = add_commands(mod, account_commands, err);
	if (r < 0)
		policy_unload(mod);
	return r;
}

static const struct hd_event_def events[] = {
	{ "policy.quota", "a tenant has used 80 or 100 % of its quota, or may "
			  "go on" },
	{ NULL, NULL },
};

HD_MODULE(policy, .version = "1.0", .licence = "MIT",
	  .summary = "who may use the relay",
	  .flags = HD_MODULE_GUARD | HD_MODULE_UPGRADES,
	  .upgrade = &policy_upgrade, .options = policy_options,
	  .metrics = metrics, .events = events,
	  .metrics_size = sizeof(struct policy_numbers),
	  .conf_size = sizeof(struct policy_conf),
	  .worker_size = sizeof(struct policy_worker), .check = policy_check,
	  .load = policy_load, .start = policy_start, .changed = policy_changed,
	  .serving = policy_serving, .stop = policy_stop,
	  .unload = policy_unload);
