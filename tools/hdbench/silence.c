/* SPDX-License-Identifier: MIT */
/* tools/hdbench/silence.c - when bytes of TCP arrived: SO_TIMESTAMPNS. */
#include "tools/hdbench/silence.h"
#include "tools/hdbench/clock.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int silence_watch(int fd)
{
	const int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0
		       ? -errno
		       : 0;
}

/* The kernel's stamps are of CLOCK_REALTIME: how long ago that was. */
static int64_t age_ns(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)(now.tv_sec - then->tv_sec) * NS_PER_S +
	       (now.tv_nsec - then->tv_nsec);
}

static int64_t arrived_ns(struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int64_t now = clock_ns();
	struct timespec then;

	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_TIMESTAMPNS)
		return now;
	memcpy(&then, CMSG_DATA(c), sizeof(then));
	return now - HD_MAX(age_ns(&then), (int64_t)0);
}

ssize_t silence_recv(int fd, void *to, size_t bytes, int64_t *ret_ns)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct timespec))];
	} control;
	struct iovec iov = { .iov_base = to, .iov_len = bytes };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	ssize_t n = recvmsg(fd, &msg, 0);

	*ret_ns = n > 0 ? arrived_ns(&msg) : clock_ns();
	return n;
}
