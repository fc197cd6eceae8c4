/* SPDX-License-Identifier: MIT */
/* core/base/notify.c - the two protocols of the service manager. */
#include "core/base/notify.h"
#include "core/base/addr.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	LISTEN_FDS_START = 3, /* sd_listen_fds(3) */
	INHERITED_MAX = 64,
};

static struct {
	pthread_mutex_t lock; /* UDP sockets are asked for in workers */
	unsigned n;
	struct inherited {
		int fd; /* -1: given away */
		int type;
		union hd_addr addr;
	} v[INHERITED_MAX];
} inherited = { .lock = PTHREAD_MUTEX_INITIALIZER };

void hd_notify(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = 1 };
	char text[512];
	va_list ap;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(to.sun_path))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	size_t n = strlen(path);
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract name */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* a manager that hangs must not hang us */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	/* no answer, no remedy: the manager's time limit tells the operator */
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		   (const struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		hd_log_debug("sd_notify failed: error=\"%s\"", strerror(errno));
	close(fd);
}

static bool env_number(const char *name, unsigned long *ret)
{
	const char *text = getenv(name);
	char *end;

	if (text == NULL || *text == '\0')
		return false;
	errno = 0;
	*ret = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static void adopt(int fd)
{
	struct inherited *in = &inherited.v[inherited.n];
	socklen_t len = sizeof(in->addr);
	socklen_t type_len = sizeof(in->type);
	int flags = fcntl(fd, F_GETFL);

	memset(in, 0, sizeof(*in));
	if (flags < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &in->type, &type_len) < 0 ||
	    getsockname(fd, &in->addr.sa, &len) < 0) {
		hd_log_write(HD_LOG_WARN,
			     "LISTEN_FDS: not a socket, ignored: fd=%d", fd);
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	in->fd = fd;
	inherited.n++;
}

unsigned hd_listen_fds_init(void)
{
	unsigned long pid, n;
	bool ours = env_number("LISTEN_PID", &pid) &&
		    pid == (unsigned long)getpid() &&
		    env_number("LISTEN_FDS", &n);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return 0;
	for (unsigned long i = 0; i < HD_MIN(n, INHERITED_MAX); i++)
		adopt((int)(LISTEN_FDS_START + i));
	return inherited.n;
}

int hd_listen_fds(int sock_type, const union hd_addr *addr)
{
	int fd = -1;

	pthread_mutex_lock(&inherited.lock);
	for (unsigned i = 0; i < inherited.n && fd < 0; i++) {
		struct inherited *in = &inherited.v[i];

		if (in->fd < 0 || in->type != sock_type ||
		    !hd_addr_same(&in->addr, addr))
			continue;
		fd = in->fd;
		in->fd = -1;
	}
	pthread_mutex_unlock(&inherited.lock);
	return fd;
}

void hd_listen_fds_unused(void)
{
	char text[HD_ADDR_TEXT_BYTES];

	pthread_mutex_lock(&inherited.lock);
	for (unsigned i = 0; i < inherited.n; i++) {
		struct inherited *in = &inherited.v[i];

		if (in->fd < 0)
			continue;
		hd_log_write(HD_LOG_WARN,
			     "an inherited socket is in no listen entry, "
			     "closed: addr=%s",
			     hd_addr_text(&in->addr, text));
		close(in->fd);
		in->fd = -1;
	}
	pthread_mutex_unlock(&inherited.lock);
}
