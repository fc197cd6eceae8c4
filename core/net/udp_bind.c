/* SPDX-License-Identifier: MIT */
/* core/net/udp_bind.c - a bound UDP socket.
 *
 * Workers share a port by SO_REUSEPORT, which would also let a second relay in
 * without a word. So the first bind of an address in this process is tried
 * once without it. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/base.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include "core/base/addr.h"
#include "core/base/notify.h"
#include "core/net/udp_bind.h"

#define ADDRS_MAX 64

static struct {
	pthread_mutex_t lock;
	struct bound {
		union hd_addr addr;
		const struct hd_module *mod; /* whose it is */
		unsigned users; /* sockets */
		int inherited; /* from LISTEN_FDS; -1: none */
	} v[ADDRS_MAX];
	unsigned n;
} ours = { .lock = PTHREAD_MUTEX_INITIALIZER };

static socklen_t addr_len(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

static void set_flag(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_options(int fd, const union hd_addr *a)
{
	if (a->sa.sa_family == AF_INET6) {
		bool any = IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);

		set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !any);
		set_flag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	}
	set_flag(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

static int bind_once(const union hd_addr *a, bool share)
{
	int fd = socket(a->sa.sa_family,
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int e;

	if (fd < 0)
		return -errno;
	set_options(fd, a);
	if (share)
		set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (bind(fd, &a->sa, addr_len(a)) == 0)
		return fd;
	e = -errno;
	close(fd);
	return e;
}

static struct bound *find_ours(const union hd_addr *a)
{
	for (unsigned i = 0; i < ours.n; i++)
		if (hd_addr_same(&ours.v[i].addr, a))
			return &ours.v[i];
	return NULL;
}

/* Is it free? A relay that was killed a moment ago may still have it: the
 * kernel ends its io_uring some milliseconds after the process. */
static int probe(const union hd_addr *a)
{
	const struct timespec step = { .tv_nsec = 10000000 };
	int fd = bind_once(a, false);

	for (int i = 0; fd == -EADDRINUSE && i < 30; i++) {
		nanosleep(&step, NULL);
		fd = bind_once(a, false);
	}
	return fd;
}

/* First use of the address here: inherited, or free for us to take. */
static int claim(const struct hd_module *mod, const union hd_addr *a)
{
	int fd = hd_listen_fds(SOCK_DGRAM, a);

	if (ours.n == ADDRS_MAX)
		return -ENOSPC;
	if (fd >= 0) {
		set_options(fd, a);
	} else {
		int free_fd = probe(a);

		if (free_fd < 0)
			return free_fd;
		close(free_fd);
	}
	ours.v[ours.n++] = (struct bound){ *a, mod, 0, fd };
	return 0;
}

static int open_shared(const struct bound *b)
{
	if (b->inherited < 0)
		return bind_once(&b->addr, true);
	/* as many as there are; one that was bound here as well would be given
	 * datagrams while the process before this one still serves */
	int fd = b->users > 0 ? hd_listen_fds(SOCK_DGRAM, &b->addr) : -1;

	/* the first one is read in any case: with fewer workers than there were
	 * the others are closed, and the kernel gives it what came to them */
	if (fd < 0)
		fd = fcntl(b->inherited, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Port 0 is another port each time: nobody's. */
static bool is_others(const struct bound *b, const struct hd_module *mod)
{
	return b->users > 0 && b->mod != mod && b->addr.in.sin_port != 0;
}

static int bind_shared(const struct hd_module *mod, const union hd_addr *a)
{
	struct bound *b = find_ours(a);

	if (b == NULL) {
		int r = claim(mod, a);

		if (r < 0)
			return r;
		b = find_ours(a);
	}
	if (is_others(b, mod))
		return -EADDRINUSE;
	int fd = open_shared(b);

	b->mod = mod;
	b->users += fd >= 0;
	return fd;
}

void hd_udp_unbind(const union hd_addr *a, int fd)
{
	pthread_mutex_lock(&ours.lock);
	struct bound *b = find_ours(a);

	if (b != NULL)
		b->users--;
	close(fd);
	pthread_mutex_unlock(&ours.lock);
}

/* What was inherited stays ours. */
void hd_udp_forget(void)
{
	unsigned n = 0;

	pthread_mutex_lock(&ours.lock);
	for (unsigned i = 0; i < ours.n; i++)
		if (ours.v[i].users > 0 || ours.v[i].inherited >= 0)
			ours.v[n++] = ours.v[i];
	ours.n = n;
	pthread_mutex_unlock(&ours.lock);
}

int hd_udp_bind(const struct hd_module *mod, const union hd_addr *a,
		struct hd_error *err)
{
	char text[HD_ADDR_TEXT_BYTES];
	int fd;

	pthread_mutex_lock(&ours.lock);
	fd = bind_shared(mod, a);
	pthread_mutex_unlock(&ours.lock);
	if (fd >= 0)
		return fd;
	errno = -fd;
	return hd_error_set(err, fd,
			    "bind: %m: udp %s (another program or module "
			    "serves it: ss -lunp; or choose another "
			    "address)",
			    hd_addr_text(a, text));
}
