/* SPDX-License-Identifier: MIT */
/* hyper-derp/module.h - what a module is.
 *
 * A module file defines exactly one symbol, with HD_MODULE().
 *
 * ABI history; `t/abi BUILDDIR` keeps it honest
 * 2.0  constants have their enum's prefix; a header per subject: event.h,
 *      secret.h, state_file.h, task.h, tls.h, worker.h. Options may be lists
 *      of mappings: HD_OPTION_ENTRIES. Metrics are fields of a struct;
 *      hd_metrics_read() gives samples. CHANGELOG.md has the
 *      history of ABI 1, doc/guides/module-guide.md what to change in a module.
 *      mainloop.h: timers and descriptors on the main thread.
 *      fetch.h: an HTTP client.
 *      hd_post() and hd_task() take arg, and a function that drops it;
 *      hd_relay_home().
 *      Every callback has the module as its first argument.
 *      hd_udp_open() takes a struct hd_udp_options.
 *      struct hd_option has reserved fields.
 *      websocket.h: HD_WS_MODE_MESSAGES, hd_proto.message; a route has a
 *      list of subprotocols, and accept().
 *      Protocols without HTTP: service.h, hd_proto.opened, hd_listen.protocol,
 *      hd_stream_stay().
 *      hd_stream_id(), hd_stream_find(), hd_stream_pause(s, 0), and logins
 *      later than in data(); hd_admit_answer() with HD_VERDICT_PENDING.
 *      hd_module_def.reasons: close reasons of a module; hd_close_text() takes
 *      the module.
 *      Tenants: hd_admit_tenant(), relay.h.
 *      hd_timer_free(), hd_now_ns(), hd_peer_find(), hd_call_arg_key();
 *      hd_main_timer_set() returns nothing; struct hd_secret has len_bytes, in
 *      secret.h.
 *      hd_about_logins(), hd_relay_put_out(): who may no longer be here.
 *      hd_family_add(): label values that come at run time.
 *      presence.h: a peer watches who is here. hd_relay_forward(),
 *      hd_login.mesh, hd_packet.forwarded.
 *      link.h: keys at other relays. hd_proto.forward. hd_stream_is_leaving().
 *      HD_MODULE_GUARD: nobody logs in while the module is lost.
 *      HD_MODULE_UPGRADES, hd_proto.adopted(): another process takes over.
 *      hd_about_key().
 *      hd_stream_proxy(), hd_about_peer.proxy, .mesh.
 *      hd_route.pages: listeners for some pages only.
 *      hd_hook_accept(), hd_hook_leave(), hd_hook_peer_data(); hd_admission has
 *      the peer.
 *      hd_admit_limits(), hd_relay_limit().
 *      hd_about_peer has the peer, and packets.
 *      dial.h: connections that a module opens; hd_module_def.dials.
 *      prefix.h: addresses and prefixes, as operators write them.
 *      hd_stream_export(): keying material of TLS (tls.h).
 *      offer.h: what one module tells others.
 *      hd_admit_wait(): a login waits for a person.
 *      splice.h: two streams become a pipe. hd_hook_hello(): connections that
 *      are taken before TLS. hd_route.rest, hd_request_path().
 *      hd_dial_options.for_client.
 *      hd_login_header(), hd_login_query(). HD_OPTION_SECRET_TEXT.
 *      hd_tls_certificate(), HD_MODULE_CERTIFICATES; hd_route.below,
 *      hd_service.pages.
 *      hd_audit(): lines of the audit log.
 *      upgrade.h, hd_module_def.upgrade: what a module packs for the process
 *      that takes this one's place.
 *      hd_hook_here(), hd_hook_unknown(), hd_relay_unknown(): who is here, and
 *      packets to keys that a module looks for. hd_link_wish(), hd_hook_wish(),
 *      hd_link_worker(): one module makes the links that another wishes for.
 *      hd_link_forget(), hd_link_used(), hd_link_wish.unused: a way ends that
 *      nobody uses.
 *      hd_peer_received(), hd_peer_sent(), hd_peer_by_datagrams(),
 *      hd_about_peer.datagrams: peers that have datagrams beside a stream.
 *      hd_link_unheard_ms(): a link whose cable is cut.
 *      hd_pack_secret(), hd_unpack_secret().
 *      hd_udp_options.first, .last: modules share a UDP port.
 *      aead.h: what modules encrypt themselves. hd_stream_aead().
 *      hd_relay_forward_in(), hd_presence_watch_also(), hd_realm_text(),
 *      hd_realm_hold(), hd_realm_drop(), hd_realms_n(), hd_realm_name(),
 *      derp_realms.h: realms of other relays. HD_FRAME_MAX_BYTES is larger.
 * 2.1  hd_hook_admit_mesh(), hd_admit_mesh(), hd_peer_has_mesh_key(),
 *      hd_peer_set_flags(): hooks are asked about other relays, and say who is
 *      one. hd_tenant_is_used(). hd_pwrite_whole(). HD_MODULE_AHEAD.
 *      hd_udp_room(): a datagram is made where it is sent from. hd_hook_there()
 * 2.2  hd_relay_send_all().
 * 2.3  hd_carrier_open(): datagrams of UDP sockets go another way.
 *
 * Why some shapes are as they are:
 * - load() takes a struct hd_error: the loader prints one sentence, with the
 *   module's name and file, instead of two unrelated log lines.
 * - serving() tells modules that the relay stops or starts serving; STUN must
 *   answer only while a client that chooses us would be served. */
