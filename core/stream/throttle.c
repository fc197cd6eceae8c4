/* SPDX-License-Identifier: MIT */
/* core/stream/throttle.c - reading that is held back by limits.
 *
 *   READS --the key owes--> PAUSED until that is paid --.
 *     ^ `-- a share is dry --> WAITS in the tenant's <--'
 *     |                        WAITS in the relay's
 *     `---- its turn has come ---'
 *
 * Nothing is dropped: what is not read stays with the kernel, and TCP holds the
 * client back. Context: the stream's worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/timer.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include "core/stream/limit.h"
#include "core/stream/stream_life.h"

enum {
	TELL_EVERY_MS = 60000,
	/* A key is charged when it has read so much, or a part of what it may
	 * read at once, or of a second's worth: so its limit is exceeded by no
	 * more, in each of its connections. */
	LEASE_MAX_BYTES = 64 * 1024,
	LEASE_PART = 4,
	LEASES_PER_S = 1000,
	LEASE_NS = HD_SHARE_LEASE_MS * 1000000,
};

/* ---- its own ---- */

uint64_t hd_throttle_unpaid_ms(const struct hd_stream *s)
{
	const struct hd_throttle *t = s->throttle;

	if (t == NULL)
		return 0;
	return hd_ns_to_ms(hd_bucket_unpaid_ns(&t->key->bucket, &t->key->rate,
					       s->worker->now_ns));
}

static bool pays(struct hd_stream *s)
{
	uint64_t ms = hd_throttle_unpaid_ms(s);

	if (ms == 0)
		return false;
	hd_stream_rx_pause(s, ms);
	s->throttle->pays = true;
	s->throttle->waits_ns = s->throttle->key->bucket.paid_ns;
	hd_log_info("recv_paused: key=%s pause_ms=%llu (it sends faster than "
		    "peer_rate_limit or a rule allows; TCP holds it back)",
		    hd_stream_key_text(s), (unsigned long long)ms);
	return true;
}

/* A client that comes again and again leaves nobody here who waits. */
bool hd_throttle_owes(struct hd_stream *s)
{
	const struct hd_throttle *t = s->throttle;

	/* what it has waited for may be a fraction of a millisecond away */
	if (!s->rx_hup || t->waits_ns == 0 ||
	    t->waits_ns == t->key->bucket.paid_ns)
		return pays(s);
	if (hd_throttle_unpaid_ms(s) == 0)
		return false;
	hd_stream_close(s, HD_CLOSE_PEER);
	return true;
}

/* ---- shared ---- */

static void tick_in(struct hd_pool_share *p, uint64_t ms)
{
	p->ticks = ms > 0;
	hd_timer_set(p->tick, (uint32_t)ms);
}

static void tell(struct hd_pool_share *p)
{
	uint64_t now = p->worker->now_ms;

	if (p->told_ms != 0 && now - p->told_ms < TELL_EVERY_MS)
		return;
	p->told_ms = now;
	if (p->name != NULL)
		hd_log_info(
			"recv_paused: tenant=%s (its clients together send "
			"faster than its limit allows; TCP holds them back)",
			p->name);
	else
		hd_log_info(
			"recv_paused: all clients together send faster "
			"than relay_rate_limit allows; TCP holds them back");
}

static bool waits_in(struct hd_throttle *t, unsigned i)
{
	struct hd_pool_share *p = t->shared[i];
	uint64_t ms;

	if (p == NULL || !hd_share_is_dry(&p->share))
		return false;
	ms = hd_share_wait(&p->share, &t->claim, t->key->had[i],
			   p->worker->now_ns);
	if (ms == 0)
		return false;
	t->at = (uint8_t)i;
	t->stream->rx_paused = true;
	hd_count(&p->worker->stats.recv_paused, 1);
	hd_count(&p->worker->stats.share_waits[i], 1);
	tell(p);
	if (!p->ticks)
		tick_in(p, ms);
	return true;
}

static bool waits_from(struct hd_throttle *t, unsigned i)
{
	while (i < HD_SHARED_N && !waits_in(t, i))
		i++;
	return i < HD_SHARED_N;
}

bool hd_throttle_holds(struct hd_stream *s)
{
	struct hd_throttle *t = s->throttle;

	if (t == NULL)
		return false;
	t->pays = false;
	return t->claim.node.at != 0 || hd_throttle_owes(s) ||
	       waits_from(t, 0);
}

/* ---- charged ---- */

/* What it was leased, it has paid. */
static void charge_share(struct hd_throttle *t, unsigned i)
{
	struct hd_share *share = &t->shared[i]->share;
	uint64_t now_ns = t->stream->worker->now_ns;
	uint64_t cost = t->bytes + t->packets * share->packet_bytes;

	if (cost < t->prepaid)
		hd_share_repay(share, t->prepaid - cost, now_ns);
	else
		hd_share_spend(share, cost - t->prepaid, 0);
	hd_share_charge(share, &t->key->had[i], t->bytes, t->packets, now_ns);
}

static void charge(struct hd_throttle *t)
{
	uint64_t now_ns = t->stream->worker->now_ns;
	struct hd_limit *key = t->key;

	hd_bucket_take(&key->bucket, &key->rate,
		       t->bytes + t->packets * key->packet_bytes, now_ns);
	for (unsigned i = 0; i < HD_SHARED_N; i++)
		if (t->shared[i] != NULL)
			charge_share(t, i);
	t->bytes = t->packets = t->prepaid = 0;
	key->leased -= t->leased;
	t->leased = 0;
	t->lease = 0;
}

