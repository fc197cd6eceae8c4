/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_wire.c - messages between the old process and the new:
 * a socket pair that keeps their bounds. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/daemon/upgrade.h"

/* Who does not take it may stand still for a moment, as its machine does. */
enum { SEND_MS = 5000 };

static uint64_t bound_ms = UINT64_MAX;

void hd_upgrade_bound(uint64_t until_ms)
{
	bound_ms = until_ms;
}

bool hd_upgrade_is_late(void)
{
	return hd_clock_ms() >= bound_ms;
}

struct head {
	uint32_t type, len;
	uint64_t n;
};

static void put_fds(struct msghdr *msg, const struct hd_upgrade_message *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	size_t bytes = m->n_fds * sizeof(int);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(c), m->fds, bytes);
	msg->msg_controllen = CMSG_SPACE(bytes);
}

/* Too many descriptors are on their way, or too many bytes: the other one has
 * to take some first. */
static int wait_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 10) < 0 && errno != EINTR ? -errno : 0;
}

int hd_upgrade_send(int fd, const struct hd_upgrade_message *m)
{
	struct head head = { m->type, m->len, m->n };
	struct iovec iov[2] = { { &head, sizeof(head) }, { m->data, m->len } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(m->fds))];
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = m->len > 0 ? 2 : 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	uint64_t until_ms = HD_MIN(hd_clock_ms() + SEND_MS, bound_ms);

	memset(control, 0, sizeof(control));
	if (m->n_fds > 0)
		put_fds(&msg, m);
	else
		msg.msg_control = NULL, msg.msg_controllen = 0;
	for (;;) {
		if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR && errno != ETOOMANYREFS)
			return -errno;
		if (hd_clock_ms() >= until_ms)
			return -EAGAIN;
		int r = wait_room(fd);

		if (r < 0)
			return r;
	}
}

static void take_fds(struct msghdr *msg, struct hd_upgrade_message *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return;
	m->n_fds = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
}

static void close_all(struct hd_upgrade_message *m)
{
	while (m->n_fds > 0)
		close(m->fds[--m->n_fds]);
}

static int wait_input(int fd, uint64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = hd_clock_ms();
	int r = poll(&p, 1, until_ms > now ? (int)(until_ms - now) : 0);

	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 1;
}

int hd_upgrade_receive(int fd, uint64_t until_ms, struct hd_upgrade_message *m)
{
	struct head head;
	struct iovec iov[2] = { { &head, sizeof(head) },
				{ m->data, HD_UP_DATA_BYTES } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(m->fds))];
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = m->data != NULL ? 2 : 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int r;

	while ((r = wait_input(fd, HD_MIN(until_ms, bound_ms))) == 0)
		;
	if (r < 0)
		return r;
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
	m->n_fds = 0;
	take_fds(&msg, m);
	if ((size_t)n < sizeof(head) || head.len != (size_t)n - sizeof(head) ||
	    msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		close_all(m);
		return msg.msg_flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
	}
	m->type = head.type;
	m->len = head.len;
	m->n = head.n;
	return 0;
}

int hd_upgrade_say(int fd, enum hd_upgrade_type type, uint64_t n)
{
	const struct hd_upgrade_message m = { .type = type, .n = n };

	return hd_upgrade_send(fd, &m);
}

int hd_upgrade_send_bytes(int fd, enum hd_upgrade_type type, const uint8_t *p,
			  size_t n)
{
	int r = 0;

	for (size_t at = 0; at < n && r == 0; at += HD_UP_DATA_BYTES) {
		const struct hd_upgrade_message m = {
			.type = type,
			.len = (uint32_t)HD_MIN(n - at,
						(size_t)HD_UP_DATA_BYTES),
			.data = (uint8_t *)p + at,
		};

		r = hd_upgrade_send(fd, &m);
	}
	return r;
}

int hd_upgrade_send_fds(int fd, enum hd_upgrade_type type, const int *v,
			size_t n)
{
	int r = 0;

	for (size_t at = 0; at < n && r == 0; at += HD_UP_FDS) {
		struct hd_upgrade_message m = {
			.type = type,
			.n_fds = (uint32_t)HD_MIN(n - at, (size_t)HD_UP_FDS),
		};

		memcpy(m.fds, v + at, m.n_fds * sizeof(int));
		r = hd_upgrade_send(fd, &m);
	}
	return r;
}
