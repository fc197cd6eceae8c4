/* SPDX-License-Identifier: MIT */
/* core/net/listener.c - TCP listeners. Each worker has a socket of its own on
 * the address (SO_REUSEPORT): the kernel spreads the connections.
 *
 * SO_REUSEPORT would also let a second relay of the same user share the port
 * without a word. So the address is first bound without it: that fails while
 * anybody listens there. Between the check and the real bind another relay
 * may slip in; both then run, as if they had been told to. */
#include "core/base/notify.h"
#include "core/net/listener.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static const struct {
	int code;
	const char *remedy;
} bind_remedies[] = {
	{ EADDRINUSE, "another program or relay serves this port, "
		      "find it with: ss -ltnp" },
	{ EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE" },
	{ EADDRNOTAVAIL, "no interface has this address, see: ip address" },
	{ EAFNOSUPPORT, "this kernel has no IPv6, write 0.0.0.0:PORT" },
};

static const char *bind_remedy(int code)
{
	for (unsigned i = 0; i < HD_ARRAY_N(bind_remedies); i++)
		if (bind_remedies[i].code == code)
			return bind_remedies[i].remedy;
	return "see ip(7)";
}

static int bind_error(const struct hd_listen_conf *conf, const char *what,
		      int code, struct hd_error *err)
{
	char addr[HD_ADDR_TEXT_BYTES], where[256] = "";

	if (conf->file != NULL)
		snprintf(where, sizeof(where), " (%.200s:%u)", conf->file,
			 conf->line);
	return hd_error_set(err, -code, "%s: %s: %s%s; %s", what,
			    strerror(code), hd_addr_text(&conf->addr, addr),
			    where, bind_remedy(code));
}

static socklen_t addr_len(const union hd_addr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->in)
					     : sizeof(addr->in6);
}

static void set_option(int fd, int level, int name, int value)
{
	/* Where the kernel refuses one, the bind or listen says why. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* [::] serves IPv4 too; a specific IPv6 address cannot. */
static void set_dual_stack(int fd, const union hd_addr *addr)
{
	if (addr->sa.sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY,
			   !IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr));
}

