/* SPDX-License-Identifier: MIT */
/* core/net/udp_send.c - what a turn sends goes out by one sendmmsg. Datagrams
 * of equal size to one address are one send that the kernel cuts (UDP_SEGMENT),
 * where it can: also if some to others were queued between them.
 * Context: the socket's worker. */
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include "core/base/addr.h"
#include "core/net/udp_addr.h"
#include "core/net/udp_private.h"

/* What fits one send: 65,535 without the headers of IP and UDP. */
enum {
	SEND_MAX_BYTES = 65507,
	SMALL_BYTES = 2048,
	LARGE_ARENA_BYTES = 512 * 1024,
	KERNEL_BYTES = 4 << 20, /* its buffers, as far as it allows */
	IN_N = 32,
};

#define CONTROL_BYTES (HD_UDP_CONTROL_BYTES + CMSG_SPACE(sizeof(uint16_t)))

/* ---- buffers ---- */

static bool set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static void set_kernel(struct hd_udp_socket *u)
{
	int segment;
	socklen_t n = sizeof(segment);

	if (!set(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, KERNEL_BYTES))
		set(u->fd, SOL_SOCKET, SO_RCVBUF, KERNEL_BYTES);
	if (!set(u->fd, SOL_SOCKET, SO_SNDBUFFORCE, KERNEL_BYTES))
		set(u->fd, SOL_SOCKET, SO_SNDBUF, KERNEL_BYTES);
	set(u->fd, SOL_UDP, UDP_GRO, 1);
	u->gso = getsockopt(u->fd, SOL_UDP, UDP_SEGMENT, &segment, &n) == 0;
}

/* Untouched pages cost nothing: small datagrams use the first of each. */
static uint8_t *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

int hd_udp_buffers(struct hd_udp_socket *u)
{
	u->arena_bytes = u->large ? LARGE_ARENA_BYTES : 32 * SMALL_BYTES;
	u->arena = map(u->arena_bytes);
	if (u->large)
		u->in = map((size_t)IN_N * HD_UDP_STRIDE_BYTES);
	if (u->arena == NULL || (u->large && u->in == NULL))
		return -ENOMEM;
	if (u->large)
		set_kernel(u);
	return 0;
}

int hd_udp_buffers_large(struct hd_udp_socket *u)
{
	struct hd_udp_socket large = { .fd = u->fd, .large = true };
	int r = hd_udp_buffers(&large);

	if (r < 0) {
		hd_udp_buffers_free(&large);
		return r;
	}
	hd_udp_flush(u);
	hd_udp_buffers_free(u);
	u->large = true;
	u->gso = large.gso;
	u->in = large.in;
	u->arena = large.arena;
	u->arena_bytes = large.arena_bytes;
	return 0;
}

void hd_udp_buffers_free(struct hd_udp_socket *u)
{
	if (u->arena != NULL)
		munmap(u->arena, u->arena_bytes);
	if (u->in != NULL)
		munmap(u->in, (size_t)IN_N * HD_UDP_STRIDE_BYTES);
}

/* ---- collecting ---- */

/* All but the last of a send have the same size, and none is larger. */
static bool joins(const struct hd_udp_socket *u, const struct hd_outgoing *o,
		  const struct hd_module *mod, const union hd_addr *to,
		  const union hd_addr *from, size_t len)
{
	if (!u->gso || o->mod != mod || len == 0 || o->len == 0 ||
	    o->len % o->segment != 0 || len > o->segment ||
	    o->len + len > SEND_MAX_BYTES ||
	    o->len / o->segment >= HD_UDP_SEGMENTS)
		return false;
	return hd_addr_same(&o->to, to) && o->has_from == (from != NULL) &&
	       (from == NULL || hd_addr_same(&o->from, from));
}

static bool make_room(struct hd_udp_socket *u, size_t len)
{
	if (u->n_out < HD_UDP_OUT && u->n_pieces < HD_UDP_PIECES &&
	    u->arena_n + len <= u->arena_bytes)
		return true;
	if (!u->large)
		return false;
	hd_udp_flush(u);
	return true;
}

static void be_dirty(struct hd_udp_socket *u)
{
	if (u->dirty)
		return;
	u->dirty = true;
	u->dirty_next = u->worker->udps->dirty;
	u->worker->udps->dirty = u;
}

