/* SPDX-License-Identifier: MIT */
/* modules/policy/roles.c - who is trusted as another relay: who has the mesh
 * key, and whom a rule gives that role. Such a one may say of any packet from
 * whom it is. So a rule must name keys, which clients prove, or the mesh key:
 * no address, token, list of devices or service is enough by itself; and no
 * rule that says nothing of the mesh matches another relay. */
#include <errno.h>
#include "modules/policy/policy.h"

const char *const policy_roles[] = { [POLICY_ROLE_OWN] = "own",
				     [POLICY_ROLE_CLIENT] = "client",
				     [POLICY_ROLE_MESH] = "mesh",
				     [POLICY_ROLE_N] = NULL };

/* Whom it allows is another relay. */
static bool gives_mesh(enum policy_role role, bool has_key)
{
	return role == POLICY_ROLE_OWN ? has_key : role == POLICY_ROLE_MESH;
}

int policy_role_check(const struct policy_rule_conf *c, struct hd_error *err)
{
	if (c->action == POLICY_DENY)
		return c->role == POLICY_ROLE_OWN
			       ? 0
			       : hd_error_at(&c->at_role, err, -EINVAL,
					     "role: a rule that denies cannot "
					     "have one; remove it");
	if (!gives_mesh((enum policy_role)c->role, c->mesh))
		return 0;
	if (c->keys == NULL && !c->mesh)
		return hd_error_at(&c->at_role, err, -EINVAL,
				   "role: mesh gives the right to speak for "
				   "any client; name keys, or mesh: true");
	if (c->tenant != NULL || c->limits.n > 0 || c->quota.n > 0)
		return hd_error_at(&c->at, err, -EINVAL,
				   "tenant, limits and quota are of clients, "
				   "and this rule is of other relays; remove "
				   "them, or write role: client");
	return 0;
}

bool policy_is_mesh(const struct policy_decision *d, bool has_key)
{
	return d->by == POLICY_BY_RULE
		       ? !d->deny && gives_mesh(d->rule->role, has_key)
		       : has_key;
}

const char *policy_role_of(const struct policy_decision *d, bool has_key)
{
	if (d->deny || d->by == POLICY_ASK || d->by == POLICY_UNSAID)
		return NULL;
	return policy_roles[policy_is_mesh(d, has_key) ? POLICY_ROLE_MESH
						       : POLICY_ROLE_CLIENT];
}
