/* SPDX-License-Identifier: MIT */
/* modules/policy/quota_watch.c - what tenants have used of their quotas. Each
 * has a level, which rises with what it uses, and falls when the month turns or
 * the quota is raised: either is said once. */
#include "modules/policy/quota.h"
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/policy.h"

/* What has been said. Of tenants that have a quota, in the order of the
 * configuration. */
static struct {
	struct said {
		char tenant[HD_TENANT_BYTES];
		enum policy_quota_level level;
	} * v;
	size_t n;
} said;

/* ---- how much ---- */

static uint64_t used_by(const struct ledger *l, const char *tenant)
{
	const struct account_tenant *t = ledger_tenant(l, tenant);

	return t == NULL ? 0
			 : t->sum.n[ACCOUNT_BYTES_IN] +
				   t->sum.n[ACCOUNT_BYTES_OUT];
}

/* ---- metrics: written in a worker ---- */

static void on_said(struct hd_module *mod, struct hd_worker *w, void *which)
{
	struct policy_numbers *n = hd_metrics(mod, w);

	hd_count(&n->quotas[(uintptr_t)which], 1);
}

void policy_quota_said(bool of_key, enum policy_quota_level level)
{
	uintptr_t which = 2 * of_key + (level == POLICY_QUOTA_USED);

	if (level != POLICY_QUOTA_WELL && hd_workers() > 0)
		hd_post(policy_main.mod, hd_worker_at(0), on_said,
			(void *)which, NULL);
}

/* ---- said ---- */

static const char *words_of(enum policy_quota_level level,
			    const struct policy_quota_conf *q)
{
	if (level == POLICY_QUOTA_WELL)
		return "it may go on";
	if (level == POLICY_QUOTA_NEAR)
		return "it has used 80 %";
	return q->then == POLICY_QUOTA_DENY ? "it is used: nobody is let in"
					    : "it is used: it is slow now";
}

static void tell(const struct policy_tenant_conf *t,
		 enum policy_quota_level level, uint64_t used)
{
	const struct policy_quota_conf *q = t->quota.v;
	char json[256];

	hd_log_write(level == POLICY_QUOTA_WELL ? HD_LOG_NOTICE : HD_LOG_WARN,
		     "quota: tenant=%s used=%" PRIu64 " of=%" PRIu64 " (%s)",
		     t->name, used, q->bytes, words_of(level, q));
	snprintf(json, sizeof(json),
		 "{\"tenant\":\"%s\",\"used\":%" PRIu64 ",\"quota\":%" PRIu64
		 ",\"percent\":%u}",
		 t->name, used, q->bytes, policy_quota_percent(used, q->bytes));
	hd_event("policy.quota", json);
	hd_audit("policy.quota", json);
	policy_quota_said(false, level);
}

/* @i  where it stood, unless the configuration has changed */
static enum policy_quota_level level_before(const char *tenant, size_t i)
{
	if (i < said.n && strcmp(said.v[i].tenant, tenant) == 0)
		return said.v[i].level;
	for (i = 0; i < said.n; i++)
		if (strcmp(said.v[i].tenant, tenant) == 0)
			return said.v[i].level;
	return POLICY_QUOTA_WELL;
}

/* ---- a look at all of them ---- */

struct look {
	struct said *said;
	struct policy_spent *spent;
	size_t n_said, n_spent;
};

static void look_at(struct look *look, const struct ledger *l,
		    const struct policy_tenant_conf *t)
{
	const struct policy_quota_conf *q = t->quota.v;
	uint64_t used = used_by(l, t->name);
	enum policy_quota_level level = policy_quota_level(used, q->bytes);
	enum policy_quota_level before = level_before(t->name, look->n_said);
	struct said *s = &look->said[look->n_said++];

	snprintf(s->tenant, sizeof(s->tenant), "%s", t->name);
	s->level = level;
	if (level != before)
		tell(t, level, used);
	if (level == POLICY_QUOTA_USED)
		look->spent[look->n_spent++] = (struct policy_spent){
			.tenant = t->name,
			.denies = q->then == POLICY_QUOTA_DENY,
			.bytes_per_s = q->bytes_per_s,
		};
}

/* @over  keys that have used much; borrowed */
static void take(struct look *look, struct policy_over *over)
{
	struct policy_quotas *q = policy_quotas_new(look->spent, look->n_spent);

	if (q != NULL)
		q->over = policy_over_hold(over);
	free(said.v);
	said.v = hd_steal(&look->said);
	said.n = look->n_said;
	if (q != NULL && !policy_quotas_same(q, policy_main.quotas))
		policy_quotas_publish(&q);
	policy_quotas_drop(&q);
}

void policy_quota_look(void)
{
	const struct policy_conf *conf = hd_module_conf(policy_main.mod);
	unsigned month;
	const struct ledger *l = account_now(&month);
	struct look look = {
		.said = calloc(conf->tenants.n + 1, sizeof(*look.said)),
		.spent = calloc(conf->tenants.n + 1, sizeof(*look.spent)),
	};

	if (l != NULL && look.said != NULL && look.spent != NULL) {
		for (size_t i = 0; i < conf->tenants.n; i++)
			if (conf->tenants.v[i].quota.n > 0)
				look_at(&look, l, &conf->tenants.v[i]);
		take(&look, policy_quota_keys_look(l));
	}
	free(look.said);
	free(look.spent);
}