/* Where the latest send to that address stands, or to another one. */
static uint8_t *latest(struct hd_udp_socket *u, const union hd_addr *to)
{
	uint32_t v = to->in.sin_addr.s_addr;

	if (to->sa.sa_family == AF_INET6)
		memcpy(&v, &to->in6.sin6_addr.s6_addr[12], sizeof(v));
	v = (v ^ to->in.sin_port) * 0x9e3779b1u; /* of Fibonacci hashing */
	return &u->latest[v / (UINT32_MAX / HD_UDP_LATEST + 1)];
}

static struct hd_outgoing *begin(struct hd_udp_socket *u, struct hd_module *mod,
				 const union hd_addr *to,
				 const union hd_addr *from, size_t len)
{
	struct hd_outgoing *o = &u->out[u->n_out++];

	*o = (struct hd_outgoing){ .to = *to,
				   .has_from = from != NULL,
				   .segment = (uint32_t)HD_MAX(len, (size_t)1),
				   .mod = mod };
	if (from != NULL)
		o->from = *from;
	*latest(u, to) = (uint8_t)u->n_out;
	return o;
}

static struct hd_piece *piece_new(struct hd_udp_socket *u,
				  struct hd_outgoing *o, bool is_first)
{
	uint16_t i = (uint16_t)u->n_pieces++;

	if (is_first)
		o->first = i;
	else
		u->pieces[o->last].next = i;
	o->last = i;
	u->pieces[i] = (struct hd_piece){ .at = u->arena_n };
	return &u->pieces[i];
}

/* The datagram that stands at the arena's end. */
static void append(struct hd_udp_socket *u, struct hd_outgoing *o, size_t len)
{
	struct hd_piece *piece = &u->pieces[o->last];

	if (o->len == 0 || piece->at + piece->len != u->arena_n)
		piece = piece_new(u, o, o->len == 0);
	piece->len += (uint32_t)len;
	o->len += (uint32_t)len;
	u->arena_n += (uint32_t)len;
}

static size_t max_bytes(const struct hd_udp_socket *u)
{
	return u->large ? SEND_MAX_BYTES : SMALL_BYTES;
}

uint8_t *hd_udp_room(struct hd_udp *udp, size_t len)
{
	struct hd_udp_socket *u = udp->socket;

	if (len > max_bytes(u) || !make_room(u, len))
		return NULL;
	return u->arena + u->arena_n;
}

int hd_udp_send(struct hd_udp *udp, const union hd_addr *to,
		const union hd_addr *from, const void *data, size_t len)
{
	struct hd_udp_socket *u = udp->socket;
	struct hd_outgoing *o;
	uint8_t i;

	if (len > max_bytes(u) || !make_room(u, len))
		return -ENOBUFS;
	if (from != NULL && from->sa.sa_family == 0)
		from = NULL;
	if (data != u->arena + u->arena_n) /* hd_udp_room() */
		memcpy(u->arena + u->arena_n, data, len);
	i = *latest(u, to);
	if (i > 0 &&
	    joins(u, &u->out[i - 1], udp->mod, to, from, len))
		o = &u->out[i - 1];
	else
		o = begin(u, udp->mod, to, from, len);
	append(u, o, len);
	u->worker->pace.datagrams += udp->large;
	be_dirty(u);
	return 0;
}

/* ---- sending ---- */

struct sending {
	struct mmsghdr m[HD_UDP_OUT];
	struct iovec iov[HD_UDP_PIECES];
	unsigned n_iov;
	_Alignas(struct cmsghdr) uint8_t control[HD_UDP_OUT][CONTROL_BYTES];
};

static void put_segment(struct msghdr *m, uint32_t segment)
{
	struct cmsghdr *c = (void *)((uint8_t *)m->msg_control +
				     m->msg_controllen);
	uint16_t n = (uint16_t)segment;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(n));
	memcpy(CMSG_DATA(c), &n, sizeof(n));
	m->msg_controllen += CMSG_SPACE(sizeof(n));
}

/* Returns how many. */
static unsigned put_pieces(const struct hd_udp_socket *u, struct sending *s,
			   const struct hd_outgoing *o)
{
	unsigned from = s->n_iov;

	for (uint16_t i = o->first;; i = u->pieces[i].next) {
		const struct hd_piece *piece = &u->pieces[i];

		s->iov[s->n_iov++] = (struct iovec){ u->arena + piece->at,
						     piece->len };
		if (i == o->last)
			return s->n_iov - from;
	}
}

