/* SPDX-License-Identifier: MIT */
/* tools/hdbench/proc.c - /proc and limits. */
#include "tools/hdbench/proc.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 64
#define TEXT_BYTES 4096
#define NS_PER_S UINT64_C(1000000000)

/* Returns the length; text ends in a zero byte. */
static ssize_t read_text(const char *path, char text[TEXT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, TEXT_BYTES - 1);
	close(fd);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

/* A thread may end while we look: its time is then missing, as ever after. */
static uint64_t thread_ns(pid_t pid, const char *tid)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	uint64_t ns = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%.10s/schedstat", pid, tid);
	if (read_text(path, text) > 0)
		ns = strtoull(text, NULL, 10);
	return ns;
}

static uint64_t threads_ns(pid_t pid)
{
	char path[PATH_BYTES];
	struct dirent *e;
	uint64_t ns = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			ns += thread_ns(pid, e->d_name);
	closedir(dir);
	return ns;
}

/* Fields 14 and 15 of /proc/PID/stat, behind "(name)"; proc(5). */
static int stat_ns(pid_t pid, uint64_t *ret_ns)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	uint64_t utime, stime;
	const char *behind;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_text(path, text) < 0)
		return -ESRCH;
	behind = strrchr(text, ')');
	if (behind == NULL || sscanf(behind + 1,
				     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
				     "%*u %" SCNu64 " %" SCNu64,
				     &utime, &stime) != 2)
		return -ESRCH;
	*ret_ns = (utime + stime) * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}

int proc_cpu_ns(const struct proc_set *set, uint64_t *ret_ns)
{
	*ret_ns = 0;
	for (unsigned int i = 0; i < set->n; i++) {
		uint64_t ticks_ns, ns;
		int r = stat_ns(set->pid[i], &ticks_ns);

		if (r < 0)
			return r;
		ns = threads_ns(set->pid[i]);
		*ret_ns += ns > 0 ? ns : ticks_ns;
	}
	return 0;
}

/* user, nice, system, idle, iowait, irq, softirq, steal; proc(5) */
uint64_t proc_all_ns(void)
{
	char text[TEXT_BYTES];
	uint64_t t[8];

	if (read_text("/proc/stat", text) < 0 ||
	    sscanf(text,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
		return 0;
	return (t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) *
	       (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t proc_self_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

int proc_rss_kb(const struct proc_set *set, uint64_t *ret_kb)
{
	*ret_kb = 0;
	for (unsigned int i = 0; i < set->n; i++) {
		char path[PATH_BYTES], text[TEXT_BYTES];
		uint64_t kb;
		const char *p;

		snprintf(path, sizeof(path), "/proc/%d/status", set->pid[i]);
		if (read_text(path, text) < 0)
			return -ESRCH;
		p = strstr(text, "\nVmRSS:");
		if (p == NULL || sscanf(p, "\nVmRSS: %" SCNu64, &kb) != 1)
			return -ESRCH;
		*ret_kb += kb;
	}
	return 0;
}

uint64_t proc_raise_fd_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 1024;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
	(void)getrlimit(RLIMIT_NOFILE, &lim);
	return lim.rlim_cur;
}
