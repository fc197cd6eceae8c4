/* SPDX-License-Identifier: MIT */
/* core/net/udp.c - UDP sockets of modules: open, handed to new code, closed.
 * Context: the socket's worker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/addr.h"
#include "core/base/lines.h"
#include "core/loop/tag.h"
#include "core/net/udp_bind.h"
#include "core/net/udp_private.h"

/* What the old code of a module had for the address, with equal buffers. */
static struct hd_udp *find_left(const struct hd_worker *w,
				const struct hd_module *mod,
				const struct hd_udp_options *o)
{
	bool large = o->flags & HD_UDP_LARGE;

	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		struct hd_udp_socket *s = w->udps->slots.v[i].object;
		struct hd_udp *u = s != NULL ? s->users : NULL;

		for (; u != NULL; u = u->next)
			if (u->left && u->mod == mod && u->large == large &&
			    hd_addr_same(&s->addr, &o->bind))
				return u;
	}
	return NULL;
}

/* ---- a socket ---- */

static int udp_place(struct hd_worker *w, struct hd_udp_socket *u)
{
	int r = hd_slots_add(&w->udps->slots, u, &u->slot, &u->gen);

	if (r < 0)
		return r;
	r = w->ring_ops->watch(w->ring, u->fd, HD_READY_IN,
			       hd_tag(HD_OP_UDP, u->slot, u->gen));
	if (r < 0)
		hd_slots_remove(&w->udps->slots, u->slot);
	return r;
}

static int socket_open(struct hd_udp_socket *u, const struct hd_module *mod,
		       struct hd_error *err)
{
	int r;

	u->v6 = u->addr.sa.sa_family == AF_INET6;
	u->fd = hd_udp_bind(mod, &u->addr, err);
	if (u->fd < 0)
		return u->fd;
	r = hd_udp_buffers(u);
	if (r == 0)
		r = udp_place(u->worker, u);
	if (r < 0) {
		hd_udp_buffers_free(u);
		hd_udp_unbind(&u->addr, u->fd);
		return hd_error_set(err, r, "out of memory for a UDP socket");
	}
	u->readable = true;
	return 0;
}

/* HD_UDP_SINGLE: the caller opens it in one worker. Returns 0; -errno. */
static int socket_new(struct hd_module *mod, struct hd_worker *w,
		      const struct hd_udp_options *o,
		      struct hd_udp_socket **ret, struct hd_error *err)
{
	struct hd_udp_socket *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	*u = (struct hd_udp_socket){ .worker = w, .addr = o->bind,
				     .large = o->flags & HD_UDP_LARGE };
	r = socket_open(u, mod, err);
	if (r < 0)
		free(u);
	else
		*ret = u;
	return r;
}

static void socket_end(struct hd_udp_socket *u)
{
	struct hd_worker *w = u->worker;
	struct hd_udp_socket **at = &w->udps->dirty;

	while (*at != NULL && *at != u)
		at = &(*at)->dirty_next;
	if (*at == u)
		*at = u->dirty_next;
	w->ring_ops->unwatch(w->ring, u->fd,
			     hd_tag(HD_OP_UDP, u->slot, u->gen));
	hd_slots_remove(&w->udps->slots, u->slot);
	hd_udp_unbind(&u->addr, u->fd);
	hd_udp_buffers_free(u);
	free(u);
}

/* ---- who shares it ---- */

struct hd_udp_socket *hd_udp_find(const struct hd_worker *w,
				  const union hd_addr *addr)
{
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		struct hd_udp_socket *s = w->udps->slots.v[i].object;

		if (s != NULL && addr->in.sin_port != 0 &&
		    hd_addr_same(&s->addr, addr))
			return s;
	}
	return NULL;
}

static bool clashes(const struct hd_udp *u, const struct hd_udp_options *o)
{
	if (u->last == 0 || o->last == 0)
		return u->last == o->last;
	return o->first <= u->last && u->first <= o->last;
}

/* Returns 0; -EADDRINUSE; -ENOMEM. */
static int share(struct hd_udp_socket *s, const struct hd_udp_options *o,
		 struct hd_error *err)
{
	char text[HD_ADDR_TEXT_BYTES];
	bool large = o->flags & HD_UDP_LARGE;

	for (const struct hd_udp *u = s->users; u != NULL; u = u->next)
		if (!u->closed && clashes(u, o))
			return hd_error_set(err, -EADDRINUSE,
					    "udp %s: the module %s serves it, "
					    "choose another address",
					    hd_addr_text(&s->addr, text),
					    u->mod->name);
	if (large && !s->large && hd_udp_buffers_large(s) < 0)
		return hd_error_set(err, -ENOMEM,
				    "out of memory for a UDP socket");
	return 0;
}

static void udp_end(struct hd_udp *u)
{
	struct hd_udp_socket *s = u->socket;
	struct hd_udp **at = &s->users;

	u->closed = true;
	if (s->delivers)
		return;
	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
	if (s->users == NULL)
		socket_end(s);
	else
		hd_udp_flush(s); /* what waits names its module, which may go */
}

