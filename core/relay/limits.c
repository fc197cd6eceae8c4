/* SPDX-License-Identifier: MIT */
/* core/relay/limits.c - which limits count for whom. Context: the key's home
 * worker, unless it says so. */
#include "core/relay/limits.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <pthread.h>
#include <stdlib.h>
#include "core/base/lines.h"
#include "core/relay/debt.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"
#include "core/stream/limit.h"
#include "core/stream/stream_life.h"

/* Source: derper, whose buckets hold one largest packet and its key at least.
 */
#define BURST_BYTES ((uint64_t)HD_PACKET_MAX_BYTES + HD_KEY_BYTES)

/* ---- funds, of all workers ---- */

_Alignas(64) static struct hd_fund relay_fund;
/* Made when one is needed first, and kept: tenants have numbers again and
 * again. */
static struct hd_fund *tenant_funds[HD_TENANTS_MAX + 1];
static uint32_t tenant_peers[HD_TENANTS_MAX + 1]; /* atomic */

struct hd_fund *hd_fund_of(uint16_t tenant)
{
	return __atomic_load_n(&tenant_funds[tenant], __ATOMIC_ACQUIRE);
}

struct hd_fund *hd_fund_relay(void)
{
	return &relay_fund;
}

struct hd_fund *hd_fund_made(uint16_t tenant)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct hd_fund *f;

	pthread_mutex_lock(&lock);
	f = hd_fund_of(tenant);
	if (f == NULL)
		f = hd_alloc_lines(sizeof(*f));
	__atomic_store_n(&tenant_funds[tenant], f, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	return f;
}

/* What the last one said counts for all of the tenant. */
static int set_tenant(uint16_t tenant, const struct hd_limits *l)
{
	struct hd_fund *f = hd_fund_of(tenant);

	if (f == NULL && l->bytes_per_s == 0)
		return 0;
	if (f == NULL)
		f = hd_fund_made(tenant);
	if (f == NULL)
		return -ENOMEM;
	hd_fund_set(f, l->bytes_per_s, l->burst_bytes, l->packet_bytes);
	return 0;
}

/* ---- shares, of a worker ---- */

struct hd_limits_worker {
	struct hd_pool_share *relay;
	struct hd_pool_share *tenant[HD_TENANTS_MAX + 1];
};

static struct hd_limits_worker *worker_part(struct hd_worker *w)
{
	if (w->relay->limits == NULL)
		w->relay->limits = calloc(1, sizeof(*w->relay->limits));
	return w->relay->limits;
}

/* @at  where it is, or will be */
static int share_of(struct hd_worker *w, struct hd_fund *f,
		    enum hd_shared which, const char *name,
		    struct hd_pool_share **at, struct hd_pool_share **ret)
{
	if (*at == NULL)
		*at = hd_pool_share_new(w, f, which, name);
	else
		hd_share_look(&(*at)->share);
	*ret = *at;
	return *at != NULL ? 0 : -ENOMEM;
}

static int shares_of(const struct hd_peer *p,
		     struct hd_pool_share *ret[HD_SHARED_N])
{
	struct hd_worker *w = p->stream->worker;
	struct hd_fund *f = hd_fund_of(p->tenant);
	struct hd_limits_worker *l;
	int r = 0;

	ret[HD_SHARED_TENANT] = ret[HD_SHARED_RELAY] = NULL;
	if (f != NULL && !hd_fund_has_limit(f))
		f = NULL;
	if (f == NULL && w->conf->relay_rate_limit == 0)
		return 0;
	l = worker_part(w);
	if (l == NULL)
		return -ENOMEM;
	if (f != NULL)
		r = share_of(w, f, HD_SHARED_TENANT, hd_tenant_name(p->tenant),
			     &l->tenant[p->tenant], &ret[HD_SHARED_TENANT]);
	if (r == 0 && w->conf->relay_rate_limit != 0)
		r = share_of(w, &relay_fund, HD_SHARED_RELAY, NULL, &l->relay,
			     &ret[HD_SHARED_RELAY]);
	return r;
}

