/* SPDX-License-Identifier: MIT */
/* core/loop/ring_epoll.c - the epoll backend: where io_uring is forbidden, and
 * the yardstick beside it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "core/loop/ring.h"

#define EVENTS 256

struct hd_ring {
	int fd;
	int n, at; /* events[at, n) are not taken yet */
	struct epoll_event events[EVENTS];
};

static void epoll_ring_close(struct hd_ring **ring)
{
	struct hd_ring *r = hd_steal(ring);

	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

static int epoll_ring_open(const struct hd_conf *conf, struct hd_ring **ret,
			   struct hd_error *err)
{
	HD_AUTO(epoll_ring_close) struct hd_ring *r = calloc(1, sizeof(*r));

	(void)conf;
	if (r == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r->fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->fd < 0)
		return hd_error_set(err, -errno, "epoll_create1: %m");
	/* else nanosleep() takes 50 us more than was asked for */
	prctl(PR_SET_TIMERSLACK, 1000L, 0L, 0L, 0L);
	*ret = hd_steal(&r);
	return 0;
}

static int epoll_ring_watch(struct hd_ring *r, int fd, int32_t bits,
			    uint64_t tag)
{
	uint32_t out = bits & HD_READY_OUT ? EPOLLOUT : 0;
	struct epoll_event e = {
		.events = EPOLLIN | EPOLLRDHUP | EPOLLET | out,
		.data.u64 = tag,
	};

	return epoll_ctl(r->fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void epoll_ring_unwatch(struct hd_ring *r, int fd, uint64_t tag)
{
	(void)tag;
	epoll_ctl(r->fd, EPOLL_CTL_DEL, fd, NULL);
}

static int epoll_ring_send(struct hd_ring *r, int fd, uint64_t tag,
			   const struct iovec *iov, unsigned n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)r;
	(void)tag;
	return sent < 0 ? -errno : (int)sent;
}

static void epoll_ring_wait(struct hd_ring *r, int timeout_ms,
			    uint64_t hold_ns)
{
	const struct timespec hold = { .tv_nsec = (long)hold_ns };

	if (r->at < r->n)
		return;
	if (hold_ns > 0) {
		nanosleep(&hold, NULL);
		timeout_ms = 0;
	}
	r->at = 0;
	r->n = epoll_wait(r->fd, r->events, EVENTS, timeout_ms);
	if (r->n < 0)
		r->n = 0; /* EINTR: the caller looks at the time and returns */
}

static int32_t ready_bits(uint32_t events)
{
	int32_t bits = 0;

	if (events & EPOLLIN)
		bits |= HD_READY_IN;
	if (events & EPOLLOUT)
		bits |= HD_READY_OUT;
	if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		bits |= HD_READY_HUP;
	return bits;
}

static bool epoll_ring_next(struct hd_ring *r, struct hd_ring_event *ret_event)
{
	if (r->at == r->n)
		return false;
	const struct epoll_event *e = &r->events[r->at++];

	*ret_event = (struct hd_ring_event){
		.tag = e->data.u64,
		.res = ready_bits(e->events),
	};
	return true;
}

const struct hd_ring_ops hd_ring_epoll = {
	.name = "epoll",
	.open = epoll_ring_open,
	.close = epoll_ring_close,
	.watch = epoll_ring_watch,
	.unwatch = epoll_ring_unwatch,
	.send = epoll_ring_send,
	.wait = epoll_ring_wait,
	.next = epoll_ring_next,
};