void policy_quota_end(void)
{
	free(said.v);
	said.v = NULL;
	said.n = 0;
}

/* ---- a new process takes over ---- */

void policy_quota_pack(struct hd_pack *to)
{
	const struct policy_quotas *q = policy_main.quotas;

	for (size_t i = 0; i < said.n; i++) {
		hd_pack_open(to, "quota");
		hd_pack_text(to, "tenant", said.v[i].tenant);
		hd_pack_number(to, "level", said.v[i].level);
		hd_pack_close(to);
	}
	for (size_t i = 0; q != NULL && i < q->n; i++) {
		hd_pack_open(to, "spent");
		hd_pack_text(to, "tenant", q->v[i].tenant);
		hd_pack_number(to, "denies", q->v[i].denies);
		hd_pack_number(to, "bytes_per_s", q->v[i].bytes_per_s);
		hd_pack_close(to);
	}
}

static int unpack_said(struct hd_unpack from)
{
	struct hd_unpack one;

	while (hd_unpack_next(&from, "quota", &one)) {
		struct said *v = reallocarray(said.v, said.n + 1, sizeof(*v));
		uint64_t level;

		if (v == NULL)
			return -ENOMEM;
		said.v = v;
		v += said.n;
		if (hd_unpack_text(&one, "tenant", v->tenant,
				   sizeof(v->tenant)) < 0 ||
		    hd_unpack_number(&one, "level", &level) < 0 ||
		    level > POLICY_QUOTA_USED)
			return -EBADMSG;
		v->level = (enum policy_quota_level)level;
		said.n++;
	}
	return 0;
}

struct spent { /* one that is read */
	char tenant[HD_TENANT_BYTES];
	uint64_t denies, bytes_per_s;
};

static int unpack_spent(const struct hd_unpack *one, struct spent *ret)
{
	return hd_unpack_text(one, "tenant", ret->tenant, sizeof(ret->tenant)) <
				       0 ||
			       hd_unpack_number(one, "denies", &ret->denies) <
				       0 ||
			       hd_unpack_number(one, "bytes_per_s",
						&ret->bytes_per_s) < 0
		       ? -EBADMSG
		       : 0;
}

/* Before there is a worker that has them. */
static int take_spent(const struct spent *names, size_t n,
		      struct policy_over *over)
{
	struct policy_spent *v = calloc(n + 1, sizeof(*v));

	for (size_t i = 0; v != NULL && i < n; i++)
		v[i] = (struct policy_spent){ names[i].tenant,
					      names[i].denies != 0,
					      names[i].bytes_per_s };
	if (v != NULL) {
		policy_quotas_drop(&policy_main.quotas);
		policy_main.quotas = policy_quotas_new(v, n);
	}
	if (policy_main.quotas != NULL)
		policy_main.quotas->over = policy_over_hold(over);
	free(v);
	return policy_main.quotas != NULL ? 0 : -ENOMEM;
}

int policy_quota_unpack(const struct hd_unpack *from)
{
	struct hd_unpack all = *from, one;
	struct spent *v = NULL, *larger;
	struct policy_over *over;
	size_t n = 0;
	int r = unpack_said(*from);

	while (r == 0 && hd_unpack_next(&all, "spent", &one)) {
		larger = reallocarray(v, n + 1, sizeof(*v));
		r = larger != NULL ? unpack_spent(&one, &larger[n]) : -ENOMEM;
		v = larger != NULL ? larger : v;
		n += r == 0;
	}
	over = policy_quota_keys_unpack(from);
	if (r == 0 && (n > 0 || over != NULL))
		r = take_spent(v, n, over);
	free(v);
	return r;
}

/* ---- shown ---- */

static const struct policy_quota_conf *quota_of(const char *tenant)
{
	const struct policy_conf *conf = hd_module_conf(policy_main.mod);

	for (size_t i = 0; i < conf->tenants.n; i++)
		if (strcmp(conf->tenants.v[i].name, tenant) == 0 &&
		    conf->tenants.v[i].quota.n > 0)
			return conf->tenants.v[i].quota.v;
	return NULL;
}

void policy_quota_put_none(struct hd_call *call)
{
	hd_out_string(call, "bytes_quota", NULL);
	hd_out_string(call, "percent", NULL);
}

void policy_quota_put(struct hd_call *call, const char *tenant)
{
	const struct policy_quota_conf *q = quota_of(tenant);
	unsigned month;
	const struct ledger *l = account_now(&month);

	if (q == NULL || l == NULL) {
		policy_quota_put_none(call);
		return;
	}
	hd_out_uint(call, "bytes_quota", q->bytes);
	hd_out_uint(call, "percent",
		    policy_quota_percent(used_by(l, tenant), q->bytes));
}
