/* SPDX-License-Identifier: MIT */
/* tools/hdbench/proc.h - what the relay's processes cost, from /proc. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_PIDS_MAX 16

struct proc_set {
	unsigned int n;
	pid_t pid[PROC_PIDS_MAX];
};

/* proc_cpu_ns - CPU time of all threads of all processes so far: the sum of
 * their schedstat, or of utime and stime (ticks of 10 ms) where the kernel
 * keeps none. Returns 0; -ESRCH one of them is gone. */
int proc_cpu_ns(const struct proc_set *set, uint64_t *ret_ns);

/* proc_all_ns - what all CPUs of the machine have worked, from /proc/stat (in
 * ticks of 10 ms). 0 if that cannot be read. */
uint64_t proc_all_ns(void);

/* proc_self_ns - CPU time of this process. */
uint64_t proc_self_ns(void);

/* proc_rss_kb - VmRSS, summed. Returns 0; -ESRCH. */
int proc_rss_kb(const struct proc_set *set, uint64_t *ret_kb);

/* proc_raise_fd_limit - to the hard limit. Returns what is allowed now. */
uint64_t proc_raise_fd_limit(void);
