/* SPDX-License-Identifier: MIT */
/* core/base/descriptors.c - a share of the descriptors for each who asks, and a
 * pool for all. Connections are counted rather than accepted until the kernel
 * has no descriptor left: then a reload could not open its file, and nobody
 * could log in to close something.
 *
 *   limit = used at the start + rest + own shares + pool
 *
 * What is not counted lives in `rest`: the file of the configuration and those
 * it includes, certificates, the log, state files (one or two at a time each),
 * a module that is loaded (its copy in memory, the pipes of the process that
 * tries it, and a socket of each of its addresses in each worker). */
#include "core/base/descriptors.h"
#include <dirent.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <sys/resource.h>

static const struct hd_fds_plan wanted = {
	.own = { [HD_FDS_NAMED] = 16,
		 [HD_FDS_OPERATOR] = 12,
		 [HD_FDS_READER] = 4,
		 [HD_FDS_DIALLED] = 16 },
	.rest = 24,
};
#define REST_PER_WORKER 8

static int pool = INT32_MAX; /* left; atomic, as the others */
static int own[HD_FDS_N], used[HD_FDS_N];

void hd_fds_plan(uint64_t limit, uint64_t n_used, unsigned workers,
		 struct hd_fds_plan *ret)
{
	uint64_t left = limit > n_used ? limit - n_used : 0;
	uint64_t sum;

	left = HD_MIN(left, (uint64_t)INT32_MAX);
	*ret = wanted;
	ret->rest += REST_PER_WORKER * workers;
	sum = ret->rest;
	for (unsigned i = 0; i < HD_FDS_N; i++)
		sum += ret->own[i];
	if (sum > left / 2) { /* clients have half at least */
		ret->rest = (unsigned)(ret->rest * left / 2 / sum);
		for (unsigned i = 0; i < HD_FDS_N; i++)
			ret->own[i] =
				(unsigned)(ret->own[i] * left / 2 / sum);
	}
	ret->pool = (unsigned)left - ret->rest;
	for (unsigned i = 0; i < HD_FDS_N; i++)
		ret->pool -= ret->own[i];
}

/* The kernel gives the lowest that is free: those of a start are low. Asked one
 * by one, for /proc may be missing or forbidden. */
static unsigned count_open(uint64_t limit)
{
	unsigned n = 0;

	for (int fd = 0; fd < 16384 && (uint64_t)fd < limit; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

void hd_fds_begin(unsigned workers)
{
	struct hd_fds_plan plan;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	hd_fds_plan(limit.rlim_cur, count_open(limit.rlim_cur), workers, &plan);
	for (unsigned i = 0; i < HD_FDS_N; i++)
		__atomic_store_n(&own[i], (int)plan.own[i], __ATOMIC_RELAXED);
	/* who has connected meanwhile was counted as open */
	__atomic_store_n(&pool, (int)plan.pool, __ATOMIC_RELAXED);
	hd_log_info("descriptors: clients=%u metrics=%u control=%u reload=%u",
		    plan.pool, plan.own[HD_FDS_NAMED],
		    plan.own[HD_FDS_OPERATOR] + plan.own[HD_FDS_READER],
		    plan.rest);
}

static bool take_from_pool(void)
{
	if (__atomic_fetch_sub(&pool, 1, __ATOMIC_RELAXED) > 0)
		return true;
	__atomic_fetch_add(&pool, 1, __ATOMIC_RELAXED);
	return false;
}

/* Of n that somebody has, those above the own share come from the pool; which
 * of them do so does not matter. */
bool hd_fds_take(enum hd_fds who)
{
	int n = __atomic_fetch_add(&used[who], 1, __ATOMIC_RELAXED);

	if (n < __atomic_load_n(&own[who], __ATOMIC_RELAXED) ||
	    take_from_pool())
		return true;
	n = __atomic_fetch_sub(&used[who], 1, __ATOMIC_RELAXED);
	/* who gave one meanwhile gave it to the pool, which took none */
	if (n <= __atomic_load_n(&own[who], __ATOMIC_RELAXED))
		__atomic_fetch_sub(&pool, 1, __ATOMIC_RELAXED);
	return false;
}

void hd_fds_inherit(enum hd_fds who)
{
	int n = __atomic_fetch_add(&used[who], 1, __ATOMIC_RELAXED);

	if (n >= __atomic_load_n(&own[who], __ATOMIC_RELAXED))
		__atomic_fetch_sub(&pool, 1, __ATOMIC_RELAXED);
}

void hd_fds_give(enum hd_fds who)
{
	int n = __atomic_fetch_sub(&used[who], 1, __ATOMIC_RELAXED);

	if (n > __atomic_load_n(&own[who], __ATOMIC_RELAXED))
		__atomic_fetch_add(&pool, 1, __ATOMIC_RELAXED);
}

uint64_t hd_fds_open(void)
{
	struct rlimit limit = { 0 };
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (dir == NULL)
		return limit.rlim_cur;
	for (const struct dirent *e; (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n - 1; /* but for the folder's */
}
