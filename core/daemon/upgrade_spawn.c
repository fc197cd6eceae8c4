/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_spawn.c - the old process starts the new one: the same
 * flags and environment, one end of a socket pair, and nothing else. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/child.h"
#include "core/daemon/upgrade.h"

#define FLAG "--take-over"
#define ITS_FD "3"

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
	const struct hd_child_fd its = { fds[1], atoi(ITS_FD) };
	int r = hd_child_start(binary, v, &its, 1, ret_pid);

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

void hd_spawn_signals(pid_t pid)
{
	static const int v[] = { SIGUSR1, SIGHUP,  SIGUSR2,
				 SIGQUIT, SIGTERM, SIGINT };
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return;
	for (unsigned i = 0; i < HD_ARRAY_N(v); i++)
		if (sigismember(&pending, v[i]))
			kill(pid, v[i]);
}

int hd_spawn_end(pid_t pid, unsigned wait_ms)
{
	int status = 0;

	(void)hd_child_end(pid, wait_ms, &status);
	return status;
}
