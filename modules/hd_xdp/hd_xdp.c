/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/hd_xdp.c - how the module begins and ends.
 *
 * It is a helper: where the machine does not allow it, a warning says so, and
 * all goes by the socket. At an upgrade the old process lets go of the
 * interfaces before it hands over, and the new one tries until they are
 * free. */
#include "modules/hd_xdp/hd_xdp.h"
#include <errno.h>
#include <hyper-derp/hd.h>
#include <hyper-derp/log.h>
#include <hyper-derp/offer.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>

enum {
	RETRY_MS = 100,
	FREED_MS = 3000, /* the kernel ends sockets some time after us */
	ENDED_MS = 70000, /* the process before ends by itself after 60 s */
	RETURN_MS = 1000, /* an upgrade has failed: it goes on */
};

struct hxp hxp;

const char *const hxp_modes[] = { "drv", "skb", NULL };

static const struct hd_option options[] = {
	{ .name = "interfaces",
	  .type = HD_OPTION_LIST,
	  .offset = offsetof(struct hxp_conf, interfaces),
	  .max = HXP_PORTS,
	  .help = "Network interfaces whose HD datagrams, to hd.udp, go past "
		  "the kernel's sockets: AF_XDP. Drivers may stop their "
		  "queues for a moment when a program comes or goes." },
	{ .name = "mode",
	  .type = HD_OPTION_CHOICE,
	  .offset = offsetof(struct hxp_conf, mode),
	  .def = "drv",
	  .choices = hxp_modes,
	  .help = "drv: in the driver; skb: in the kernel's generic path, "
		  "which every driver has, and which gains less." },
	{ .name = "zero_copy",
	  .type = HD_OPTION_BOOL,
	  .offset = offsetof(struct hxp_conf, zero_copy),
	  .def = "yes",
	  .help = "Let the card write to the relay's memory and read from "
		  "it, where its driver can. no: the kernel copies." },
	HD_OPTION_END,
};

#define ROW(field, name, labels, help)                                         \
	HD_METRIC(struct hxp_numbers, field, "hyper_derp_hd_xdp_" name,        \
		  labels, help)
#define BY_SOCKET(field, reason)                                               \
	ROW(field, "by_socket_total", "reason=\"" reason "\"",                 \
	    "Lone datagrams that left by the socket all the same")
#define PASSED(field, reason)                                                  \
	ROW(field, "passed_total", "reason=\"" reason "\"",                    \
	    "Datagrams for HD's port that the program left to the kernel")

static const struct hd_metric metrics[] = {
	ROW(received, "received_total", NULL, "Datagrams that came by AF_XDP"),
	ROW(received_bad, "received_bad_total", NULL,
	    "Frames that came by AF_XDP and are no datagrams: dropped"),
	ROW(sent, "sent_total", NULL, "Datagrams that left by AF_XDP"),
	ROW(sent_bytes, "sent_bytes_total", NULL, "Bytes of them"),
	BY_SOCKET(no_way, "no_way"),
	BY_SOCKET(full, "full"),
	BY_SOCKET(too_long, "too_long"),
	PASSED(passed_lapsed, "lapsed"),
	PASSED(passed_odd, "odd"),
	HD_METRIC_END,
};

/* ---- the main thread's timer ---- */

static void begin_here(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	(void)arg;
	hxp_queues_begin(mod, w);
}

/* What others have is tried again for a while. */
static void try_to_open(void)
{
	struct hd_error err = { "" };
	int r = hxp_ports_open(&err);

	if ((r == -EBUSY || r == -EEXIST) &&
	    hd_now_ns() / 1000000 < hxp.give_up_ms) {
		hd_main_timer_set(hxp.timer, RETRY_MS);
		return;
	}
	hxp.give_up_ms = 0;
	if (r < 0)
		hd_log_warn("hd_xdp: %s; all goes by the socket", err.text);
	else
		hd_main_timer_set(hxp.timer, HXP_LOCALS_EVERY_MS);
}

static void try_again(struct hd_module *mod)
{
	try_to_open();
	for (unsigned i = 0; hxp.open && i < hd_workers(); i++)
		(void)hd_post(mod, hd_worker_at(i), begin_here, NULL, NULL);
}

static void try_for(uint64_t ms)
{
	hxp.give_up_ms = hd_now_ns() / 1000000 + ms;
}

