/* SPDX-License-Identifier: MIT */
/* modules/policy/account_count.c - in each worker: what its peers have added to
 * the counters that every connection has, once in a while and when they leave.
 * Packets pay nothing for it. */
#include <errno.h>
#include <hyper-derp/about.h>
#include <hyper-derp/timer.h>
#include <stdio.h>
#include <stdlib.h>
#include "modules/policy/policy.h"

enum {
	PEERS_PER_TURN = 256,
	/* with the way to the disk, and the turns for many peers, no more than
	 * a second is lost */
	EVERY_MS = 800,
	BATCH_FIRST = 16,
};

/* NULL: as hd_peer_data(). */
static struct account_peer *peer_of(const struct hd_module *mod,
				    const struct hd_peer *peer)
{
	struct policy_peer *pp = hd_peer_data(mod, peer);

	return pp != NULL ? &pp->account : NULL;
}

/* ---- numbers of tenants ---- */

struct tenant_numbers {
	struct hd_counter n[ACCOUNT_N];
};

#define TENANT_METRIC(what, name_, labels_, help_)                             \
	HD_METRIC(struct tenant_numbers, n[what], name_, labels_, help_)

static const struct hd_metric tenant_metrics[] = {
	TENANT_METRIC(ACCOUNT_BYTES_IN, "hyper_derp_tenant_bytes_total",
		      "direction=\"in\"",
		      "Bytes from and to the clients of a tenant"),
	TENANT_METRIC(ACCOUNT_BYTES_OUT, "hyper_derp_tenant_bytes_total",
		      "direction=\"out\"",
		      "Bytes from and to the clients of a tenant"),
	TENANT_METRIC(ACCOUNT_PACKETS_IN, "hyper_derp_tenant_packets_total",
		      "direction=\"in\"",
		      "Packets from and to the clients of a tenant"),
	TENANT_METRIC(ACCOUNT_PACKETS_OUT, "hyper_derp_tenant_packets_total",
		      "direction=\"out\"",
		      "Packets from and to the clients of a tenant"),
	TENANT_METRIC(ACCOUNT_DROPS, "hyper_derp_tenant_drops_total", NULL,
		      "Packets that the clients of a tenant did not take"),
	HD_METRIC_END,
};

static const struct hd_family_def tenant_family = {
	.name = "tenants",
	.labels = { "tenant" },
	.metrics = tenant_metrics,
	.size = sizeof(struct tenant_numbers),
	.max = 256,
};

static struct hd_family *family;

static void count_tenant(struct hd_worker *w, struct account_peer *ap,
			 const char *tenant, const struct account_counts *more)
{
	struct tenant_numbers *n;

	if (!ap->has_series)
		ap->series = hd_series_open(family, &tenant);
	ap->has_series = true;
	n = hd_series_numbers(family, w, ap->series);
	for (unsigned i = 0; i < ACCOUNT_N; i++)
		hd_count(&n->n[i], more->n[i]);
}

/* ---- the batch ---- */

/* NULL when out of memory. */
static struct account_item *item_new(struct account_worker *aw)
{
	struct account_batch *b = aw->batch;
	size_t size = b != NULL ? 2 * b->size : BATCH_FIRST;

	if (b != NULL && b->n < b->size)
		return &b->v[b->n++];
	b = realloc(b, sizeof(*b) + size * sizeof(*b->v));
	if (b == NULL)
		return NULL;
	if (aw->batch == NULL)
		b->n = 0;
	b->size = size;
	aw->batch = b;
	return &b->v[b->n++];
}

static void count_lost(struct policy_worker *pw)
{
	struct policy_numbers *n = hd_metrics(pw->mod, pw->w);

	hd_count(&n->account_lost, 1);
}

/* Returns whether it is in the batch. */
static bool put(struct policy_worker *pw, const struct account_peer *ap,
		const struct hd_key *key, const char *tenant, const char *name,
		const struct account_counts *more)
{
	struct account_item *item = item_new(&pw->account);

	if (item == NULL)
		return false;
	item->key = *key;
	item->more = *more;
	item->quota_bytes = ap->quota_bytes;
	snprintf(item->tenant, sizeof(item->tenant), "%s", tenant);
	snprintf(item->name, sizeof(item->name), "%s", name);
	return true;
}

/* Returns whether there is anything. */
static bool difference(const struct account_counts *now,
		       const struct account_counts *before,
		       struct account_counts *ret)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < ACCOUNT_N; i++)
		any |= ret->n[i] = now->n[i] - before->n[i];
	return any != 0;
}

/* Returns whether it is counted. */
static bool count(struct policy_worker *pw, struct account_peer *ap,
		  const struct hd_key *key, const char *tenant,
		  const char *name, const struct account_counts *now)
{
	const struct policy_conf *conf = policy_conf_of(pw);
	struct account_counts more;

	if (!difference(now, &ap->seen, &more) && !ap->quota_untold)
		return true;
	if (conf->accounting && !put(pw, ap, key, tenant, name, &more))
		return false;
	ap->quota_untold = false;
	ap->seen = *now;
	count_tenant(pw->w, ap, tenant, &more);
	return true;
}

/* ---- who is here ---- */

static struct account_counts counts_of(const struct hd_about_peer *p)
{
	return (struct account_counts){ {
		[ACCOUNT_BYTES_IN] = p->bytes_in,
		[ACCOUNT_BYTES_OUT] = p->bytes_out,
		[ACCOUNT_PACKETS_IN] = p->packets_in,
		[ACCOUNT_PACKETS_OUT] = p->packets_out,
		[ACCOUNT_DROPS] = p->drops,
	} };
}

