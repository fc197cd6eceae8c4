/* SPDX-License-Identifier: MIT */
/* modules/policy/quota_keys.c - the quota of each key that a rule allows, and
 * the list of keys that have used much.
 *
 * Which rule allows a key is known in its worker only; how much it has used, to
 * the main thread only. So the list has what keys have used that are near any
 * rule's quota or beyond it, and the worker compares with its rule's. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/policy.h"

/* ---- of a rule ---- */

int policy_quota_take(const struct policy_conf *conf,
		      const struct policy_rule_conf *c,
		      struct policy_quota_conf *ret, struct hd_error *err)
{
	if (c->quota.n == 0)
		return 0;
	if (c->action == POLICY_DENY)
		return hd_error_at(&c->at_quota, err, -EINVAL,
				   "quota: a rule that denies cannot have one; "
				   "remove it");
	if (!conf->accounting)
		return hd_error_at(&c->at_quota, err, -EINVAL,
				   "quota: the rule has one, but nothing is "
				   "counted; remove `accounting: false`, or "
				   "the quota");
	*ret = c->quota.v[0];
	return 0;
}

/* ---- lists ---- */

uint64_t policy_over_tenant(const char *name)
{
	static const uint8_t salt[crypto_shorthash_KEYBYTES];
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, (const uint8_t *)name, strlen(name),
			 salt);
	return hash;
}

static int by_key(const void *a, const void *b)
{
	const struct policy_over_key *x = a, *y = b;
	int r = memcmp(&x->key, &y->key, HD_KEY_BYTES);

	return r != 0 ? r : (x->tenant > y->tenant) - (x->tenant < y->tenant);
}

struct policy_over *policy_over_new(const struct policy_over_key *v, size_t n)
{
	struct policy_over *o = calloc(1, sizeof(*o) + n * sizeof(*v));

	if (o == NULL)
		return NULL;
	o->holders = 1;
	o->n = n;
	if (n > 0)
		memcpy(o->v, v, n * sizeof(*v));
	qsort(o->v, n, sizeof(*v), by_key);
	return o;
}

struct policy_over *policy_over_hold(struct policy_over *over)
{
	if (over != NULL)
		over->holders++;
	return over;
}

void policy_over_drop(struct policy_over **over)
{
	struct policy_over *o = hd_steal(over);

	if (o != NULL && --o->holders == 0)
		free(o);
}

uint64_t policy_over_used(const struct policy_over *over, const char *tenant,
			  const struct hd_key *key)
{
	const struct policy_over_key want = { *key, policy_over_tenant(tenant),
					      0 };
	const struct policy_over_key *x =
		over == NULL ? NULL
			     : bsearch(&want, over->v, over->n,
				       sizeof(over->v[0]), by_key);

	return x != NULL ? x->used : 0;
}
