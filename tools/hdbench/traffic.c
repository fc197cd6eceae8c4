/* SPDX-License-Identifier: MIT */
/* tools/hdbench/traffic.c - the pairs and their connections. */
#include "tools/hdbench/run.h"
#include <errno.h>
#include <stdlib.h>
#include <sodium.h>
#include <sys/epoll.h>

static int make_frame(struct pair *pair, size_t size)
{
	uint8_t *packet = calloc(1, size);

	pair->frame = malloc(DERP_HEADER_BYTES + HD_KEY_BYTES + size + 1);
	if (packet == NULL || pair->frame == NULL) {
		free(packet);
		return -ENOMEM;
	}
	randombytes_buf(packet, size); /* as encrypted packets look */
	derpc_packet_put(pair->frame, &pair->to->keys.pub, packet,
			 (uint32_t)size);
	free(packet);
	return 0;
}

/* Receivers are watched level-triggered: one receive per turn is enough.
 * Senders edge-triggered: EPOLLOUT comes only after a write was refused. */
static int make_pairs(struct traffic *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct pair *pair = &t->pairs[i];

		pair->from = &t->peers[2 * i];
		pair->to = &t->peers[2 * i + 1];
		peer_watch(t->net, pair->from, EPOLLIN | EPOLLOUT | EPOLLET);
		peer_watch(t->net, pair->to, EPOLLIN);
		if (t->net->opts->is_silence && silence_watch(pair->to->fd) < 0)
			return -errno;
		if (make_frame(pair, t->net->opts->size_bytes) < 0)
			return -ENOMEM;
	}
	return 0;
}

int traffic_open(struct traffic *t, struct net *net, struct hd_error *err)
{
	struct pool pool = { .net = net,
			     .n = 2 * net->opts->pairs,
			     .parallel = net->opts->parallel,
			     .what = "logging in" };
	int r;

	*t = (struct traffic){ .net = net, .n = net->opts->pairs };
	t->peers = pool.peers = pool_peers(pool.n);
	t->pairs = calloc(t->n, sizeof(*t->pairs));
	t->dirty = calloc(2 * t->n, sizeof(*t->dirty));
	if (t->peers == NULL || t->pairs == NULL || t->dirty == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = pool_run(&pool, err);
	if (r < 0)
		return r;
	r = make_pairs(t);
	return r < 0 ? hd_error_set(err, r, "%s", strerror(-r)) : 0;
}

void traffic_close(struct traffic *t)
{
	for (size_t i = 0; t->pairs != NULL && i < t->n; i++)
		free(t->pairs[i].frame);
	pool_free(&t->peers, 2 * t->n);
	free(t->pairs);
	free(t->dirty);
}
