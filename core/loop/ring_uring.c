/* SPDX-License-Identifier: MIT */
/* core/loop/ring_uring.c - the io_uring backend.
 *
 * Readiness comes from multishot polls, edge-triggered as the kernel makes
 * them. Sends are queued and enter the kernel together with the wait: one
 * system call for all sends of a turn and for sleeping. Each send carries
 * MSG_DONTWAIT, so that it ends while it is submitted, and the wait asks for
 * one completion more than there are sends: we sleep although they complete.
 *
 * Kernel 6.1: SINGLE_ISSUER and DEFER_TASKRUN. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include "core/conf/conf.h"
#include "core/loop/ring.h"
#include "core/loop/tag.h"

#define ENTRIES 512
#define COMPLETIONS 8192
#define GATHERED 256 /* events that are enough for a turn */
#define GATHERS 128 /* sends of several chunks in one submission */

struct gather {
	struct msghdr msg;
	struct iovec iov[HD_SEND_IOV];
};

struct hd_ring {
	struct io_uring uring;
	unsigned sending; /* sends whose completion was not taken yet */
	unsigned n_gathers;
	struct gather *gathers; /* the kernel reads them while it submits */
};

/* Entries that the kernel has not taken yet still point to their gathers:
 * SQPOLL's thread is behind us, a submission may stop half way. */
static void release_gathers(struct hd_ring *r)
{
	if (io_uring_sq_ready(&r->uring) == 0)
		r->n_gathers = 0;
}

/* The kernel ends a ring in the background, and what is armed holds its socket
 * open until then: without this a relay that is started again at once finds
 * its own ports in use. */
static void cancel_all(struct io_uring *uring)
{
	struct io_uring_sync_cancel_reg reg = {
		.fd = -1,
		.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
		.timeout = { .tv_sec = 1 },
	};

	io_uring_register_sync_cancel(uring, &reg);
	io_uring_get_events(uring); /* runs what the cancelling deferred */
}

static void uring_close(struct hd_ring **ring)
{
	struct hd_ring *r = hd_steal(ring);

	if (r == NULL)
		return;
	if (r->uring.ring_fd > 0) {
		cancel_all(&r->uring);
		io_uring_queue_exit(&r->uring);
	}
	free(r->gathers);
	free(r);
}

static int uring_init(struct hd_ring *r, bool sqpoll)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_CLAMP,
		.cq_entries = COMPLETIONS,
	};

	if (sqpoll) {
		p.flags |= IORING_SETUP_SQPOLL;
		p.sq_thread_idle = 100;
	} else {
		p.flags |= IORING_SETUP_DEFER_TASKRUN;
	}
	return io_uring_queue_init_params(ENTRIES, &r->uring, &p);
}

static int uring_open(const struct hd_conf *conf, struct hd_ring **ret,
		      struct hd_error *err)
{
	HD_AUTO(uring_close) struct hd_ring *r = calloc(1, sizeof(*r));
	int e;

