/* SPDX-License-Identifier: MIT */
/* modules/policy/decide.c - who may be here: revocations, then rules in their
 * order, then the default.
 *
 * A rule whose service cannot be asked, or whose list of devices was never
 * loaded, is passed over, and remembered: the next
 * that matches decides. Where none does, the default would; but had the service
 * answered, the rule might have let in, so `fail_open` decides. A rule that
 * denies keeps out, unless fail_open. */
#include <stdio.h>
#include "modules/policy/service.h"

const struct policy_conf *policy_conf_of(const struct policy_worker *pw)
{
	return pw->w != NULL ? hd_module_worker_conf(pw->mod, pw->w)
			     : hd_module_conf(policy_main.mod);
}

static void by_revocation(const struct policy_revocation *x,
			  struct policy_decision *ret)
{
	*ret = (struct policy_decision){ .deny = true,
					 .by = POLICY_BY_REVOCATION,
					 .name = "" };
	snprintf(ret->reason, sizeof(ret->reason), "this key is revoked%s%s",
		 x->why[0] != '\0' ? ": " : "", x->why);
}

static void by_rule(const struct policy_rule *rule, struct policy_decision *ret)
{
	ret->by = POLICY_BY_RULE;
	ret->deny = rule->deny;
	if (rule->deny && rule->reason != NULL)
		snprintf(ret->reason, sizeof(ret->reason), "%s", rule->reason);
	else if (rule->deny)
		snprintf(ret->reason, sizeof(ret->reason),
			 "the rule %s denies it", rule->label);
}

static void by_failure(const struct policy_rule *rule, bool deny,
		       struct policy_decision *ret)
{
	ret->by = POLICY_BY_FAILURE;
	ret->rule = rule;
	ret->deny = deny;
	if (deny)
		snprintf(ret->reason, sizeof(ret->reason),
			 "the relay cannot ask who you are; try again");
}

/* Whether a service that cannot be asked keeps people out. */
static bool keeps_out(const struct policy_worker *pw)
{
	return !policy_conf_of(pw)->fail_open;
}

/* No rule matches: who has the mesh key needs none.
 * @failed  the first that could not be asked; NULL: none */
static void by_default(const struct policy_worker *pw,
		       const struct policy_subject *who,
		       const struct policy_rule *failed,
		       struct policy_decision *ret)
{
	ret->by = POLICY_BY_DEFAULT;
	if (!pw->rules->deny || who->mesh)
		return;
	if (failed != NULL) {
		by_failure(failed, keeps_out(pw), ret);
		return;
	}
	ret->deny = true;
	snprintf(ret->reason, sizeof(ret->reason),
		 "this key is not on the relay's list");
}

static struct policy_answer answer_of(const struct policy_worker *pw,
				      const struct policy_rule *rule,
				      const struct hd_key *key,
				      enum policy_when when)
{
	if (when == POLICY_DEAD)
		return (struct policy_answer){ POLICY_FAILED, NULL };
	if (pw->answers == NULL)
		return (struct policy_answer){ POLICY_SAID_NOTHING, NULL };
	return policy_answers_find(pw, rule->url, key, when);
}

/* Returns whether that decides: else it is remembered. */
static bool cannot_ask(const struct policy_worker *pw,
		       const struct policy_rule *rule,
		       const struct policy_rule **ret_failed,
		       struct policy_decision *ret)
{
	if (rule->deny && keeps_out(pw)) {
		by_failure(rule, true, ret);
		return true;
	}
	if (*ret_failed == NULL)
		*ret_failed = rule;
	return false;
}

/* Whether a list of devices has it, where the rule wants one. @name  of the
 * key: a file's comes before the list's. */
static enum policy_listed listed(const struct policy_worker *pw,
				 const struct policy_rule *rule,
				 const struct hd_key *key, const char **name)
{
	const char *of_list = "";
	enum policy_listed r = POLICY_LISTED_YES;

	if (rule->devices.url != NULL)
		r = policy_devices_ask(pw->devices, &rule->devices, key,
				       &of_list);
	if (r == POLICY_LISTED_YES && (*name)[0] == '\0')
		*name = of_list;
	return r;
}

/* A rule that all else matches has a service. Returns whether that decides:
 * else the next rule does.
 * @ret_failed  is set when it cannot be asked, and was NULL */
static bool by_service(const struct policy_worker *pw,
		       const struct policy_subject *who, enum policy_when when,
		       const struct policy_rule **ret_failed,
		       struct policy_decision *ret)
{
	const struct policy_rule *rule = ret->rule;
	struct policy_answer a = answer_of(pw, rule, who->key, when);

	if (a.said == POLICY_SAID_NOTHING ||
	    (a.said == POLICY_FAILED && when == POLICY_HERE)) {
		ret->by = POLICY_ASK;
		return true;
	}
	if (a.said == POLICY_SAID_YES) {
		by_rule(rule, ret);
		if (!policy_is_mesh(ret, who->mesh)) /* of clients */
			ret->extra = a.extra;
		if (a.extra->name[0] != '\0')
			ret->name = a.extra->name;
		return true;
	}
	return a.said != POLICY_SAID_NO &&
	       cannot_ask(pw, rule, ret_failed, ret);
}

