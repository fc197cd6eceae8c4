/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_spawn.c - the old process starts the new one: the same
 * flags and environment, one end of a socket pair, and nothing else. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/daemon/upgrade.h"

#define FLAG "--take-over"
#define ITS_FD "3"

extern char **environ;

/* Ours, but for what our own start said of an upgrade. */
static char **make_argv(char *const *argv)
{
	size_t n = 0, to = 0;

	while (argv[n] != NULL)
		n++;
	char **v = calloc(n + 3, sizeof(*v));

	for (size_t i = 0; v != NULL && i < n; i++) {
		if (strcmp(argv[i], FLAG) == 0)
			i++;
		else
			v[to++] = argv[i];
	}
	if (v != NULL) {
		v[to++] = (char *)FLAG;
		v[to++] = (char *)ITS_FD;
	}
	return v;
}

static int spawn(const char *binary, char *const *argv, int its, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, its, atoi(ITS_FD));
	int r = posix_spawn(ret_pid, binary, &actions, &attr, argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

int hd_spawn(const char *binary, char *const *argv, pid_t *ret_pid, int *ret_fd,
	     struct hd_error *err)
{
	int fds[2];
	char **v = make_argv(argv);

	if (v == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		int e = errno;

		free(v);
		return hd_error_set(err, -e, "socketpair: %s", strerror(e));
	}
	int r = spawn(binary, v, fds[1], ret_pid);

	free(v);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return hd_error_set(err, r, "%s cannot be started: %s", binary,
				    strerror(-r));
	}
	*ret_fd = fds[0];
	return 0;
}

int hd_spawn_end(pid_t pid, unsigned wait_ms)
{
	int status = 0;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd >= 0 && wait_ms > 0)
		poll(&p, 1, (int)wait_ms);
	if (fd >= 0)
		close(fd);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}
