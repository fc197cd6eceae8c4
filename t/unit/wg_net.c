/* SPDX-License-Identifier: MIT */
/* t/unit/wg_net.c - see wg_net.h. */
#include "t/unit/fake_core.h"
#include "t/unit/wg_net.h"
#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/control.h>
#include <hyper-derp/event.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct fake_core fake;
struct net net;

/* ---- the core, as far as the engine sees it ---- */
uint64_t hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return net.now_ms;
}

void hd_timer_set(struct hd_timer *timer, uint32_t delay_ms)
{
	(void)timer;
	net.timer_ms = delay_ms;
}

bool hd_event_wanted(void)
{
	return true;
}

void hd_event(const char *name, const char *json)
{
	hd_assert(name != NULL && json != NULL && json[0] == '{');
}

int hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
	    hd_post_fn *done, void *arg, hd_drop_fn *drop)
{
	(void)drop;
	work(mod, arg);
	done(mod, w, arg);
	return 0;
}

struct hd_worker *hd_worker_at(unsigned i)
{
	(void)i;
	return NULL;
}

int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
	    void *arg, hd_drop_fn *drop)
{
	(void)drop;
	fn(mod, w, arg);
	return 0;
}

struct wg_engine *wg_engine_of(struct hd_module *mod, struct hd_worker *w)
{
	(void)mod, (void)w;
	return net.e;
}

int hd_udp_send(struct hd_udp *udp, const union hd_addr *to,
		const union hd_addr *from, const void *data, size_t len)
{
	struct net_sent *s = &net.sent[net.n_sent++ % NET_SENT_MAX];

	(void)udp, (void)from;
	hd_assert(to->sa.sa_family != 0);
	*s = (struct net_sent){ .to = *to, .len = (uint32_t)len };
	memcpy(s->data, data, HD_MIN(len, sizeof(s->data)));
	net.bytes_out += len;
	return 0;
}

/* ---- life ---- */

static void begin(void)
{
	hd_assert(wg_engine_new(NULL, NULL, &net.e) == 0);
	net.e->conf = &net.conf;
	net.e->metrics = &net.metrics;
	wg_cookie_rotate(net.e);
}

void net_start(void)
{
	fake.quiet = true;
	net = (struct net){ .now_ms = 1000000,
			    .conf = { .source_rate = 20,
				      .dest_rate = 20,
				      .pressure = 200,
				      .search_rate = 4000000 } };
	begin();
}

void net_stop(void)
{
	wg_engine_free(&net.e);
	wg_saved_free(&net.file);
	free(net.disk.v);
	free(net.disk_before.v);
}

uint64_t net_out(void)
{
	return net.bytes_out - net.e->sum.copied_bytes;
}

void net_clear(void)
{
	net.n_sent = 0;
}

void net_pass(uint64_t ms)
{
	while (ms > 0) {
		uint64_t step = HD_MIN(ms, (uint64_t)500);

		net.now_ms += step;
		net.e->now_ms = net.now_ms;
		ms -= step;
		wg_cookie_rotate(net.e);
		wg_pendings_sweep(net.e, UINT32_MAX);
		wg_sessions_sweep(net.e, UINT32_MAX);
		wg_blocks_sweep(net.e);
	}
}

struct wg_plan *net_plan(void)
{
	struct wg_plan *plan =
		wg_plan_new(net.e->peers.used, net.e->links.used);
	const struct wg_peer *p;
	const struct wg_link *l;
	uint32_t at = 0, n = 0;

	hd_assert(plan != NULL);
	while ((p = wg_pool_next(&net.e->peers, &at)) != NULL) {
		struct wg_peer_conf *c = &plan->peers[n++];

		memcpy(c->name, p->name, sizeof(c->name));
		memcpy(c->key, p->key, sizeof(c->key));
		c->has_key = p->has_key;
		c->has_endpoint = p->fixed;
		wg_addr_get(&p->pinned, &c->endpoint);
	}
	for (at = n = 0; (l = wg_pool_next(&net.e->links, &at)) != NULL; n++) {
		strcpy(plan->links[n].a, wg_peer(net.e, l->peer[1])->name);
		strcpy(plan->links[n].b, wg_peer(net.e, l->peer[0])->name);
	}
	return plan;
}

void net_restart(void)
{
	struct wg_plan *plan = net_plan();

	wg_saved_free(&net.file);
	net.file = wg_save_all(net.e);
	wg_engine_free(&net.e);
	begin();
	wg_engine_plan(net.e, plan);
	wg_plan_free(&plan);
	wg_restore(net.e, net.file);
}

/* ---- who and where ---- */

static void put(unsigned n, bool key, const union hd_addr *pinned)
{
	struct wg_peer_conf c = { .has_key = key,
				  .has_endpoint = pinned != NULL };

	snprintf(c.name, sizeof(c.name), "p%u", n);
	for (unsigned i = 0; key && i < 8; i++)
		memcpy(c.key + 4 * i, &n, 4);
	if (pinned != NULL)
		c.endpoint = *pinned;
	hd_assert(wg_peer_put(net.e, &c) == 0);
}

void net_peer(unsigned n, const union hd_addr *pinned)
{
	put(n, true, pinned);
}

void net_keyless(unsigned n, const union hd_addr *pinned)
{
	put(n, false, pinned);
}