void hd_limits_free(struct hd_worker *w)
{
	struct hd_limits_worker *l = hd_steal(&w->relay->limits);

	if (l == NULL)
		return;
	hd_pool_share_free(&l->relay);
	for (unsigned i = 0; i <= HD_TENANTS_MAX; i++)
		hd_pool_share_free(&l->tenant[i]);
	free(l);
}

/* ---- a key ---- */

/* What was taken stays taken. */
static void set_rate(struct hd_limit *l, const struct hd_limits *to,
		     uint64_t now_ns)
{
	const struct hd_rate old = l->rate;
	uint64_t burst = HD_MAX(to->burst_bytes, BURST_BYTES);

	l->packet_bytes = to->packet_bytes;
	if (l->per_s == to->bytes_per_s && l->burst == burst)
		return;
	l->per_s = to->bytes_per_s;
	l->burst = burst;
	l->rate = hd_rate_of(l->per_s, burst);
	hd_bucket_change(&l->bucket, &old, &l->rate, now_ns);
}

/* A rule's word counts, else peer_rate_limit. */
static struct hd_limits limits_of(const struct hd_peer *p)
{
	struct hd_limits l = { 0 };

	if (p->limits != NULL)
		l = p->limits[HD_LIMITS_KEY];
	if (l.bytes_per_s == 0)
		l.bytes_per_s = p->stream->worker->conf->peer_rate_limit;
	return l;
}

static int limit_key(struct hd_peer *p,
		     struct hd_pool_share *const shared[HD_SHARED_N])
{
	const struct hd_limits l = limits_of(p);
	struct hd_entry *e = p->entry;

	if (l.bytes_per_s == 0 && shared[HD_SHARED_TENANT] == NULL &&
	    shared[HD_SHARED_RELAY] == NULL) {
		hd_throttle_free(p->stream);
		return 0;
	}
	if (e->limit == NULL)
		e->limit = hd_debt_back(p->stream->worker, e);
	if (e->limit == NULL)
		e->limit = calloc(1, sizeof(*e->limit));
	if (e->limit == NULL)
		return -ENOMEM;
	set_rate(e->limit, &l, p->stream->worker->now_ns);
	return hd_throttle_set(p->stream, e->limit, shared);
}

int hd_limits_begin(struct hd_peer *p)
{
	struct hd_pool_share *shared[HD_SHARED_N];
	int r;

	if (p->login.mesh) /* it brings what others count */
		return 0;
	r = shares_of(p, shared);
	return r < 0 ? r : limit_key(p, shared);
}

static void count_out(struct hd_peer *p)
{
	if (p->counted)
		__atomic_sub_fetch(&tenant_peers[p->tenant], 1,
				   __ATOMIC_RELAXED);
	p->counted = false;
}

void hd_limits_end(struct hd_peer *p)
{
	hd_throttle_free(p->stream);
	count_out(p);
}

/* ---- how many connections ---- */

static uint32_t may_have(const struct hd_peer *p, enum hd_limits_of of)
{
	uint32_t n = p->limits != NULL ? p->limits[of].connections : 0;

	return n > 0 ? n : UINT32_MAX;
}

static void put_out(const struct hd_peer *p, const char *reason)
{
	const struct hd_stream *s = p->stream;

	hd_relay_put_out(s->worker, ((uint64_t)s->gen << 32) | s->slot, reason);
}

/* A client that comes back to a full tenant takes the place of its connection
 * that has been silent longest, which may be dead. Returns false: it has none.
 */
static bool takes_its_place(const struct hd_peer *p)
{
	uint16_t realm = hd_realm_with(p->login.realm, p->tenant);
	struct hd_peer *old = NULL;

	for (struct hd_peer *i = hd_peer_find(p->stream->worker, realm,
					      &p->login.key);
	     i != NULL; i = i->next)
		if (i->counted && i != p)
			old = i;
	if (old == NULL)
		return false;
	count_out(old);
	put_out(old, "its client has come back, and its tenant has no more "
		     "connections");
	return true;
}

