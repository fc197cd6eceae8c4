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
		struct hd_udp *u = w->udps->slots.v[i].object;

		if (u != NULL && u->left && u->mod == mod &&
		    u->large == large && hd_addr_same(&u->addr, &o->bind))
			return u;
	}
	return NULL;
}

static int udp_place(struct hd_worker *w, struct hd_udp *u)
{
	int r = hd_slots_add(&w->udps->slots, u, &u->slot, &u->gen);

	if (r < 0)
		return r;
	r = w->ring_ops->watch(w->ring, u->fd,
			       hd_tag(HD_OP_UDP, u->slot, u->gen));
	if (r < 0)
		hd_slots_remove(&w->udps->slots, u->slot);
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
	r = hd_udp_buffers(u);
	if (r == 0)
		r = udp_place(w, u);
	if (r < 0) {
		hd_udp_buffers_free(u);
		hd_udp_unbind(&u->addr, u->fd);
		return hd_error_set(err, r, "out of memory for a UDP socket");
	}
	u->readable = true;
	return 0;
}

/* HD_UDP_SINGLE: the caller opens it in one worker. Returns 0; -errno. */
static int udp_new(struct hd_module *mod, struct hd_worker *w,
		   const struct hd_udp_options *o, struct hd_udp **ret_udp,
		   struct hd_error *err)
{
	struct hd_udp *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	*u = (struct hd_udp){ .worker = w, .mod = mod, .addr = o->bind,
			      .large = o->flags & HD_UDP_LARGE };
	r = udp_open(u, err);
	if (r < 0)
		free(u);
	else
		*ret_udp = u;
	return r;
}

static const char *fault(const struct hd_udp_options *o)
{
	sa_family_t family = o->bind.sa.sa_family;

	if (family != AF_INET && family != AF_INET6)
		return "options.bind is not an address";
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
	u->fn = o.fn;
	u->arg = o.arg;
	*ret_udp = u;
	return 0;
}

static void udp_end(struct hd_udp *u)
{
	struct hd_worker *w = u->worker;
	struct hd_udp **at = &w->udps->dirty;

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

static void close_all(struct hd_worker *w, const struct hd_module *mod)
{
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		struct hd_udp *u = w->udps->slots.v[i].object;

		if (u != NULL && u->mod == mod)
			udp_end(u);
	}
}

static void leave(struct hd_worker *w, const struct hd_module *mod)
{
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		struct hd_udp *u = w->udps->slots.v[i].object;

		if (u != NULL && u->mod == mod)
			u->left = true;
	}
}

static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	if (kept)
		leave(w, mod);
	else
		close_all(w, mod);
}

static void settle_here(struct hd_worker *w, const struct hd_module *mod,
			bool kept)
{
	(void)kept;
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		struct hd_udp *u = w->udps->slots.v[i].object;

		if (u != NULL && u->left && u->mod == mod)
			udp_end(u);
	}
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
		const struct hd_udp *u = w->udps->slots.v[i].object;

		if (u != NULL && u->mod == mod)
			fn(arg, &u->addr);
	}
}

void hd_udps_fds(const struct hd_worker *w, void (*fn)(void *arg, int fd),
		 void *arg)
{
	for (uint32_t i = 0; i < w->udps->slots.n; i++) {
		const struct hd_udp *u = w->udps->slots.v[i].object;

		if (u != NULL)
			fn(arg, u->fd);
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
	free(all);
}

int hd_udp_fd(const struct hd_udp *u)
{
	return u->fd;
}

struct hd_worker *hd_udp_worker(const struct hd_udp *u)
{
	return u->worker;
}
