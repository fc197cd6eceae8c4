/* SPDX-License-Identifier: MIT */
/* modules/wg/xdp_private.h - inside of the fast path: xdp*.c. */
#pragma once
#include <net/if.h>
#include "modules/wg/xdp.h"

#define WG_XDP_MAGIC 0x77677864u

struct wg_relay_bpf;
struct xdp_program;

struct wg_xdp_port { /* one interface; zeroed: not attached */
	char name[IF_NAMESIZE];
	int ifindex;
	int owner_fd; /* says to others that this is ours; 0 no */
	int link_fd; /* alone on the interface; 0 no */
	struct wg_relay_bpf *bpf; /* or a copy with the same maps */
	struct xdp_program *member; /* in libxdp's dispatcher */
};

struct wg_xdp_entry; /* what is in wg_paths, and what was read of it */

struct wg_xdp {
	uint32_t magic;
	enum wg_xdp_mode mode; /* WG_XDP_DRV or WG_XDP_SKB */
	enum wg_xdp_mode wanted; /* as configured */
	enum wg_xdp_mode before; /* of the process before; WG_XDP_OFF: none */
	bool later; /* wg_xdp_begin() is due */
	uint16_t relay_port;
	uint32_t n_ports;
	struct wg_xdp_port ports[WG_RELAY_PORTS];
	struct wg_relay_bpf *bpf;
	struct wg_xdp_entry *entries;
	uint32_t renewals;
	struct wg_relay_stats told; /* by wg_xdp_news() */
};

/* xdp_attach.c: one interface in the mode of x.
 * Returns 0; < 0 with the reason, one sentence, in why. */
int wg_xdp_attach(struct wg_xdp *x, struct wg_xdp_port *port,
		  struct hd_error *why);
void wg_xdp_detach(struct wg_xdp *x, struct wg_xdp_port *port);

/* xdp_egress.c: tell the program which interfaces it may send on, and which
 * VLAN tags the routes through each of them mean. Returns 0 or -errno. */
int wg_xdp_egress_fill(struct wg_xdp *x);

/* xdp_paths.c */
void wg_xdp_paths_forget(struct wg_xdp *x);
void wg_xdp_blocks_sweep(struct wg_xdp *x);
uint64_t wg_xdp_now_ns(void);
