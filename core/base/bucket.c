/* SPDX-License-Identifier: MIT */
/* core/base/bucket.c - token buckets. Any thread. */
#include "core/base/bucket.h"

#define NS_PER_S 1e9
#define BURST_MAX_NS (365 * 86400 * NS_PER_S)

struct hd_rate hd_rate_of(uint64_t per_s, uint64_t burst)
{
	struct hd_rate r = { 0 };

	if (per_s == 0)
		return r;
	r.unit_ns = NS_PER_S / (double)per_s;
	/* a burst of years, by the smallest rate, is one of a year */
	r.burst_ns = (uint64_t)HD_MIN((double)burst * r.unit_ns + 0.5,
				      BURST_MAX_NS);
	return r;
}

static uint64_t cost_ns(const struct hd_rate *rate, uint64_t n)
{
	return (uint64_t)HD_MIN((double)n * rate->unit_ns + 0.5, BURST_MAX_NS);
}

static uint64_t wait_ns(uint64_t paid_ns, const struct hd_rate *rate,
			uint64_t now_ns)
{
	uint64_t free_ns = now_ns + rate->burst_ns;

	return paid_ns > free_ns ? paid_ns - free_ns : 0;
}

/* ---- one thread's ---- */

void hd_bucket_take(struct hd_bucket *b, const struct hd_rate *rate, uint64_t n,
		    uint64_t now_ns)
{
	b->paid_ns = HD_MAX(b->paid_ns, now_ns) + cost_ns(rate, n);
}

void hd_bucket_change(struct hd_bucket *b, const struct hd_rate *from,
		      const struct hd_rate *to, uint64_t now_ns)
{
	if (to->unit_ns <= 0 || from->unit_ns <= 0)
		b->paid_ns = 0;
	else if (b->paid_ns > now_ns)
		b->paid_ns = now_ns +
			     (uint64_t)HD_MIN((double)(b->paid_ns - now_ns) *
						      (to->unit_ns /
						       from->unit_ns),
					      BURST_MAX_NS);
}

uint64_t hd_bucket_unpaid_ns(const struct hd_bucket *b,
			     const struct hd_rate *rate, uint64_t now_ns)
{
	return rate->unit_ns > 0 ? wait_ns(b->paid_ns, rate, now_ns) : 0;
}

uint64_t hd_bucket_room(const struct hd_bucket *b, const struct hd_rate *rate,
			uint64_t now_ns)
{
	uint64_t full_ns = now_ns + rate->burst_ns;
	uint64_t from = HD_MAX(b->paid_ns, now_ns);

	return full_ns > from
		       ? (uint64_t)((double)(full_ns - from) / rate->unit_ns)
		       : 0;
}

/* ---- of several ---- */

static bool change(struct hd_pool *pool, uint64_t *old, uint64_t next)
{
	return __atomic_compare_exchange_n(&pool->paid_ns, old, next, true,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

uint64_t hd_pool_book(struct hd_pool *pool, const struct hd_rate *rate,
		      uint64_t now_ns)
{
	uint64_t old = __atomic_load_n(&pool->paid_ns, __ATOMIC_RELAXED);
	uint64_t next;

	if (rate->unit_ns <= 0)
		return 0;
	do
		next = HD_MAX(old, now_ns) + cost_ns(rate, 1);
	while (!change(pool, &old, next));
	return wait_ns(next, rate, now_ns);
}

uint64_t hd_pool_take(struct hd_pool *pool, const struct hd_rate *rate,
		      uint64_t n, uint64_t now_ns)
{
	uint64_t old = __atomic_load_n(&pool->paid_ns, __ATOMIC_RELAXED);
	uint64_t full_ns = now_ns + rate->burst_ns, from, got;

	if (rate->unit_ns <= 0)
		return n;
	do {
		/* further ahead than the burst it is by another rate */
		from = HD_MAX(HD_MIN(old, full_ns), now_ns);
		got = HD_MIN(n, (uint64_t)((double)(full_ns - from) /
					   rate->unit_ns));
		if (got == 0 && from >= old)
			return 0;
	} while (!change(pool, &old, from + cost_ns(rate, got)));
	return got;
}

uint64_t hd_pool_spare(const struct hd_pool *pool, const struct hd_rate *rate,
		       uint64_t now_ns)
{
	uint64_t paid = __atomic_load_n(&pool->paid_ns, __ATOMIC_RELAXED);
	uint64_t half = now_ns + rate->burst_ns / 2;

	if (rate->unit_ns <= 0 || half <= paid)
		return 0;
	return (uint64_t)((double)(half - HD_MAX(paid, now_ns)) /
			  rate->unit_ns);
}
