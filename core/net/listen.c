/* SPDX-License-Identifier: MIT */
/* core/net/listen.c - the listeners that modules open.
 *
 *   hd_listen_open() -> OPEN -withdraw-> LEFT -reclaim-> closed, freed when
 *                        ^                  |             its last stream ends
 *                        `- hd_listen_open()'  of the new code
 *
 * Workers learn of a change by hd_accept_kind. Main thread, but for get and
 * put. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/addr.h"
#include "core/base/dry.h"
#include "core/base/notify.h"
#include "core/loop/worker.h"
#include "core/net/listener.h"
#include "core/tls/tls.h"

static struct hd_listener *listens;
static uint64_t sockbuf_bytes;
static unsigned n_workers;

void hd_listens_begin(const struct hd_conf *conf)
{
	sockbuf_bytes = conf->sockbuf_bytes;
	n_workers = hd_workers_wanted(conf);
}

struct hd_listener *hd_listens_first(void)
{
	return listens;
}

const struct hd_listener *hd_listener_get(const struct hd_listener *l)
{
	__atomic_add_fetch(&((struct hd_listener *)l)->refs, 1,
			   __ATOMIC_RELAXED);
	return l;
}

/* Those of the configuration have no reference of a list: workers.c ends
 * their streams before they are closed. */
void hd_listener_put(const struct hd_listener **listener)
{
	struct hd_listener *l = (struct hd_listener *)*listener;

	*listener = NULL;
	if (l != NULL &&
	    __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) == 0 &&
	    l->mod != NULL) {
		free((char *)l->name);
		free((char *)l->protocol);
		free(l);
	}
}

static struct hd_listener *find_open(const struct hd_module *mod,
				     const char *name)
{
	struct hd_listener *l = listens;

	while (l != NULL &&
	       (l->mod != mod || l->left || strcmp(l->name, name) != 0))
		l = l->next;
	return l;
}

static struct hd_listener *find_left(const struct hd_module *mod,
				     const struct hd_listen *listen)
{
	struct hd_listener *l = listens;

	while (l != NULL &&
	       (l->mod != mod || !l->left || strcmp(l->name, listen->name) ||
		!hd_addr_same(&l->conf_addr, &listen->addr)))
		l = l->next;
	return l;
}

static void log_listening(const struct hd_listener *l)
{
	char addr[HD_ADDR_TEXT_BYTES];

	hd_log_write(HD_LOG_NOTICE,
		     "listening: addr=%s name=%s module=%s%s%s%s",
		     hd_addr_text(&l->addr, addr), l->name, l->mod->name,
		     l->protocol != NULL ? " protocol=" : "",
		     l->protocol != NULL ? l->protocol : "",
		     l->shared ? " inherited=yes" : "");
}

static void close_sockets(struct hd_listener *l)
{
	/* A poll that the ring has not ended yet keeps a socket alive, and its
	 * port taken; others may go on with one that they gave us. */
	for (unsigned i = 0;
	     i < l->n_fds && !l->shared && !hd_listen_fds_lent(); i++)
		shutdown(l->fds[i], SHUT_RDWR);
	for (unsigned i = 0; i < l->n_fds; i++)
		close(l->fds[i]);
	free(l->fds);
	l->fds = NULL;
	l->n_fds = 0;
	hd_tls_store_put(&l->tls_store);
	free(l->cert);
	free(l->key);
	l->cert = l->key = NULL;
}

static int open_new(struct hd_module *mod, const struct hd_listen *listen,
		    struct hd_error *err)
{
	const struct hd_listen_conf lc = { .name = listen->name,
					   .addr = listen->addr,
					   .protocol = listen->protocol };
	struct hd_listener *l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return hd_error_set(err, -ENOMEM, "listen: out of memory");
	r = hd_listener_open(&lc, sockbuf_bytes, n_workers, l, err);
	if (r < 0) {
		hd_listener_close(l);
		free(l);
		return r;
	}
	l->mod = mod;
	l->whose = HD_FDS_NAMED;
	l->refs = 1;
	l->next = listens;
	listens = l;
	log_listening(l);
	return 0;
}

