/* SPDX-License-Identifier: MIT */
/* tools/hdctl/program.c - run another program of ours. */
#include "tools/hdctl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, OUTPUT_MAX_BYTES = 1 << 20 };

static bool found(char buf[PATH_BYTES], const char *folder, int n,
		  const char *name)
{
	int len = snprintf(buf, PATH_BYTES, "%.*s/%s", n, folder, name);

	return len > 0 && len < PATH_BYTES && access(buf, X_OK) == 0;
}

static bool beside_us(const char *name, char buf[PATH_BYTES])
{
	char me[PATH_BYTES - 16];
	ssize_t n = readlink("/proc/self/exe", me, sizeof(me) - 1);
	const char *slash;

	me[n > 0 ? n : 0] = '\0';
	slash = strrchr(me, '/');
	if (slash == NULL)
		return false;
	n = slash - me;
	if (found(buf, me, (int)n, name))
		return true;
	strcpy(me + n, "/../sbin");
	return found(buf, me, (int)strlen(me), name);
}

const char *program_find(const char *name, char buf[4096])
{
	const char *path = getenv("PATH");

	if (beside_us(name, buf))
		return buf;
	while (path != NULL && *path != '\0') {
		size_t n = strcspn(path, ":");

		if (n > 0 && found(buf, path, (int)n, name))
			return buf;
		path += n + (path[n] == ':');
	}
	return NULL;
}

static void become(char *const argv[], int out, bool both)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(both ? out : null, STDERR_FILENO);
	execv(argv[0], argv);
	_exit(127);
}

static int end_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The pipe is read to its end, for the program to come to its own. */
static void read_all(int fd, char *text)
{
	char rest[4096];
	size_t n = 0;
	ssize_t r = 1;

	while (r > 0 || (r < 0 && errno == EINTR)) {
		bool full = n == OUTPUT_MAX_BYTES;

		r = read(fd, full ? rest : text + n,
			 full ? sizeof(rest) : OUTPUT_MAX_BYTES - n);
		n += r > 0 && !full ? (size_t)r : 0;
	}
	text[n] = '\0';
}

char *program_output(char *const argv[], bool both, int *ret_status)
{
	char *text = malloc(OUTPUT_MAX_BYTES + 1);
	int fds[2];

	*ret_status = -1;
	if (text == NULL || pipe2(fds, O_CLOEXEC) < 0) {
		free(text);
		return NULL;
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		become(argv, fds[1], both);
	close(fds[1]);
	read_all(fds[0], text);
	close(fds[0]);
	if (pid > 0)
		*ret_status = end_of(pid);
	return text;
}

int program_run(char *const argv[])
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return pid > 0 ? end_of(pid) : -1;
}
