/* SPDX-License-Identifier: MIT */
/* core/stream/share.c - slices of what many keys may send together. See
 * share.h. */
#include "core/stream/share.h"

enum {
	SLICES_PER_S = 50, /* of a fund, for all workers */
	SLICE_MIN_BYTES = 1500,
	BURSTS_PER_S = 10, /* the burst is a tenth of a second's worth */
	BURST_MIN_BYTES = 128 * 1024, /* two largest reads */
	TICK_MIN_MS = 4,
	TICK_MAX_MS = 100,
	INCOME_MAX_MS = 400,
	AHEAD_BYTES = 64 * 1024, /* a largest read */
	LEASE_PART = 8, /* of what is there; for one reader */
};

#define NS_PER_MS 1000000ull
#define load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

/* ---- funds ---- */

void hd_fund_set(struct hd_fund *f, uint64_t per_s, uint64_t burst,
		 uint32_t packet_bytes)
{
	if (burst == 0)
		burst = BURST_MIN_BYTES;
	/* what comes in between two ticks has room */
	burst = HD_MAX(burst, per_s / BURSTS_PER_S);
	if (load(&f->per_s) == per_s && load(&f->burst) == burst &&
	    load(&f->packet_bytes) == packet_bytes)
		return;
	store(&f->burst, burst);
	store(&f->packet_bytes, packet_bytes);
	store(&f->per_s, per_s);
}

bool hd_fund_has_limit(const struct hd_fund *f)
{
	return load(&f->per_s) != 0;
}

static uint64_t slice_of(const struct hd_share *s)
{
	return HD_MAX(s->per_s / SLICES_PER_S / s->n_workers,
		      (uint64_t)SLICE_MIN_BYTES);
}

/* What is kept; all of it where there is no limit. */
static int64_t most_of(const struct hd_share *s)
{
	return s->per_s != 0 ? (int64_t)slice_of(s) : INT64_MAX / 2;
}

/* What is left of a higher limit would be a long time's worth of a lower one.
 */
void hd_share_look(struct hd_share *s)
{
	uint64_t per_s = load(&s->fund->per_s), burst = load(&s->fund->burst);

	s->packet_bytes = load(&s->fund->packet_bytes);
	if (s->per_s == per_s && s->burst == burst)
		return;
	if (per_s == 0)
		s->balance = INT64_MAX / 2;
	else if (s->per_s == 0)
		s->balance = 0;
	s->per_s = per_s;
	s->burst = burst;
	s->rate = hd_rate_of(per_s, burst);
	s->balance = HD_MIN(s->balance, most_of(s));
}

/* ---- slices ---- */

static void take(struct hd_share *s, uint64_t bytes, uint64_t now_ns)
{
	s->balance +=
		(int64_t)hd_pool_take(&s->fund->pool, &s->rate, bytes, now_ns);
}

/* Who waits somewhere comes first. */
static void lease(struct hd_share *s, uint64_t now_ns)
{
	hd_share_look(s);
	if (load(&s->fund->waiting) == 0)
		take(s, (uint64_t)-s->balance + slice_of(s), now_ns);
}

/* Who has taken less than its part stands before those who want more, by one
 * read; what it has not taken for longer is not kept for it. */
static uint64_t least_had(const struct hd_share *s)
{
	return s->had > AHEAD_BYTES ? s->had - AHEAD_BYTES : 0;
}

bool hd_share_charge(struct hd_share *s, uint64_t *had, uint64_t bytes,
		     uint64_t packets, uint64_t now_ns)
{
	*had = HD_MAX(*had, least_had(s)) + bytes + packets * s->packet_bytes;
	if (s->balance < 0)
		lease(s, now_ns);
	return hd_share_is_dry(s);
}

/* ---- leases ---- */

static void count_anew(struct hd_share *s, uint64_t now_ns)
{
	if (now_ns < s->leases_end_ns)
		return;
	s->leases_end_ns = now_ns + HD_SHARE_LEASE_MS * NS_PER_MS;
	s->leased = s->repaid = 0;
}

uint64_t hd_share_spare(struct hd_share *s, uint64_t now_ns)
{
	uint64_t most = (uint64_t)most_of(s);

	count_anew(s, now_ns);
	if (s->balance <= 0 || s->waiting.n > 0 || s->leased >= most)
		return 0;
	return HD_MIN((uint64_t)s->balance / LEASE_PART, most - s->leased);
}

