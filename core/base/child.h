/* SPDX-License-Identifier: MIT */
/* core/base/child.h - another program, as a child. Main thread. */
#pragma once
#include <hyper-derp/base.h>
#include <sys/types.h>

struct hd_child_fd {
	int ours, its; /* the number that it has there */
};

/* hd_child_start - our environment, no signal blocked; besides these
 * descriptors it has those that are not closed on exec. Returns 0; -errno.
 * hd_child_end - wait for its own end that long, else kill it; it is dead then.
 * @ret_status  of waitpid()
 * Returns 0; -ETIMEDOUT it was killed. */
int hd_child_start(const char *path, char *const *argv,
		   const struct hd_child_fd *fds, size_t n, pid_t *ret_pid);
int hd_child_end(pid_t pid, unsigned wait_ms, int *ret_status);