#pragma once
#include <hyper-derp/base.h>
#include <hyper-derp/config.h>
#include <hyper-derp/event.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/service.h>
#include <hyper-derp/upgrade.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HD_MODULE_MAGIC 0x48444d31u /* "HDM1" */

/* HD_ABI_MAJOR, HD_ABI_MINOR - of these headers: the relay must have the same
 * major number, and no smaller minor one. */
#define HD_ABI_MAJOR 2
#define HD_ABI_MINOR 3

struct hd_module_def {
	uint32_t magic;
	uint16_t abi_major, abi_minor; /* what the module was built against */
	uint32_t size; /* of this struct then: later fields read as zero */
	uint32_t state_version; /* of the state it keeps in streams and of its
				   data in workers; 0: no reload keeps them */
	const char *name, *version, *licence, *summary;
	const char *const *requires_; /* names of modules that must be loaded
					 before it; NULL at the end. (C++ has a
					 word `requires`.) */
	const struct hd_option *options; /* the section `name:` */
	const struct hd_metric *metrics; /* the rows of metrics_size */
	uint32_t conf_size; /* filled by the core from the options */
	uint32_t worker_size; /* zeroed memory per worker */
	uint32_t metrics_size; /* a struct of numbers per worker: metric.h */

	/* load - register routes, hooks, listeners. Main thread; may block.
	 * The configuration is there: hd_module_conf(mod). */
	int (*load)(struct hd_module *mod, struct hd_error *err);
	/* check - accept or refuse a section; change nothing. Before load(),
	 * and at each reload of the configuration, also when the section is
	 * as it was: a file that it names may have changed. Main thread; may
	 * block. */
	int (*check)(struct hd_module *mod, const void *conf,
		     struct hd_error *err);
	/* start, changed, stop - in each worker: begin, see a new
	 * configuration, end. start returns 0 or negative errno. changed
	 * comes after each reload of the configuration, also when the section
	 * is as it was; hd_module_worker_conf() is the new one by then. */
	int (*start)(struct hd_module *mod, struct hd_worker *w,
		     struct hd_error *err);
	void (*changed)(struct hd_module *mod, struct hd_worker *w,
			const void *old_conf);
	void (*stop)(struct hd_module *mod, struct hd_worker *w);
	/* unload - release what load() made outside the core. Main thread,
	 * after every worker has stopped the module. */
	void (*unload)(struct hd_module *mod);
	/* serving - new logins are welcome (true) or the relay drains. In
	 * each worker; called once with true after start. */
	void (*serving)(struct hd_module *mod, struct hd_worker *w, bool on);
	uint32_t flags; /* HD_MODULE_RESIDENT and others below */
	const struct hd_event_def *events; /* NULL: not listed, and
					      whoever watches takes any name
					      of this module */
	const struct hd_service *services; /* what listeners may speak:
					      service.h; HD_SERVICE_END */
	const struct hd_close_reason *reasons; /* its own, why streams end:
						  base.h;
						  HD_CLOSE_REASON_END */
	const struct hd_proto *const *dials; /* what it speaks where it dials:
						dial.h; NULL at the end */
	const struct hd_upgrade_def *upgrade; /* what goes to a new process:
						 upgrade.h; NULL: nothing */
};