static void tell_locals(struct hd_module *mod, void *arg)
{
	(void)mod, (void)arg;
	hxp_locals_tell();
}

static void count(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct hxp_numbers *numbers = hd_metrics(mod, w);
	const struct hd_udp_stats *news = arg;

	hd_count(&numbers->passed_odd, news->passed_odd);
	hd_count(&numbers->passed_lapsed, news->passed_lapsed);
	free(arg);
}

/* Numbers belong to workers: to the first, as good as any. */
static void count_passed(struct hd_module *mod)
{
	struct hd_udp_stats now, *news = malloc(sizeof(*news));

	if (news == NULL)
		return;
	hxp_ports_stats(&now);
	news->passed_odd = now.passed_odd - hxp.counted.passed_odd;
	news->passed_lapsed = now.passed_lapsed - hxp.counted.passed_lapsed;
	if (hd_post(mod, hd_worker_at(0), count, news, free) == 0)
		hxp.counted = now;
}

/* The module hd may come back with another port. */
static bool is_still_bound(void)
{
	union hd_addr now;

	if (hd_offered(HDP_UDP_OFFERED, &now, sizeof(now)) < 0 ||
	    memcmp(&now, &hxp.bind, sizeof(now)) == 0)
		return true;
	hxp_ports_detach();
	hd_log_warn("hd_xdp: hd.udp has changed, and all goes by the socket; "
		    "remedy: hdctl module reload hd_xdp");
	return false;
}

/* Its sockets do not come back with it. */
static void say_gone(void)
{
	for (unsigned i = 0; i < hxp.n_ports; i++) {
		struct hxp_port *port = &hxp.ports[i];

		if (port->gone_said ||
		    !__atomic_load_n(&port->gone, __ATOMIC_RELAXED))
			continue;
		port->gone_said = true;
		hd_log_warn("hd_xdp: %s has gone, and all goes by the socket; "
			    "remedy, when it is back: hdctl module reload "
			    "hd_xdp",
			    port->name);
	}
}

static void on_timer(struct hd_module *mod, void *arg)
{
	struct hd_error err = { "" };

	(void)arg;
	if (!hxp.open && hxp.give_up_ms != 0) {
		try_again(mod);
		return;
	}
	if (!hxp.open || !is_still_bound())
		return;
	if (hxp_ports_attach(&err) < 0)
		hd_log_warn("hd_xdp: %s; all goes by the socket", err.text);
	say_gone();
	(void)hd_task(mod, NULL, tell_locals, NULL, NULL, NULL);
	count_passed(mod);
	hd_main_timer_set(hxp.timer, HXP_LOCALS_EVERY_MS);
}

/* ---- life ---- */

static int check(struct hd_module *mod, const void *conf, struct hd_error *err)
{
	const struct hxp_conf *c = conf;

	(void)mod;
	for (size_t i = 0; i < c->interfaces.n; i++)
		if (strlen(c->interfaces.v[i]) >= IF_NAMESIZE)
			return hd_error_set(err, -EINVAL,
					    "hd_xdp.interfaces: %s is too "
					    "long for an interface",
					    c->interfaces.v[i]);
	return 0;
}

/* A child that tries this module's file has no module hd: then there is nothing
 * to open. */
static int find_udp(struct hd_error *err)
{
	int r = hd_offered(HDP_UDP_OFFERED, &hxp.bind, sizeof(hxp.bind));

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return hd_error_set(err, r,
				    "the module hd is of another version than "
				    "this one: install both alike");
	if (hxp.bind.in.sin_port == 0)
		hd_log_warn("hd_xdp: it does nothing, since hd.udp is not set; "
			    "remedy: hd: {udp: \"[::]:3479\"}");
	else if (hxp_conf()->interfaces.n == 0)
		hd_log_warn("hd_xdp: it does nothing, since "
			    "hd_xdp.interfaces names none; remedy: hd_xdp: "
			    "{interfaces: [eth0]}");
	return 0;
}

