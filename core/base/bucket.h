/* SPDX-License-Identifier: MIT */
/* core/base/bucket.h - token buckets: so much a second, and a burst.
 *
 * A bucket is one time: until when what was taken is paid for. Taking pushes it
 * ahead; being ahead of the clock by more than the burst means to wait. So an
 * idle bucket fills up by itself, and a limit may change at any moment.
 * The clock is the caller's: nanoseconds that only go up. */
#pragma once
#include <hyper-derp/base.h>

struct hd_rate {
	double unit_ns; /* what one costs; 0: there is no limit */
	uint64_t burst_ns;
};

struct hd_bucket { /* one thread's */
	uint64_t paid_ns;
};

struct hd_pool { /* the same, of several threads */
	uint64_t paid_ns; /* atomic */
};

/* hd_rate_of - @per_s 0: no limit  @burst what may be taken at once */
struct hd_rate hd_rate_of(uint64_t per_s, uint64_t burst);

/* hd_bucket_take - n are taken, whether they are there or not: a debt is paid
 * before anything else. hd_bucket_unpaid_ns - for how long to wait; 0: not. */
void hd_bucket_take(struct hd_bucket *b, const struct hd_rate *rate, uint64_t n,
		    uint64_t now_ns);
uint64_t hd_bucket_unpaid_ns(const struct hd_bucket *b,
			     const struct hd_rate *rate, uint64_t now_ns);
/* hd_bucket_room - how many there are. The rate is one. */
uint64_t hd_bucket_room(const struct hd_bucket *b, const struct hd_rate *rate,
			uint64_t now_ns);
/* hd_bucket_change - the limit is another one: what is owed stays as many
 * bytes, and so takes another time. */
void hd_bucket_change(struct hd_bucket *b, const struct hd_rate *from,
		      const struct hd_rate *to, uint64_t now_ns);

/* hd_pool_book - one is taken, now or as soon as there is one. Who comes first
 * is first. Returns for how long to wait for it, in ns. */
uint64_t hd_pool_book(struct hd_pool *pool, const struct hd_rate *rate,
		      uint64_t now_ns);
/* hd_pool_take - up to n. Returns how many there were. */
uint64_t hd_pool_take(struct hd_pool *pool, const struct hd_rate *rate,
		      uint64_t n, uint64_t now_ns);

/* hd_pool_spare - how many there are beyond half of the burst. */
uint64_t hd_pool_spare(const struct hd_pool *pool, const struct hd_rate *rate,
		       uint64_t now_ns);

/* hd_ns_to_ms - rounded up. */
static inline uint64_t hd_ns_to_ms(uint64_t ns)
{
	return ns / 1000000 + (ns % 1000000 != 0);
}