	if (r == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r->gathers = calloc(GATHERS, sizeof(*r->gathers));
	if (r->gathers == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	e = uring_init(r, conf->sqpoll);
	if (e < 0) {
		r->uring.ring_fd = 0;
		errno = -e;
		return hd_error_set(
			err, e,
			"io_uring_setup: %m (allow it: sysctl "
			"kernel.io_uring_disabled=0, and in a container a "
			"seccomp profile that permits io_uring; kernel 6.1 or "
			"newer; or set event_backend: epoll)");
	}
	*ret = hd_steal(&r);
	return 0;
}

static void uring_submit(struct hd_ring *r)
{
	io_uring_submit(&r->uring);
	release_gathers(r);
}

static struct io_uring_sqe *uring_sqe(struct hd_ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);

	while (sqe == NULL) { /* again: SQPOLL's thread has not caught up */
		uring_submit(r);
		sqe = io_uring_get_sqe(&r->uring);
	}
	return sqe;
}

static int uring_watch(struct hd_ring *r, int fd, int32_t bits, uint64_t tag)
{
	struct io_uring_sqe *sqe = uring_sqe(r);
	unsigned out = bits & HD_READY_OUT ? POLLOUT : 0;

	io_uring_prep_poll_multishot(sqe, fd, POLLIN | POLLRDHUP | out);
	io_uring_sqe_set_data64(sqe, tag);
	return 0;
}

/* Not poll_remove: that one fails when a wake-up is on its way, and a socket
 * that is being closed has one. The poll would hold the socket for ever. */
static void uring_unwatch(struct hd_ring *r, int fd, uint64_t tag)
{
	struct io_uring_sqe *sqe = uring_sqe(r);

	(void)fd;
	io_uring_prep_cancel64(sqe, tag, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, hd_tag(HD_OP_NONE, 0, 0));
}

static void prep_gather(struct hd_ring *r, struct io_uring_sqe *sqe, int fd,
			const struct iovec *iov, unsigned n)
{
	struct gather *g = &r->gathers[r->n_gathers++];

	for (unsigned i = 0; i < n; i++)
		g->iov[i] = iov[i];
	g->msg = (struct msghdr){ .msg_iov = g->iov, .msg_iovlen = n };
	io_uring_prep_sendmsg(sqe, fd, &g->msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int uring_send(struct hd_ring *r, int fd, uint64_t tag,
		      const struct iovec *iov, unsigned n)
{
	while (n > 1 && r->n_gathers == GATHERS)
		uring_submit(r);
	struct io_uring_sqe *sqe = uring_sqe(r);

	if (n == 1)
		io_uring_prep_send(sqe, fd, iov->iov_base, iov->iov_len,
				   MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		prep_gather(r, sqe, fd, iov, n);
	io_uring_sqe_set_data64(sqe, tag);
	r->sending++;
	return -EINPROGRESS;
}

/* Sends what is queued and waits for so many events besides the sends'. */
static void enter(struct hd_ring *r, unsigned events, uint64_t ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = (int64_t)(ns / 1000000000),
		.tv_nsec = (int64_t)(ns % 1000000000),
	};
	struct io_uring_cqe *cqe;

	io_uring_submit_and_wait_timeout(&r->uring, &cqe, r->sending + events,
					 ns == UINT64_MAX ? NULL : &ts, NULL);
}

static void uring_wait(struct hd_ring *r, int timeout_ms, uint64_t hold_ns)
{
	uint64_t ns = timeout_ms < 0 ? UINT64_MAX
				     : (uint64_t)timeout_ms * 1000000;

	if (hold_ns > 0)
		enter(r, GATHERED, hold_ns);
	else if (ns == 0 || io_uring_cq_ready(&r->uring) > r->sending)
		io_uring_submit_and_get_events(&r->uring);
	else
		enter(r, 1, ns);
	release_gathers(r);
}

static int32_t ready_bits(int32_t res)
{
	int32_t bits = 0;

	if (res & POLLIN)
		bits |= HD_READY_IN;
	if (res & POLLOUT)
		bits |= HD_READY_OUT;
	if (res & (POLLHUP | POLLERR | POLLRDHUP))
		bits |= HD_READY_HUP;
	return bits;
}

static bool uring_next(struct hd_ring *r, struct hd_ring_event *ret_event)
{
	struct io_uring_cqe *cqe;

	if (io_uring_peek_cqe(&r->uring, &cqe) != 0)
		return false;
	bool sent = hd_tag_op(cqe->user_data) == HD_OP_SENT;

	*ret_event = (struct hd_ring_event){
		.tag = cqe->user_data,
		.res = sent || cqe->res < 0 ? cqe->res : ready_bits(cqe->res),
		.disarmed = !sent && !(cqe->flags & IORING_CQE_F_MORE),
	};
	if (sent)
		r->sending--;
	io_uring_cqe_seen(&r->uring, cqe);
	return true;
}

const struct hd_ring_ops hd_ring_uring = {
	.name = "io_uring",
	.open = uring_open,
	.close = uring_close,
	.watch = uring_watch,
	.unwatch = uring_unwatch,
	.send = uring_send,
	.wait = uring_wait,
	.next = uring_next,
};
