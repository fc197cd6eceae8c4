/* SPDX-License-Identifier: MIT */
/* modules/policy/limits.c - how much those may send whom a rule allows, and all
 * of a tenant together. */
#include <errno.h>
#include <string.h>
#include "modules/policy/service.h"

/* ---- the section ---- */

#define LIMIT(field) .offset = offsetof(struct policy_limits_conf, field)

const struct hd_option policy_limits_options[] = {
	{ .name = "rate",
	  .type = HD_OPTION_SIZE_BYTES,
	  LIMIT(bytes_per_s),
	  .def = "0",
	  .unit = "bytes/s",
	  .help = "so much is read from them; 0: no limit, or "
		  "peer_rate_limit" },
	{ .name = "burst",
	  .type = HD_OPTION_SIZE_BYTES,
	  LIMIT(burst_bytes),
	  .def = "0",
	  .help = "so much may come at once; 0: 64KiB of a key; of a tenant a "
		  "tenth of a second's worth, and 128KiB at least" },
	{ .name = "packet_cost",
	  .type = HD_OPTION_SIZE_BYTES,
	  LIMIT(packet_bytes),
	  .def = "0",
	  .max = 65536,
	  .help = "each packet counts as so much more than its bytes" },
	{ .name = "connections",
	  .type = HD_OPTION_UINT,
	  LIMIT(connections),
	  .def = "0",
	  .max = 1000000,
	  .help = "so many at once; 0: any number" },
	HD_OPTION_END,
};

#define TENANT(field) .offset = offsetof(struct policy_tenant_conf, field)

const struct hd_option policy_tenant_options[] = {
	{ .name = "name", .type = HD_OPTION_PLACE, TENANT(at) },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  TENANT(name),
	  .required = true,
	  .example = "office",
	  .help = "that rules give" },
	{ .name = "limits",
	  .type = HD_OPTION_ENTRIES,
	  TENANT(limits),
	  .max = 1,
	  .example = "{rate: 10MiB, connections: 1000}",
	  .entry = policy_limits_options,
	  .entry_size = sizeof(struct policy_limits_conf),
	  .help = "of all its clients together; each gets the same" },
	{ .name = "quota",
	  .type = HD_OPTION_ENTRIES,
	  TENANT(quota),
	  .max = 1,
	  .example = "{bytes: 500GiB, then: slow}",
	  .entry = policy_quota_options,
	  .entry_size = sizeof(struct policy_quota_conf),
	  .help = "of all its clients together, in a month" },
	HD_OPTION_END,
};

/* ---- checked ---- */

static bool is_twice(const struct policy_conf *conf, size_t i)
{
	const char *name = conf->tenants.v[i].name;

	while (i-- > 0)
		if (strcmp(conf->tenants.v[i].name, name) == 0)
			return true;
	return false;
}

int policy_limits_check(const struct policy_conf *conf, struct hd_error *err)
{
	for (size_t i = 0; i < conf->tenants.n; i++) {
		const struct policy_tenant_conf *t = &conf->tenants.v[i];

		if (!hd_tenant_is_name(t->name))
			return hd_error_at(
				&t->at, err, -EINVAL,
				"name: \"%s\" is not a tenant's name; "
				"write 1 to %d letters, "
				"digits, `.`, `_` or `-`",
				t->name, HD_TENANT_BYTES - 1);
		if (policy_quota_check(conf, t, err) < 0)
			return -EINVAL;
		if (is_twice(conf, i))
			return hd_error_at(
				&t->at, err, -EINVAL,
				"name: tenant %s is there twice; put "
				"its limits into one entry",
				t->name);
	}
	return 0;
}

/* ---- made ---- */

static struct hd_limits limits_of(const struct policy_limits_list *list)
{
	const struct policy_limits_conf *c = list->v;