/* A rule whose list was never loaded. @ret_failed  as by_service() has it */
static bool by_unknown_list(const struct policy_worker *pw,
			    enum policy_when when,
			    const struct policy_rule **ret_failed,
			    struct policy_decision *ret)
{
	const struct policy_rule *rule = ret->rule;

	if (when == POLICY_HERE) { /* stays until it is known */
		ret->by = POLICY_ASK;
		return true;
	}
	return cannot_ask(pw, rule, ret_failed, ret);
}

/* @whose  has used it */
static void deny_by_quota(struct policy_decision *ret, const char *whose)
{
	ret->by = POLICY_BY_QUOTA;
	ret->deny = true;
	snprintf(ret->reason, sizeof(ret->reason),
		 "%s has used its quota of this month", whose);
}

/* What the rule gives each key. */
static void by_quota_of_key(const struct policy_worker *pw,
			    const struct hd_key *key,
			    struct policy_decision *ret)
{
	const struct policy_quota_conf *q = &ret->rule->quota;

	if (q->bytes == 0 || pw->quotas == NULL ||
	    policy_over_used(pw->quotas->over, policy_tenant_of(ret), key) <
		    q->bytes)
		return;
	ret->slow = q->then == POLICY_QUOTA_SLOW;
	if (!ret->slow)
		deny_by_quota(ret, "this key");
}

/* Whom a rule allows may not be here while its tenant, or the key itself, has
 * used its quota. */
static void by_quota(const struct policy_worker *pw, const struct hd_key *key,
		     struct policy_decision *ret)
{
	const struct policy_spent *spent =
		policy_quotas_find(pw->quotas, policy_tenant_of(ret));

	if (ret->deny || ret->by == POLICY_ASK || ret->by == POLICY_UNSAID)
		return;
	if (spent != NULL && spent->denies)
		deny_by_quota(ret, "its tenant");
	else if (ret->rule != NULL)
		by_quota_of_key(pw, key, ret);
}

static void by_rules(const struct policy_worker *pw,
		     const struct policy_subject *who, enum policy_when when,
		     struct policy_decision *ret)
{
	const struct policy_rule *failed = NULL;
	struct policy_verdict v;
	enum policy_listed is = POLICY_LISTED_YES;

	for (size_t at = 0;; at++) {
		at = policy_rules_ask(pw->rules, at, who, &v);
		if (v.rule != NULL)
			is = listed(pw, v.rule, who->key, &v.name);
		if (v.rule != NULL && is == POLICY_LISTED_NO)
			continue;
		*ret = (struct policy_decision){ .rule = v.rule,
						 .name = v.name };
		if (v.rule == NULL) {
			by_default(pw, who, failed, ret);
			return;
		}
		if (v.unsaid != 0) {
			ret->by = POLICY_UNSAID;
			ret->unsaid = v.unsaid;
			return;
		}
		if (is == POLICY_LISTED_UNKNOWN) {
			if (by_unknown_list(pw, when, &failed, ret))
				return;
			continue;
		}
		if (v.rule->url == NULL) {
			by_rule(v.rule, ret);
			return;
		}
		if (by_service(pw, who, when, &failed, ret))
			return;
	}
}

void policy_decide(const struct policy_worker *pw,
		   const struct policy_subject *who, enum policy_when when,
		   struct policy_decision *ret)
{
	const struct policy_revocation *x =
		policy_revoked_find(pw->revoked, who->key, time(NULL));

	if (x != NULL)
		by_revocation(x, ret);
	else
		by_rules(pw, who, when, ret);
	ret->tenant = who->tenant;
	by_quota(pw, who->key, ret);
}

/* ---- behind a login ---- */

static bool is_listed(const struct policy_worker *pw,
		      const struct policy_rule *rule, const struct hd_key *key)
{
	const char *name = "";

	return listed(pw, rule, key, &name) == POLICY_LISTED_YES;
}

/* Returns whether one is owed. */
static bool renew(struct policy_worker *pw, const struct policy_subject *who,
		  const struct policy_decision *d, bool owed_only)
{
	struct policy_verdict v;
	bool is_owed = false;

	for (size_t at = 0;; at++) {
		at = policy_rules_ask(pw->rules, at, who, &v);
		if (v.rule == NULL)
			return is_owed;
		if (v.rule->url != NULL && is_listed(pw, v.rule, who->key)) {
			bool owed = policy_answers_owed(pw, v.rule->url,
							who->key);

			is_owed |= owed;
			if (owed || !owed_only)
				policy_answers_renew(pw, v.rule->url, who);
		}
		if (v.rule == d->rule && d->by == POLICY_BY_RULE)
			return is_owed;
	}
}

void policy_renew(struct policy_worker *pw, const struct policy_subject *who,
		  const struct policy_decision *d)
{
	renew(pw, who, d, false);
}

bool policy_renew_owed(struct policy_worker *pw,
		       const struct policy_subject *who,
		       const struct policy_decision *d)
{
	return renew(pw, who, d, true);
}
