/* SPDX-License-Identifier: MIT */
/* tools/hdbench/peer.c - bytes of a peer that is connected. */
#include "tools/hdbench/peer.h"
#include "tools/hdbench/clock.h"
#include "tools/hdbench/hd_peer.h"
#include "tools/hdbench/silence.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RECORD_MAX 16384

static int fail(struct peer *p, int code, const char *what)
{
	hd_error_set(&p->error, code, "%s: %s", what, strerror(-code));
	peer_close(p);
	return code;
}

void peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	hd_peer_close(p);
	if (p->hs != NULL)
		SSL_free(p->hs->ssl);
	free(p->hs);
	p->hs = NULL;
	tls13_half_end(&p->in);
	tls13_half_end(&p->out);
	free(p->part);
	free(p->unsent);
	p->part = p->unsent = NULL;
	p->part_bytes = p->unsent_bytes = 0;
	p->state = PEER_CLOSED;
}

void peer_watch(struct net *net, struct peer *p, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = p };

	if (p->hd != NULL)
		return; /* libhd says what it waits for */
	(void)epoll_ctl(net->epoll_fd, EPOLL_CTL_MOD, p->fd, &ev);
}

static int keep_unsent(struct peer *p, const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n);

	if (copy == NULL)
		return fail(p, -ENOMEM, "send");
	memcpy(copy, data, n);
	free(p->unsent);
	p->unsent = copy;
	p->unsent_bytes = (uint32_t)n;
	return 1;
}

/* Invariant: nothing is unsent yet. */
int peer_write(struct peer *p, const uint8_t *data, size_t len_bytes)
{
	ssize_t n = send(p->fd, data, len_bytes, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return fail(p, -errno, "send");
	n = n < 0 ? 0 : n;
	if ((size_t)n == len_bytes)
		return 0;
	return keep_unsent(p, data + n, len_bytes - (size_t)n);
}

int peer_flush(struct peer *p)
{
	ssize_t n;

	if (p->hd != NULL || p->unsent_bytes == 0)
		return 0;
	n = send(p->fd, p->unsent, p->unsent_bytes, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 1 : fail(p, -errno, "send");
	p->unsent_bytes -= (uint32_t)n;
	if (p->unsent_bytes > 0) {
		memmove(p->unsent, p->unsent + n, p->unsent_bytes);
		return 1;
	}
	free(p->unsent);
	p->unsent = NULL;
	return 0;
}

size_t peer_seal(struct peer *p, uint8_t *out, uint8_t *data, size_t len_bytes)
{
	size_t put = 0;

	if (p->out.suite == NULL) {
		memcpy(out, data, len_bytes);
		return len_bytes;
	}
	while (len_bytes > 0) {
		size_t n = HD_MIN(len_bytes, (size_t)RECORD_MAX);
		uint8_t behind = data[n];

		data[n] = TLS13_DATA;
		put += tls13_seal(&p->out, out + put, data, n + 1);
		data[n] = behind;
		data += n;
		len_bytes -= n;
	}
	return put;
}

static int on_key_update(struct peer *p)
{
	return tls13_rekey(&p->in) < 0 ? fail(p, -ENOMEM, "KeyUpdate") : 0;
}

/* Plain bytes: to the login as long as it lasts, then to the frames. */
static int on_plain(struct peer *p, const uint8_t *data, size_t n,
		    peer_on_frame *on_frame, void *arg)
{
	if (p->state == PEER_LOGIN) {
		struct hd_error err;
		ssize_t taken = derpc_input(&p->hs->login, data, n, &err);

		if (taken < 0) {
			p->error = err;
			peer_close(p);
			return (int)taken;
		}
		data += taken;
		n -= (size_t)taken;
	}
	frames_feed(&p->frames, data, n, on_frame, arg);
	return 0;
}

static int on_record(struct peer *p, uint8_t *record, size_t len,
		     peer_on_frame *on_frame, void *arg)
{
	enum tls13_type type;
	ssize_t n = tls13_open(&p->in, record, len, &type);
	uint8_t *content = record + TLS13_HEADER_BYTES;

	if (n < 0)
		return fail(p, -EBADMSG, "a TLS record does not open");
	if (type == TLS13_DATA)
		return on_plain(p, content, (size_t)n, on_frame, arg);
	if (type == TLS13_ALERT)
		return fail(p, -ECONNRESET, "the relay ended TLS");
	if (type == TLS13_HANDSHAKE && n > 0 && content[0] == TLS13_KEY_UPDATE)
		return on_key_update(p);
	return 0; /* a session ticket */
}

/* The part of a record that came last waits for the rest. */
static int keep_part(struct peer *p, const uint8_t *data, size_t n)
{
	p->part_bytes = (uint32_t)n;
	if (n == 0)
		return 0;
	if (p->part == NULL)
		p->part = malloc(TLS13_RECORD_MAX_BYTES);
	if (p->part == NULL)
		return fail(p, -ENOMEM, "receive");
	memcpy(p->part, data, n);
	return 0;
}

static int on_records(struct peer *p, uint8_t *data, size_t n,
		      peer_on_frame *on_frame, void *arg)
{
	while (n >= TLS13_HEADER_BYTES) {
		size_t len = tls13_record_bytes(data);
		int r;

		if (len > TLS13_RECORD_MAX_BYTES)
			return fail(p, -EBADMSG, "a TLS record is too long");
		if (len > n)
			break;
		r = on_record(p, data, len, on_frame, arg);
		if (r < 0)
			return r;
		data += len;
		n -= len;
	}
	return keep_part(p, data, n);
}

static ssize_t receive(struct net *net, const struct peer *p, uint8_t *to)
{
	if (net->opts->is_silence)
		return silence_recv(p->fd, to, NET_RX_BYTES, &net->arrived_ns);
	return recv(p->fd, to, NET_RX_BYTES, 0);
}

ssize_t peer_read(struct net *net, struct peer *p, peer_on_frame *on_frame,
		  void *arg)
{
	size_t before = p->part_bytes;
	ssize_t n;
	int r;

	if (p->hd != NULL)
		return hd_peer_run(net, p, on_frame, arg);
	if (before > 0)
		memcpy(net->rx, p->part, before);
	n = receive(net, p, net->rx + before);
	net->rx_ns = clock_ns();
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return fail(p, n < 0 ? -errno : -ECONNRESET,
			    "the relay closed the connection");
	if (p->in.suite == NULL)
		r = on_plain(p, net->rx, (size_t)n, on_frame, arg);
	else
		r = on_records(p, net->rx, before + (size_t)n, on_frame, arg);
	return r < 0 ? r : n;
}
