/* SPDX-License-Identifier: MIT */
/* modules/policy/tenants.c - of which tenant those are whom a rule allows. */
#include <errno.h>
#include <string.h>
#include "modules/policy/service.h"

int policy_tenant_check(const struct policy_rule_conf *c, struct hd_error *err)
{
	if (c->tenant == NULL)
		return 0;
	if (c->action == POLICY_DENY)
		return hd_error_at(
			&c->at_tenant, err, -EINVAL,
			"tenant: a rule that denies cannot have one; "
			"remove it");
	if (!hd_tenant_is_name(c->tenant))
		return hd_error_at(&c->at_tenant, err, -EINVAL,
				   "tenant: \"%s\" is not a tenant's name; "
				   "write 1 to %d letters, digits, `.`, `_` or "
				   "`-`",
				   c->tenant, HD_TENANT_BYTES - 1);
	return 0;
}

/* The rule's comes before that of its service: which tenants a service may name
 * is the operator's to say. */
static const char *of_rules(const struct policy_decision *d)
{
	if (d->deny || d->rule == NULL)
		return "";
	if (d->rule->tenant != NULL)
		return d->rule->tenant;
	return d->extra != NULL ? d->extra->tenant : "";
}

bool policy_gives_tenant(const struct policy_decision *d)
{
	return of_rules(d)[0] != '\0';
}

/* What another module has said counts where rules say none. */
const char *policy_tenant_of(const struct policy_decision *d)
{
	return d->deny || d->tenant == NULL || policy_gives_tenant(d)
		       ? of_rules(d)
		       : d->tenant;
}

bool policy_tenant_moved(const struct policy_decision *d, const char *now)
{
	return !d->deny && d->by != POLICY_ASK && d->by != POLICY_BY_FAILURE &&
	       strcmp(policy_tenant_of(d), now) != 0;
}