struct wg_peer *net_find(unsigned n)
{
	char name[16];

	snprintf(name, sizeof(name), "p%u", n);
	return wg_peer_by_name(net.e, name);
}

void net_link(unsigned a, unsigned b)
{
	hd_assert(wg_link_put(net.e, net_find(a), net_find(b)) == 0);
}

union hd_addr net_addr(unsigned host, unsigned port)
{
	return (union hd_addr){
		.in = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)port),
			.sin_addr.s_addr = htonl(0xc0000000u + host) },
	};
}

bool net_is(const union hd_addr *a, const union hd_addr *b)
{
	struct wg_addr x = wg_addr_of(a), y = wg_addr_of(b);

	return wg_addr_same(&x, &y);
}

bool net_at(unsigned n, const union hd_addr *addr)
{
	struct wg_addr a = { 0 };

	if (addr != NULL)
		a = wg_addr_of(addr);
	return wg_addr_same(&net_find(n)->endpoint, &a);
}

void net_in(const union hd_addr *from, const void *data, size_t len)
{
	uint8_t *copy = malloc(len + (len == 0));
	struct hd_datagram dg = { .from = *from,
				  .to = net_addr(250, 0),
				  .data = copy,
				  .len_bytes = (uint32_t)len };

	memcpy(copy, data, len);
	net.bytes_in += len;
	net.e->now_ms = net.now_ms;
	wg_route(net.e, &dg);
	free(copy);
	while (net.e->searches->n > 0)
		wg_search_run(net.e);
}

const struct net_sent *net_to(const union hd_addr *to)
{
	for (unsigned i = net.n_sent; i > 0; i--)
		if (net_is(&net.sent[i - 1].to, to))
			return &net.sent[i - 1];
	return NULL;
}

/* ---- messages ---- */

static void mac(const void *key, size_t key_len, const void *m, size_t n,
		uint8_t ret[16])
{
	EVP_MAC *type = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(type);
	size_t size = 16, len = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};

	hd_assert(EVP_MAC_init(ctx, key, key_len, params) == 1);
	hd_assert(EVP_MAC_update(ctx, m, n) == 1);
	hd_assert(EVP_MAC_final(ctx, ret, &len, 16) == 1 && len == 16);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(type);
}

static void label_key(const char *label, unsigned n, uint8_t ret[32])
{
	uint8_t text[40];

	memcpy(text, label, 8);
	for (unsigned i = 0; i < 8; i++)
		memcpy(text + 8 + 4 * i, &n, 4);
	hd_assert(EVP_Digest(text, sizeof(text), ret, NULL, EVP_blake2s256(),
			     NULL) == 1);
}

static void put_mac1(uint8_t *m, size_t at, unsigned to)
{
	uint8_t key[32];

	label_key("mac1----", to, key);
	mac(key, sizeof(key), m, at, m + at);
}

void net_make_init(uint8_t m[WG_INIT_BYTES], unsigned to, uint32_t index,
		   const uint8_t *cookie)
{
	memset(m, 0, WG_INIT_BYTES);
	wg_put32(m, WG_INIT);
	wg_put32(m + WG_SENDER, index);
	put_mac1(m, WG_INIT_MAC1, to);
	if (cookie != NULL)
		mac(cookie, 16, m, WG_INIT_MAC2, m + WG_INIT_MAC2);
}

void net_make_response(uint8_t m[WG_RESPONSE_BYTES], unsigned initiator,
		       uint32_t index, uint32_t receiver)
{
	memset(m, 0, WG_RESPONSE_BYTES);
	wg_put32(m, WG_RESPONSE);
	wg_put32(m + WG_SENDER, index);
	wg_put32(m + WG_RECEIVER_OF_RESPONSE, receiver);
	put_mac1(m, WG_RESPONSE_MAC1, initiator);
}

void net_sign_response(uint8_t m[WG_RESPONSE_BYTES], const uint8_t *cookie)
{
	mac(cookie, 16, m, WG_RESPONSE_MAC2, m + WG_RESPONSE_MAC2);
}

void net_make_data(uint8_t *m, size_t len, uint32_t receiver, uint64_t counter)
{
	memset(m, 0xaa, len);
	wg_put32(m, WG_DATA);
	wg_put32(m + WG_RECEIVER_OF_DATA, receiver);
	wg_put32(m + WG_COUNTER, (uint32_t)counter);
	wg_put32(m + WG_COUNTER + 4, (uint32_t)(counter >> 32));
}

bool net_open_cookie(const struct net_sent *reply, unsigned to,
		     const uint8_t *message, uint8_t cookie[16])
{
	size_t mac1 =
		wg_get32(message) == WG_INIT ? WG_INIT_MAC1 : WG_RESPONSE_MAC1;
	uint8_t key[32];

	label_key("cookie--", to, key);
	return reply != NULL && reply->len == WG_COOKIE_BYTES &&
	       wg_get32(reply->data) == WG_COOKIE &&
	       memcmp(reply->data + 4, message + WG_SENDER, 4) == 0 &&
	       crypto_aead_xchacha20poly1305_ietf_decrypt(
		       cookie, NULL, NULL, reply->data + WG_COOKIE_BOX, 32,
		       message + mac1, 16, reply->data + WG_COOKIE_NONCE,
		       key) == 0;
}
