/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/commands.c - what operators see. Context: the main thread. */
#include <hyper-derp/control.h>
#include "modules/hd_xdp/hd_xdp.h"

static void put_port(struct hd_call *call, const struct hxp_port *port)
{
	unsigned zero_copy = 0;

	for (unsigned i = 0; i < port->n_queues; i++)
		zero_copy += hxp_queue_is_zero_copy(port->queues[i]);
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "interface", port->name);
	hd_out_bool(call, "attached",
		    __atomic_load_n(&port->link_fd, __ATOMIC_ACQUIRE) >= 0 &&
			    !__atomic_load_n(&port->gone, __ATOMIC_RELAXED));
	hd_out_uint(call, "queues", port->n_queues);
	hd_out_uint(call, "zero_copy", zero_copy);
	hd_out_close(call);
}

static void run_show(struct hd_module *mod, struct hd_call *call)
{
	char addr[HD_ADDR_TEXT_BYTES];
	struct hd_udp_stats stats;

	(void)mod;
	hxp_ports_stats(&stats);
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "udp", hd_addr_text(&hxp.bind, addr));
	hd_out_string(call, "mode", hxp_modes[hxp_conf()->mode]);
	hd_out_open(call, "interfaces", '[');
	for (unsigned i = 0; i < hxp.n_ports; i++)
		put_port(call, &hxp.ports[i]);
	hd_out_close(call);
	hd_out_uint(call, "taken", stats.taken);
	hd_out_uint(call, "passed_lapsed", stats.passed_lapsed);
	hd_out_uint(call, "passed_odd", stats.passed_odd);
	hd_out_close(call);
}

const struct hd_command hxp_commands[] = {
	{ .words = "hd_xdp show",
	  .help = "interfaces whose HD datagrams go by AF_XDP, and what the "
		  "program there counts",
	  .run = run_show },
	{ .words = NULL },
};
