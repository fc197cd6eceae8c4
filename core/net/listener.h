/* SPDX-License-Identifier: MIT */
/* core/net/listener.h - TCP listeners: the bind check, LISTEN_FDS, one
 * SO_REUSEPORT socket per worker. Main thread.
 *
 * Files: listener.c sockets and those of the configuration, listen.c those of
 * modules, listen_names.c what a name means, accept.c a worker's side. */
#pragma once
#include <hyper-derp/listen.h>
#include "core/base/descriptors.h"
#include "core/base/kind.h"
#include "core/conf/conf.h"

struct hd_listener {
	const char *name; /* NULL: unnamed */
	const char *protocol; /* of a module: service.h; NULL: HTTP */
	bool tls;
	unsigned only; /* enum hd_pages, and nothing else; 0: everything */
	struct hd_prefixes proxies; /* that begin with a PROXY header; none: who
				       connects is the client */
	enum hd_fds whose; /* descriptors its connections are */
	bool shared; /* inherited: as many sockets as there were */
	int *fds; /* else one per worker */
	unsigned n_fds;
	union hd_addr addr;
	union hd_addr conf_addr; /* addr before a port was given */
	/* of a module only: core/net/listen.c */
	struct hd_module *mod; /* NULL: of the configuration */
	struct hd_listener *next;
	bool left; /* its module has ended and may claim it again */
	char *cert, *key; /* PEM files of its own; NULL: of the relay */
	struct hd_tls_store *tls_store; /* atomic; NULL: the relay's */
	unsigned refs; /* atomic: the list's and one for each stream */
};

/* hd_listeners_open - bind every address for n workers. A port that somebody
 * else holds is refused: it is bound once without SO_REUSEPORT, closed, then
 * bound for real. Inherited sockets (hd_listen_fds) with the address are used.
 * Returns 0, or negative with "bind: Address already in use" and the remedy. */
int hd_listeners_open(const struct hd_conf *conf, unsigned n_workers,
		      struct hd_listener **ret, size_t *ret_n,
		      struct hd_error *err);
void hd_listeners_close(struct hd_listener **v, size_t *n);
/* hd_listener_open - one of them; l is zeroed. hd_listener_close - what there
 * is of it. */
int hd_listener_open(const struct hd_listen_conf *lc, uint64_t sockbuf_bytes,
		     unsigned n_workers, struct hd_listener *l,
		     struct hd_error *err);
void hd_listener_close(struct hd_listener *l);
/* hd_listener_any - its entry has port 0: what the process that takes its place
 * knows it by. Returns false: it has a port. */
#define HD_LISTENER_LABEL_BYTES 128
bool hd_listener_any(const struct hd_listener *l,
		     char ret_label[static HD_LISTENER_LABEL_BYTES]);

/* ---- listen.c ---- */

/* hd_listens_begin - before modules load: what all sockets have in common. */
void hd_listens_begin(const struct hd_conf *conf);
/* hd_listens_first - all of them, along next. */
struct hd_listener *hd_listens_first(void);
/* When they are withdrawn, hd_listen_open() for the same name and address takes
 * one back; to reclaim is to close those that nobody took. */
extern const struct hd_kind hd_listener_kind;
/* hd_listens_check - whether their certificates can be read.
 * hd_listens_renew - they serve what the files are now. */
int hd_listens_check(struct hd_error *err);
void hd_listens_renew(void);
/* hd_listener_fds - whose descriptors its connections are. */
static inline enum hd_fds hd_listener_fds(const struct hd_listener *l)
{
	return l->whose;
}
/* hd_listener_get, _put - a stream came by it. Any worker. */
const struct hd_listener *hd_listener_get(const struct hd_listener *l);
void hd_listener_put(const struct hd_listener **l);

/* ---- listen_names.c ---- */

/* hd_listener_take - a module has routes of its own for listeners of this name:
 * they serve nothing else from now on. Main thread. Returns 0; -ENOMEM.
 * hd_listener_is_taken - any thread.
 * hd_listener_routes - which routes it serves: those with this listener; NULL:
 * those for everybody, whether it has a name or not. Any thread. */
int hd_listener_take(const char *name);
bool hd_listener_is_taken(const char *name);
const char *hd_listener_routes(const struct hd_listener *l);