/* HD_MODULE_UPGRADES - `hdctl upgrade` may put a new process in the place of
 * this one: whoever has logged in goes over by hd_proto.adopted(); what else
 * the module has in memory goes over by hd_module_def.upgrade, or is lost, as
 * at a restart; and its load() and start() may run in the new process while the
 * old one serves. The old one ends without stop() and unload(). Without it an
 * upgrade is refused.
 * HD_MODULE_RESIDENT - something outside the core keeps pointers into the code
 * (a thread, an exit handler): it is never unloaded or reloaded.
 * HD_MODULE_GUARD - it says who may log in: without it more people could than
 * before. So an unload must be forced, and while it is lost (a reload fails in
 * the new code and in the old) nobody logs in.
 * HD_MODULE_AHEAD - its clients go to the new process while the old one serves:
 * upgrade.h, "Ahead".
 * HD_MODULE_CERTIFICATES - it gives certificates, hd_tls_certificate(): TLS
 * listeners need no other. Until it has one they serve a self-signed one. */
enum {
	HD_MODULE_RESIDENT = 1,
	HD_MODULE_GUARD = 2,
	HD_MODULE_UPGRADES = 4,
	HD_MODULE_CERTIFICATES = 8,
	HD_MODULE_AHEAD = 16
};

/* HD_MODULE(derp, .version = "1.0", …): the name must be the file's name. In
 * C++ the fields stand in the order of the struct, as everywhere there.
 * The symbol is NAME_LTX_hd_module, as libltdl's static preloading wants it. */
#define HD_MODULE_BEGIN_                                                       \
	.magic = HD_MODULE_MAGIC, .abi_major = HD_ABI_MAJOR,                   \
	.abi_minor = HD_ABI_MINOR, .size = sizeof(struct hd_module_def)
#ifndef __cplusplus
#define HD_MODULE(ident, ...)                                                  \
	HD_API extern const struct hd_module_def ident##_LTX_hd_module;        \
	const struct hd_module_def ident##_LTX_hd_module = {                   \
		HD_MODULE_BEGIN_, .name = #ident, __VA_ARGS__                  \
	}
#else
/* .name stands behind .state_version, which the module may set. */
static constexpr struct hd_module_def hd_module_named_(struct hd_module_def def,
						       const char *name)
{
	def.name = name;
	return def;
}
#define HD_MODULE(ident, ...)                                                  \
	HD_API extern const struct hd_module_def ident##_LTX_hd_module;        \
	constexpr struct hd_module_def ident##_LTX_hd_module =                 \
		hd_module_named_({ HD_MODULE_BEGIN_, __VA_ARGS__ }, #ident)
#endif

/* hd_module_conf - the module's filled options. Main thread.
 * hd_module_worker_conf - the same as worker w sees it: constant until
 * changed() runs there. Never NULL when conf_size > 0. */
HD_API const void *hd_module_conf(struct hd_module *mod);
HD_API const void *hd_module_worker_conf(struct hd_module *mod,
					 struct hd_worker *w);
/* hd_module_worker_data - worker_size bytes, zeroed before start(); after a
 * reload with the same state_version and size as the old code left them. */
HD_API void *hd_module_worker_data(struct hd_module *mod, struct hd_worker *w);

/* hd_module_kept - in stop(): new code takes over the worker's data, and all
 * memory that it points to (plain memory without pointers into this code).
 * Else stop() frees that. */
HD_API bool hd_module_kept(const struct hd_module *mod,
			   const struct hd_worker *w);

#ifdef __cplusplus
}
#endif
