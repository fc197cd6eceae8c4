/* SPDX-License-Identifier: MIT */
/* tools/hdbench/hd_peer.c - see hd_peer.h. */
#include "tools/hdbench/hd_peer.h"
#include "tools/hdbench/clock.h"
#include <errno.h>
#include <hd/hd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct hd_client {
	struct net *net;
	struct libhd *h;
	struct libhd_peer *other; /* NULL: there is no traffic */
	peer_on_frame *on_frame; /* while hd_peer_run() runs */
	void *arg;
};

static int fail(struct peer *p, int code, const char *why)
{
	hd_error_set(&p->error, code, "HD: %s", why);
	peer_close(p);
	return code;
}

/* What hdbench looks at is a frame of DERP. */
static void on_packet(struct libhd *h, struct libhd_peer *from,
		      const void *data, size_t len_bytes, void *user)
{
	struct hd_client *c = user;
	uint8_t head[FRAMES_HEAD_BYTES] = { 0 };
	const struct derp_header d = {
		.type = DERP_RECV_PACKET,
		.len_bytes = (uint32_t)(HD_KEY_BYTES + len_bytes),
	};

	(void)h, (void)from;
	if (c->on_frame == NULL || len_bytes < sizeof(struct stamp))
		return;
	c->net->rx_ns = clock_ns();
	memcpy(head + DERP_HEADER_BYTES + HD_KEY_BYTES, data,
	       sizeof(struct stamp));
	c->on_frame(c->arg, head, d);
}

/* Both of a pair can say whose identity the other's is. */
static int identity_of(const struct net *net, uint32_t index,
		       struct libhd_identity **ret)
{
	uint8_t seed[LIBHD_SEED_BYTES];

	net_seed_of(net, index, seed);
	return libhd_identity_from_seed(seed, ret);
}

static int endpoint_new(struct net *net, struct peer *p,
			const struct libhd_identity *id)
{
	static const struct libhd_events events = { .size = sizeof(events),
						    .packet = on_packet };
	const struct opts *o = net->opts;
	bool v6 = strchr(o->host, ':') != NULL;
	char relay[sizeof(o->host) + sizeof(o->port) + 4];
	struct libhd_conf conf = { .size = sizeof(conf),
				   .identity = id,
				   .relay = relay,
				   .ca_file = o->ca_file,
				   .credential = o->hd_credential,
				   .agent = "hdbench",
				   .insecure = o->ca_file == NULL,
				   .once = true,
				   .no_udp = !o->is_hd_udp };

	snprintf(relay, sizeof(relay), "%s%s%s:%s", v6 ? "[" : "", o->host,
		 v6 ? "]" : "", o->port);
	return libhd_new(&conf, &events, p->hd, &p->hd->h);
}

static int allow_other(struct net *net, struct peer *p)
{
	struct libhd_identity *other;
	int r;

	if (net->opts->idle > 0 || net->opts->logins > 0)
		return 0;
	r = identity_of(net, p->index ^ 1, &other);
	if (r < 0)
		return r;
	r = libhd_allow(p->hd->h, libhd_identity_key(other), &p->hd->other);
	libhd_identity_free(&other);
	return r;
}

static int watch(struct net *net, struct peer *p)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	return epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, libhd_fd(p->hd->h),
			 &ev) < 0
		       ? -errno
		       : 0;
}

int hd_peer_open(struct net *net, struct peer *p)
{
	struct libhd_identity *id = NULL;
	int r = identity_of(net, p->index, &id);

	p->state = PEER_CONNECTING;
	p->hd = calloc(1, sizeof(*p->hd));
	if (p->hd == NULL)
		r = -ENOMEM;
	if (r == 0) {
		p->hd->net = net;
		r = endpoint_new(net, p, id);
	}
	if (r == 0)
		r = allow_other(net, p);
	if (r == 0)
		r = watch(net, p);
	libhd_identity_free(&id);
	if (r < 0)
		return fail(p, r, strerror(-r));
	return hd_peer_run(net, p, NULL, NULL);
}

void hd_peer_close(struct peer *p)
{
	struct hd_client *c = hd_steal(&p->hd);

	if (c == NULL)
		return;
	libhd_free(&c->h);
	free(c);
}

int hd_peer_run(struct net *net, struct peer *p, peer_on_frame *on_frame,
		void *arg)
{
	struct hd_client *c = p->hd;
	int r;

	(void)net;
	c->on_frame = on_frame;
	c->arg = arg;
	r = libhd_process(c->h);
	c->on_frame = NULL;
	return r < 0 ? fail(p, r, libhd_error(c->h)) : 0;
}

bool hd_peer_is_due(const struct peer *p)
{
	return p->hd != NULL && libhd_timeout_ms(p->hd->h) == 0;
}

enum peer_state hd_peer_advance(struct net *net, struct peer *p)
{
	if (hd_peer_run(net, p, NULL, NULL) < 0)
		return p->state;
	if (libhd_state_of(p->hd->h) == LIBHD_PENDING) {
		(void)fail(p, -EACCES, libhd_error(p->hd->h));
		return p->state;
	}
	if (libhd_state_of(p->hd->h) == LIBHD_OPEN &&
	    (!net->opts->is_hd_udp || libhd_by_udp(p->hd->h)))
		p->state = PEER_UP;
	return p->state;
}

int hd_peer_send(struct peer *p, const uint8_t *data, size_t len_bytes)
{
	return libhd_send(p->hd->other, data, len_bytes);
}
