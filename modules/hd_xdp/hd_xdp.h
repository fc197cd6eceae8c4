/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/hd_xdp.h - HD's datagrams by AF_XDP. doc/guides/hd-xdp.md says
 * what it does.
 *
 *   card -> bpf/hd_udp.bpf.c -> AF_XDP socket of the queue -> the module hd
 *   a lone datagram, its way known -> AF_XDP socket -> card
 *   all else -> the kernel -> the UDP socket of the module hd, and back
 *
 * The main thread opens and closes ports (interfaces) and their queues; a queue
 * is used by one worker, from hxp_queues_begin() to hxp_queues_end(). */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/control.h>
#include <hyper-derp/datagram.h>
#include <hyper-derp/mainloop.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <hyper-derp/timer.h>
#include <net/if.h>
#include "bpf/hd_udp.h"
#include "modules/hd_xdp/ways.h"

struct hd_udp_bpf;
struct hxp_queue;

enum {
	HXP_PORTS = 8,
	HXP_TURN = 64, /* frames handed over at once */
};

enum hxp_mode { HXP_DRV, HXP_SKB };
extern const char *const hxp_modes[]; /* as options and operators say it */

struct hxp_conf {
	struct hd_list interfaces;
	uint64_t mode;
	bool zero_copy;
};

struct hxp_numbers {
	struct hd_counter received, received_bad, sent, sent_bytes;
	struct hd_counter no_way, full, too_long;
	struct hd_counter passed_lapsed, passed_odd;
};

struct hxp_worker {
	struct hxp_ways *ways;
	struct hd_timer *tick;
	struct hxp_queue *queues; /* that it has */
};

struct hxp_port { /* an interface */
	char name[IF_NAMESIZE];
	int ifindex;
	int link_fd; /* the program hangs on it; -1: none. Atomic */
	bool gone; /* there is no such interface any more. Atomic */
	bool gone_said;
	bool full; /* of addresses */
	struct hd_udp_bpf *bpf; /* NULL: closed */
	unsigned n_queues;
	struct hxp_queue *queues[HD_UDP_QUEUES];
};

struct hxp { /* the module's; from load() to unload() */
	struct hd_module *mod;
	union hd_addr bind; /* hd's */
	struct hd_main_timer *timer;
	bool open; /* ports are */
	uint64_t give_up_ms; /* until then it is tried again; 0: not */
	unsigned n_ports;
	struct hxp_port ports[HXP_PORTS];
	struct hd_udp_stats counted; /* of what the programs say */
};
extern struct hxp hxp;

/* hxp_conf - in the main thread. */
static inline const struct hxp_conf *hxp_conf(void)
{
	return hd_module_conf(hxp.mod);
}

/* ports.c: all of them; main thread, but for hxp_ports_detach().
 * hxp_ports_open - returns 0; negative with the reason in err, and none is
 * open. hxp_ports_detach - the programs go, and what comes from now on is the
 * kernel's; again is nothing. hxp_ports_attach - they come back.
 * hxp_ports_close - when no worker has queues. */
int hxp_ports_open(struct hd_error *err);
void hxp_ports_detach(void);
int hxp_ports_attach(struct hd_error *err);
void hxp_ports_close(void);
/* hxp_ports_stats - what the programs have counted. */
void hxp_ports_stats(struct hd_udp_stats *ret);

/* attach.c: the program of one port. Return 0; negative with a sentence. */
int hxp_load(struct hxp_port *port, struct hd_error *err);
int hxp_attach(struct hxp_port *port, struct hd_error *err);

/* queue_open.c: in the main thread. */
int hxp_queue_open(struct hxp_port *port, unsigned i, struct hxp_queue **ret,
		   struct hd_error *err);
void hxp_queue_close(struct hxp_queue **queue);
bool hxp_queue_is_zero_copy(const struct hxp_queue *q);

/* queue.c: in the worker; each has those of its number.
 * hxp_queues_tick - what has waited too long in them goes. Returns in how many
 * ms it wants to be called again. */
void hxp_queues_begin(struct hd_module *mod, struct hd_worker *w);
void hxp_queues_end(struct hxp_worker *hw);
uint32_t hxp_queues_tick(struct hxp_worker *hw);

/* locals.c: the addresses of this host are told to the programs, good for some
 * seconds; which ports are gone. Any thread, one at a time. */
enum { HXP_LOCALS_EVERY_MS = 2000 };
void hxp_locals_tell(void);

/* commands.c */
extern const struct hd_command hxp_commands[];
