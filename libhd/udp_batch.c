/* SPDX-License-Identifier: MIT */
/* libhd/udp_batch.c - see udp_batch.h. */
#include "libhd/udp_batch.h"
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* linux/udp.h */
#define UDP_GRO 104
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum {
	OUT_BYTES = HDL_BATCH_DATAGRAMS * HDP_UDP_MAX_BYTES,
	SEND_MAX_BYTES = 65507, /* of one send: what UDP's length allows */
	IN_N = 8, /* messages of one call */
	IN_BYTES = 65536, /* of each, when the kernel has joined some */
	IN_STRIDE_BYTES = IN_BYTES + 2048, /* not all at one place of a cache */
	KERNEL_BYTES = 2 << 20, /* its buffers, as far as it allows */
};

/* ---- life ---- */

static bool set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

void hdl_batch_init(struct hdl_batch *b, int fd)
{
	int each;
	socklen_t n = sizeof(each);

	(void)set(fd, SOL_SOCKET, SO_RCVBUF, KERNEL_BYTES);
	(void)set(fd, SOL_SOCKET, SO_SNDBUF, KERNEL_BYTES);
	(void)set(fd, SOL_UDP, UDP_GRO, 1);
	*b = (struct hdl_batch){ .gso = getsockopt(fd, SOL_UDP, UDP_SEGMENT,
						   &each, &n) == 0 };
}

void hdl_batch_free(struct hdl_batch *b)
{
	free(b->out);
	free(b->in);
	b->out = b->in = NULL;
	b->n_runs = b->n = b->out_bytes = 0;
	b->blocked = false;
}

/* ---- out ---- */

static bool full(const struct hdl_batch *b)
{
	return b->n == HDL_BATCH_DATAGRAMS || b->n_runs == HDL_BATCH_RUNS;
}

uint8_t *hdl_batch_room(struct hdl_batch *b, int fd)
{
	if (b->out == NULL)
		b->out = malloc(OUT_BYTES);
	if (full(b))
		hdl_batch_flush(b, fd);
	return b->out == NULL || full(b) ? NULL : b->out + b->out_bytes;
}

static bool joins(const struct hdl_batch *b, const struct hdl_batch_run *run,
		  size_t n)
{
	return b->gso && run->len_bytes % run->each_bytes == 0 &&
	       n <= run->each_bytes && run->len_bytes + n <= SEND_MAX_BYTES;
}

void hdl_batch_add(struct hdl_batch *b, size_t n)
{
	struct hdl_batch_run *run = &b->runs[b->n_runs > 0 ? b->n_runs - 1 : 0];

	if (b->n_runs == 0 || !joins(b, run, n)) {
		run = &b->runs[b->n_runs++];
		*run = (struct hdl_batch_run){ .at = b->out_bytes,
					       .each_bytes = (uint32_t)n };
	}
	run->len_bytes += (uint32_t)n;
	b->out_bytes += (uint32_t)n;
	b->n++;
}

struct sending {
	struct mmsghdr m[HDL_BATCH_RUNS];
	struct iovec iov[HDL_BATCH_RUNS];
	union {
		struct cmsghdr align;
		uint8_t v[CMSG_SPACE(sizeof(uint16_t))];
	} control[HDL_BATCH_RUNS];
};

static void put_each(struct msghdr *m, void *control, uint16_t each)
{
	struct cmsghdr *c = control;

	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(sizeof(each));
	memset(control, 0, CMSG_SPACE(sizeof(each)));
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(each));
	memcpy(CMSG_DATA(c), &each, sizeof(each));
}

static void prepare(const struct hdl_batch *b, struct sending *s)
{
	for (unsigned i = 0; i < b->n_runs; i++) {
		const struct hdl_batch_run *run = &b->runs[i];

		s->iov[i] = (struct iovec){ b->out + run->at, run->len_bytes };
		s->m[i].msg_hdr = (struct msghdr){ .msg_iov = &s->iov[i],
						   .msg_iovlen = 1 };
		if (run->len_bytes > run->each_bytes)
			put_each(&s->m[i].msg_hdr, s->control[i].v,
				 (uint16_t)run->each_bytes);
	}
}

/* A send that the kernel would not cut: the device cannot, or a datagram needs
 * fragments. */
