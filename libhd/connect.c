/* SPDX-License-Identifier: MIT */
/* libhd/connect.c - the TCP connection to the relay, and when it is tried
 * again: after 1 s, then twice as long each time up to 60 s, each time between
 * half of that and all of it, so that the clients of a relay that comes back do
 * not all come at once. Of several relays each is tried once, one after the
 * other, before that; the one that is lost first, since it may only have been
 * started anew. A connection that has not lasted is no reason to begin with 1 s
 * again: a relay may close it each time when it has let us in. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "libhd/inner.h"

#define URL_MAX_BYTES 512 /* in Redirect */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define PENDING_SILENCE_S 60
#define STAYS_MS 600000
#define LASTS_MS 10000
#define DROPS_MAX 3 /* by where a rule has led, one after the other */

/* ---- down ---- */

static void close_socket(struct libhd *h)
{
	SSL_free(h->ssl);
	h->ssl = NULL;
	/* close() is not enough where a child of our program has it, too */
	if (h->waits_for != 0)
		(void)epoll_ctl(h->epfd, EPOLL_CTL_DEL, h->fd, NULL);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	h->waits_for = 0;
}

void hdl_disconnect(struct libhd *h)
{
	hdl_udp_end(h);
	close_socket(h);
	if (h->addrs != NULL)
		freeaddrinfo(h->addrs);
	h->addrs = h->next_addr = NULL;
	h->phase = HDL_IDLE;
	h->verified = h->proven = h->enrolled = false;
	h->again = h->udp_again = h->broken = false;
	h->deadline_ms = h->heard_ms = 0;
	h->pings = 0;
	h->silence_ms = 0;
	sodium_memzero(h->binding, sizeof(h->binding));
	hdl_buf_free(&h->in);
	hdl_buf_free(&h->out);
	hdl_peers_lost(h);
}

