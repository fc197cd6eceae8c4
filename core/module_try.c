/* SPDX-License-Identifier: MIT */
/* core/module_try.c - look at a module file before a running relay takes it:
 * in a fresh process, since its constructors may crash or hang. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/module_file.h"

#define TRY_LIMIT_MS 5000

extern char **environ;

int hd_module_try(const char *path, struct hd_error *err)
{
	char name[HD_MODULE_NAME_BYTES];
	struct hd_module_file file;

	if (path[0] != '/' || hd_module_name(path, name) < 0)
		return hd_error_set(err, -EINVAL,
				    "%s: name a module file by its absolute "
				    "path, /path/derp.so",
				    path);
	int r = hd_module_file_open(name, path, &file, err);
	if (r < 0) {
		struct hd_error why = *err;
		return hd_error_set(err, r, "%s: %s", path, why.text);
	}
	hd_module_file_close(&file);
	return 0;
}

/* The child's stderr is a pipe: its one line is the reason. */
static int spawn(const char *path, int out, pid_t *ret_pid)
{
	char *const argv[] = { "hyper-derp", "--try-module", (char *)path,
			       NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	int r = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attr, argv,
			    environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

/* Returns the wait status; -ETIMEDOUT: it was killed. */
static int wait_child(pid_t pid)
{
	int status = 0, late = 0;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd >= 0 && poll(&p, 1, TRY_LIMIT_MS) == 0) {
		kill(pid, SIGKILL);
		late = -ETIMEDOUT;
	}
	if (fd >= 0)
		close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return late < 0 ? late : status;
}

static int judge(const char *path, int status, const char *said,
		 struct hd_error *err)
{
	if (status == -ETIMEDOUT)
		return hd_error_set(err, status,
				    "%s: hangs while it is loaded; nothing "
				    "was changed",
				    path);
	if (WIFSIGNALED(status))
		return hd_error_set(err, -ENOEXEC,
				    "%s: crashes while it is loaded (%s); "
				    "nothing was changed",
				    path, strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 0)
		return 0;
	/* what hd_module_try() says begins so */
	if (strncmp(said, path, strlen(path)) == 0)
		return hd_error_set(err, -ENOEXEC, "%s", said);
	return hd_error_set(err, -ENOEXEC,
			    "%s: ends the process while it is loaded (status "
			    "%d); nothing was changed", path,
			    WEXITSTATUS(status));
}

int hd_module_try_child(const char *path, struct hd_error *err)
{
	char said[sizeof(err->text)] = "";
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return hd_error_set(err, -errno, "pipe: %s", strerror(errno));
	int r = spawn(path, fds[1], &pid);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return hd_error_set(err, r,
				    "cannot start a child to try %s: "
				    "%s",
				    path, strerror(-r));
	}
	int status = wait_child(pid);
	ssize_t n = read(fds[0], said, sizeof(said) - 1);
	close(fds[0]);
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return judge(path, status, said, err);
}
