/* SPDX-License-Identifier: MIT */
/* modules/policy/quota.c - the option, and lists of tenants that have used
 * theirs. */
#include "modules/policy/quota.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WARN_PERCENT = 80 };

/* ---- the section ---- */

static const char *const thens[] = { [POLICY_QUOTA_DENY] = "deny",
				     [POLICY_QUOTA_SLOW] = "slow",
				     [POLICY_QUOTA_SLOW + 1] = NULL };

#define QUOTA(field) .offset = offsetof(struct policy_quota_conf, field)

const struct hd_option policy_quota_options[] = {
	{ .name = "bytes",
	  .type = HD_OPTION_SIZE_BYTES,
	  QUOTA(bytes),
	  .required = true,
	  .min = 1,
	  .max = 1ull << 50,
	  .example = "500GiB",
	  .help = "so much in a month (UTC), in and out together" },
	{ .name = "then",
	  .type = HD_OPTION_CHOICE,
	  QUOTA(then),
	  .def = "deny",
	  .choices = thens,
	  .help = "what happens when it is used: the tenant, or the key, may "
		  "not use the relay, or is slow" },
	{ .name = "rate",
	  .type = HD_OPTION_SIZE_BYTES,
	  QUOTA(bytes_per_s),
	  .def = "64KiB",
	  .min = 1,
	  .max = 1ull << 40,
	  .unit = "bytes/s",
	  .help = "with `then: slow`; of a tenant all its clients together" },
	HD_OPTION_END,
};

int policy_quota_check(const struct policy_conf *conf,
		       const struct policy_tenant_conf *t, struct hd_error *err)
{
	if (t->quota.n == 0 || conf->accounting)
		return 0;
	return hd_error_at(&t->at, err, -EINVAL,
			   "quota: tenant %s has one, but nothing is counted; "
			   "remove `accounting: false`, or the quota",
			   t->name);
}

/* ---- lists ---- */

/* The names stand behind the elements. */
struct policy_quotas *policy_quotas_new(const struct policy_spent *v, size_t n)
{
	size_t names = 0;
	struct policy_quotas *q;
	char *to;

	for (size_t i = 0; i < n; i++)
		names += strlen(v[i].tenant) + 1;
	q = calloc(1, sizeof(*q) + n * sizeof(*v) + names);
	if (q == NULL)
		return NULL;
	q->holders = 1;
	q->n = n;
	to = (char *)&q->v[n];
	for (size_t i = 0; i < n; i++) {
		q->v[i] = v[i];
		q->v[i].tenant = strcpy(to, v[i].tenant);
		to += strlen(to) + 1;
	}
	return q;
}

struct policy_quotas *policy_quotas_hold(struct policy_quotas *quotas)
{
	if (quotas != NULL)
		quotas->holders++;
	return quotas;
}

void policy_quotas_drop(struct policy_quotas **quotas)
{
	struct policy_quotas *q = hd_steal(quotas);

	if (q == NULL || --q->holders > 0)
		return;
	policy_over_drop(&q->over);
	free(q);
}

bool policy_quotas_same(const struct policy_quotas *a,
			const struct policy_quotas *b)
{
	size_t n = a != NULL ? a->n : 0, i = 0;

	if (n != (b != NULL ? b->n : 0) ||
	    (a != NULL ? a->over : NULL) != (b != NULL ? b->over : NULL))
		return false;
	while (i < n && strcmp(a->v[i].tenant, b->v[i].tenant) == 0 &&
	       a->v[i].denies == b->v[i].denies &&
	       a->v[i].bytes_per_s == b->v[i].bytes_per_s)
		i++;
	return i == n;
}

const struct policy_spent *
policy_quotas_find(const struct policy_quotas *quotas, const char *tenant)
{
	size_t n = quotas != NULL ? quotas->n : 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(quotas->v[i].tenant, tenant) == 0)
			return &quotas->v[i];
	return NULL;
}

unsigned policy_quota_percent(uint64_t used, uint64_t bytes)
{
	return (unsigned)HD_MIN((double)used * 100 / (double)bytes, 999999.0);
}

enum policy_quota_level policy_quota_level(uint64_t used, uint64_t bytes)
{
	if (used >= bytes)
		return POLICY_QUOTA_USED;
	return policy_quota_percent(used, bytes) >= WARN_PERCENT
		       ? POLICY_QUOTA_NEAR
		       : POLICY_QUOTA_WELL;
}

struct hd_limits policy_quota_limits(uint64_t bytes_per_s,
				     const struct hd_limits *limits)
{
	struct hd_limits l = *limits;

	if (l.bytes_per_s == 0 || l.bytes_per_s > bytes_per_s) {
		l.bytes_per_s = bytes_per_s;
		l.burst_bytes = 0;
	}
	return l;
}