static void send_each(const struct hdl_batch *b, const struct hdl_batch_run *r,
		      int fd)
{
	for (uint32_t at = 0; at < r->len_bytes; at += r->each_bytes)
		(void)send(fd, b->out + r->at + at,
			   HD_MIN(r->each_bytes, r->len_bytes - at),
			   MSG_NOSIGNAL);
}

/* Runs before `from` are gone; the others move to the front. */
static void keep(struct hdl_batch *b, unsigned from)
{
	uint32_t gone = from < b->n_runs ? b->runs[from].at : b->out_bytes;

	b->n = 0;
	for (unsigned i = from; i < b->n_runs; i++) {
		struct hdl_batch_run *run = &b->runs[i - from];

		*run = b->runs[i];
		run->at -= gone;
		b->n += (run->len_bytes + run->each_bytes - 1) /
			run->each_bytes;
	}
	b->n_runs -= from;
	b->out_bytes -= gone;
	memmove(b->out, b->out + gone, b->out_bytes);
}

/* The run at its place cannot be sent. Returns how many are done with. An error
 * of ICMP is of those before, and is said once: the same one is tried again. */
static unsigned refused(struct hdl_batch *b, unsigned at, int fd, int error,
			bool *again)
{
	const struct hdl_batch_run *run = &b->runs[at];

	if (!*again && error == ECONNREFUSED) {
		*again = true;
		return 0;
	}
	*again = false;
	b->gso &= error != EIO;
	if (run->len_bytes > run->each_bytes)
		send_each(b, run, fd);
	return 1;
}

void hdl_batch_flush(struct hdl_batch *b, int fd)
{
	struct sending s;
	unsigned at = 0;
	bool again = false;

	b->blocked = false;
	if (b->n_runs == 0)
		return;
	prepare(b, &s);
	while (at < b->n_runs && !b->blocked) {
		int n = sendmmsg(fd, s.m + at, b->n_runs - at, MSG_NOSIGNAL);

		if (n > 0)
			at += (unsigned)n;
		else if (errno == EAGAIN)
			b->blocked = true;
		else if (errno != EINTR)
			at += refused(b, at, fd, errno, &again);
	}
	keep(b, at);
}

/* ---- in ---- */

/* Bytes of each datagram in the message but the last; 0: it is one. */
static size_t each_of(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int n;

		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&n, CMSG_DATA(c), sizeof(n));
		return n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void take(struct mmsghdr *m, hdl_batch_fn *fn, void *arg)
{
	uint8_t *p = m->msg_hdr.msg_iov->iov_base;
	size_t each = each_of(&m->msg_hdr), n = m->msg_len;

	if (each == 0)
		each = n;
	for (size_t at = 0; at < n; at += each)
		fn(arg, p + at, HD_MIN(each, n - at));
}

struct receiving {
	struct mmsghdr m[IN_N];
	struct iovec iov[IN_N];
	union {
		struct cmsghdr align;
		uint8_t v[CMSG_SPACE(sizeof(int))];
	} control[IN_N];
};

static void receive_into(struct receiving *r, uint8_t *in)
{
	for (unsigned i = 0; i < IN_N; i++) {
		r->iov[i] = (struct iovec){ in + i * IN_STRIDE_BYTES,
					    IN_BYTES };
		r->m[i].msg_hdr = (struct msghdr){
			.msg_iov = &r->iov[i],
			.msg_iovlen = 1,
			.msg_control = r->control[i].v,
			.msg_controllen = sizeof(r->control[i].v),
		};
	}
}

/* Whether there is something; an error of ICMP is taken away. */
static bool waits(int fd)
{
	return recv(fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* An error is ICMP's: it says nothing that can be believed. */
bool hdl_batch_read(struct hdl_batch *b, int fd, hdl_batch_fn *fn, void *arg)
{
	struct receiving r;
	int n;

	if (b->in == NULL) {
		if (!waits(fd))
			return false;
		b->in = malloc((size_t)IN_N * IN_STRIDE_BYTES);
		if (b->in == NULL)
			return false;
	}
	receive_into(&r, b->in);
	n = recvmmsg(fd, r.m, IN_N, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		take(&r.m[i], fn, arg);
	return n == IN_N;
}
