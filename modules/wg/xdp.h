/* SPDX-License-Identifier: MIT */
/* modules/wg/xdp.h - confirmed sessions, forwarded in the network driver.
 *
 * The program is bpf/wg_relay.bpf.c; doc/guides/wireguard-xdp.md explains both.
 * A struct wg_xdp belongs to the thread that opened it, the engine's worker.
 * NULL stands for "no fast path" and is accepted everywhere. */
#pragma once
#include <hyper-derp/base.h>
#include <hyper-derp/upgrade.h>
#include "bpf/wg_relay.h"
#include "modules/wg/engine.h"

enum wg_xdp_mode {
	WG_XDP_OFF,
	WG_XDP_AUTO, /* drv, else skb, else user space alone */
	WG_XDP_DRV, /* in the driver, or fail */
	WG_XDP_SKB, /* in the kernel's generic path, or fail */
};

struct wg_xdp_conf {
	enum wg_xdp_mode mode;
	const char *interfaces; /* names, apart by commas or spaces; or NULL */
	uint16_t port; /* UDP, of the relay */
	uint32_t paths_max; /* directions of sessions */
	bool later; /* load it, and wait for wg_xdp_begin() */
};

struct wg_xdp;

/* wg_xdp_open - load the program and attach it to every interface.
 * Alone on its interface it hangs on a descriptor of this process and is gone
 * when the process is, however it ended. Where libxdp's dispatcher runs it
 * joins the programs there; what a killed relay left in a dispatcher is
 * recognised and replaced.
 * Returns 0, with *ret NULL when mode is off, or auto and it cannot be (the
 * reason is logged); < 0 the reason is in err. */
int wg_xdp_open(const struct wg_xdp_conf *conf, struct wg_xdp **ret,
		struct hd_error *err);
void wg_xdp_close(struct wg_xdp **x);
/* wg_xdp_pack - whose interfaces they are, and what hangs on them, for the
 * process that takes our place. wg_xdp_unpack - it has them.
 * wg_xdp_begin - one that was to be later is attached, in the place of the
 * program of that process. Returns 0, with *x NULL when mode is auto and it
 * cannot be; < 0 the reason is in err, *x is NULL. Any thread, while the
 * engine's worker stands. */
void wg_xdp_pack(const struct wg_xdp *x, struct hd_pack *to);
void wg_xdp_unpack(struct wg_xdp *x, const struct hd_unpack *from);
int wg_xdp_begin(struct wg_xdp **x, struct hd_error *err);
/* wg_xdp_renew - once a second: a program not renewed for WG_RELAY_LEASE_S
 * passes everything up. */
void wg_xdp_renew(struct wg_xdp *x);

/* As in struct wg_xdp_ops (engine.h). */
bool wg_xdp_put(struct wg_xdp *x, const struct wg_path *path);
void wg_xdp_remove(struct wg_xdp *x, const struct wg_path *path);
bool wg_xdp_read(struct wg_xdp *x, const struct wg_path *path,
		 struct wg_path_use *ret);
/* wg_xdp_block - drop handshakes from ip (IPv6: its /64) for so long; 0 ends
 * it. */
void wg_xdp_block(struct wg_xdp *x, const union hd_addr *ip, uint64_t for_ms);

/* wg_xdp_stats - summed over all CPUs; zero without a fast path. */
void wg_xdp_stats(const struct wg_xdp *x, struct wg_relay_stats *ret);
/* wg_xdp_news - likewise, what has come since the last call. */
void wg_xdp_news(struct wg_xdp *x, struct wg_relay_stats *ret);
/* wg_xdp_text - "drv eth0 eth1", "off". Returns buf. */
const char *wg_xdp_text(const struct wg_xdp *x, char *buf, size_t size);