void hd_udp_end_closed(struct hd_udp_socket *s)
{
	struct hd_udp *next;

	for (struct hd_udp *u = s->users; u != NULL; u = next) {
		next = u->next;
		if (u->closed)
			udp_end(u);
	}
}

static int udp_new(struct hd_module *mod, struct hd_worker *w,
		   const struct hd_udp_options *o, struct hd_udp **ret_udp,
		   struct hd_error *err)
{
	struct hd_udp *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	*u = (struct hd_udp){ .socket = hd_udp_find(w, &o->bind),
			      .mod = mod,
			      .first = o->first,
			      .last = o->last,
			      .large = o->flags & HD_UDP_LARGE };
	r = u->socket != NULL ? share(u->socket, o, err)
			      : socket_new(mod, w, o, &u->socket, err);
	if (r < 0) {
		free(u);
		return r;
	}
	u->next = u->socket->users;
	u->socket->users = u;
	*ret_udp = u;
	return 0;
}

/* ---- what modules call ---- */

static const char *fault(const struct hd_udp_options *o)
{
	sa_family_t family = o->bind.sa.sa_family;

	if (family != AF_INET && family != AF_INET6)
		return "options.bind is not an address";
	if (o->first > o->last)
		return "options.first is above options.last";
	return o->fn == NULL ? "options.fn is NULL" : NULL;
}

int hd_udp_open_sized(struct hd_module *mod, struct hd_worker *w,
		      const struct hd_udp_options *options, size_t options_size,
		      struct hd_udp **ret_udp, struct hd_error *err)
{
	struct hd_udp_options o = { .flags = 0 };
	const char *wrong;
	struct hd_udp *u;
	int r;

	memcpy(&o, options, HD_MIN(options_size, sizeof(o)));
	wrong = fault(&o);
	if (wrong != NULL)
		return hd_error_set(err, -EINVAL,
				    "hd_udp_open(): %s: a bug of the module, "
				    "report it to its author",
				    wrong);
	u = find_left(w, mod, &o);
	r = u != NULL ? 0 : udp_new(mod, w, &o, &u, err);
	if (r < 0)
		return r;
	u->left = false;
	u->first = o.first;
	u->last = o.last;
	u->fn = o.fn;
	u->arg = o.arg;
	*ret_udp = u;
	return 0;
}

void hd_udp_close(struct hd_udp **udp)
{
	struct hd_udp *u = hd_steal(udp);

	if (u == NULL)
		return;
	if (u->mod != NULL && u->socket->worker->reloading == u->mod)
		u->left = true; /* for the new code */
	else
		udp_end(u);
}

/* ---- modules come and go ---- */

/* What a module has of the worker's sockets: fn may end it. */
static void each_of(struct hd_worker *w, const struct hd_module *mod,
		    void (*fn)(struct hd_udp *u))
{
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		struct hd_udp_socket *s = w->udps->slots.v[i].object;
		struct hd_udp *u, *next;

		for (u = s != NULL ? s->users : NULL; u != NULL; u = next) {
			next = u->next;
			if (u->mod == mod)
				fn(u);
		}
	}
}

static void leave(struct hd_udp *u)
{
	u->left = true;
}

static void end_left(struct hd_udp *u)
{
	if (u->left)
		udp_end(u);
}

static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	each_of(w, mod, kept ? leave : udp_end);
}

static void settle_here(struct hd_worker *w, const struct hd_module *mod,
			bool kept)
{
	(void)kept;
	each_of(w, mod, end_left);
}

const struct hd_kind hd_udp_kind = {
	.name = "UDP sockets",
	.reclaim = hd_udp_forget,
	.end_here = end_here,
	.settle_here = settle_here,
};

void hd_udps_list(const struct hd_worker *w, const struct hd_module *mod,
		  void (*fn)(void *arg, const union hd_addr *addr), void *arg)
{
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		const struct hd_udp_socket *s = w->udps->slots.v[i].object;
		const struct hd_udp *u = s != NULL ? s->users : NULL;

		for (; u != NULL; u = u->next)
			if (u->mod == mod)
				fn(arg, &s->addr);
	}
}

void hd_udps_fds(const struct hd_worker *w, void (*fn)(void *arg, int fd),
		 void *arg)
{
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		const struct hd_udp_socket *s = w->udps->slots.v[i].object;

		if (s != NULL)
			fn(arg, s->fd);
	}
}

int hd_udps_new(struct hd_worker *w)
{
	w->udps = hd_alloc_lines(sizeof(*w->udps));
	return w->udps != NULL ? 0 : -ENOMEM;
}

void hd_udps_free(struct hd_worker *w)
{
	struct hd_udps *all = hd_steal(&w->udps);

	if (all == NULL)
		return;
	hd_slots_free(&all->slots);
	hd_slots_free(&all->carriers);
	free(all);
}

int hd_udp_fd(const struct hd_udp *u)
{
	return u->socket->fd;
}

struct hd_worker *hd_udp_worker(const struct hd_udp *u)
{
	return u->socket->worker;
}