/* Shares are paid beforehand. @n  what the key allows. Returns what all do. */
static uint64_t prepay(struct hd_throttle *t, uint64_t n)
{
	uint64_t spare;

	t->packet_bytes = t->key->packet_bytes;
	for (unsigned i = 0; i < HD_SHARED_N; i++) {
		struct hd_pool_share *p = t->shared[i];

		if (p == NULL)
			continue;
		spare = hd_share_spare(&p->share, t->stream->worker->now_ns);
		n = HD_MIN(n, spare);
		t->packet_bytes =
			HD_MAX(t->packet_bytes, p->share.packet_bytes);
	}
	for (unsigned i = 0; i < HD_SHARED_N; i++)
		if (t->shared[i] != NULL)
			hd_share_prepay(&t->shared[i]->share, n);
	t->prepaid = n;
	return n;
}

/* All of a key's leases together are no more than may come at once. */
static void lease(struct hd_throttle *t)
{
	struct hd_limit *key = t->key;
	uint64_t room, n = LEASE_MAX_BYTES;

	if (key->rate.unit_ns > 0) {
		room = hd_bucket_room(&key->bucket, &key->rate,
				      t->stream->worker->now_ns);
		room -= HD_MIN(room, key->leased);
		n = HD_MIN(n, HD_MAX(room / LEASE_PART,
				     key->per_s / LEASES_PER_S));
		n = HD_MIN(n, room);
	}
	n = prepay(t, n);
	if (key->rate.unit_ns > 0)
		t->leased = n;
	key->leased += t->leased;
	t->lease = (int64_t)n;
	t->lease_ends_ns = t->stream->worker->now_ns + LEASE_NS;
}

void hd_throttle_settle(struct hd_stream *s, uint64_t bytes)
{
	struct hd_throttle *t = s->throttle;

	t->claim.reads = bytes;
	charge(t);
	lease(t);
	t->waits_ns = 0;
	if (!s->rx_paused && !pays(s))
		waits_from(t, 0);
}

/* Its turn has come; if a module has paused it meanwhile, that goes on. */
static void go_on(struct hd_throttle *t)
{
	struct hd_stream *s = t->stream;

	if (s->deadline_ms[HD_DEADLINE_PAUSE] != 0 || waits_from(t, t->at + 1u))
		return;
	s->rx_paused = false;
	hd_stream_resume(s);
}

static void on_tick(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct hd_pool_share *p = arg;
	struct hd_claim *c;
	int64_t left;

	(void)mod;
	hd_share_tick(&p->share, &left, w->now_ns);
	while ((c = hd_share_next(&p->share, &left)) != NULL)
		go_on(hd_container_of(c, struct hd_throttle, claim));
	tick_in(p, hd_share_due_ms(&p->share));
}

struct hd_pool_share *hd_pool_share_new(struct hd_worker *w,
					struct hd_fund *fund,
					enum hd_shared which, const char *name)
{
	struct hd_pool_share *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->which = which;
	p->name = name;
	p->worker = w;
	p->tick = hd_timer_new(NULL, w, on_tick, p);
	if (p->tick == NULL) {
		free(p);
		return NULL;
	}
	hd_share_init(&p->share, fund, hd_workers(), w->now_ns);
	return p;
}

void hd_pool_share_free(struct hd_pool_share **share)
{
	struct hd_pool_share *p = hd_steal(share);

	if (p == NULL)
		return;
	hd_timer_free(&p->tick);
	hd_share_end(&p->share);
	free(p);
}

/* ---- set ---- */

static void leave(struct hd_throttle *t)
{
	if (t->claim.node.at != 0)
		hd_share_leave(&t->shared[t->at]->share, &t->claim);
}

/* Whatever it waits for may be no limit any more. */
static void look_again(struct hd_stream *s, bool waited, bool paid)
{
	if (waited || paid)
		hd_stream_deadline(s, HD_DEADLINE_PAUSE,
				   HD_MAX(1u, hd_throttle_unpaid_ms(s)));
}

void hd_throttle_free(struct hd_stream *s)
{
	struct hd_throttle *t = hd_steal(&s->throttle);

	if (t == NULL)
		return;
	bool waits = t->claim.node.at != 0;

	leave(t);
	charge(t);
	if (hd_stream_is_open(s))
		look_again(s, waits && s->deadline_ms[HD_DEADLINE_PAUSE] == 0,
			   t->pays);
	free(t);
}

static void point_at(struct hd_throttle *t, struct hd_limit *key,
		     struct hd_pool_share *const shared[HD_SHARED_N])
{
	t->key = key;
	for (unsigned i = 0; i < HD_SHARED_N; i++)
		t->shared[i] = shared[i];
}

/* What came behind the login is charged when it goes on; the key may owe. */
static int begin(struct hd_stream *s, struct hd_limit *key,
		 struct hd_pool_share *const shared[HD_SHARED_N])
{
	struct hd_throttle *t = s->throttle = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->stream = s;
	point_at(t, key, shared);
	t->kept = s->kept != NULL ? hd_chunk_len(s->kept) : 0;
	if (!s->rx_paused && !pays(s))
		waits_from(t, 0);
	return 0;
}

int hd_throttle_set(struct hd_stream *s, struct hd_limit *key,
		    struct hd_pool_share *const shared[HD_SHARED_N])
{
	struct hd_throttle *t = s->throttle;

	if (t == NULL)
		return begin(s, key, shared);
	bool waits = t->claim.node.at != 0;

	leave(t);
	charge(t);
	point_at(t, key, shared);
	look_again(s, waits && s->deadline_ms[HD_DEADLINE_PAUSE] == 0, t->pays);
	t->pays = t->pays && hd_throttle_unpaid_ms(s) > 0;
	return 0;
}
