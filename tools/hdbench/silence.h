/* SPDX-License-Identifier: MIT */
/* tools/hdbench/silence.h - how long a receiver waited for what had been sent.
 * The time runs from the packet before, or from when this one was written,
 * whichever is later, until the kernel had it: how late we write and read
 * ourselves is not in it. What came with one receive counts from the first to
 * the last of it, so a silence is never told too short. */
#pragma once
#include <hyper-derp/base.h>
#include <sys/types.h>

struct silence {
	int64_t last_ns; /* the packet before arrived */
	int64_t longest_ns;
};

static inline void silence_ends(struct silence *s, int64_t sent_ns,
				int64_t arrived_ns)
{
	int64_t from = HD_MAX(s->last_ns, sent_ns);

	s->longest_ns = HD_MAX(s->longest_ns, arrived_ns - from);
	s->last_ns = HD_MAX(s->last_ns, arrived_ns);
}

/* silence_watch - the kernel is to say when bytes arrived. Returns 0; -errno.
 * silence_recv - recv(2); *ret_ns: when the last of them did, of
 * CLOCK_MONOTONIC. */
int silence_watch(int fd);
ssize_t silence_recv(int fd, void *to, size_t bytes, int64_t *ret_ns);