/* Returns how many there are then. */
static uint32_t count_in(struct hd_peer *p)
{
	p->counted = true;
	return __atomic_add_fetch(&tenant_peers[p->tenant], 1,
				  __ATOMIC_RELAXED);
}

void hd_limits_again(struct hd_peer *p)
{
	if (p->tenant != 0)
		count_in(p);
}

int hd_limits_enter(struct hd_peer *p)
{
	uint32_t n;

	if (p->tenant == 0)
		return 0;
	n = count_in(p);
	if (n <= may_have(p, HD_LIMITS_TENANT) || takes_its_place(p))
		return 0;
	hd_limits_end(p);
	return -EUSERS;
}

bool hd_limits_is_first(const struct hd_peer *p)
{
	return __atomic_load_n(&tenant_peers[p->tenant], __ATOMIC_RELAXED) == 0;
}

uint32_t hd_limits_may(const struct hd_peer *p)
{
	return may_have(p, HD_LIMITS_TENANT);
}

/* Of a tenant, when it came up. */
static bool is_too_many(const struct hd_peer *p, uint32_t before)
{
	uint32_t max = hd_limits_may(p);

	return p->counted && max < before &&
	       __atomic_load_n(&tenant_peers[p->tenant], __ATOMIC_RELAXED) >
		       max;
}

/* A client that comes back is let in: its old connection may be dead. */
void hd_limits_crowd(struct hd_peer *p, uint32_t before)
{
	uint32_t n = 0, max = may_have(p, HD_LIMITS_KEY);
	const struct hd_peer *next;

	if (is_too_many(p, before) && !takes_its_place(p))
		put_out(p, HD_LIMITS_FULL);
	for (const struct hd_peer *i = p->entry->active; i != NULL; i = next) {
		next = i->next;
		if (n++ >= max)
			put_out(i, "its key has more connections than it may");
	}
}

/* ---- given, and live ---- */

static bool are_none(const struct hd_limits *l)
{
	return l->bytes_per_s == 0 && l->burst_bytes == 0 &&
	       l->packet_bytes == 0 && l->connections == 0;
}

/* Most have none, and keep none. */
static int keep(struct hd_peer *p, enum hd_limits_of of,
		const struct hd_limits *limits)
{
	if (p->limits == NULL && are_none(limits))
		return 0;
	if (p->limits == NULL)
		p->limits = calloc(HD_LIMITS_N, sizeof(*p->limits));
	if (p->limits == NULL)
		return -ENOMEM;
	p->limits[of] = *limits;
	return 0;
}

int hd_limits_give(struct hd_peer *p, enum hd_limits_of of,
		   const struct hd_limits *limits)
{
	if (keep(p, of, limits) < 0)
		return -ENOMEM;
	return of == HD_LIMITS_TENANT && p->tenant != 0
		       ? set_tenant(p->tenant, limits)
		       : 0;
}

static void begin_anew(struct hd_peer *p)
{
	if (hd_limits_begin(p) < 0)
		hd_log_warn("limits have not changed for key=%s: out of "
			    "memory",
			    p->name.s);
}

void hd_relay_limit(struct hd_worker *w, uint64_t conn, enum hd_limits_of of,
		    const struct hd_limits *limits)
{
	struct hd_stream *s = hd_slots_get(&w->streams->slots, (uint32_t)conn,
					   (uint32_t)(conn >> 32));
	struct hd_peer *p = s != NULL ? hd_peer_of(s) : NULL;

	if (p == NULL || !hd_stream_is_open(s) ||
	    (p->limits == NULL && are_none(limits)))
		return;
	if (hd_limits_give(p, of, limits) < 0)
		hd_log_warn("limits have not changed for key=%s: out of "
			    "memory",
			    p->name.s);
	else if (p->state == HD_PEER_UP)
		begin_anew(p);
}

void hd_limits_start(struct hd_worker *w)
{
	hd_fund_set(&relay_fund, w->conf->relay_rate_limit, 0, 0);
}

void hd_limits_reload(struct hd_worker *w)
{
	hd_limits_start(w);
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		struct hd_peer *p = hd_peer_up_of(s);

		if (p != NULL)
			begin_anew(p);
	}
}
