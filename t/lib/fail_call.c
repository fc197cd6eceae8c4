/* SPDX-License-Identifier: MIT */
/* t/lib/fail_call.c - for LD_PRELOAD: one call of a process fails, as a file
 * says that may change at any time.
 *
 *   HD_FAIL=FILE LD_PRELOAD=fail_call.so PROGRAM...
 *   FILE: "4711 sendmsg 3 12"  process 4711, its third from now on, errno 12
 *         "-4711 calloc 1 12"  any other process, its first
 *         "4711 sendmsg 10 0"  with its tenth the process is killed
 *
 * Once it has failed FILE.did is there. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char text[96]; /* as the file was read last */
	int pid;
	char call[32];
	unsigned at, code, n;
} rule;

#define SEEN __attribute__((visibility("default")))

/* Nothing here allocates. */
static void read_rule(const char *file)
{
	char text[sizeof(rule.text)] = "";
	long fd = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && syscall(SYS_read, fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		syscall(SYS_close, fd);
	if (strcmp(text, rule.text) == 0)
		return;
	memset(&rule, 0, sizeof(rule));
	strcpy(rule.text, text);
	if (sscanf(text, "%d %31s %u %u", &rule.pid, rule.call, &rule.at,
		   &rule.code) != 4)
		rule.at = 0;
}

static void tell(const char *file)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s.did", file);
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0666);

	if (fd >= 0)
		syscall(SYS_close, fd);
}

static bool is_meant(void)
{
	return rule.pid < 0 ? getpid() != -rule.pid : getpid() == rule.pid;
}

static bool fails(const char *call)
{
	const char *file = getenv("HD_FAIL");
	bool now = false;

	if (file == NULL)
		return false;
	int was = errno;

	pthread_mutex_lock(&lock);
	read_rule(file);
	if (rule.at > 0 && strcmp(rule.call, call) == 0 && is_meant())
		now = ++rule.n == rule.at;
	if (now)
		tell(file);
	if (now && rule.code == 0)
		kill(getpid(), SIGKILL);
	errno = now ? (int)rule.code : was;
	pthread_mutex_unlock(&lock);
	return now;
}

SEEN void *malloc(size_t n)
{
	return fails("malloc") ? NULL : __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t size)
{
	return fails("calloc") ? NULL : __libc_calloc(n, size);
}

SEEN void *realloc(void *p, size_t n)
{
	return fails("realloc") ? NULL : __libc_realloc(p, n);
}

SEEN void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	if (fails("mmap"))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
}

SEEN int memfd_create(const char *name, unsigned flags)
{
	return fails("memfd_create")
		       ? -1
		       : (int)syscall(SYS_memfd_create, name, flags);
}

SEEN int socketpair(int domain, int type, int protocol, int v[2])
{
	if (fails("socketpair"))
		return -1;
	return (int)syscall(SYS_socketpair, domain, type, protocol, v);
}

SEEN ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	return fails("sendmsg") ? -1 : syscall(SYS_sendmsg, fd, m, flags);
}

SEEN ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	return fails("recvmsg") ? -1 : syscall(SYS_recvmsg, fd, m, flags);
}
