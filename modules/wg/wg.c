/* SPDX-License-Identifier: MIT */
/* modules/wg/wg.c - a relay for stock WireGuard clients: public keys in,
 * packets out. doc/internals/wireguard.md says how, and why it is safe. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <malloc.h>
#include <string.h>
#include "modules/wg/ops.h"
#include "modules/wg/plan.h"
#include "modules/wg/state.h"
#include "modules/wg/upgrade.h"
#include "modules/wg/xdp.h"

#define AT(field) .offset = offsetof(struct wg_conf, field)

static const char *const xdp_modes[] = { [WG_XDP_OFF] = "off",
					 [WG_XDP_AUTO] = "auto",
					 [WG_XDP_DRV] = "drv",
					 [WG_XDP_SKB] = "skb",
					 [WG_XDP_SKB + 1] = NULL };

static const struct hd_option options[] = {
	{ .name = "port",
	  .type = HD_OPTION_UINT,
	  AT(port),
	  .def = "51820",
	  .min = 1,
	  .max = 65535,
	  .help = "UDP port for WireGuard clients, on all addresses" },
	{ .name = "listen",
	  .type = HD_OPTION_ADDR,
	  AT(listen),
	  .help = "the address and port to use instead of `port`" },
	{ .name = "peers",
	  .type = HD_OPTION_ENTRIES,
	  AT(yaml.peers),
	  .def = "[]",
	  .help = "peers beside those of the roster",
	  .entry = wg_yaml_peer_options,
	  .entry_size = sizeof(struct wg_yaml_peer) },
	{ .name = "links",
	  .type = HD_OPTION_ENTRIES,
	  AT(yaml.links),
	  .def = "[]",
	  .help = "which of them may talk to each other",
	  .entry = wg_yaml_link_options,
	  .entry_size = sizeof(struct wg_yaml_link) },
	{ .name = "roster_path",
	  .type = HD_OPTION_PATH,
	  AT(roster_path),
	  .help = "the file of peers and links that hdctl adds, an absolute "
		  "path; state_dir/wg-roster if it is not set" },
	{ .name = "xdp",
	  .type = HD_OPTION_CHOICE,
	  AT(xdp),
	  .def = "auto",
	  .choices = xdp_modes,
	  .help = "forward in the network driver (drv), in the kernel's "
		  "generic path (skb), in the best of them that works (auto), "
		  "or not at all" },
	{ .name = "xdp_interface",
	  .type = HD_OPTION_STRING,
	  AT(xdp_interface),
	  .help = "the interfaces for it, separated by commas or spaces" },
	{ .name = "source_rate",
	  .type = HD_OPTION_UINT,
	  AT(source_rate),
	  .def = "20",
	  .min = 1,
	  .max = 100000,
	  .unit = "1/s",
	  .live = true,
	  .help = "handshakes that one unknown address may begin" },
	{ .name = "dest_rate",
	  .type = HD_OPTION_UINT,
	  AT(dest_rate),
	  .def = "20",
	  .min = 1,
	  .max = 100000,
	  .unit = "1/s",
	  .live = true,
	  .help = "handshakes from unknown addresses that a peer sees before "
		  "they must prove their address" },
	{ .name = "pressure",
	  .type = HD_OPTION_UINT,
	  AT(pressure),
	  .def = "200",
	  .min = 1,
	  .max = 1000000,
	  .unit = "1/s",
	  .live = true,
	  .help = "handshakes from unknown addresses in all before each must "
		  "prove its address" },
	{ .name = "search_rate",
	  .type = HD_OPTION_UINT,
	  AT(search_rate),
	  .def = "4000000",
	  .min = 8000,
	  .max = 1000000000,
	  .unit = "1/s",
	  .live = true,
	  .help = "keys tried for handshakes that are for none of the "
		  "likely ones" },
	HD_OPTION_END,
};

enum { SWEEP_MS = 500, SWEEPS = 10 }; /* of a whole table */

/* Of load(): for start(). Of stop(): for unload(), which may write. */
static struct wg_saved *saved, *to_save;
static bool kept; /* other code will take what is in the worker */

struct wg_engine *wg_engine_of(struct hd_module *mod, struct hd_worker *w)
{
	struct wg_worker *ww = hd_module_worker_data(mod, w);

