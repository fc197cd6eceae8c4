/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_ahead.c - what the old process's workers do for
 * connections that go ahead: write them down between two turns, and find out
 * when they stand what has changed. See upgrade_ahead.h. */
#include "core/daemon/upgrade_ahead.h"
#include <errno.h>
#include <hyper-derp/secret.h>
#include <string.h>
#include "core/loop/worker.h"
#include "core/relay/peer_snap.h"
#include "core/stream/stream_life.h"
#include "core/tls/tls_snap.h"

/* ---- in workers, which serve ---- */

static void write_down(struct hd_ahead *a, struct hd_worker *w,
		       struct hd_stream *s)
{
	struct hd_snap *plain = &a->plains[w->index];
	struct hd_snap *secret = &a->secrets[w->index];
	size_t i = __atomic_fetch_add(&a->g->n, 1, __ATOMIC_RELAXED);
	struct hd_ahead_image *im = &a->v[i];
	struct hd_error err;

	hd_assert(i < a->size);
	*im = (struct hd_ahead_image){ .s = s,
			      .fd = s->fd,
			      .worker = w->index,
			      .at = plain->n,
			      .secret_at = secret->n };
	if (hd_give_stream(a->g, s, i, plain, &err) < 0)
		plain->failed = true;
	if (s->tls != NULL)
		hd_tls_pack_secret(s->tls, i, secret);
	im->n = plain->n - im->at;
	im->secret_n = secret->n - im->secret_at;
	s->ahead = (uint32_t)i + 1;
}

static uint64_t output_bytes(const struct hd_stream *s)
{
	uint64_t n = s->flight.bytes;

	for (unsigned i = 0; i < HD_LANE_N; i++)
		n += s->lane[i].bytes;
	return n;
}

static bool modules_may(const struct hd_give *g, const struct hd_stream *s)
{
	return g->ahead_goes == HD_AHEAD_PACKED ? hd_peer_goes_ahead(s)
						: hd_peer_is_plain(s);
}

/* Of one key the newest comes last, and what some modules keep beside a peer
 * comes behind what they have once: these go when the workers stand. So does
 * what waits for who does not read: else both would have it twice. */
static bool may_go(const struct hd_ahead *a, const struct hd_stream *s)
{
	return hd_give_stays(a->g, s) == NULL && hd_peer_is_alone(s) &&
	       modules_may(a->g, s) && s->output != HD_OUTPUT_SENDING &&
	       s->reserved == NULL && output_bytes(s) == 0;
}

void hd_ahead_slice(struct hd_worker *w, void *arg)
{
	struct hd_ahead *a = arg;
	const struct hd_slots *slots = &w->streams->slots;
	uint32_t *at = &a->slot[w->index];
	uint32_t end = HD_MIN(*at + HD_AHEAD_SLICE, slots->n);

	for (; *at < end; ++*at) {
		struct hd_stream *s = hd_slots_at(slots, *at);

		if (s != NULL)
			s->ahead = 0;
		if (s != NULL && may_go(a, s))
			write_down(a, w, s);
	}
	if (a->plains[w->index].failed || a->secrets[w->index].failed)
		__atomic_store_n(&a->failed, true, __ATOMIC_RELAXED);
	if (end < slots->n)
		__atomic_store_n(&a->more, true, __ATOMIC_RELAXED);
}

/* ---- in workers, which stand ---- */

bool hd_ahead_index(const struct hd_ahead *a, const struct hd_stream *s,
		    size_t *ret)
{
	size_t i = s->ahead;

	if (i == 0 || i > hd_ahead_n(a) || a->v[i - 1].s != s ||
	    a->v[i - 1].fd != s->fd)
		return false;
	*ret = i - 1;
	return true;
}

static bool is_same(const struct hd_snap *s, const uint8_t *bytes, size_t n)
{
	return !s->failed && s->n == n &&
	       (n == 0 || memcmp(s->v, bytes, n) == 0);
}

bool hd_ahead_is_same(struct hd_give *g, struct hd_stream *s, size_t index,
		      struct hd_ahead_scratch *scratch)
{
	const struct hd_ahead_image *im = &g->ahead->v[index];
	struct hd_error err;

	scratch->plain.n = scratch->secret.n = 0;
	if (!modules_may(g, s) ||
	    hd_give_stream(g, s, index, &scratch->plain, &err) < 0)
		return false;
	if (s->tls != NULL)
		hd_tls_pack_secret(s->tls, index, &scratch->secret);
	return is_same(&scratch->plain, im->plain, im->n) &&
	       is_same(&scratch->secret, im->secret, im->secret_n);
}

void hd_ahead_note(struct hd_ahead *a, size_t index, enum hd_since since)
{
	a->since[index] = (uint8_t)since;
}

int hd_ahead_scratch_new(struct hd_ahead_scratch *scratch)
{
	*scratch = (struct hd_ahead_scratch){
		.secret = { .fixed = true,
			    .size = HD_TLS_SECRET_BYTES,
			    .v = hd_secret_alloc(HD_TLS_SECRET_BYTES) },
	};
	return scratch->secret.v != NULL ? 0 : -ENOMEM;
}

void hd_ahead_scratch_free(struct hd_ahead_scratch *scratch)
{
	hd_snap_free(&scratch->plain);
	hd_secret_free(scratch->secret.v);
	scratch->secret.v = NULL;
}
