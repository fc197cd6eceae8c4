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
 * is the operator's to say. What another module has said counts where neither
 * says any. */
const char *policy_tenant_of(const struct policy_decision *d)
{
	if (d->deny)
		return "";
	if (d->rule != NULL && d->rule->tenant != NULL)
		return d->rule->tenant;
	if (d->rule != NULL && d->extra != NULL && d->extra->tenant[0] != '\0')
		return d->extra->tenant;
	return d->tenant != NULL ? d->tenant : "";
}

bool policy_tenant_moved(const struct policy_decision *d, const char *now)
{
	return !d->deny && d->by != POLICY_ASK && d->by != POLICY_BY_FAILURE &&
	       strcmp(policy_tenant_of(d), now) != 0;
}