static int prepare(struct hd_module *mod, struct hd_error *err)
{
	const struct hxp_conf *conf = hd_module_conf(mod);
	int r = check(mod, conf, err);

	hxp = (struct hxp){ .mod = mod };
	if (r == 0)
		r = find_udp(err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < conf->interfaces.n; i++) {
		struct hxp_port *port = &hxp.ports[hxp.n_ports++];

		strncpy(port->name, conf->interfaces.v[i],
			sizeof(port->name) - 1);
		port->link_fd = -1;
	}
	hxp.timer = hd_main_timer_new(mod, on_timer, NULL);
	return hxp.timer != NULL
		       ? hd_command_add(mod, hxp_commands, err)
		       : hd_error_set(err, -ENOMEM, "out of memory");
}

static bool is_wanted(void)
{
	return hxp.bind.in.sin_port != 0 && hxp.n_ports > 0;
}

/* While another process has the interfaces: taken() goes on. */
static int load(struct hd_module *mod, struct hd_error *err)
{
	int r = prepare(mod, err);

	if (r < 0 || !is_wanted() || hd_is_taking_over())
		return r;
	try_for(FREED_MS);
	try_to_open();
	return 0;
}

static void unload(struct hd_module *mod)
{
	(void)mod;
	hxp_ports_close();
}

static void on_tick(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct hxp_worker *hw = arg;

	hd_timer_set(hw->tick, hxp_queues_tick(hw));
	hxp_ways_ask(hw->ways, mod, w);
}

static int start(struct hd_module *mod, struct hd_worker *w,
		 struct hd_error *err)
{
	struct hxp_worker *hw = hd_module_worker_data(mod, w);

	hw->ways = hxp_ways_new(hxp.bind.in.sin_port);
	hw->tick = hd_timer_new(mod, w, on_tick, hw);
	if (hw->ways == NULL || hw->tick == NULL) {
		hxp_ways_free(&hw->ways);
		return hd_error_set(err, -ENOMEM, "out of memory");
	}
	hxp_queues_begin(mod, w);
	hd_timer_set(hw->tick, hxp_queues_tick(hw));
	return 0;
}

static void stop(struct hd_module *mod, struct hd_worker *w)
{
	struct hxp_worker *hw = hd_module_worker_data(mod, w);

	hxp_ports_detach();
	hxp_queues_end(hw);
	hxp_ways_free(&hw->ways);
}

/* ---- another process takes over ---- */

/* What comes from now on waits in the UDP sockets, which go over. Here, before
 * clients are written down: what the rings have got since the workers stand is
 * lost. */
static int pack_worker(struct hd_module *mod, struct hd_worker *w,
		       struct hd_pack *to, struct hd_error *err)
{
	(void)mod, (void)w, (void)to, (void)err;
	hxp_ports_detach();
	return 0;
}

/* If this process goes on after all, the timer brings the programs back. */
static int pack(struct hd_module *mod, struct hd_pack *to, struct hd_error *err)
{
	(void)mod, (void)to, (void)err;
	if (hxp.open)
		hd_main_timer_set(hxp.timer, RETURN_MS);
	return 0;
}

static int unpack(struct hd_module *mod, struct hd_unpack *from,
		  struct hd_error *err)
{
	(void)mod, (void)from, (void)err; /* there is nothing to say */
	return 0;
}

static int unpack_worker(struct hd_module *mod, struct hd_worker *w,
			 struct hd_unpack *from, struct hd_error *err)
{
	(void)mod, (void)w, (void)from, (void)err;
	return 0;
}

static void taken(struct hd_module *mod)
{
	(void)mod;
	if (!is_wanted())
		return;
	try_for(ENDED_MS);
	hd_main_timer_set(hxp.timer, RETRY_MS);
}

static const struct hd_upgrade_def upgrade = { .version = 1,
					       .oldest = 1,
					       .pack_worker = pack_worker,
					       .unpack_worker = unpack_worker,
					       .pack = pack,
					       .unpack = unpack,
					       .taken = taken };

static const char *const needs[] = { "hd", NULL };

HD_MODULE(hd_xdp, .version = "1.0", .licence = "MIT",
	  .summary = "HD's datagrams past the kernel's sockets: AF_XDP",
	  .flags = HD_MODULE_UPGRADES | HD_MODULE_AHEAD, .requires_ = needs,
	  .upgrade = &upgrade, .options = options, .metrics = metrics,
	  .metrics_size = sizeof(struct hxp_numbers),
	  .conf_size = sizeof(struct hxp_conf),
	  .worker_size = sizeof(struct hxp_worker), .load = load,
	  .check = check, .start = start, .stop = stop, .unload = unload);
