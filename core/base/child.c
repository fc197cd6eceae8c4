/* SPDX-License-Identifier: MIT */
/* core/base/child.c - another program, as a child. */
#include "core/base/child.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int hd_child_start(const char *path, char *const *argv,
		   const struct hd_child_fd *fds, size_t n, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&actions);
	for (size_t i = 0; i < n; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i].ours,
						 fds[i].its);
	int r = posix_spawn(ret_pid, path, &actions, &attr, argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

static bool ends_within(pid_t pid, unsigned wait_ms)
{
	int r, fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return false;
	while ((r = poll(&p, 1, (int)wait_ms)) < 0 && errno == EINTR)
		;
	close(fd);
	return r == 1;
}

int hd_child_end(pid_t pid, unsigned wait_ms, int *ret_status)
{
	bool late = !ends_within(pid, wait_ms);

	if (late)
		kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return late ? -ETIMEDOUT : 0;
}
