/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_peers.c - who is connected. A worker copies what it knows, in
 * portions that fit between packets; the main thread makes text of them. */
#include <ctype.h>
#include <hyper-derp/about.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/net/path.h"
#include "core/relay/peer.h"
#include "core/stream/stream_life.h"
#include "core/tls/ktls.h"
#include "core/tls/tls.h"

enum { PEERS_PER_TURN = 256 };

struct peer_copy { /* plain data: the stream goes on without us */
	struct hd_key key;
	union hd_addr addr, proxy; /* family AF_UNSPEC: no proxy */
	uint16_t realm;
	bool active; /* of the connections with this key, the one that is sent
			to */
	bool datagrams;
	const char *tls, *tls_rx, *tls_tx; /* literals; NULL: none */
	char congestion[HD_PATH_NAME_BYTES]; /* "": no TCP, or not asked for */
	uint32_t rtt_us; /* 0: not known, or not asked for */
	char proto[15], agent[64], name[64], tenant[HD_TENANT_BYTES];
	unsigned worker;
	uint64_t age_ms, bytes_in, bytes_out, queued, drops;
};

struct block {
	struct block *next;
	unsigned n;
	struct peer_copy v[PEERS_PER_TURN];
};

struct list {
	struct block *first, *last;
	char prefix[2 * HD_KEY_BYTES + 1]; /* "" everybody */
	bool paths; /* the kernel is asked: two calls for each peer */
};

static void list_release(void *list)
{
	struct block *b = ((struct list *)list)->first;

	while (b != NULL) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

static struct list *list_of(struct hd_call *c)
{
	bool fresh = c->data == NULL;
	struct list *l = hd_call_data(c, sizeof(*l));
	const char *key = hd_call_arg(c, "key");

	if (l == NULL || !fresh)
		return l;
	c->release = list_release;
	l->paths = key != NULL || hd_call_arg(c, "paths") != NULL;
	for (unsigned i = 0; key != NULL && key[i] != '\0'; i++)
		l->prefix[i] = (char)tolower((unsigned char)key[i]);
	return l;
}

static bool has_prefix(const struct hd_key *key, const char *prefix)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; prefix[i] != '\0'; i++) {
		uint8_t b = key->b[i / 2];

		if (prefix[i] != digits[i % 2 == 0 ? b >> 4 : b & 15])
			return false;
	}
	return true;
}

/* Who makes or opens the records of a direction, an HD_KTLS_ bit. */
static const char *layer_of(const struct hd_stream *s, unsigned direction)
{
	if (s->tls == NULL)
		return NULL;
	if ((hd_tls_kernel(s->tls) & direction) != 0)
		return "kernel";
	return hd_tls_is_own(s->tls) ? "own" : "openssl";
}

static void copy_path(struct peer_copy *to, int fd)
{
	struct hd_path_seen seen;

	hd_path_name(fd, to->congestion);
	if (hd_path_see(fd, &seen) == 0)
		to->rtt_us = seen.rtt_us;
}

static void copy_peer(struct peer_copy *to, const struct hd_stream *s,
		      bool paths)
{
	struct hd_about_peer p;

	hd_peer_about(s, &p);
	*to = (struct peer_copy){
		.key = *p.key,
		.addr = *p.addr,
		.realm = p.realm,
		.active = p.active,
		.datagrams = p.datagrams,
		.tls = p.tls,
		.tls_rx = layer_of(s, HD_KTLS_RX),
		.tls_tx = layer_of(s, HD_KTLS_TX),
		.worker = s->worker->index,
		.age_ms = p.age_ms,
		.bytes_in = p.bytes_in,
		.bytes_out = p.bytes_out,
		.queued = p.queued_bytes,
		.drops = p.drops,
	};
	if (p.proxy != NULL)
		to->proxy = *p.proxy;
	if (paths)
		copy_path(to, s->fd);
	snprintf(to->proto, sizeof(to->proto), "%s", p.proto);
	snprintf(to->agent, sizeof(to->agent), "%s", p.agent);
	snprintf(to->name, sizeof(to->name), "%s", p.name);
	snprintf(to->tenant, sizeof(to->tenant), "%s", p.tenant);
}

static struct block *block_add(struct list *l)
{
	struct block *b = malloc(sizeof(*b));

	if (b == NULL)
		return NULL;
	b->next = NULL;
	b->n = 0;
	if (l->last != NULL)
		l->last->next = b;
	else
		l->first = b;
	l->last = b;
	return b;
}

static bool wanted(const struct hd_stream *s, const struct list *l)
{
	const struct hd_peer *p = s != NULL ? hd_peer_up_of(s) : NULL;

	return p != NULL && has_prefix(&p->login.key, l->prefix);
}

