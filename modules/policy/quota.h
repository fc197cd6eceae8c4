/* SPDX-License-Identifier: MIT */
/* modules/policy/quota.h - how much a tenant, or a key, may use the relay in a
 * month. The main thread compares, once a second, what the ledger has with the
 * configuration; workers are given the tenants that have used all of it, and
 * the keys that have used much.
 * Files: quota.c lists of tenants; quota_watch.c who has used how much;
 * quota_keys.c, quota_keys_watch.c the same of keys. */
#pragma once
#include <hyper-derp/control.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/upgrade.h>
#include <stdatomic.h>
#include "modules/policy/conf.h"

struct policy_spent { /* a tenant that has used its quota */
	const char *tenant;
	bool denies; /* nobody of it is let in, or stays; else it is slow */
	uint64_t bytes_per_s; /* of all of it together then */
};

struct policy_over { /* never changes; owned by all who hold it */
	atomic_uint holders;
	size_t n;
	struct policy_over_key { /* has used 80 % of a rule's quota, or more */
		struct hd_key key;
		uint64_t tenant; /* policy_over_tenant() */
		uint64_t used; /* bytes */
	} v[]; /* by key */
};

struct policy_quotas { /* the same */
	atomic_uint holders;
	struct policy_over *over; /* NULL: no key */
	size_t n;
	struct policy_spent v[];
};

/* ---- quota.c ---- */

extern const struct hd_option policy_quota_options[];

/* policy_quota_check - of a tenant. Returns 0; -EINVAL with the place in err.
 */
int policy_quota_check(const struct policy_conf *conf,
		       const struct policy_tenant_conf *t,
		       struct hd_error *err);
/* policy_quotas_new - a copy. Returns NULL when out of memory.
 * policy_quotas_hold, policy_quotas_drop - NULL is allowed.
 * policy_quotas_same - whether they say the same.
 * policy_quotas_find - NULL: this tenant may go on. quotas: NULL none. */
struct policy_quotas *policy_quotas_new(const struct policy_spent *v, size_t n);
struct policy_quotas *policy_quotas_hold(struct policy_quotas *quotas);
void policy_quotas_drop(struct policy_quotas **quotas);
bool policy_quotas_same(const struct policy_quotas *a,
			const struct policy_quotas *b);
const struct policy_spent *
policy_quotas_find(const struct policy_quotas *quotas, const char *tenant);
/* policy_quota_limits - those of a tenant, or a key, that is slow now. */
struct hd_limits policy_quota_limits(uint64_t bytes_per_s,
				     const struct hd_limits *limits);

enum policy_quota_level {
	POLICY_QUOTA_WELL,
	POLICY_QUOTA_NEAR, /* 80 % */
	POLICY_QUOTA_USED,
};
enum policy_quota_level policy_quota_level(uint64_t used, uint64_t bytes);
unsigned policy_quota_percent(uint64_t used, uint64_t bytes);

/* ---- quota_keys.c ---- */

/* policy_quota_take - of a rule; bytes 0: it has none. Returns 0; -EINVAL with
 * the place in err.
 * policy_over_new - a copy. Returns NULL when out of memory.
 * policy_over_hold, policy_over_drop - NULL is allowed.
 * policy_over_used - what a key of a tenant has used; 0: not so much. over:
 * NULL no key has. */
int policy_quota_take(const struct policy_conf *conf,
		      const struct policy_rule_conf *c,
		      struct policy_quota_conf *ret, struct hd_error *err);
uint64_t policy_over_tenant(const char *name);
struct policy_over *policy_over_new(const struct policy_over_key *v, size_t n);
struct policy_over *policy_over_hold(struct policy_over *over);
void policy_over_drop(struct policy_over **over);
uint64_t policy_over_used(const struct policy_over *over, const char *tenant,
			  const struct hd_key *key);

/* ---- quota_watch.c: the main thread ---- */

/* policy_quota_look - who has used how much by now: said in the log and as an
 * event, and to workers where it changes something. policy_quota_end - in
 * unload(). */
void policy_quota_look(void);
void policy_quota_end(void);
/* policy_quota_pack, policy_quota_unpack - what has been said, and which
 * tenants have used all: the new process need not say it again, and lets nobody
 * of them in before it has read the files. Return 0; -EBADMSG; -ENOMEM. */
void policy_quota_pack(struct hd_pack *to);
int policy_quota_unpack(const struct hd_unpack *from);
/* policy_quota_said - metrics: of a tenant, or a key, it has been said.
 * policy_quota_put - of a tenant, into a row that is open.
 * policy_quota_put_none - the same columns, empty: every row has them. Any
 * thread. */
void policy_quota_said(bool of_key, enum policy_quota_level level);
void policy_quota_put(struct hd_call *call, const char *tenant);
void policy_quota_put_none(struct hd_call *call);

/* ---- quota_keys_watch.c: the main thread ---- */

struct account; /* account.h */
struct ledger;
struct policy_rule; /* policy.h */

/* policy_quota_count - an account has more. @quota_bytes  of the rule that
 * allows its key; 0: none.
 * policy_quota_put_key - what it has used, and the rule's quota: a group. Where
 * a service says the tenant, of that in which it has used most, and which.
 * policy_quota_keys_look - the list as it is now; borrowed; NULL none.
 * policy_quota_keys_end - as policy_quota_end().
 * policy_quota_keys_pack, policy_quota_keys_unpack - as those above; unpack
 * returns the list; borrowed. */
void policy_quota_count(struct account *a, uint64_t quota_bytes);
void policy_quota_put_key(struct hd_call *call, const struct policy_rule *rule,
			  const struct hd_key *key);
struct policy_over *policy_quota_keys_look(const struct ledger *l);
void policy_quota_keys_end(void);
void policy_quota_keys_pack(struct hd_pack *to);
struct policy_over *policy_quota_keys_unpack(const struct hd_unpack *from);
