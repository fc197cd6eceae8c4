/* SPDX-License-Identifier: MIT */
/* hyper-derp/about.h - what the relay is and how it is, for modules that show
 * it. Any thread; no worker waits for any of this. What a function is given
 * lives until it returns. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_about_relay - the relay itself. */
struct hd_about_relay {
	const char *version, *commit; /* "0.1.0", git's short id */
	const char *backend; /* "io_uring", "epoll" */
	const char *state; /* "serving", "draining"; "locked": nobody may log
			      in, a module that says who may is lost */
	uint64_t uptime_ms;
	uint64_t started_s; /* seconds since the epoch */
};
HD_API void hd_about_relay(struct hd_about_relay *ret_about);

/* hd_about_modules - call fn for each module that is loaded. */
struct hd_about_module {
	const char *name, *version; /* version "": it has none */
	const char *state; /* "loaded" */
	unsigned streams; /* connections that speak its protocols */
};
typedef void hd_about_module_fn(void *arg, const struct hd_about_module *m);
HD_API void hd_about_modules(hd_about_module_fn *fn, void *arg);

/* hd_about_certificates - call fn for each certificate that is served now. */
struct hd_about_certificate {
	const char *subject; /* "CN=derp.example.com", RFC 2253 */
	const char *names;   /* what clients ask for: "a.example,192.0.2.1" */
	int64_t not_after;   /* seconds since the epoch */
};
typedef void hd_about_certificate_fn(void *arg,
				     const struct hd_about_certificate *c);
HD_API void hd_about_certificates(hd_about_certificate_fn *fn, void *arg);

/* hd_about_peers - the admitted connections of a worker, called there: those in
 * the next n places of its table from *at on, which begins at 0. To go through
 * all of them, call again in later turns, so that packets do not wait.
 * Returns whether there are more. */
struct hd_about_peer {
	uint64_t conn; /* no other connection of the worker has this number */
	const struct hd_key *key;
	const union hd_addr *addr;
	const char *proto, *agent; /* "derp"; how it calls itself, or "" */
	const char *name; /* that a module gave it at the login, or "" */
	const char *tenant; /* the same: whom it may reach */
	uint64_t age_ms, bytes_in, bytes_out, drops;
	const char *listener; /* its name; NULL: it has none */
	const char *server_name; /* that the client asked for; NULL: none */
	const char *tls; /* "own", "ktls", "openssl"; NULL: none */
	uint64_t queued_bytes;
	uint16_t realm;
	bool active; /* of the connections with this key, the one sent to */
	const union hd_addr *proxy; /* it came through this; NULL: none */
	bool mesh; /* it is trusted as another relay: hd_login.mesh */
	const struct hd_peer *peer; /* for hd_peer_data(): hook.h */
	uint64_t packets_in, packets_out; /* it sent; it was given */
	bool datagrams; /* its packets go by UDP now: hd_peer_by_datagrams() */
};
typedef void hd_about_peer_fn(void *arg, const struct hd_about_peer *p);
HD_API bool hd_about_peers(struct hd_worker *w, uint64_t *at, unsigned n,
			   hd_about_peer_fn *fn, void *arg);
/* hd_about_key - those of one key, in all realms and tenants, that are in this
 * worker:
 * which is in each realm the key's home. fn may close them. */
HD_API void hd_about_key(struct hd_worker *w, const struct hd_key *key,
			 hd_about_peer_fn *fn, void *arg);
/* hd_about_logins - the same of those that have proven their key and wait for
 * a module's answer (hook.h). They are not active. */
HD_API bool hd_about_logins(struct hd_worker *w, uint64_t *at, unsigned n,
			    hd_about_peer_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
