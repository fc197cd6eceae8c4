/* SPDX-License-Identifier: MIT */
/* tools/hdbench/logins.c - peers that only log in: idle ones, brief ones. */
#include "tools/hdbench/clock.h"
#include "tools/hdbench/hd_peer.h"
#include "tools/hdbench/modes.h"
#include "tools/hdbench/progress.h"
#include "tools/hdbench/report.h"
#include <errno.h>
#include <sys/epoll.h>

#define SETTLE_NS (2 * NS_PER_S)
#define SETTLE_STEP_MS 100
#define FDS_SPARE 32

/* A socket; an endpoint of libhd has an epoll instance, and with UDP another
 * socket. */
static size_t fds_each(const struct opts *o)
{
	return o->is_hd_udp ? 3 : o->is_hd ? 2 : 1;
}

static int check_fds(const struct pool *pool, struct hd_error *err)
{
	size_t each = fds_each(pool->net->opts);
	uint64_t allowed = proc_raise_fd_limit();

	if (pool->n * each + FDS_SPARE <= allowed)
		return 0;
	return hd_error_set(err, -EMFILE,
			    "%zu connections: this shell allows %llu open "
			    "files, and each is %zu; raise it with ulimit -n",
			    pool->n, (unsigned long long)allowed, each);
}

/* Only the end of the connection is of interest. */
static void on_idle(void *arg, struct peer *p)
{
	peer_watch(arg, p, EPOLLRDHUP | EPOLLET);
}

/* Something has come: by HD it may be a KeepAlive. */
static bool has_ended(struct net *net, struct peer *p)
{
	return p->hd == NULL || hd_peer_run(net, p, NULL, NULL) < 0;
}

/* Peers of HD have something to do also when nothing comes: UDP is asked
 * whether it still passes. Returns how many have ended. */
static int64_t run_due(const struct pool *pool)
{
	int64_t lost = 0;

	for (size_t i = 0; pool->net->opts->is_hd && i < pool->n; i++)
		if (hd_peer_is_due(&pool->peers[i]))
			lost += has_ended(pool->net, &pool->peers[i]);
	return lost;
}

/* Waits until the memory has been the same for SETTLE_NS. Returns how many
 * peers the relay closed; -ESRCH. */
static int64_t settle(const struct pool *pool, uint64_t *ret_kb)
{
	struct net *net = pool->net;
	int64_t since = clock_ns(), lost = 0;
	struct epoll_event ev;
	uint64_t kb;

	*ret_kb = 0;
	while (clock_ns() - since < SETTLE_NS) {
		if (epoll_wait(net->epoll_fd, &ev, 1, SETTLE_STEP_MS) > 0)
			lost += has_ended(net, ev.data.ptr);
		else
			lost += run_due(pool);
		if (proc_rss_kb(&net->opts->pids, &kb) < 0)
			return -ESRCH;
		if (kb > *ret_kb + *ret_kb / 1000 ||
		    kb < *ret_kb - *ret_kb / 1000)
			since = clock_ns();
		*ret_kb = kb;
	}
	return lost;
}

int mode_idle(struct net *net, struct hd_error *err)
{
	struct idle_result res = { .peers = net->opts->idle };
	struct pool pool = { .net = net,
			     .n = net->opts->idle,
			     .parallel = net->opts->parallel,
			     .rate = net->opts->login_rate,
			     .on_up = on_idle,
			     .arg = net,
			     .what = "logging in" };
	int64_t lost = 0;
	int r = check_fds(&pool, err);

	if (r < 0)
		return r;
	if (proc_rss_kb(&net->opts->pids, &res.before_kb) < 0)
		return hd_error_set(err, -ESRCH, "--pid: no such process");
	pool.peers = pool_peers(pool.n);
	if (pool.peers == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = pool_run(&pool, err);
	if (r == 0)
		lost = settle(&pool, &res.after_kb);
	if (lost < 0)
		r = hd_error_set(err, -ESRCH, "--pid: the process is gone");
	res.lost = (uint64_t)lost;
	if (r == 0)
		report_idle(net->opts, &res);
	pool_free(&pool.peers, pool.n);
	return r;
}

static void on_login(void *arg, struct peer *p)
{
	hist_add(arg, (uint64_t)(clock_ns() - p->start_ns));
	peer_close(p);
}

static int run_logins(const struct pool *pool, struct login_result *res,
		      struct hd_error *err)
{
	const struct proc_set *pids = &pool->net->opts->pids;
	int64_t start_ns = clock_ns();
	uint64_t cpu_ns[2];
	int r = proc_cpu_ns(pids, &cpu_ns[0]);

	if (r == 0) {
		r = pool_run(pool, err);
		if (r < 0)
			return r;
		r = proc_cpu_ns(pids, &cpu_ns[1]);
	}
	if (r < 0)
		return hd_error_set(err, r, "--pid: no such process");
	res->seconds = (double)(clock_ns() - start_ns) / (double)NS_PER_S;
	res->cpu_s = pids->n == 0 ? -1
				  : (double)(cpu_ns[1] - cpu_ns[0]) /
					    (double)NS_PER_S;
	return 0;
}

int mode_logins(struct net *net, struct hd_error *err)
{
	static struct login_result res;
	struct pool pool = { .net = net,
			     .n = net->opts->logins,
			     .parallel = net->opts->parallel,
			     .rate = net->opts->login_rate,
			     .on_up = on_login,
			     .arg = &res.time,
			     .what = "logins" };
	int r;

	res.n = pool.n;
	pool.peers = pool_peers(pool.n);
	if (pool.peers == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = run_logins(&pool, &res, err);
	if (r == 0)
		report_logins(net->opts, &res);
	pool_free(&pool.peers, pool.n);
	return r;
}
