/* SPDX-License-Identifier: MIT */
/* t/bench/tasks.h - what loads need to measure others, and to end in time. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>

/* tasks_ns - run time of n tasks: exact, and charged with the interrupts' work.
 * Returns false: one of them has gone. */
static inline bool tasks_ns(const int *pids, int n, uint64_t *ret_ns)
{
	*ret_ns = 0;
	for (int i = 0; i < n; i++) {
		unsigned long long ns = 0;
		char path[64];
		bool read;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/schedstat", pids[i]);
		f = fopen(path, "re");
		if (f == NULL)
			return false;
		read = fscanf(f, "%llu", &ns) == 1;
		fclose(f);
		if (!read)
			return false;
		*ret_ns += ns;
	}
	return true;
}

static inline void tasks_nothing(int sig)
{
	(void)sig; /* the system call ends */
}

/* tasks_end_in - the system call that this one is in by then ends. */
static inline void tasks_end_in(double seconds)
{
	struct sigaction sa = { .sa_handler = tasks_nothing };
	struct itimerval t = { .it_value.tv_sec = (time_t)seconds };

	t.it_value.tv_usec =
		(suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}
