/* SPDX-License-Identifier: MIT */
/* core/base/notify.c - the two protocols of the service manager. */
#include "core/base/notify.h"
#include "core/base/addr.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <poll.h>
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
	LISTEN_FDS_MAX = 64,
};

static struct {
	pthread_mutex_t lock; /* UDP sockets are asked for in workers */
	unsigned n, size;
	struct inherited {
		int fd; /* -1: given away */
		int type;
		union hd_addr addr;
		char *label; /* NULL: its entry has a port */
	} * v;
	bool lent;
} inherited = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Returns a socket, and where the manager listens; -1: there is none. */
static int open_manager(struct sockaddr_un *to, socklen_t *ret_len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const struct timeval limit = { .tv_sec = 1 };

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(to->sun_path))
		return -1;
	size_t n = strlen(path);

	memcpy(to->sun_path, path, n);
	if (path[0] == '@')
		to->sun_path[0] = '\0'; /* an abstract name */
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) /* a manager that hangs must not hang us */
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

/* No answer, no remedy: the manager's time limit tells the operator.
 * @pass  a descriptor that goes along; -1: none */
static void tell_manager(const char *text, int pass)
{
	struct sockaddr_un to;
	socklen_t len;
	struct iovec iov = { (void *)text, strlen(text) };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_name = &to, .msg_iov = &iov,
			      .msg_iovlen = 1 };
	int fd = open_manager(&to, &len);

	if (fd < 0)
		return;
	msg.msg_namelen = len;
	if (pass >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(pass));
	}
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		hd_log_debug("sd_notify failed: error=\"%s\"", strerror(errno));
	close(fd);
}

void hd_notify(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell_manager(text, -1);
}

/* BARRIER=1: the manager closes our descriptor when it has read all before it
 * (sd_notify_barrier(3)). */
void hd_notify_barrier(unsigned limit_ms)
{
	int fds[2];

	if (getenv("NOTIFY_SOCKET") == NULL || pipe2(fds, O_CLOEXEC) < 0)
		return;
	struct pollfd p = { .fd = fds[0] };

	tell_manager("BARRIER=1", fds[1]);
	close(fds[1]);
	poll(&p, 1, (int)limit_ms);
	close(fds[0]);
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

static struct inherited *place(void)
{
	unsigned size = inherited.size > 0 ? 2 * inherited.size : 16;

	if (inherited.n < inherited.size)
		return &inherited.v[inherited.n];
	struct inherited *v = realloc(inherited.v, size * sizeof(*v));

	if (v == NULL)
		return NULL;
	inherited.v = v;
	inherited.size = size;
	return &inherited.v[inherited.n];
}

int hd_listen_fds_add(int fd)
{
	struct inherited *in = place();
	socklen_t len = sizeof(in->addr);
	socklen_t type_len = sizeof(in->type);
	int flags = fcntl(fd, F_GETFL);

	if (in == NULL)
		return -ENOMEM;
	memset(in, 0, sizeof(*in));
	if (flags < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &in->type, &type_len) < 0 ||
	    getsockname(fd, &in->addr.sa, &len) < 0)
		return -ENOTSOCK;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	in->fd = fd;
	inherited.n++;
	return 0;
}

int hd_listen_fds_add_any(int fd, const char *label)
{
	char *copy = strdup(label);
	int r = copy != NULL ? hd_listen_fds_add(fd) : -ENOMEM;

	if (r == 0)
		inherited.v[inherited.n - 1].label = copy;
	else
		free(copy);
	return r;
}

static void adopt(int fd)
{
	if (hd_listen_fds_add(fd) < 0)
		hd_log_write(HD_LOG_WARN,
			     "LISTEN_FDS: not a socket, ignored: fd=%d", fd);
}

void hd_listen_fds_lend(bool lent)
{
	inherited.lent = lent;
}

bool hd_listen_fds_lent(void)
{
	return inherited.lent;
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
	for (unsigned long i = 0; i < HD_MIN(n, LISTEN_FDS_MAX); i++)
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

static bool is_used(const union hd_addr *addr, int type);

static bool same_host(const union hd_addr *a, const union hd_addr *b)
{
	union hd_addr with_port = *b;

	if (a->sa.sa_family == AF_INET6)
		with_port.in6.sin6_port = a->in6.sin6_port;
	else
		with_port.in.sin_port = a->in.sin_port;
	return hd_addr_same(a, &with_port);
}

int hd_listen_fds_any(int sock_type, const union hd_addr *addr,
		      const char *label)
{
	int fd = -1;

	pthread_mutex_lock(&inherited.lock);
	for (unsigned i = 0; i < inherited.n && fd < 0; i++) {
		struct inherited *in = &inherited.v[i];

		if (in->fd < 0 || in->type != sock_type || in->label == NULL ||
		    strcmp(in->label, label) != 0 ||
		    !same_host(&in->addr, addr) ||
		    is_used(&in->addr, in->type))
			continue;
		fd = in->fd;
		in->fd = -1;
	}
	pthread_mutex_unlock(&inherited.lock);
	return fd;
}

static bool is_used(const union hd_addr *addr, int type)
{
	for (unsigned i = 0; i < inherited.n; i++)
		if (inherited.v[i].fd < 0 && inherited.v[i].type == type &&
		    hd_addr_same(&inherited.v[i].addr, addr))
			return true;
	return false;
}

/* Of several with one address fewer may be wanted. */
void hd_listen_fds_unused(void)
{
	char text[HD_ADDR_TEXT_BYTES];

	pthread_mutex_lock(&inherited.lock);
	for (unsigned i = 0; i < inherited.n; i++) {
		struct inherited *in = &inherited.v[i];

		if (in->fd < 0)
			continue;
		if (!is_used(&in->addr, in->type))
			hd_log_write(HD_LOG_WARN,
				     "an inherited socket is in no listen "
				     "entry, closed: addr=%s",
				     hd_addr_text(&in->addr, text));
		close(in->fd);
		in->fd = -1;
	}
	pthread_mutex_unlock(&inherited.lock);
}
