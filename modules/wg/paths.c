/* SPDX-License-Identifier: MIT */
/* modules/wg/paths.c - what of a session the kernel forwards by itself. */
#include "modules/wg/state.h"
#include "modules/wg/xdp.h"

static void path_of(const struct wg_engine *e, const struct wg_session *s,
		    unsigned from, struct wg_path *ret)
{
	const struct wg_end *a = &s->end[from], *b = &s->end[!from];
	const struct wg_peer *to = wg_peer(e, wg_link(e, s->link)->peer[!from]);

	ret->index = b->index;
	wg_addr_get(&a->addr, &ret->from);
	wg_addr_get(&a->local, &ret->in);
	wg_addr_get(&b->local, &ret->out);
	wg_addr_get(&b->addr, &ret->to);
	memcpy(ret->nic, to->nic, sizeof(ret->nic));
}

void wg_paths_put(struct wg_engine *e, struct wg_session *s)
{
	struct wg_path path;

	if (e->xdp == NULL || !s->fast || s->roams != 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		path_of(e, s, i, &path);
		s->end[i].xdp = wg_xdp_put(e->xdp, &path);
	}
}

/* One last look at what was forwarded, then no more. */
void wg_paths_remove(struct wg_engine *e, struct wg_session *s)
{
	struct wg_path path;

	s->read_ms = 0;
	wg_paths_read(e, s);
	for (unsigned i = 0; i < 2; i++) {
		if (s->end[i].xdp && e->xdp != NULL) {
			path_of(e, s, i, &path);
			wg_xdp_remove(e->xdp, &path);
		}
		s->end[i].xdp = false;
	}
}

static void take(struct wg_engine *e, struct wg_session *s, unsigned from,
		 const struct wg_path_use *use)
{
	struct wg_end *end = &s->end[from];
	bool fresh = use->counter >= HD_MAX(end->next, (uint64_t)1);
	uint64_t at;

	end->sum.packets += use->sum.packets;
	end->sum.bytes += use->sum.bytes;
	if (fresh)
		end->next = use->counter + 1;
	if (use->idle_ms >= e->now_ms)
		return;
	at = e->now_ms - use->idle_ms;
	end->xdp_ms = HD_MAX(end->xdp_ms, at);
	s->used_ms = HD_MAX(s->used_ms, at);
	s->heard_ms[from] = HD_MAX(s->heard_ms[from], at);
	if (fresh)
		s->fresh_ms[from] = HD_MAX(s->fresh_ms[from], at);
}

/* At most every 5 s: a map is asked twice for each session. */
void wg_paths_read(struct wg_engine *e, struct wg_session *s)
{
	struct wg_path_use use;
	struct wg_path path;

	if (e->xdp == NULL || e->now_ms - s->read_ms < 5000)
		return;
	s->read_ms = e->now_ms;
	for (unsigned i = 0; i < 2; i++) {
		if (!s->end[i].xdp)
			continue;
		path_of(e, s, i, &path);
		if (wg_xdp_read(e->xdp, &path, &use))
			take(e, s, i, &use);
	}
}

void wg_paths_all(struct wg_engine *e, bool put)
{
	uint32_t at = 0;
	struct wg_session *s;

	while ((s = wg_pool_next(&e->sessions, &at)) != NULL) {
		if (put)
			wg_paths_put(e, s);
		else
			wg_paths_remove(e, s);
	}
}

static void dropped(struct wg_engine *e, enum wg_drop why, uint64_t n)
{
	e->sum.drops[why] += n;
	e->sum.rx.packets += n;
	hd_count(&e->metrics->drops[why], n);
	hd_count(&e->metrics->rx.packets, n);
}

static void add(struct wg_count *to, uint64_t packets, uint64_t bytes)
{
	to->packets += packets;
	to->bytes += bytes;
}

static void count(struct wg_traffic *t, uint64_t packets, uint64_t bytes)
{
	hd_count(&t->packets, packets);
	hd_count(&t->bytes, bytes);
}

/* They came and went, as those of user space do. */
static void forwarded(struct wg_engine *e, uint64_t packets, uint64_t bytes)
{
	add(&e->sum.xdp, packets, bytes);
	add(&e->sum.rx, packets, bytes);
	add(&e->sum.fwd, packets, bytes);
	count(&e->metrics->xdp, packets, bytes);
	count(&e->metrics->rx, packets, bytes);
	count(&e->metrics->fwd, packets, bytes);
}

static void sum_up(struct wg_relay_stats *to, const struct wg_relay_stats *news)
{
	const __u64 *v = (const __u64 *)news;
	__u64 *sum = (__u64 *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += v[i];
}

void wg_paths_count(struct wg_engine *e)
{
	struct wg_relay_stats news;
	const __u64 *pass = (const __u64 *)&news.pass_handshake;

	wg_xdp_news(e->xdp, &news);
	sum_up(&e->below, &news);
	forwarded(e, news.fwd_packets, news.fwd_bytes);
	for (unsigned i = 0; i < WG_XDP_PASS_N; i++)
		hd_count(&e->metrics->xdp_pass[i], pass[i]);
	dropped(e, WG_DROP_NOT_WG_SHAPED, news.not_wg_shaped);
	dropped(e, WG_DROP_BLOCKED, news.drop_blocklisted);
}
_Static_assert(offsetof(struct wg_relay_stats, pass_handshake) +
			       WG_XDP_PASS_N * sizeof(__u64) ==
		       sizeof(struct wg_relay_stats),
	       "the reasons come last");
