/* SPDX-License-Identifier: MIT */
/* modules/policy/quota.h - how much a tenant may use the relay in a month. The
 * main thread compares, once a second, what the ledger has with the
 * configuration; workers are given the tenants that have used all of it.
 * Files: quota.c lists of them; quota_watch.c who has used how much. */
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

struct policy_quotas { /* never changes; owned by all who hold it */
	atomic_uint holders;
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
/* policy_quota_limits - those of a tenant that is slow now. */
struct hd_limits policy_quota_limits(const struct policy_spent *spent,
				     const struct hd_limits *limits);

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
/* policy_quota_put - of a tenant, into a row that is open.
 * policy_quota_put_none - the same columns, empty: every row has them. Any
 * thread. */
void policy_quota_put(struct hd_call *call, const char *tenant);
void policy_quota_put_none(struct hd_call *call);
