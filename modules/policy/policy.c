/* SPDX-License-Identifier: MIT */
/* modules/policy/policy.c - who may use the relay: rules and revocations, asked
 * at every login, and about who is connected when they change. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "modules/policy/policy.h"

/* ---- the section ---- */

static const char *const actions[] = { [POLICY_ALLOW] = "allow",
				       [POLICY_DENY] = "deny",
				       [POLICY_DENY + 1] = NULL };

#define RULE(field) .offset = offsetof(struct policy_rule_conf, field)

static const struct hd_option rule_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, RULE(at) },
	{ .name = "keys", .type = HD_OPTION_PLACE, RULE(at_keys) },
	{ .name = "from", .type = HD_OPTION_PLACE, RULE(at_from) },
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
	  .def = "[]",
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
	{ .name = "reason",
	  .type = HD_OPTION_STRING,
	  RULE(reason),
	  .example = "ask admin@example.com",
	  .help = "what a denied client and the log are told" },
	HD_OPTION_END,
};

#define CONF(field) .offset = offsetof(struct policy_conf, field)

const struct hd_option policy_options[] = {
	{ .name = "rules",
	  .type = HD_OPTION_ENTRIES,
	  CONF(rules),
	  .def = "[]",
	  .live = true,
	  .entry = rule_options,
	  .entry_size = sizeof(struct policy_rule_conf),
	  .help = "who may log in. The first rule that matches decides; a rule "
		  "matches when all that it names does" },
	{ .name = "default",
	  .type = HD_OPTION_CHOICE,
	  CONF(otherwise),
	  .def = "deny",
	  .choices = actions,
	  .live = true,
	  .help = "what happens to those whom no rule matches" },
	HD_OPTION_END,
};

/* ---- metrics ---- */

enum policy_end { ENDS_ALLOWED, ENDS_RULE, ENDS_DEFAULT, ENDS_REVOKED, ENDS_N };

struct policy_numbers {
	struct hd_counter logins[ENDS_N];
};

#define DECISIONS(end, verdict)                                                \
	HD_METRIC(struct policy_numbers, logins[end],                          \
		  "hyper_derp_policy_logins_total",                            \
		  "verdict=\"" verdict "\"",                                   \
		  "Logins that the policy decided about")

static const struct hd_metric metrics[] = {
	DECISIONS(ENDS_ALLOWED, "allowed"),
	DECISIONS(ENDS_RULE, "denied_by_rule"),
	DECISIONS(ENDS_DEFAULT, "denied_by_default"),
	DECISIONS(ENDS_REVOKED, "revoked"),
	HD_METRIC_END,
};

static enum policy_end end_of(const struct policy_decision *d)
{
	static const enum policy_end denied[] = {
		[POLICY_BY_RULE] = ENDS_RULE,
		[POLICY_BY_DEFAULT] = ENDS_DEFAULT,
		[POLICY_BY_REVOCATION] = ENDS_REVOKED,
	};

	return d->deny ? denied[d->by] : ENDS_ALLOWED;
}

/* ---- a decision ---- */

static void by_revocation(const struct policy_revocation *x,
			  struct policy_decision *ret)
{
	*ret = (struct policy_decision){ .deny = true,
					 .by = POLICY_BY_REVOCATION,
					 .name = "" };
	snprintf(ret->reason, sizeof(ret->reason), "this key is revoked%s%s",
		 x->why[0] != '\0' ? ": " : "", x->why);
}

static void by_rules(const struct policy_rules *rules,
		     const struct policy_subject *who,
		     struct policy_decision *ret)
{
	struct policy_verdict v;

	policy_rules_ask(rules, who, &v);
	*ret = (struct policy_decision){
		.deny = v.deny,
		.by = v.rule != NULL ? POLICY_BY_RULE : POLICY_BY_DEFAULT,
		.rule = v.rule,
		.name = v.name,
	};
	if (!v.deny)
		return;
	if (v.rule == NULL)
		snprintf(ret->reason, sizeof(ret->reason),
			 "this key is not on the relay's list");
	else if (v.rule->reason != NULL)
		snprintf(ret->reason, sizeof(ret->reason), "%s",
			 v.rule->reason);
	else
		snprintf(ret->reason, sizeof(ret->reason),
			 "the rule %s denies it", v.rule->label);
}

void policy_decide(const struct policy_worker *pw,
		   const struct policy_subject *who,
		   struct policy_decision *ret)
{
	const struct policy_revocation *x =
		policy_revoked_find(pw->revoked, who->key, time(NULL));

	if (x != NULL)
		by_revocation(x, ret);
	else
		by_rules(pw->rules, who, ret);
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
	};
	struct policy_numbers *numbers = hd_metrics(mod, w);
	struct policy_decision d;

	policy_decide(hd_module_worker_data(mod, w), &who, &d);
	hd_count(&numbers->logins[end_of(&d)], 1);
	if (d.deny) {
		hd_admit_reason(ticket, d.reason);
		return HD_VERDICT_DENY;
	}
	hd_admit_name(ticket, d.name);
	return HD_VERDICT_PASS;
}

/* ---- its life ---- */

static int policy_start(struct hd_module *mod, struct hd_worker *w,
			struct hd_error *err)
{
	policy_take(mod, w);
	return policy_sweep_new(mod, w) < 0
		       ? hd_error_set(err, -ENOMEM, "out of memory")
		       : 0;
}

static int policy_load(struct hd_module *mod, struct hd_error *err)
{
	const struct hd_command *c = policy_commands;
	int r = policy_main_init(mod, err);

	if (r == 0)
		r = hd_hook_admit(mod, on_admit, err);
	for (; r == 0 && c->words != NULL; c++)
		r = hd_command_add(mod, c, err);
	if (r < 0)
		policy_unload(mod);
	return r;
}

HD_MODULE(policy, .version = "1.0", .licence = "MIT",
	  .summary = "who may use the relay", .options = policy_options,
	  .metrics = metrics, .metrics_size = sizeof(struct policy_numbers),
	  .conf_size = sizeof(struct policy_conf),
	  .worker_size = sizeof(struct policy_worker), .check = policy_check,
	  .load = policy_load, .start = policy_start, .changed = policy_changed,
	  .stop = policy_stop, .unload = policy_unload);