static int64_t back_off_ms(struct libhd *h)
{
	int64_t ms = BACKOFF_MIN_MS;

	for (unsigned i = 0; i < h->tries && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = HD_MIN(ms, BACKOFF_MAX_MS);
	h->tries++;
	return ms / 2 + randombytes_uniform((uint32_t)ms / 2 + 1);
}

static void wait_to(struct libhd *h, struct hdl_relay *relay, int64_t ms)
{
	int64_t least_ms = back_off_ms(h);

	h->relay = relay;
	h->later_ms = 0;
	h->untried = h->n_relays - 1;
	h->retry_ms = hdl_now_ms() + HD_MAX(ms, least_ms);
	hdl_set_state(h, LIBHD_WAITING);
}

static void go_to(struct libhd *h, struct hdl_relay *relay)
{
	h->untried--;
	h->relay = relay;
	h->retry_ms = hdl_now_ms();
	hdl_set_state(h, LIBHD_CONNECTING);
}

/* To the relay that has led us away by a rule: it is there, and is not asked
 * again for a while. */
static void turn_back(struct libhd *h)
{
	hdl_relay_back(h->relay);
	h->relay->stays_ms = hdl_now_ms() + STAYS_MS;
	h->retry_ms = hdl_now_ms();
	hdl_set_state(h, LIBHD_CONNECTING);
}

static void try_next(struct libhd *h, bool was_open)
{
	struct hdl_relay *next = hdl_relays_next(h);

	hdl_relay_back(h->relay);
	if (h->once && (was_open || next == NULL || h->untried == 0))
		hdl_set_state(h, LIBHD_FAILED);
	else if (was_open && !h->relay->refuses)
		wait_to(h, h->relay, h->later_ms);
	else if (next != NULL && h->untried > 0)
		go_to(h, next);
	else
		wait_to(h, hdl_relays_first(h), h->later_ms);
}

void hdl_retry(struct libhd *h, int64_t at_least_ms)
{
	bool was_open = h->phase == HDL_OPEN;

	hdl_disconnect(h);
	h->later_ms = HD_MAX(h->later_ms, at_least_ms);
	if (was_open && hdl_now_ms() - h->opened_ms >= LASTS_MS)
		h->tries = 0;
	if (!h->relay->by_rule)
		try_next(h, was_open);
	else if (was_open && h->tries < DROPS_MAX)
		/* where we belong: it may only be started anew */
		wait_to(h, h->relay, h->later_ms);
	else
		turn_back(h);
}

/* Where it is, in the list, and not what has been tried: the caller looks for
 * somebody at one after the other. */
void hdl_leave(struct libhd *h)
{
	struct hdl_relay *next = hdl_relays_next(h);

	h->leaves = false;
	if (next == NULL || h->phase != HDL_OPEN)
		return;
	hdl_error(h, "on to the next relay");
	hdl_disconnect(h);
	hdl_relay_back(h->relay);
	if (next < h->relay) {
		wait_to(h, next, 0);
		return;
	}
	h->untried = (unsigned)(h->relays + h->n_relays - next);
	go_to(h, next);
}

void hdl_lost(struct libhd *h, int64_t at_least_ms, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(h->error, sizeof(h->error), fmt, args);
	va_end(args);
	hdl_retry(h, at_least_ms);
}

/* ---- Redirect ---- */

/* Two relays that each send us to the other one must not have us run. */
static int lead_by_rule(struct libhd *h, const char *host, const char *port)
{
	struct hdl_relay *r = h->relay;

	if (r->first_host[0] != '\0' || hdl_now_ms() < r->stays_ms)
		return 0;
	hdl_error(h, "%s says that we belong to %s port %s", r->host, host,
		  port);
	hdl_disconnect(h);
	hdl_relay_lead(r, host, port);
	r->by_rule = true;
	h->tries = 0; /* of that one; it leads us here once in STAYS_MS */
	h->retry_ms = hdl_now_ms();
	hdl_set_state(h, LIBHD_CONNECTING);
	return -ECONNRESET;
}

int hdl_take_redirect(struct libhd *h, const uint8_t *p, size_t n)
{
	static const char scheme[] = "https://";
	char url[URL_MAX_BYTES + 1], host[HDL_HOST_BYTES], port[8];
	size_t at = 1 + sizeof(scheme) - 1;
	struct hdl_relay *r = h->relay;

	if (n <= at || n - 1 > URL_MAX_BYTES)
		return -EPROTO;
	hdl_text(url, sizeof(url), p + 1, n - 1);
	url[strcspn(url + at - 1, "/") + at - 1] = '\0';
	if (strncmp(url, scheme, at - 1) != 0 || h->once ||
	    hdl_relay_split(url + at - 1, host, port) < 0)
		return 0; /* not for us */
	if (p[0] == HDP_REDIRECT_RULE)
		return lead_by_rule(h, host, port);
	hdl_lost(h, 0, "%s sends us to %s", r->host, url + at - 1);
	hdl_relay_back(r);
	hdl_relay_lead(r, host, port);
	return -ECONNRESET;
}

/* ---- up ---- */

void hdl_wait_for(struct libhd *h, uint32_t events)
{
	struct epoll_event ev = { .events = events };

	if (events == h->waits_for)
		return;
	if (epoll_ctl(h->epfd,
		      h->waits_for != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, h->fd,
		      &ev) == 0)
		h->waits_for = events;
}

static int64_t address_ms(const struct libhd *h)
{
	bool others = h->next_addr != NULL || h->untried > 0 ||
		      h->relay->by_rule; /* there is one that answers */

	return others ? HDL_LOGIN_MS / 3 : HDL_LOGIN_MS;
}

static void options(int fd)
{
	int on = 1, s = PENDING_SILENCE_S;

	/* frames go out when they are written; a dead relay is noticed even
	 * while a person decides, when Welcome has not said how often we hear
	 * of it: without TCP_KEEPIDLE that takes more than two hours */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &s, sizeof(s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &s, sizeof(s));
}

/* Returns 0: it is under way; negative errno. */
static int dial(struct libhd *h, const struct addrinfo *a)
{
	h->fd = socket(a->ai_family,
		       a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       a->ai_protocol);
	if (h->fd < 0)
		return -errno;
	options(h->fd);
	if (connect(h->fd, a->ai_addr, a->ai_addrlen) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	hdl_wait_for(h, EPOLLIN | EPOLLOUT);
	h->deadline_ms = hdl_now_ms() + address_ms(h);
	h->phase = HDL_DIALING;
	return 0;
}

/* Of the addresses that are left, the first that can be tried. why: of the one
 * before. */
static void dial_next(struct libhd *h, int why)
{
	while (h->next_addr != NULL) {
		const struct addrinfo *a = h->next_addr;

		close_socket(h);
		h->next_addr = a->ai_next;
		why = dial(h, a);
		if (why == 0)
			return;
	}
	hdl_lost(h, 0, "%s port %s: %s", h->relay->host, h->relay->port,
		 strerror(-why));
}

void hdl_connect(struct libhd *h)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_ADDRCONFIG };
	int r;

	hdl_set_state(h, LIBHD_CONNECTING);
	r = getaddrinfo(h->relay->host, h->relay->port, &hints, &h->addrs);
	if (r != 0) {
		h->addrs = NULL;
		hdl_lost(h, 0, "%s: %s", h->relay->host, gai_strerror(r));
		return;
	}
	h->next_addr = h->addrs;
	dial_next(h, -EADDRNOTAVAIL);
}

/* Returns 0 it is there; 1 not yet; negative errno. */
static int dial_result(struct libhd *h)
{
	struct pollfd p = { .fd = h->fd, .events = POLLOUT };
	int error = 0;
	socklen_t n = sizeof(error);

	if (poll(&p, 1, 0) == 0)
		return hdl_now_ms() >= h->deadline_ms ? -ETIMEDOUT : 1;
	if (getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return -errno;
	return -error;
}

void hdl_dialed(struct libhd *h)
{
	int r = dial_result(h);

	if (r > 0)
		return;
	if (r == 0)
		r = hdl_tls_begin(h);
	if (r < 0) {
		dial_next(h, r);
		return;
	}
	h->phase = HDL_SHAKING;
	h->deadline_ms = hdl_now_ms() + address_ms(h);
}