void hd_share_repay(struct hd_share *s, uint64_t bytes, uint64_t now_ns)
{
	int64_t most = most_of(s);

	count_anew(s, now_ns);
	if (s->balance >= most || s->repaid >= (uint64_t)most)
		return;
	bytes = HD_MIN(bytes, (uint64_t)most - s->repaid);
	bytes = HD_MIN(bytes, (uint64_t)(most - s->balance));
	s->balance += (int64_t)bytes;
	s->repaid += bytes;
}

/* ---- waiting ---- */

static void say(struct hd_share *s)
{
	__atomic_add_fetch(&s->fund->waiting, s->waiting.n - s->said,
			   __ATOMIC_RELAXED);
	s->said = s->waiting.n;
}

uint64_t hd_share_wait(struct hd_share *s, struct hd_claim *c, uint64_t had,
		       uint64_t now_ns)
{
	bool first = s->said == 0 && s->waiting.n == 0;

	if (hd_heap_set(&s->waiting, &c->node, had) < 0)
		return 0;
	if (first) {
		s->income_ns = now_ns;
		s->income = 0;
		say(s);
	}
	return hd_share_due_ms(s);
}

void hd_share_leave(struct hd_share *s, struct hd_claim *c)
{
	hd_heap_remove(&s->waiting, &c->node);
}

/* What part of the fund's income is this share's. */
static double part_of(const struct hd_share *s)
{
	uint32_t all = HD_MAX(load(&s->fund->waiting), s->said);

	return all > 0 ? (double)s->said / all : 0;
}

/* What has come in since the last time, and half of what others have left. */
static void take_income(struct hd_share *s, uint64_t now_ns)
{
	uint64_t ns = now_ns > s->income_ns ? now_ns - s->income_ns : 0;
	uint64_t bytes;

	ns = HD_MIN(ns, INCOME_MAX_MS * NS_PER_MS);
	s->income_ns = HD_MAX(s->income_ns, now_ns);
	s->income += (double)ns / s->rate.unit_ns * part_of(s);
	bytes = (uint64_t)s->income;
	s->income -= (double)bytes;
	bytes += hd_pool_spare(&s->fund->pool, &s->rate, now_ns) / 2;
	take(s, bytes, now_ns);
}

void hd_share_tick(struct hd_share *s, int64_t *left, uint64_t now_ns)
{
	hd_share_look(s);
	say(s);
	if (s->per_s != 0 && s->said > 0)
		take_income(s, now_ns);
	if (s->waiting.n > 0)
		s->had = HD_MAX(s->had, s->waiting.v[0]->when_ms);
	*left = s->balance;
}

struct hd_claim *hd_share_next(struct hd_share *s, int64_t *left)
{
	struct hd_heap_node *node;
	struct hd_claim *c;

	if (*left < 0)
		return NULL;
	node = hd_heap_pop(&s->waiting, UINT64_MAX);
	if (node == NULL)
		return NULL;
	c = hd_container_of(node, struct hd_claim, node);
	*left -= (int64_t)HD_MAX(c->reads, 1u);
	return c;
}

/* After the last has gone one more: it says so. */
uint64_t hd_share_due_ms(const struct hd_share *s)
{
	double ns;

	if (s->said == 0 && s->waiting.n == 0)
		return 0;
	if (s->balance >= 0 || s->per_s == 0 || part_of(s) <= 0)
		return TICK_MIN_MS;
	ns = (double)-s->balance * s->rate.unit_ns / part_of(s);
	return HD_MAX((uint64_t)TICK_MIN_MS,
		      (uint64_t)HD_MIN(ns / 1e6, (double)TICK_MAX_MS));
}

/* ---- life ---- */

void hd_share_init(struct hd_share *s, struct hd_fund *fund, unsigned n_workers,
		   uint64_t now_ns)
{
	s->fund = fund;
	s->n_workers = n_workers;
	s->income_ns = now_ns;
	hd_share_look(s);
}

void hd_share_end(struct hd_share *s)
{
	hd_assert(s->waiting.n == 0);
	say(s);
	hd_heap_free(&s->waiting);
}