static void prepare(struct hd_udp_socket *u, struct sending *s, unsigned i)
{
	struct hd_outgoing *o = &u->out[i];
	struct msghdr *m = &s->m[i].msg_hdr;

	if (u->v6)
		hd_udp_map(&o->to);
	*m = (struct msghdr){
		.msg_name = &o->to,
		.msg_namelen = u->v6 ? sizeof(o->to.in6) : sizeof(o->to.in),
		.msg_iov = &s->iov[s->n_iov],
		.msg_control = s->control[i],
	};
	m->msg_iovlen = put_pieces(u, s, o);
	memset(s->control[i], 0, CONTROL_BYTES);
	if (o->has_from) {
		if (u->v6 && o->from.sa.sa_family == AF_INET)
			hd_udp_map(&o->from);
		hd_udp_send_from(m, &o->from);
	}
	if (o->len > o->segment)
		put_segment(m, o->segment);
}

static unsigned datagrams_of(const struct hd_outgoing *o)
{
	return (o->len + o->segment - 1) / o->segment + (o->len == 0);
}

/* A send that the kernel would not cut, because a datagram is larger than what
 * the way there carries at once, or because the device cannot (EIO). */
static unsigned send_each(struct hd_udp_socket *u, struct sending *s,
			  unsigned i)
{
	struct msghdr m = s->m[i].msg_hdr;
	size_t segment = u->out[i].segment;
	unsigned sent = 0;

	m.msg_iovlen = 1;
	m.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	if (m.msg_controllen == 0)
		m.msg_control = NULL;
	for (size_t n = 0; n < s->m[i].msg_hdr.msg_iovlen; n++) {
		struct iovec left = s->m[i].msg_hdr.msg_iov[n], one;

		m.msg_iov = &one;
		while (left.iov_len > 0) {
			one = (struct iovec){ left.iov_base,
					      HD_MIN(left.iov_len, segment) };
			left.iov_base = (uint8_t *)left.iov_base + one.iov_len;
			left.iov_len -= one.iov_len;
			sent += sendmsg(u->fd, &m, MSG_DONTWAIT) >= 0;
		}
	}
	return sent;
}

void hd_udp_account(struct hd_udp_socket *u, const struct hd_outgoing *o,
		    unsigned sent)
{
	struct hd_account *account = hd_account_of(u->worker, o->mod);
	unsigned all = datagrams_of(o);

	hd_account_add(account, HD_ACCOUNT_PACKETS_OUT, sent);
	if (sent == all)
		hd_account_add(account, HD_ACCOUNT_BYTES_OUT, o->len);
	hd_account_add(account, HD_ACCOUNT_ERRORS, all - sent);
}

/* What the kernel does not take as it is. Returns how many datagrams of it have
 * gone. */
static unsigned refused(struct hd_udp_socket *u, struct sending *s, unsigned at,
			int error)
{
	u->gso &= error != EIO;
	return u->out[at].len > u->out[at].segment ? send_each(u, s, at) : 0;
}

static void send_all(struct hd_udp_socket *u, struct sending *s)
{
	unsigned at = 0;

	while (at < u->n_out) {
		int n = sendmmsg(u->fd, s->m + at, u->n_out - at,
				 MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			break; /* the kernel's buffer is full: they are lost */
		if (n < 0) { /* what cannot be sent is skipped */
			hd_udp_account(u, &u->out[at],
				       refused(u, s, at, errno));
			at++;
		}
		for (; n > 0; n--, at++)
			hd_udp_account(u, &u->out[at],
				       datagrams_of(&u->out[at]));
	}
	for (; at < u->n_out; at++)
		hd_udp_account(u, &u->out[at], 0);
}

void hd_udp_flush(struct hd_udp_socket *u)
{
	struct sending s;

	s.n_iov = 0;
	hd_carriers_send(u);
	for (unsigned i = 0; i < u->n_out; i++)
		prepare(u, &s, i);
	send_all(u, &s);
	u->n_out = u->n_pieces = 0;
	u->arena_n = 0;
	memset(u->latest, 0, sizeof(u->latest));
}

void hd_udps_flush(struct hd_worker *w)
{
	while (w->udps->dirty != NULL) {
		struct hd_udp_socket *u = w->udps->dirty;

		w->udps->dirty = u->dirty_next;
		hd_udp_flush(u);
		u->dirty = false;
	}
}