	return ww->engine;
}

static void on_datagrams(struct hd_module *mod, struct hd_udp *udp, void *arg,
			 struct hd_datagram *v, unsigned n)
{
	struct wg_engine *e = arg;

	(void)mod;
	e->now_ms = hd_now_ms(hd_udp_worker(udp));
	wg_route_all(e, v, n);
}

static void on_sweep(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct wg_engine *e = arg;

	(void)mod;
	e->now_ms = hd_now_ms(w);
	wg_cookie_rotate(e);
	wg_pendings_sweep(e, e->pendings.used / SWEEPS + 16);
	wg_sessions_sweep(e, e->sessions.used / SWEEPS + 16);
	if (e->now_ms - e->swept_ms >= 60000) {
		wg_blocks_sweep(e);
		e->swept_ms = e->now_ms;
	}
	wg_save_tick(e);
	wg_xdp_renew(e->xdp);
	wg_paths_count(e);
	hd_gauge_set(&e->metrics->peers, e->peers.used);
	hd_gauge_set(&e->metrics->links, e->links.used);
	hd_gauge_set(&e->metrics->sessions, e->sessions.used);
	hd_gauge_set(&e->metrics->pending, e->pendings.used);
	hd_gauge_set(&e->metrics->blocked, e->blocks.pool.used);
	hd_timer_set(e->sweep, SWEEP_MS);
}

static void on_search(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct wg_engine *e = arg;

	(void)mod;
	e->now_ms = hd_now_ms(w);
	wg_search_run(e);
}

static void on_save(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct wg_engine *e = arg;

	(void)mod;
	e->now_ms = hd_now_ms(w);
	wg_save_run(e);
}

static int set_timers(struct wg_engine *e)
{
	e->save = hd_timer_new(e->mod, e->w, on_save, e);
	e->sweep = hd_timer_new(e->mod, e->w, on_sweep, e);
	e->search_timer = hd_timer_new(e->mod, e->w, on_search, e);
	if (e->sweep == NULL || e->search_timer == NULL || e->save == NULL)
		return -ENOMEM;
	hd_timer_set(e->sweep, SWEEP_MS);
	if (e->searches->n > 0)
		hd_timer_set(e->search_timer, 1);
	if (e->saving != NULL) /* the code before has begun */
		hd_timer_set(e->save, 1);
	return 0;
}

static int open_at(struct wg_engine *e, const union hd_addr *addr,
		   struct hd_error *err)
{
	const struct hd_udp_options udp = {
		.bind = *addr,
		.flags = HD_UDP_SINGLE | HD_UDP_LARGE,
		.fn = on_datagrams,
		.arg = e,
	};

	e->sum.port = ntohs(addr->in.sin_port);
	return hd_udp_open(e->mod, e->w, &udp, &e->udp, err);
}

/* IPv4 alone where the kernel has no IPv6. */
static int open_socket(struct wg_engine *e, struct hd_error *err)
{
	in_port_t port = htons((uint16_t)e->conf->port);
	const union hd_addr any = { .in6 = { .sin6_family = AF_INET6,
					     .sin6_port = port } };
	const union hd_addr any4 = { .in = { .sin_family = AF_INET,
					     .sin_port = port } };
	int r;

	if (e->conf->listen.sa.sa_family != 0)
		return open_at(e, &e->conf->listen, err);
	r = open_at(e, &any, err);
	return r == -EAFNOSUPPORT ? open_at(e, &any4, err) : r;
}

/* It belongs to this code: a reload closes it and opens it again. */
static int open_xdp(struct wg_engine *e, struct hd_error *err)
{
	const struct wg_xdp_conf conf = {
		.mode = (enum wg_xdp_mode)e->conf->xdp,
		.interfaces = e->conf->xdp_interface,
		.port = e->sum.port,
		.paths_max = 2 * HD_MIN(e->links.max, 1u << 17),
		.later = hd_is_taking_over(), /* wg_upgrade.taken() */
	};
	int r = wg_xdp_open(&conf, &e->xdp, err);

	if (r == 0)
		wg_paths_all(e, true);
	return r;
}

