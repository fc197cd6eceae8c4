/* SPDX-License-Identifier: MIT */
/* core/daemon/serve.c - all workers: start, reload, drain. The main thread
 * talks to them through their inboxes only; what ends in _here runs in each. */
#include "core/daemon/serve.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include "core/base/key.h"
#include "core/daemon/turn.h"
#include "core/http/http.h"
#include "core/module/module.h"
#include "core/relay/limits.h"
#include "core/relay/peer.h"
#include "core/stream/accept.h"
#include "core/stream/stream_life.h"
#include "core/stream/visitor.h"
#include "core/tls/aead.h"
#include "core/tls/ktls.h"
#include "core/tls/tls.h"

/* ---- start ---- */

static int choose_crypto(const struct hd_conf *conf, struct hd_error *err)
{
	static const char *const code[] = {
		[HD_CRYPTO_IPSEC_MB] = "",
		[HD_CRYPTO_IPSEC_MB_AVX2] = "-avx2",
		[HD_CRYPTO_IPSEC_MB_SSE] = "-sse",
	};
	struct hd_error why;

	if (hd_aead_start(conf->crypto, &why) == 0)
		return 0;
	return hd_error_set(err, -ENOTSUP,
			    "tls: {crypto: ipsec-mb%s}: %s; auto takes OpenSSL "
			    "then",
			    code[conf->crypto], why.text);
}

int hd_serve_check(const struct hd_conf *conf,
		   const struct hd_ring_ops **ret_ops, struct hd_error *err)
{
	*ret_ops = hd_ring_choose(conf, err);
	return *ret_ops != NULL ? choose_crypto(conf, err) : -EPERM;
}

static void serving_here(struct hd_worker *w, void *arg)
{
	const bool *on = arg;

	__atomic_store_n(&w->serving, *on, __ATOMIC_RELAXED);
	hd_modules_serving(w, *on);
}

static void accept_here(struct hd_worker *w, void *arg)
{
	const struct hd_serve_args *a = arg;
	int r = hd_accept_start(w, a->listeners, a->n_listeners,
				&hd_http_proto);

	if (r < 0)
		hd_log_error("worker %u cannot accept: out of memory",
			     w->index);
}

/* What the kernel is to seal and open: only what would be ours. */
static unsigned ktls_directions(const struct hd_serve_args *args)
{
	if (args->tls == NULL || args->conf->record_layer == HD_RECORDS_OPENSSL)
		return 0;
	return hd_ktls_directions((enum hd_ktls)args->conf->ktls);
}

static int start_workers(const struct hd_serve_args *args,
			 const struct hd_ring_ops *ring_ops,
			 struct hd_error *err)
{
	const struct hd_turn_args turn = {
		.tls = args->tls,
		.ktls = ktls_directions(args),
	};
	const struct hd_workers_args workers = {
		.conf = args->conf,
		.ring_ops = ring_ops,
		.ops = &hd_turn_ops,
		.arg = &turn,
		.parked = args->parked,
	};

	return hd_workers_start(&workers, err);
}

int hd_serve_start(const struct hd_serve_args *args, struct hd_error *err)
{
	struct hd_serve_args copy = *args;
	const struct hd_ring_ops *ring_ops;
	bool on = true;
	int r = hd_serve_check(args->conf, &ring_ops, err);

	if (r < 0)
		return r;
	hd_aead_log();
	hd_key_hash_seed();
	r = start_workers(args, ring_ops, err);
	if (r < 0)
		return r;
	/* First all serve, then all accept: a login may move to any worker. */
	if (args->parked) {
		hd_workers_run_parked(serving_here, &on);
		return 0;
	}
	hd_workers_run_all(serving_here, &on);
	hd_workers_run_all(accept_here, &copy);
	return 0;
}

static void deaf_here(struct hd_worker *w, void *arg)
{
	(void)arg;
	hd_accept_stop(w);
}

void hd_serve_accept(bool on, const struct hd_serve_args *args)
{
	struct hd_serve_args copy = *args;

	hd_workers_run_all(on ? accept_here : deaf_here, &copy);
}

void hd_serve_go(const struct hd_serve_args *args)
{
	struct hd_serve_args copy = *args;

	hd_workers_unpark(accept_here, &copy);
}

/* ---- reload ---- */

struct reload {
	const struct hd_conf *conf;
	struct hd_tls_store *tls;
};

static void reload_here(struct hd_worker *w, void *arg)
{
	const struct reload *r = arg;

	w->conf = r->conf;
	w->streams->tls = r->tls;
	w->hooks = hd_modules_hooks();
	hd_limits_reload(w);
	hd_visitors_reload(w);
	hd_modules_changed(w, r->conf);
}

void hd_serve_reload(const struct hd_conf *conf, struct hd_tls_store *tls)
{
	struct reload r = { conf, tls };

	hd_workers_run_all(reload_here, &r);
}

static void tls_here(struct hd_worker *w, void *tls)
{
	w->streams->tls = tls;
}

void hd_serve_tls(struct hd_tls_store *tls)
{
	hd_workers_run_all(tls_here, tls);
}

/* ---- drain ---- */

static void health_here(struct hd_worker *w, void *arg)
{
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);

		if (ops != NULL && ops->health != NULL)
			ops->health(s->mod, hd_peer_of(s), arg);
	}
}

void hd_serve_logins(bool on, const char *health)
{
	/* Who has read why may rely on it, whichever worker answers. */
	hd_workers_run_all(serving_here, &on);
	hd_workers_run_all(health_here, (void *)(health != NULL ? health : ""));
}

struct drain {
	uint32_t quiet_ms, spread_ms;
};

/* Peers get told when to come back, a little later than they are closed, and
 * are closed one after another: a reconnecting crowd is spread out. */
static void drain_here(struct hd_worker *w, void *arg)
{
	const struct drain *d = arg;
	uint64_t i = 0, n = HD_MAX(1u, w->streams->n);

	for (struct hd_stream *s = w->streams->first; s != NULL;
	     s = s->next, i++) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);
		uint32_t at_ms =
			d->quiet_ms + (uint32_t)(d->spread_ms * i / n) + 1;

		if (ops != NULL && ops->drain != NULL)
			ops->drain(s->mod, hd_peer_of(s), at_ms,
				   2 * d->spread_ms + 10000);
		hd_stream_deadline(s, HD_DEADLINE_DRAIN, at_ms);
	}
}

void hd_serve_drain(uint32_t quiet_ms, uint32_t spread_ms)
{
	struct drain d = { quiet_ms, spread_ms };

	hd_workers_run_all(drain_here, &d);
}

static void keep_here(struct hd_worker *w, void *arg)
{
	(void)arg;
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		hd_stream_deadline(s, HD_DEADLINE_DRAIN, 0);
}

void hd_serve_drain_keep(void)
{
	hd_workers_run_all(keep_here, NULL);
}

unsigned hd_serve_streams(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		n += (unsigned)__atomic_load_n(
			&hd_worker_at(i)->stats.streams.n, __ATOMIC_RELAXED);
	return n;
}
