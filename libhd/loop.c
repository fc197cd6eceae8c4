/* SPDX-License-Identifier: MIT */
/* libhd/loop.c - what an event loop needs of an endpoint. The fd is an epoll
 * instance with the connection's sockets in it, of TCP and of UDP: so it stays
 * the same when the connection is another, and a caller never has to wait for
 * POLLOUT. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include "libhd/inner.h"

#define READS_MAX 32 /* then others of the caller's loop have a turn */
#define POLL_FDS_MAX 62

int64_t hdl_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t hdl_left_ms(int64_t until_ms)
{
	int64_t left = until_ms - hdl_now_ms();

	return HD_MAX(left, 0);
}

int libhd_fd(const struct libhd *h)
{
	return h->epfd;
}

/* The next moment at which something is to be done; 0: none. */
static int64_t next_ms(const struct libhd *h)
{
	if (h->phase == HDL_IDLE)
		return h->retry_ms;
	if (h->deadline_ms != 0)
		return h->deadline_ms;
	return h->silence_ms != 0 ? h->heard_ms + h->silence_ms : 0;
}

static bool must_run(const struct libhd *h)
{
	if (h->phase == HDL_IDLE)
		return h->retry_ms == 0; /* the first time */
	return h->leaves || h->again || h->udp_again || h->broken ||
	       hdl_udp_waits(h) ||
	       (h->out.n > 0 && (h->waits_for & EPOLLOUT) == 0 &&
		h->phase > HDL_SHAKING);
}

/* -1: never */
static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int libhd_timeout_ms(const struct libhd *h)
{
	int64_t at, left = -1;

	if (h->state == LIBHD_FAILED)
		return -1;
	if (must_run(h))
		return 0;
	at = next_ms(h);
	if (at != 0)
		left = hdl_left_ms(at);
	left = earlier(left, hdl_udp_timeout_ms(h));
	left = earlier(left, hdl_asks_timeout_ms(h));
	if (h->tls != NULL)
		left = earlier(left, hdl_streams_timeout_ms(h));
	return (int)HD_MIN(left, INT32_MAX);
}

/* ---- process ---- */

/* What has been read. Returns whether the connection is still good. */
static bool consume(struct libhd *h)
{
	int used;

	if (h->phase == HDL_UPGRADING) {
		used = hdl_login_head(h, hdl_buf_front(&h->in), h->in.n);
		if (used <= 0)
			return used == 0;
		hdl_buf_take(&h->in, (size_t)used);
	}
	if (h->in.n == 0)
		return true;
	used = hdl_frames(h, hdl_buf_front(&h->in), h->in.n);
	if (used < 0)
		return false;
	hdl_buf_take(&h->in, (size_t)used);
	return true;
}

static void receive(struct libhd *h)
{
	h->again = false;
	for (unsigned i = 0; i < READS_MAX; i++) {
		int r = hdl_tls_read(h);

		if (r <= 0)
			return;
		h->heard_ms = hdl_now_ms();
		if (!consume(h))
			return;
	}
	h->again = true;
}

/* Time is up for this phase, or nothing has been heard for too long. */
static void timers(struct libhd *h)
{
	int64_t now = hdl_now_ms();

	if (h->phase <= HDL_DIALING || next_ms(h) == 0 || now < next_ms(h))
		return;
	if (h->phase < HDL_OPEN)
		hdl_lost(h, 0, "%s does not answer in time", h->relay->host);
	else
		hdl_lost(h, 0, "%s has been silent for too long",
			 h->relay->host);
}

static void room(struct libhd *h)
{
	if (!h->want_room || h->out.n > HDL_OUT_MAX_BYTES / 2 ||
	    hdl_udp_full(h) || h->phase != HDL_OPEN)
		return;
	h->want_room = false;
	if (h->events.writable != NULL)
		h->events.writable(h, h->user);
}

static void connection(struct libhd *h)
{
	if (h->leaves)
		hdl_leave(h);
	if (h->phase == HDL_IDLE && hdl_now_ms() >= h->retry_ms)
		hdl_connect(h);
	if (h->phase == HDL_DIALING)
		hdl_dialed(h);
	if (h->phase == HDL_SHAKING && hdl_tls_shake(h) > 0)
		hdl_login_begin(h);
	if (h->phase > HDL_SHAKING)
		receive(h);
	timers(h); /* after it: a caller that was busy has not lost it */
}

int libhd_process(struct libhd *h)
{
	if (h->state == LIBHD_FAILED)
		return -ENOTCONN;
	connection(h);
	(void)hdl_asks_run(h); /* without memory it is as if it were lost */
	hdl_udp_run(h);
	if (h->phase > HDL_SHAKING)
		hdl_tls_flush(h);
	hdl_udp_flush(h);
	room(h);
	if (h->tls != NULL)
		hdl_streams_run(h);
	hdl_udp_flush(h);
	if (h->phase > HDL_SHAKING)
		hdl_tls_flush(h);
	return h->state == LIBHD_FAILED ? -ENOTCONN : 0;
}

int libhd_poll(struct libhd *h, struct pollfd *fds, unsigned n, int timeout_ms)
{
	struct pollfd all[POLL_FDS_MAX + 1];
	int own = libhd_timeout_ms(h), r, ready = 0;

	hd_assert(n <= POLL_FDS_MAX);
	if (own >= 0 && (timeout_ms < 0 || own < timeout_ms))
		timeout_ms = own;
	if (n > 0)
		memcpy(all, fds, n * sizeof(*fds));
	all[n] = (struct pollfd){ .fd = h->epfd, .events = POLLIN };
	r = poll(all, n + 1, timeout_ms);
	if (r < 0)
		return -errno;
	for (unsigned i = 0; i < n; i++) {
		fds[i].revents = all[i].revents;
		ready += all[i].revents != 0;
	}
	r = libhd_process(h);
	return r < 0 ? r : ready;
}
