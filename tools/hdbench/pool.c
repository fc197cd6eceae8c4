/* SPDX-License-Identifier: MIT */
/* tools/hdbench/pool.c - logs many peers in. */
#include "tools/hdbench/pool.h"
#include "tools/hdbench/clock.h"
#include "tools/hdbench/hd_peer.h"
#include "tools/hdbench/progress.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define STUCK_MS 30000
#define EVENTS 64
#define HD_TICK_MS 50

struct pool_run {
	const struct pool *pool;
	size_t opened, up;
	int64_t start_ns;
};

struct peer *pool_peers(size_t n)
{
	struct peer *peers = calloc(n, sizeof(*peers));

	for (size_t i = 0; peers != NULL && i < n; i++) {
		peers[i].fd = -1;
		peers[i].state = PEER_CLOSED;
		peers[i].index = (uint32_t)i;
	}
	return peers;
}

void pool_free(struct peer **peers, size_t n)
{
	for (size_t i = 0; *peers != NULL && i < n; i++)
		peer_close(&(*peers)[i]);
	free(*peers);
	*peers = NULL;
}

/* When peer number i is to be opened; now without a schedule. */
static int64_t due_ns(const struct pool_run *r, size_t i, int64_t now)
{
	if (r->pool->rate <= 0)
		return r->opened - r->up < r->pool->parallel ? now : INT64_MAX;
	return r->start_ns +
	       (int64_t)((double)i / r->pool->rate * (double)NS_PER_S);
}

static int failed(const struct pool_run *r, const struct peer *p,
		  struct hd_error *err)
{
	return hd_error_set(err, -ECONNABORTED, "login %zu of %zu failed: %s",
			    (size_t)(p - r->pool->peers) + 1, r->pool->n,
			    p->error.text);
}

static int open_due(struct pool_run *r, struct hd_error *err)
{
	int64_t now = clock_ns();

	while (r->opened < r->pool->n) {
		struct peer *p = &r->pool->peers[r->opened];
		int64_t due = due_ns(r, r->opened, now);

		if (due > now)
			break;
		p->start_ns = due;
		r->opened++;
		if (peer_open(r->pool->net, p) < 0)
			return failed(r, p, err);
	}
	return 0;
}

static int on_event(struct pool_run *r, struct peer *p, struct hd_error *err)
{
	if (p->state >= PEER_UP) /* up already, or closed by on_up */
		return 0;
	switch (peer_advance(r->pool->net, p)) {
	case PEER_UP:
		r->up++;
		if (r->pool->on_up != NULL)
			r->pool->on_up(r->pool->arg, p);
		return 0;
	case PEER_CLOSED:
		return failed(r, p, err);
	default:
		return 0;
	}
}

/* Peers of HD have something to do also when nothing comes. */
static int hd_tick(struct pool_run *r, struct hd_error *err)
{
	int res = 0;

	for (size_t i = 0; res == 0 && i < r->opened; i++)
		if (hd_peer_is_due(&r->pool->peers[i]))
			res = on_event(r, &r->pool->peers[i], err);
	return res;
}

/* Milliseconds; with a schedule we look often, it may be due any time. */
static int timeout_ms(const struct pool_run *r)
{
	if (r->pool->rate > 0 && r->opened < r->pool->n)
		return 1;
	return r->pool->net->opts->is_hd ? HD_TICK_MS : STUCK_MS;
}

int pool_run(const struct pool *pool, struct hd_error *err)
{
	struct pool_run r = { .pool = pool, .start_ns = clock_ns() };
	struct epoll_event ev[EVENTS];
	int64_t moved_ns = r.start_ns;

	while (r.up < pool->n) {
		int n, res = open_due(&r, err);

		if (res < 0)
			return res;
		n = epoll_wait(pool->net->epoll_fd, ev, EVENTS, timeout_ms(&r));
		for (int i = 0; i < n && res >= 0; i++)
			res = on_event(&r, ev[i].data.ptr, err);
		if (n == 0 && res >= 0)
			res = hd_tick(&r, err);
		if (res < 0)
			return res;
		if (n > 0 || r.opened == r.up)
			moved_ns = clock_ns();
		if (clock_ns() - moved_ns >= STUCK_MS * NS_PER_MS)
			return hd_error_set(err, -ETIMEDOUT,
					    "%zu of %zu logins: no answer for "
					    "%d s",
					    r.up, pool->n, STUCK_MS / 1000);
		if (!pool->net->opts->is_quiet && progress_due(moved_ns))
			progress_line("%s: %zu of %zu", pool->what, r.up,
				      pool->n);
	}
	if (!pool->net->opts->is_quiet)
		progress_clear();
	return 0;
}