static int bind_socket(const struct hd_listen_conf *conf, bool share,
		       struct hd_error *err)
{
	int fd = socket(conf->addr.sa.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return bind_error(conf, "socket", errno, err);
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (share)
		set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	set_dual_stack(fd, &conf->addr);
	if (bind(fd, &conf->addr.sa, addr_len(&conf->addr)) < 0) {
		int code = errno;

		close(fd);
		return bind_error(conf, "bind", code, err);
	}
	return fd;
}

static int start_listening(uint64_t sockbuf_bytes,
			   const struct hd_listen_conf *lc, int fd,
			   struct hd_error *err)
{
	if (sockbuf_bytes > 0) { /* before listen(): the window scale */
		int bytes = (int)HD_MIN(sockbuf_bytes, INT32_MAX);

		set_option(fd, SOL_SOCKET, SO_SNDBUF, bytes);
		set_option(fd, SOL_SOCKET, SO_RCVBUF, bytes);
	}
	if (listen(fd, BACKLOG) < 0)
		return bind_error(lc, "listen", errno, err);
	return 0;
}

/* Only binds: a client that came while the check listened would be reset. A
 * socket that is bound and does not listen yet goes unseen, with SO_REUSEADDR;
 * then one of the two listen() calls fails. */
static int check_free(const struct hd_listen_conf *lc, struct hd_error *err)
{
	int fd = bind_socket(lc, false, err);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Port 0 is any free port: the first socket's, for all of them. */
static void learn_port(struct hd_listener *l, struct hd_listen_conf *lc, int fd)
{
	socklen_t len = sizeof(l->addr);

	if (getsockname(fd, &l->addr.sa, &len) == 0)
		lc->addr = l->addr;
}

static int add_fd(struct hd_listener *l, int fd)
{
	int *fds = realloc(l->fds, (l->n_fds + 1) * sizeof(*fds));

	if (fds == NULL) {
		close(fd);
		return -ENOMEM;
	}
	l->fds = fds;
	l->fds[l->n_fds++] = fd;
	return 0;
}

/* All that have the address: what waits in one that is closed is lost. */
static int open_inherited(uint64_t sockbuf_bytes,
			  const struct hd_listen_conf *lc,
			  struct hd_listener *l, int fd, struct hd_error *err)
{
	l->shared = true;
	for (; fd >= 0; fd = hd_listen_fds(SOCK_STREAM, &lc->addr)) {
		if (add_fd(l, fd) < 0)
			return hd_error_set(err, -ENOMEM,
					    "listen: out of memory");
		int r = start_listening(sockbuf_bytes, lc, fd, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int open_per_worker(uint64_t sockbuf_bytes,
			   const struct hd_listen_conf *conf_entry,
			   unsigned n_workers, struct hd_listener *l,
			   struct hd_error *err)
{
	struct hd_listen_conf lc = *conf_entry;
	int r = check_free(&lc, err);

	for (unsigned i = 0; i < n_workers && r == 0; i++) {
		int fd = bind_socket(&lc, true, err);

		if (fd < 0)
			return fd;
		l->fds[l->n_fds++] = fd;
		r = start_listening(sockbuf_bytes, &lc, fd, err);
		if (i == 0)
			learn_port(l, &lc, fd);
	}
	return r;
}

static int copy_prefixes(const struct hd_prefixes *from, struct hd_prefixes *to)
{
	struct hd_prefix *v;

	if (from->n == 0)
		return 0;
	v = malloc(from->n * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	memcpy(v, from->v, from->n * sizeof(*v));
	*to = (struct hd_prefixes){ v, from->n };
	return 0;
}

/* Of a module TLS comes later. */
bool hd_listener_any(const struct hd_listener *l,
		     char ret_label[static HD_LISTENER_LABEL_BYTES])
{
	if (l->conf_addr.in.sin_port != 0)
		return false;
	snprintf(ret_label, HD_LISTENER_LABEL_BYTES, "%s %s",
		 l->mod == NULL && l->tls ? "tls" : "tcp",
		 l->name != NULL ? l->name : "");
	return true;
}

static int find_inherited(struct hd_listener *l, struct hd_listen_conf *lc)
{
	char label[HD_LISTENER_LABEL_BYTES];

	if (!hd_listener_any(l, label))
		return hd_listen_fds(SOCK_STREAM, &lc->addr);
	int fd = hd_listen_fds_any(SOCK_STREAM, &lc->addr, label);

	if (fd >= 0)
		learn_port(l, lc, fd);
	return fd;
}

int hd_listener_open(const struct hd_listen_conf *lc, uint64_t sockbuf_bytes,
		     unsigned n_workers, struct hd_listener *l,
		     struct hd_error *err)
{
	/* the configuration may be replaced; the socket stays */
	l->name = lc->name != NULL ? strdup(lc->name) : NULL;
	l->protocol = lc->protocol != NULL ? strdup(lc->protocol) : NULL;
	l->tls = lc->tls;
	l->only = lc->only;
	l->whose = lc->name != NULL && hd_listener_is_taken(lc->name)
			   ? HD_FDS_NAMED
			   : HD_FDS_PUBLIC;
	l->addr = l->conf_addr = lc->addr;
	l->fds = calloc(n_workers, sizeof(*l->fds));
	if (l->fds == NULL || (lc->name != NULL && l->name == NULL) ||
	    (lc->protocol != NULL && l->protocol == NULL) ||
	    copy_prefixes(&lc->proxies, &l->proxies) < 0)
		return hd_error_set(err, -ENOMEM, "listen: out of memory");
	struct hd_listen_conf found = *lc;
	int fd = find_inherited(l, &found);

	return fd >= 0 ? open_inherited(sockbuf_bytes, &found, l, fd, err)
		       : open_per_worker(sockbuf_bytes, lc, n_workers, l, err);
}

void hd_listener_close(struct hd_listener *l)
{
	for (unsigned i = 0; i < l->n_fds; i++)
		close(l->fds[i]);
	l->n_fds = 0;
	free(l->fds);
	l->fds = NULL;
	free((char *)l->name);
	free((char *)l->protocol);
	l->name = l->protocol = NULL;
	free((void *)l->proxies.v);
	l->proxies = (struct hd_prefixes){ NULL, 0 };
}

void hd_listeners_close(struct hd_listener **v, size_t *n)
{
	for (size_t i = 0; *v != NULL && i < *n; i++)
		hd_listener_close(&(*v)[i]);
	free(*v);
	*v = NULL;
	*n = 0;
}

int hd_listeners_open(const struct hd_conf *conf, unsigned n_workers,
		      struct hd_listener **ret, size_t *ret_n,
		      struct hd_error *err)
{
	size_t n = conf->n_listen;
	struct hd_listener *v = calloc(n + 1, sizeof(*v));
	int r = 0;

	*ret = NULL;
	*ret_n = 0;
	if (v == NULL)
		return hd_error_set(err, -ENOMEM, "listen: out of memory");
	for (size_t i = 0; i < n && r == 0; i++)
		r = hd_listener_open(&conf->listen[i], conf->sockbuf_bytes,
				     n_workers, &v[i], err);
	if (r < 0) {
		hd_listeners_close(&v, &n);
		return r;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}
