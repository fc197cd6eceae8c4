/* SPDX-License-Identifier: MIT */
/* libhd/connect.c - the TCP connection to the relay, and when it is tried
 * again: after 1 s, then twice as long each time up to 60 s, each time between
 * half of that and all of it, so that the clients of a relay that comes back do
 * not all come at once. */
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

#define DEFAULT_PORT "443"
#define URL_MAX_BYTES 512 /* in Redirect */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define PENDING_SILENCE_S 60

/* ---- HOST, HOST:PORT, [IPV6]:PORT ---- */

static int port_take(const char *text, char port[8])
{
	size_t n = strlen(text);

	if (n == 0 || n > 5 || strspn(text, "0123456789") != n ||
	    atoi(text) < 1 || atoi(text) > 65535)
		return -EINVAL;
	memcpy(port, text, n + 1);
	return 0;
}

static int host_take(const char *text, size_t n, char host[HDL_HOST_BYTES])
{
	if (n == 0 || n >= HDL_HOST_BYTES)
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	return 0;
}

int hdl_relay_split(const char *text, char host[HDL_HOST_BYTES], char port[8])
{
	const char *colon = strrchr(text, ':'), *end;
	int r;

	memcpy(port, DEFAULT_PORT, sizeof(DEFAULT_PORT));
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL || (end[1] != ':' && end[1] != '\0'))
			return -EINVAL;
		r = host_take(text + 1, (size_t)(end - text) - 1, host);
		return r < 0 || end[1] == '\0' ? r : port_take(end + 2, port);
	}
	/* more than one: IPv6 without brackets, so without a port */
	if (colon == NULL || strchr(text, ':') != colon)
		return host_take(text, strlen(text), host);
	r = host_take(text, (size_t)(colon - text), host);
	return r < 0 ? r : port_take(colon + 1, port);
}

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

static void go_back(struct libhd *h)
{
	if (h->first_host[0] == '\0')
		return;
	memcpy(h->host, h->first_host, sizeof(h->host));
	memcpy(h->port, h->first_port, sizeof(h->port));
	h->first_host[0] = '\0';
}

void hdl_retry(struct libhd *h, int64_t at_least_ms)
{
	hdl_disconnect(h);
	go_back(h);
	if (h->once) {
		hdl_set_state(h, LIBHD_FAILED);
		return;
	}
	h->retry_ms = hdl_now_ms() + HD_MAX(at_least_ms, back_off_ms(h));
	hdl_set_state(h, LIBHD_WAITING);
}

void hdl_lost(struct libhd *h, int64_t at_least_ms, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(h->error, sizeof(h->error), fmt, args);
	va_end(args);
	hdl_retry(h, at_least_ms);
}

int hdl_take_redirect(struct libhd *h, const uint8_t *p, size_t n)
{
	static const char scheme[] = "https://";
	char url[URL_MAX_BYTES + 1], host[HDL_HOST_BYTES], port[8];
	size_t at = 1 + sizeof(scheme) - 1;

	if (n <= at || n - 1 > URL_MAX_BYTES)
		return -EPROTO;
	hdl_text(url, sizeof(url), p + 1, n - 1);
	url[strcspn(url + at - 1, "/") + at - 1] = '\0';
	if (strncmp(url, scheme, at - 1) != 0 || h->once ||
	    hdl_relay_split(url + at - 1, host, port) < 0)
		return 0; /* not for us */
	h->tries = 0;
	hdl_lost(h, 0, "%s sends us to %s", h->host, url + at - 1);
	memcpy(h->first_host, h->host, sizeof(h->host));
	memcpy(h->first_port, h->port, sizeof(h->port));
	memcpy(h->host, host, sizeof(host));
	memcpy(h->port, port, sizeof(port));
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
	return h->next_addr != NULL ? HDL_LOGIN_MS / 3 : HDL_LOGIN_MS;
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
	hdl_lost(h, 0, "%s port %s: %s", h->host, h->port, strerror(-why));
}

void hdl_connect(struct libhd *h)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_ADDRCONFIG };
	int r;

	hdl_set_state(h, LIBHD_CONNECTING);
	r = getaddrinfo(h->host, h->port, &hints, &h->addrs);
	if (r != 0) {
		h->addrs = NULL;
		hdl_lost(h, 0, "%s: %s", h->host, gai_strerror(r));
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
	h->deadline_ms = hdl_now_ms() + HDL_LOGIN_MS;
}
