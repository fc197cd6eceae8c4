/* SPDX-License-Identifier: MIT */
/* core/net/udp.h - the core's side of hyper-derp/datagram.h. */
#pragma once
#include "core/base/kind.h"
#include "core/base/slots.h"
#include "core/loop/worker.h"

struct hd_udps { /* w->udps: what a worker has of them */
	struct hd_slots slots;
	struct hd_udp_socket *dirty; /* have datagrams to send */
	struct hd_slots carriers;
};

/* hd_udps_new - the worker's, before it runs. Returns 0; -ENOMEM.
 * hd_udps_free - when no worker runs; what was never made, too. */
int hd_udps_new(struct hd_worker *w);
void hd_udps_free(struct hd_worker *w);

struct hd_udp_socket;
void hd_udp_on_ready(struct hd_worker *w, struct hd_udp_socket *udp,
		     bool disarmed);
struct hd_carrier;
void hd_carrier_on_ready(struct hd_worker *w, struct hd_carrier *c,
			 bool disarmed);
/* hd_udps_run - receive from those that are readable. Returns whether one has
 * more. hd_udps_flush - send what was queued. */
bool hd_udps_run(struct hd_worker *w);
void hd_udps_flush(struct hd_worker *w);
/* hd_udps_list - the addresses that a module has open. */
void hd_udps_list(const struct hd_worker *w, const struct hd_module *mod,
		  void (*fn)(void *arg, const union hd_addr *addr), void *arg);
/* hd_udps_fds - their descriptors; valid while the worker makes no turn. */
void hd_udps_fds(const struct hd_worker *w, void (*fn)(void *arg, int fd),
		 void *arg);
/* Those that are kept stay open without an owner (so does one that the module
 * closes while w->reloading is it); hd_udp_open() for the same address and
 * HD_UDP_LARGE takes one over. */
extern const struct hd_kind hd_udp_kind;
extern const struct hd_kind hd_carrier_kind; /* none is kept */