static void close_xdp(struct wg_engine *e)
{
	wg_paths_all(e, false);
	wg_paths_count(e);
	wg_xdp_close(&e->xdp);
}

static int begin(struct wg_worker *ww, struct hd_module *mod,
		 struct hd_worker *w)
{
	bool fresh = ww->engine == NULL; /* else: of the code before */
	struct wg_engine *e;
	int r = fresh ? wg_engine_new(mod, w, &ww->engine) : 0;

	if (r < 0)
		return r;
	e = ww->engine;
	e->conf = hd_module_worker_conf(mod, w);
	e->metrics = hd_metrics(mod, w);
	e->now_ms = hd_now_ms(w);
	e->save_running = false;
	wg_cookie_rotate(e);
	HD_AUTO(wg_plan_free) struct wg_plan *plan = wg_plan_first();
	if (plan != NULL)
		wg_engine_plan(e, plan);
	/* a process whose place we take knows better than its file */
	if (fresh && saved != NULL && !hd_is_taking_over())
		wg_restore(e, saved);
	wg_saved_free(&saved);
	wg_plan_free(&plan);
	if (fresh)
		malloc_trim(0); /* reading 100,000 peers left 20 MB */
	return set_timers(e);
}

static int wg_start(struct hd_module *mod, struct hd_worker *w,
		    struct hd_error *err)
{
	struct wg_worker *ww = hd_module_worker_data(mod, w);
	int r;

	if (hd_worker_index(w) != 0)
		return 0;
	r = begin(ww, mod, w);
	if (r < 0)
		return hd_error_set(err, r, "out of memory");
	r = open_socket(ww->engine, err);
	if (r == 0)
		r = open_xdp(ww->engine, err);
	if (r < 0) {
		hd_udp_close(&ww->engine->udp);
		wg_engine_free(&ww->engine);
	}
	return r;
}

static void wg_changed(struct hd_module *mod, struct hd_worker *w,
		       const void *old_conf)
{
	struct wg_engine *e = wg_engine_of(mod, w);

	(void)old_conf;
	if (e != NULL)
		e->conf = hd_module_worker_conf(mod, w);
}

static void wg_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct wg_worker *ww = hd_module_worker_data(mod, w);

	if (ww->engine == NULL)
		return;
	wg_plan_stopped();
	ww->engine->now_ms = hd_now_ms(w);
	close_xdp(ww->engine);
	hd_udp_close(&ww->engine->udp);
	kept = hd_module_kept(mod, w);
	if (kept)
		return; /* the new code takes the rest */
	to_save = wg_save_all(ww->engine);
	wg_engine_free(&ww->engine);
}

static int wg_load(struct hd_module *mod, struct hd_error *err)
{
	int r = wg_ops_load(mod, hd_module_conf(mod), err);

	if (r < 0)
		return r;
	r = wg_saved_read(&saved, err);
	if (r < 0 && r != -ENOENT)
		hd_log_warn("wg: endpoints are learned anew: %s", err->text);
	return 0;
}

static int wg_check(struct hd_module *mod, const void *conf,
		    struct hd_error *err)
{
	(void)mod;
	return wg_ops_check(conf, err);
}

static void wg_unload(struct hd_module *mod)
{
	struct hd_error err = { "" };

	if (kept)
		wg_ops_reload(hd_module_conf(mod));
	if (to_save != NULL && wg_saved_write(to_save, &err) < 0)
		hd_log_warn("wg: endpoints are not saved: %s", err.text);
	wg_saved_free(&to_save);
	wg_saved_free(&saved);
	wg_plan_forget();
	wg_ops_unload();
}

HD_MODULE(wg, .version = "1.0", .licence = "MIT",
	  .summary = "relays stock WireGuard clients by their public keys",
	  .state_version = WG_STATE_VERSION, .flags = HD_MODULE_UPGRADES,
	  .upgrade = &wg_upgrade, .options = options, .metrics = wg_metrics,
	  .metrics_size = sizeof(struct wg_numbers), .events = wg_events,
	  .conf_size = sizeof(struct wg_conf),
	  .worker_size = sizeof(struct wg_worker), .load = wg_load,
	  .check = wg_check, .start = wg_start, .changed = wg_changed,
	  .stop = wg_stop, .unload = wg_unload);