static void look_at(void *arg, const struct hd_about_peer *p)
{
	struct policy_worker *pw = arg;
	struct account_peer *ap = peer_of(pw->mod, p->peer);
	const struct account_counts now = counts_of(p);

	if (p->mesh || ap == NULL)
		return;
	if (!ap->begun)
		ap->seen = now;
	ap->begun = true;
	count(pw, ap, p->key, p->tenant, p->name, &now);
}

static void hand_over(struct account_worker *aw)
{
	if (aw->batch != NULL)
		account_take(&aw->batch);
}

static void on_timer(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_worker *pw = arg;
	struct account_worker *aw = &pw->account;

	(void)mod;
	if (hd_about_peers(w, &aw->at, PEERS_PER_TURN, look_at, pw)) {
		hd_timer_set(aw->timer, 1);
		return;
	}
	aw->at = 0;
	hand_over(aw);
	hd_timer_set(aw->timer, EVERY_MS);
}

/* ---- who comes and leaves ---- */

void account_begin(struct hd_module *mod, const struct hd_peer *peer)
{
	struct account_peer *ap = peer_of(mod, peer);

	if (ap != NULL)
		ap->begun = true;
}

void account_quota(struct hd_module *mod, const struct hd_peer *peer,
		   uint64_t bytes)
{
	struct account_peer *ap = peer_of(mod, peer);

	if (ap == NULL || ap->quota_bytes == bytes)
		return;
	ap->quota_bytes = bytes;
	ap->quota_untold = true;
}

static void on_leave(struct hd_module *mod, struct hd_worker *w,
		     const struct hd_departure *who)
{
	struct policy_worker *pw = hd_module_worker_data(mod, w);
	struct account_peer *ap = peer_of(mod, who->peer);
	const struct account_counts now = { {
		[ACCOUNT_BYTES_IN] = who->bytes_in,
		[ACCOUNT_BYTES_OUT] = who->bytes_out,
		[ACCOUNT_PACKETS_IN] = who->packets_in,
		[ACCOUNT_PACKETS_OUT] = who->packets_out,
		[ACCOUNT_DROPS] = who->drops,
	} };

	if (ap == NULL)
		return;
	if (who->admitted && !who->login->mesh && ap->begun &&
	    !count(pw, ap, &who->login->key, who->tenant, who->name, &now))
		count_lost(pw);
	if (ap->has_series)
		hd_series_end(family, &ap->series);
	ap->has_series = false;
}

int account_hooks(struct hd_module *mod, struct hd_error *err)
{
	int r = hd_hook_peer_data(mod, sizeof(struct policy_peer), err);

	if (r == 0)
		r = hd_hook_leave(mod, on_leave, err);
	if (r == 0)
		r = hd_family_add(mod, &tenant_family, &family, err);
	return r;
}

/* ---- a worker's life ---- */

int account_start(struct policy_worker *pw)
{
	pw->account.timer = hd_timer_new(pw->mod, pw->w, on_timer, pw);
	if (pw->account.timer == NULL)
		return -ENOMEM;
	hd_timer_set(pw->account.timer, EVERY_MS);
	return 0;
}

static void begin(void *arg, const struct hd_about_peer *p)
{
	struct policy_worker *pw = arg;

	account_begin(pw->mod, p->peer);
}

static void all(struct policy_worker *pw)
{
	uint64_t at = 0;

	while (hd_about_peers(pw->w, &at, PEERS_PER_TURN, look_at, pw))
		continue;
}

/* Who was here before us: from now on; who waits for another module, from its
 * beginning. */
void account_serving(struct policy_worker *pw)
{
	uint64_t at = 0;

	all(pw);
	while (hd_about_logins(pw->w, &at, PEERS_PER_TURN, begin, pw))
		continue;
}

void account_collect(struct policy_worker *pw)
{
	all(pw);
	hand_over(&pw->account);
}

void account_stop(struct policy_worker *pw)
{
	account_collect(pw);
}

/* ---- a new process takes over ---- */

static const char *const count_names[ACCOUNT_N] = {
	[ACCOUNT_BYTES_IN] = "bytes_in",
	[ACCOUNT_BYTES_OUT] = "bytes_out",
	[ACCOUNT_PACKETS_IN] = "packets_in",
	[ACCOUNT_PACKETS_OUT] = "packets_out",
	[ACCOUNT_DROPS] = "drops",
};

int account_pack_peer(struct hd_module *mod, struct hd_worker *w,
		      const struct hd_peer *peer, struct hd_pack *to,
		      struct hd_error *err)
{
	const struct account_peer *ap = peer_of(mod, peer);

	(void)w;
	(void)err;
	hd_pack_number(to, "begun", ap->begun);
	for (unsigned i = 0; i < ACCOUNT_N; i++)
		hd_pack_number(to, count_names[i], ap->seen.n[i]);
	return 0;
}

int account_unpack_peer(struct hd_module *mod, struct hd_worker *w,
			struct hd_peer *peer, struct hd_unpack *from,
			struct hd_error *err)
{
	struct account_peer *ap = peer_of(mod, peer);
	uint64_t begun;
	int r = hd_unpack_number(from, "begun", &begun);

	(void)w;
	(void)err;
	for (unsigned i = 0; r == 0 && i < ACCOUNT_N; i++)
		r = hd_unpack_number(from, count_names[i], &ap->seen.n[i]);
	ap->begun = r == 0 && begun != 0;
	return r;
}
