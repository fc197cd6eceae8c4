/* SPDX-License-Identifier: MIT */
/* core/udp.c - datagrams in batches: one recvmmsg and one sendmmsg a turn.
 * Context: the socket's worker. */
#include <errno.h>
#include <hyper-derp/datagram.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/tag.h"
#include "core/udp.h"
#include "core/udp_addr.h"
#include "core/udp_bind.h"

#define BATCH 32
#define RECV_BYTES (HD_PLAIN_BYTES / BATCH) /* 16 KiB; longer ones are lost */
#define SEND_BYTES 2048

struct outgoing {
	union hd_addr to, from;
	bool has_from;
	uint32_t len;
	uint8_t data[SEND_BYTES];
};

struct hd_udp {
	int fd;
	uint32_t slot, gen;
	struct hd_worker *worker;
	struct hd_module *mod;
	hd_datagrams_fn *fn;
	void *arg;
	union hd_addr addr; /* as it was asked for */
	bool readable, dirty, v6;
	bool left; /* by the old code: the new takes it, or it is closed */
	struct hd_udp *dirty_next;
	unsigned n_out;
	struct outgoing out[BATCH];
};

static bool same_addr(const union hd_addr *a, const union hd_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	return a->sa.sa_family == AF_INET6
		       ? memcmp(&a->in6, &b->in6, sizeof(a->in6)) == 0
		       : memcmp(&a->in, &b->in, sizeof(a->in)) == 0;
}

/* What the old code of a module had open for the address. */
static struct hd_udp *find_left(const struct hd_worker *w,
				const struct hd_module *mod,
				const union hd_addr *addr)
{
	for (uint32_t i = 0; i < w->udps.n; i++) {
		struct hd_udp *u = w->udps.v[i].object;

		if (u != NULL && u->left && u->mod == mod &&
		    same_addr(&u->addr, addr))
			return u;
	}
	return NULL;
}

static int udp_place(struct hd_worker *w, struct hd_udp *u)
{
	int r = hd_slots_add(&w->udps, u, &u->slot, &u->gen);

	if (r < 0)
		return r;
	r = w->ring_ops->watch(w->ring, u->fd,
			       hd_tag(HD_OP_UDP, u->slot, u->gen));
	if (r < 0)
		hd_slots_remove(&w->udps, u->slot);
	return r;
}

static int udp_open(struct hd_udp *u, struct hd_error *err)
{
	struct hd_worker *w = u->worker;
	int r;

	u->v6 = u->addr.sa.sa_family == AF_INET6;
	u->fd = hd_udp_bind(u->mod, &u->addr, err);
	if (u->fd < 0)
		return u->fd;
	r = udp_place(w, u);
	if (r < 0) {
		hd_udp_unbind(&u->addr, u->fd);
		return hd_error_set(err, r, "out of memory for a UDP socket");
	}
	u->readable = true;
	return 0;
}

int hd_udp_open(struct hd_module *mod, struct hd_worker *w,
		const union hd_addr *addr, unsigned flags, hd_datagrams_fn *fn,
		void *arg, struct hd_udp **ret_udp, struct hd_error *err)
{
	struct hd_udp *u = find_left(w, mod, addr);
	int r = 0;

	(void)flags; /* HD_UDP_SINGLE: the caller opens it in one worker */
	if (u == NULL) {
		u = calloc(1, sizeof(*u));
		if (u == NULL)
			return hd_error_set(err, -ENOMEM, "out of memory");
		*u = (struct hd_udp){ .worker = w, .mod = mod, .addr = *addr };
		r = udp_open(u, err);
	}
	if (r < 0) {
		free(u);
		return r;
	}
	u->left = false;
	u->fn = fn;
	u->arg = arg;
	*ret_udp = u;
	return 0;
}

static void udp_end(struct hd_udp *u)
{
	struct hd_worker *w = u->worker;
	struct hd_udp **at = &w->udp_dirty;

	while (*at != NULL && *at != u)
		at = &(*at)->dirty_next;
	if (*at == u)
		*at = u->dirty_next;
	w->ring_ops->unwatch(w->ring, u->fd,
			     hd_tag(HD_OP_UDP, u->slot, u->gen));
	hd_slots_remove(&w->udps, u->slot);
	hd_udp_unbind(&u->addr, u->fd);
	free(u);
}

void hd_udp_close(struct hd_udp **udp)
{
	struct hd_udp *u = hd_steal(udp);

	if (u == NULL)
		return;
	if (u->mod != NULL && u->worker->reloading == u->mod)
		u->left = true; /* for the new code */
	else
		udp_end(u);
}

void hd_udps_close(struct hd_worker *w, const struct hd_module *mod)
{
	for (uint32_t i = 0; i < w->udps.n; i++) {
		struct hd_udp *u = w->udps.v[i].object;

		if (u != NULL && (mod == NULL || u->mod == mod))
			udp_end(u);
	}
}

void hd_udps_leave(struct hd_worker *w, const struct hd_module *mod)
{
	for (uint32_t i = 0; i < w->udps.n; i++) {
		struct hd_udp *u = w->udps.v[i].object;

		if (u != NULL && u->mod == mod)
			u->left = true;
	}
}

void hd_udps_close_left(struct hd_worker *w, const struct hd_module *mod)
{
	for (uint32_t i = 0; i < w->udps.n; i++) {
		struct hd_udp *u = w->udps.v[i].object;

		if (u != NULL && u->left && u->mod == mod)
			udp_end(u);
	}
}