	if (list->n == 0)
		return (struct hd_limits){ 0 };
	return (struct hd_limits){
		.bytes_per_s = c->bytes_per_s,
		.burst_bytes = c->burst_bytes,
		.packet_bytes = (uint32_t)c->packet_bytes,
		.connections = (uint32_t)c->connections,
	};
}

static struct hd_limits of_tenant(const struct policy_conf *conf,
				  const char *name)
{
	for (size_t i = 0; name[0] != '\0' && i < conf->tenants.n; i++)
		if (strcmp(conf->tenants.v[i].name, name) == 0)
			return limits_of(&conf->tenants.v[i].limits);
	return (struct hd_limits){ 0 };
}

int policy_limits_take(const struct policy_conf *conf,
		       const struct policy_rule_conf *c,
		       struct hd_limits ret[HD_LIMITS_N], struct hd_error *err)
{
	if (c->limits.n > 0 && c->action == POLICY_DENY)
		return hd_error_at(
			&c->at_limits, err, -EINVAL,
			"limits: a rule that denies cannot have them; "
			"remove them");
	ret[HD_LIMITS_KEY] = limits_of(&c->limits);
	if (c->tenant != NULL)
		ret[HD_LIMITS_TENANT] = of_tenant(conf, c->tenant);
	return 0;
}

/* ---- said ---- */

/* Before quotas: what a service says of a key comes before its rule's. */
static struct hd_limits given(const struct policy_worker *pw,
			      const struct policy_decision *d,
			      enum hd_limits_of of)
{
	if (of == HD_LIMITS_KEY && d->extra != NULL && d->extra->has_limits)
		return d->extra->limits;
	if (of == HD_LIMITS_TENANT &&
	    (d->rule == NULL || d->rule->tenant == NULL))
		return of_tenant(policy_conf_of(pw), policy_tenant_of(d));
	return d->rule != NULL ? d->rule->limits[of]
			       : (struct hd_limits){ 0 };
}

/* @of  whose: of somebody whom no rule allows, only what its tenant has */
static struct hd_limits said_of(const struct policy_worker *pw,
				const struct policy_decision *d,
				enum hd_limits_of of)
{
	const struct policy_spent *spent =
		policy_quotas_find(pw->quotas, policy_tenant_of(d));

	struct hd_limits l = { 0 };

	if (d->deny)
		return l;
	l = given(pw, d, of);
	if (of == HD_LIMITS_TENANT && spent != NULL)
		return policy_quota_limits(spent->bytes_per_s, &l);
	if (of == HD_LIMITS_KEY && d->slow)
		return policy_quota_limits(d->rule->quota.bytes_per_s, &l);
	return l;
}

static bool is_none(const struct hd_limits *l)
{
	return l->bytes_per_s == 0 && l->burst_bytes == 0 &&
	       l->packet_bytes == 0 && l->connections == 0;
}

void policy_limits_admit(const struct policy_worker *pw,
			 const struct policy_decision *d,
			 struct policy_given *given, struct hd_ticket *ticket)
{
	for (unsigned i = 0; i < HD_LIMITS_N; i++) {
		const struct hd_limits l = said_of(pw, d, i);

		if (given != NULL)
			given->limits[i] = !is_none(&l);
		/* of a tenant that is known it is said that it has none */
		if (!is_none(&l) ||
		    (i == HD_LIMITS_TENANT && policy_tenant_of(d)[0] != '\0'))
			hd_admit_limits(ticket, i, &l);
	}
}

void policy_limits_again(const struct policy_worker *pw, uint64_t conn,
			 const struct policy_decision *d,
			 struct policy_given *given)
{
	if (d->deny || d->by == POLICY_ASK || d->by == POLICY_BY_FAILURE)
		return;
	for (unsigned i = 0; i < HD_LIMITS_N; i++) {
		const struct hd_limits l = said_of(pw, d, i);

		if (given != NULL && !given->limits[i] && is_none(&l))
			continue;
		if (given != NULL)
			given->limits[i] = !is_none(&l);
		hd_relay_limit(pw->w, conn, i, &l);
	}
}
