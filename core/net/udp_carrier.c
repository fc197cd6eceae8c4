/* SPDX-License-Identifier: MIT */
/* core/net/udp_carrier.c - datagrams that go past the kernel's UDP sockets, in
 * and out, by what a module has for that (AF_XDP). Which one is whose is said
 * by the address alone: sockets come and go, and a carrier that has none loses
 * what comes. Context: the carrier's worker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/addr.h"
#include "core/loop/tag.h"
#include "core/net/udp_private.h"

struct hd_carrier {
	struct hd_carrier_options o;
	struct hd_module *mod;
	struct hd_worker *worker;
	uint32_t slot, gen;
	bool readable;
};

static uint64_t tag_of(const struct hd_carrier *c)
{
	return hd_tag(HD_OP_CARRIER, c->slot, c->gen);
}

static struct hd_carrier *at(const struct hd_worker *w, uint32_t i)
{
	return w->udps->carriers.v[i].object;
}

/* ---- life ---- */

static int place(struct hd_carrier *c)
{
	struct hd_worker *w = c->worker;
	int r = hd_slots_add(&w->udps->carriers, c, &c->slot, &c->gen);

	if (r < 0)
		return r;
	r = w->ring_ops->watch(w->ring, c->o.fd, HD_READY_IN, tag_of(c));
	if (r < 0)
		hd_slots_remove(&w->udps->carriers, c->slot);
	return r;
}

int hd_carrier_open_sized(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_carrier_options *options,
			  size_t options_size, struct hd_carrier **ret_carrier)
{
	struct hd_carrier *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return -ENOMEM;
	memcpy(&c->o, options, HD_MIN(options_size, sizeof(c->o)));
	c->mod = mod;
	c->worker = w;
	c->readable = true;
	r = c->o.bind.sa.sa_family == AF_UNSPEC || c->o.run == NULL ||
			    c->o.send == NULL || c->o.flush == NULL
		    ? -EINVAL
		    : place(c);
	if (r < 0)
		free(c);
	else
		*ret_carrier = c;
	return r;
}

void hd_carrier_close(struct hd_carrier **carrier)
{
	struct hd_carrier *c = hd_steal(carrier);
	struct hd_worker *w;

	if (c == NULL)
		return;
	w = c->worker;
	w->ring_ops->unwatch(w->ring, c->o.fd, tag_of(c));
	hd_slots_remove(&w->udps->carriers, c->slot);
	free(c);
}

static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	(void)kept;
	for (uint32_t i = 0; i < w->udps->carriers.n; i++) {
		struct hd_carrier *c = at(w, i);

		if (c != NULL && c->mod == mod)
			hd_carrier_close(&c);
	}
}

const struct hd_kind hd_carrier_kind = {
	.name = "carriers",
	.end_here = end_here,
};

/* ---- in ---- */

void hd_carrier_on_ready(struct hd_worker *w, struct hd_carrier *c,
			 bool disarmed)
{
	if (disarmed)
		w->ring_ops->watch(w->ring, c->o.fd, HD_READY_IN, tag_of(c));
	c->readable = true;
}

void hd_carrier_deliver(struct hd_carrier *c, struct hd_datagram *v, unsigned n)
{
	struct hd_udp_socket *u = hd_udp_find(c->worker, &c->o.bind);

	if (u != NULL)
		hd_udp_deliver(u, v, n);
}

static bool run(struct hd_carrier *c)
{
	struct hd_worker *w = c->worker;
	struct hd_account *before =
		hd_meter_enter(&w->meter, hd_account_of(w, c->mod));

	c->readable = c->o.run(c->mod, c->o.arg);
	hd_meter_leave(&w->meter, before);
	return c->readable;
}

bool hd_carriers_run(struct hd_worker *w)
{
	bool more = false;

	for (uint32_t i = 0; i < w->udps->carriers.n; i++) {
		struct hd_carrier *c = at(w, i);

		if (c != NULL && c->readable)
			more |= run(c);
	}
	return more;
}

/* ---- out ---- */

static bool is_alone(const struct hd_outgoing *o)
{
	return o->len > 0 && o->len <= o->segment;
}

static void send_by(struct hd_udp_socket *u, struct hd_carrier *c)
{
	unsigned left = 0;
	bool asked = false;

	for (unsigned i = 0; i < u->n_out; i++) {
		struct hd_outgoing *o = &u->out[i];
		bool alone = is_alone(o);

		asked |= alone;
		if (alone && c->o.send(c->mod, c->o.arg, &o->to,
				       o->has_from ? &o->from : NULL,
				       u->arena + u->pieces[o->first].at,
				       o->len))
			hd_udp_account(u, o, 1);
		else if (left++ != i)
			u->out[left - 1] = *o;
	}
	u->n_out = left;
	if (asked)
		c->o.flush(c->mod, c->o.arg);
}

void hd_carriers_send(struct hd_udp_socket *u)
{
	struct hd_worker *w = u->worker;

	for (uint32_t i = 0; i < w->udps->carriers.n && u->n_out > 0; i++) {
		struct hd_carrier *c = at(w, i);
		struct hd_account *before;

		if (c == NULL || !hd_addr_same(&c->o.bind, &u->addr))
			continue;
		before = hd_meter_enter(&w->meter, hd_account_of(w, c->mod));
		send_by(u, c);
		hd_meter_leave(&w->meter, before);
	}
}