void hd_udps_list(const struct hd_worker *w, const struct hd_module *mod,
		  void (*fn)(void *arg, const union hd_addr *addr), void *arg)
{
	for (uint32_t i = 0; i < w->udps.n; i++) {
		const struct hd_udp *u = w->udps.v[i].object;

		if (u != NULL && u->mod == mod)
			fn(arg, &u->addr);
	}
}

int hd_udp_fd(const struct hd_udp *u)
{
	return u->fd;
}

struct hd_worker *hd_udp_worker(const struct hd_udp *u)
{
	return u->worker;
}

/* ---- receiving ---- */

static void hand_over(struct hd_udp *u, struct hd_datagram *v, unsigned n)
{
	struct hd_use *use = hd_use_of(u->worker, u->mod);
	struct hd_use *before = hd_meter_enter(&u->worker->meter, use);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += v[i].len_bytes;
	hd_use_add(use, HD_USE_PACKETS_IN, n);
	hd_use_add(use, HD_USE_BYTES_IN, bytes);
	u->fn(u, u->arg, v, n);
	hd_meter_leave(&u->worker->meter, before);
}

static void receive(struct hd_udp *u)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	union hd_addr from[BATCH];
	_Alignas(struct cmsghdr)
		uint8_t control[BATCH][2 * HD_UDP_CONTROL_BYTES];
	struct hd_datagram v[BATCH];
	unsigned n_v = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ u->worker->plain + i * RECV_BYTES,
					 RECV_BYTES };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
			.msg_controllen = sizeof(control[i]),
		};
	}
	int n = recvmmsg(u->fd, m, BATCH, MSG_DONTWAIT, NULL);

	if (n < BATCH)
		u->readable = n < 0 && errno != EAGAIN && errno != EINTR;
	for (int i = 0; i < n; i++) {
		if (m[i].msg_hdr.msg_flags & MSG_TRUNC)
			continue;
		v[n_v] = (struct hd_datagram){ .from = from[i],
					       .to = hd_udp_came_to(
						       &m[i].msg_hdr),
					       .data = iov[i].iov_base,
					       .len_bytes = m[i].msg_len };
		hd_udp_unmap(&v[n_v].from);
		hd_udp_unmap(&v[n_v++].to);
	}
	if (n_v > 0)
		hand_over(u, v, n_v);
}

void hd_udp_on_ready(struct hd_worker *w, struct hd_udp *u, bool disarmed)
{
	if (disarmed)
		w->ring_ops->watch(w->ring, u->fd,
				   hd_tag(HD_OP_UDP, u->slot, u->gen));
	u->readable = true;
}

bool hd_udps_run(struct hd_worker *w)
{
	bool more = false;

	for (uint32_t i = 0; i < w->udps.n; i++) {
		struct hd_udp *u = w->udps.v[i].object;

		if (u == NULL || !u->readable)
			continue;
		receive(u);
		more |= u->readable;
	}
	return more;
}

/* ---- sending ---- */

int hd_udp_send(struct hd_udp *u, const union hd_addr *to,
		const union hd_addr *from, const void *data, size_t len)
{
	struct outgoing *o = &u->out[u->n_out];

	if (u->n_out == BATCH || len > SEND_BYTES)
		return -ENOBUFS;
	o->to = *to;
	o->has_from = from != NULL && from->sa.sa_family != 0;
	if (o->has_from)
		o->from = *from;
	o->len = (uint32_t)len;
	memcpy(o->data, data, len);
	u->n_out++;
	if (!u->dirty) {
		u->dirty = true;
		u->dirty_next = u->worker->udp_dirty;
		u->worker->udp_dirty = u;
	}
	return 0;
}

static void flush(struct hd_udp *u)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][HD_UDP_CONTROL_BYTES];
	struct hd_use *use = hd_use_of(u->worker, u->mod);
	uint64_t bytes = 0;
	unsigned at = 0, sent = 0;

	memset(control, 0, sizeof(control));
	for (unsigned i = 0; i < u->n_out; i++) {
		struct outgoing *o = &u->out[i];

		if (u->v6)
			hd_udp_map(&o->to);
		iov[i] = (struct iovec){ o->data, o->len };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &o->to,
			.msg_namelen =
				u->v6 ? sizeof(o->to.in6) : sizeof(o->to.in),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
		};
		if (!o->has_from)
			continue;
		if (u->v6 && o->from.sa.sa_family == AF_INET)
			hd_udp_map(&o->from);
		hd_udp_send_from(&m[i].msg_hdr, &o->from);
	}
	while (at < u->n_out) {
		int n = sendmmsg(u->fd, m + at, u->n_out - at, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			break; /* the kernel's buffer is full: they are lost */
		for (int i = 0; i < n; i++)
			bytes += u->out[at + (unsigned)i].len;
		sent += n > 0 ? (unsigned)n : 0;
		at += n > 0 ? (unsigned)n : 1; /* skip what cannot be sent */
	}
	hd_use_add(use, HD_USE_PACKETS_OUT, sent);
	hd_use_add(use, HD_USE_BYTES_OUT, bytes);
	hd_use_add(use, HD_USE_ERRORS, u->n_out - sent);
	u->n_out = 0;
	u->dirty = false;
}

void hd_udps_flush(struct hd_worker *w)
{
	while (w->udp_dirty != NULL) {
		struct hd_udp *u = w->udp_dirty;

		w->udp_dirty = u->dirty_next;
		flush(u);
	}
}