static void each_peers(struct hd_module *mod, struct hd_call *c,
		       struct hd_worker *w)
{
	uint64_t *at = hd_call_cursor(c);
	struct list *l = list_of(c);
	struct block *b = l != NULL ? block_add(l) : NULL;
	uint64_t end = HD_MIN(*at + PEERS_PER_TURN, w->streams->slots.n);

	(void)mod;
	if (b == NULL) {
		*at = 0;
		hd_call_fail(c, "no_memory", "out of memory");
		return;
	}
	for (; *at < end; (*at)++) {
		const struct hd_stream *s = w->streams->slots.v[*at].object;

		if (wanted(s, l))
			copy_peer(&b->v[b->n++], s, l->paths);
	}
	if (*at == w->streams->slots.n)
		*at = 0;
}

static void put_path(struct hd_call *c, const struct peer_copy *p)
{
	hd_out_string(c, "congestion",
		      p->congestion[0] != '\0' ? p->congestion : NULL);
	hd_out_uint(c, "rtt_us", p->rtt_us);
}

static void put_peer(struct hd_call *c, const struct peer_copy *p, bool paths)
{
	char addr[HD_ADDR_TEXT_BYTES];

	hd_out_open(c, NULL, '{');
	hd_out_key(c, "key", &p->key);
	hd_out_string(c, "addr", hd_addr_text(&p->addr, addr));
	hd_out_string(c, "proxy",
		      p->proxy.sa.sa_family != AF_UNSPEC
			      ? hd_addr_text(&p->proxy, addr)
			      : NULL);
	hd_out_string(c, "name", p->name);
	hd_out_string(c, "tenant", p->tenant);
	hd_out_string(c, "proto", p->proto);
	hd_out_string(c, "agent", p->agent);
	hd_out_string(c, "transport", p->datagrams ? "udp" : "tcp");
	hd_out_uint(c, "realm", p->realm);
	hd_out_string(c, "tls", p->tls);
	hd_out_string(c, "tls_rx", p->tls_rx);
	hd_out_string(c, "tls_tx", p->tls_tx);
	hd_out_bool(c, "active", p->active);
	hd_out_uint(c, "worker", p->worker);
	hd_out_double(c, "seconds", (double)p->age_ms / 1000);
	hd_out_uint(c, "bytes_in", p->bytes_in);
	hd_out_uint(c, "bytes_out", p->bytes_out);
	if (paths)
		put_path(c, p);
	hd_out_uint(c, "queued", p->queued);
	hd_out_uint(c, "drops", p->drops);
	hd_out_close(c);
}

static void done_peers(struct hd_module *mod, struct hd_call *c)
{
	const struct list *l = list_of(c);

	(void)mod;
	hd_out_open(c, NULL, '[');
	for (const struct block *b = l->first; b != NULL; b = b->next)
		for (unsigned i = 0; i < b->n; i++)
			put_peer(c, &b->v[i], l->paths);
	hd_out_close(c);
}

/* One key, in any number of realms and connections. */
static void done_close(struct hd_module *mod, struct hd_call *c)
{
	const struct list *l = list_of(c);
	const struct peer_copy *first = NULL;
	unsigned n = 0;

	(void)mod;
	for (const struct block *b = l->first; b != NULL; b = b->next)
		for (unsigned i = 0; i < b->n; i++, n++) {
			first = first != NULL ? first : &b->v[i];
			if (memcmp(&b->v[i].key, &first->key, HD_KEY_BYTES)) {
				hd_call_error(c,
					      "more than one key begins "
					      "with %s: give more digits",
					      l->prefix);
				return;
			}
		}
	if (n == 0) {
		hd_call_error(c,
			      "no peer has a key that begins with %s; "
			      "\"peers\" lists those there are",
			      l->prefix);
		return;
	}
	for (const struct block *b = l->first; b != NULL; b = b->next)
		for (unsigned i = 0; i < b->n; i++)
			hd_relay_kick(b->v[i].realm, &b->v[i].key,
				      HD_CLOSE_KICKED);
	hd_out_open(c, NULL, '{');
	hd_out_key(c, "key", &first->key);
	hd_out_uint(c, "closed", n);
	hd_out_close(c);
}

const struct hd_command hd_cmd_peers[] = {
	{ .words = "peers",
	  .args = "[KEY] [--paths]",
	  .role = HD_ROLE_READ,
	  .help = "connected peers: all, or those whose key begins so; "
		  "--paths: what TCP knows of each one's path, too",
	  .each = each_peers,
	  .done = done_peers,
	  .columns = "key addr proto transport tls seconds bytes_in bytes_out "
		     "queued drops congestion rtt_us name tenant agent" },
	{ .words = "peer close",
	  .args = "KEY",
	  .role = HD_ROLE_OPERATE,
	  .help = "close the connections of a key; the client may come back",
	  .each = each_peers,
	  .done = done_close },
	{ .words = NULL },
};
