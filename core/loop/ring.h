/* SPDX-License-Identifier: MIT */
/* core/loop/ring.h - what a worker waits on. Two backends behind one table: the
 * only files that know io_uring or epoll. Context: the worker that opened it.
 *
 * Readiness is edge-triggered in both: an event says that something changed,
 * and whoever gets it reads until the socket is empty, or remembers that it
 * has not. Received bytes therefore go to one buffer of the worker that stays
 * in the cache, however many sockets there are, and a socket that is not read
 * holds no memory of ours and cannot run ahead of us. */
#pragma once
#include <hyper-derp/base.h>
#include <sys/uio.h>

struct hd_conf;
struct hd_ring;

enum { HD_READY_IN = 1, HD_READY_OUT = 2, HD_READY_HUP = 4 };

struct hd_ring_event {
	uint64_t tag;
	int32_t res;   /* HD_READY_ bits, bytes sent, or negative errno */
	bool disarmed; /* the watch ended: watch again if still wanted */
};

#define HD_SEND_IOV 64 /* chunks that one send takes */

struct hd_ring_ops {
	const char *name;
	int (*open)(const struct hd_conf *conf, struct hd_ring **ret,
		    struct hd_error *err);
	void (*close)(struct hd_ring **ring);
	/* watch - events for HUP edges and those of bits until unwatch. The
	 * first one reports what is ready now. Returns 0 or negative errno.
	 * @bits  HD_READY_IN, with HD_READY_OUT where somebody waits for room:
	 *        a UDP socket has it anew with each datagram that is read at
	 *        the other end, an eventfd with each read */
	int (*watch)(struct hd_ring *ring, int fd, int32_t bits, uint64_t tag);
	void (*unwatch)(struct hd_ring *ring, int fd, uint64_t tag);
	/* send - without waiting for room. Returns the bytes taken or negative
	 * errno now, or -EINPROGRESS: they come as an event for tag, at the
	 * latest with the next wait; the buffers must live until then.
	 * @iov  1..HD_SEND_IOV entries, read before this returns */
	int (*send)(struct hd_ring *ring, int fd, uint64_t tag,
		    const struct iovec *iov, unsigned n);
	/* wait - until an event is there or timeout_ms (-1: for ever).
	 * @hold_ns  0, or: that long, and events gather meanwhile */
	void (*wait)(struct hd_ring *ring, int timeout_ms, uint64_t hold_ns);
	/* next - the next event. Returns false when there is none. */
	bool (*next)(struct hd_ring *ring, struct hd_ring_event *ret_event);
};

extern const struct hd_ring_ops hd_ring_epoll;
extern const struct hd_ring_ops hd_ring_uring; /* with liburing only */

/* hd_ring_choose - the backend that conf->event_backend asks for. `auto` tries
 * io_uring and falls back to epoll, saying why; `io_uring` makes that an
 * error. Main thread. Returns NULL with err. */
const struct hd_ring_ops *hd_ring_choose(const struct hd_conf *conf,
					 struct hd_error *err);