/* By new code, while the workers are parked. */
static int take_back(struct hd_listener *l, const struct hd_listen *listen,
		     struct hd_error *err)
{
	char *protocol = NULL;

	if (listen->protocol != NULL) {
		protocol = strdup(listen->protocol);
		if (protocol == NULL)
			return hd_error_set(err, -ENOMEM,
					    "listen: out of memory");
	}
	free((char *)l->protocol);
	l->protocol = protocol;
	l->left = false;
	return 0;
}

int hd_listen_open(struct hd_module *mod, const struct hd_listen *listen,
		   struct hd_error *err)
{
	struct hd_listener *l;

	if (listen->name == NULL || listen->addr.sa.sa_family == 0)
		return hd_error_set(err, -EINVAL,
				    "a listener without a name or an address: "
				    "the module has a bug, report it to its "
				    "author");
	if (hd_dry)
		return 0;
	l = find_left(mod, listen);
	if (find_open(mod, listen->name) != NULL)
		return hd_error_set(err, -EEXIST,
				    "listener %s is opened twice: the module "
				    "has a bug, report it to its author",
				    listen->name);
	return l == NULL ? open_new(mod, listen, err)
			 : take_back(l, listen, err);
}

/* ---- certificates ---- */

/* A worker that has just read the old pointer is in its turn: the old store is
 * put after all have ended theirs. */
static void use_store(struct hd_listener *l, struct hd_tls_store *store)
{
	struct hd_tls_store *old = l->tls_store;

	__atomic_store_n(&l->tls_store, store, __ATOMIC_RELEASE);
	__atomic_store_n(&l->tls, store != NULL, __ATOMIC_RELEASE);
	if (old != NULL)
		hd_workers_quiesce();
	hd_tls_store_put(&old);
}

static int set_files(struct hd_listener *l, const char *cert, const char *key,
		     struct hd_error *err)
{
	free(l->cert);
	free(l->key);
	l->cert = strdup(cert);
	l->key = strdup(key);
	if (l->cert != NULL && l->key != NULL)
		return 0;
	return hd_error_set(err, -ENOMEM, "listen: out of memory");
}

int hd_listen_tls(struct hd_module *mod, const char *name, const char *cert,
		  const char *key, struct hd_error *err)
{
	struct hd_listener *l = find_open(mod, name);
	struct hd_tls_store *store = NULL;
	int r = l != NULL || hd_dry ? hd_tls_store_own(cert, key, &store, err)
				    : hd_error_set(err, -ENOENT,
						   "no listener %s is open: "
						   "the module has a bug, "
						   "report it to its author",
						   name);

	if (r == 0 && l != NULL)
		r = set_files(l, cert, key, err);
	if (r < 0 || l == NULL)
		hd_tls_store_put(&store);
	else
		use_store(l, store);
	return r;
}

int hd_listens_check(struct hd_error *err)
{
	int r = 0;

	for (struct hd_listener *l = listens; l != NULL && r == 0;
	     l = l->next) {
		struct hd_tls_store *store = NULL;

		if (l->cert != NULL)
			r = hd_tls_store_own(l->cert, l->key, &store, err);
		hd_tls_store_put(&store);
	}
	return r;
}

void hd_listens_renew(void)
{
	for (struct hd_listener *l = listens; l != NULL; l = l->next) {
		struct hd_tls_store *store = NULL;
		struct hd_error err = { "" };

		if (l->cert == NULL)
			continue;
		if (hd_tls_store_own(l->cert, l->key, &store, &err) == 0)
			use_store(l, store);
		else
			hd_log_write(HD_LOG_WARN, "listener %s: %s", l->name,
				     err.text);
	}
}

/* ---- the end ---- */

static void withdraw(const struct hd_module *mod)
{
	for (struct hd_listener *l = listens; l != NULL; l = l->next)
		l->left |= l->mod == mod;
}

static void reclaim(void)
{
	struct hd_listener **at = &listens;

	while (*at != NULL) {
		struct hd_listener *l = *at;

		if (!l->left) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		close_sockets(l);
		hd_listener_put(&(const struct hd_listener *){ l });
	}
}

const struct hd_kind hd_listener_kind = {
	.name = "listeners",
	.withdraw = withdraw,
	.reclaim = reclaim,
};
