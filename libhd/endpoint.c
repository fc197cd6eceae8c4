/* SPDX-License-Identifier: MIT */
/* libhd/endpoint.c - an endpoint begins, tells its state, and ends. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "libhd/inner.h"

const char *libhd_version(void)
{
	return PACKAGE_VERSION;
}

/* hyper-derp/base.h wants it: libhd stands on nothing of the relay's core. */
void hd_assert_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "libhd: bug: %s, %s:%d\n", what, file, line);
	abort();
}

/* ---- state ---- */

void hdl_set_state(struct libhd *h, enum libhd_state state)
{
	if (h->state == state)
		return;
	h->state = state;
	if (h->events.state != NULL)
		h->events.state(h, state, h->user);
}

void hdl_error(struct libhd *h, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(h->error, sizeof(h->error), fmt, args);
	va_end(args);
}

void hdl_fail(struct libhd *h, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(h->error, sizeof(h->error), fmt, args);
	va_end(args);
	/* who we have been led to speaks for itself, and not for the relay that
	 * is in its place in the list */
	h->relay->refuses = (h->verified || h->proven) &&
			    h->relay->first_host[0] == '\0';
	if (hdl_relays_first(h) != NULL) {
		hdl_retry(h, 0);
		return;
	}
	hdl_disconnect(h);
	hdl_set_state(h, LIBHD_FAILED);
}

enum libhd_state libhd_state_of(const struct libhd *h)
{
	return h->state;
}

const char *libhd_error(const struct libhd *h)
{
	return h->error;
}

const struct libhd_key *libhd_relay_key(const struct libhd *h)
{
	return h->relay->has_key ? &h->relay->key : NULL;
}

size_t libhd_unsent_bytes(const struct libhd *h)
{
	return h->out.n + h->pings;
}

/* ---- life ---- */

static int conf_take(struct libhd *h, const struct libhd_conf *conf)
{
	int r = hdl_relays_take(h, conf);

	if (r == 0)
		r = hdl_welcome_parse(&h->welcome, conf->invitation,
				      conf->credential);
	if (r < 0)
		return r;
	if (conf->ca_file != NULL) {
		h->ca_file = strdup(conf->ca_file);
		if (h->ca_file == NULL)
			return -ENOMEM;
	}
	(void)snprintf(h->agent, sizeof(h->agent), "%s",
		       conf->agent != NULL ? conf->agent
					   : "libhd/" PACKAGE_VERSION);
	h->id = *conf->identity;
	h->insecure = conf->insecure;
	h->wants_knocks = conf->wants_knocks;
	h->streams = conf->streams;
	h->once = conf->once;
	h->no_udp = conf->no_udp;
	return 0;
}

static int begin(struct libhd *h)
{
	int r;

	h->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (h->epfd < 0)
		return -errno;
	r = hdl_tls_init(h);
	return r == 0 && h->streams ? hdl_streams_init(h) : r;
}

/* Of one who was built with a header that had fewer members. */
static void copy_sized(void *to, size_t size, const void *from, size_t n)
{
	memcpy(to, from, HD_MIN(size, n));
}

int libhd_new(const struct libhd_conf *conf, const struct libhd_events *events,
	      void *user, struct libhd **ret)
{
	HD_AUTO(libhd_free) struct libhd *h = NULL;
	struct libhd_conf c = { 0 };
	int r;

	copy_sized(&c, sizeof(c), conf, conf->size);
	if (c.identity == NULL ||
	    (c.n_relays > 0 ? c.relays == NULL : c.relay == NULL))
		return -EINVAL;
	if (c.streams && !libhd_has_streams())
		return -EOPNOTSUPP;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return -ENOMEM;
	h->epfd = h->fd = -1;
	h->user = user;
	if (events != NULL)
		copy_sized(&h->events, sizeof(h->events), events,
			   events->size);
	r = conf_take(h, &c);
	if (r == 0)
		r = begin(h);
	if (r == 0)
		*ret = hd_steal(&h);
	return r;
}

void libhd_free(struct libhd **ph)
{
	struct libhd *h = *ph;

	if (h == NULL)
		return;
	/* first: a child that frees its copy must not take the socket out of
	 * the epoll instance of its parent */
	if (h->epfd >= 0)
		close(h->epfd);
	h->epfd = -1;
	hdl_peers_free(h);
	hdl_streams_free(h);
	hdl_disconnect(h);
	SSL_CTX_free(h->ssl_ctx);
	BIO_meth_free(h->bio);
	hdl_buf_free(&h->in);
	hdl_buf_free(&h->out);
	free(h->ca_file);
	free(h->relays);
	sodium_memzero(h, sizeof(*h));
	free(h);
	*ph = NULL;
}
