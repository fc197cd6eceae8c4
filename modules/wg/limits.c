/* SPDX-License-Identifier: MIT */
/* modules/wg/limits.c - how much an address may ask for before it has proven
 * itself, and what it may when it has. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

#define PRESSURE_MS 10000
#define SUSPECT_MS 3600000

/* @burst  tokens that may be saved up */
bool wg_bucket_take(struct wg_bucket *b, uint64_t per_s, uint64_t burst,
		    uint32_t n, uint64_t now_ms)
{
	uint64_t full = HD_MIN(burst, (uint64_t)4000000) * 1000;
	uint64_t milli = full;

	if (b->at_ms != 0) {
		uint64_t gone = HD_MIN(now_ms - b->at_ms, (uint64_t)60000);

		milli = HD_MIN(full, b->milli + gone * per_s);
	}
	b->at_ms = now_ms;
	b->milli = (uint32_t)milli;
	if (milli < (uint64_t)n * 1000)
		return false;
	b->milli -= n * 1000;
	return true;
}

struct wg_source *wg_source_get(struct wg_engine *e, const struct wg_addr *from)
{
	struct wg_addr ip = wg_addr_source(from);

	return wg_book_get(&e->sources, &e->hash, &ip);
}

/* An initiation from an unknown address: may its host send one more? */
bool wg_source_take(struct wg_engine *e, const struct wg_addr *from)
{
	struct wg_source *s = wg_source_get(e, from);
	uint64_t rate = e->conf->source_rate;

	return s != NULL &&
	       wg_bucket_take(&s->inits, rate, rate * 5, 1, e->now_ms);
}

bool wg_dest_take(struct wg_engine *e, struct wg_peer *to)
{
	uint64_t rate = e->conf->dest_rate;

	return wg_bucket_take(&to->inits, rate, rate * 2, 1, e->now_ms);
}

/* Counts one more from an unknown address. */
void wg_pressure_feel(struct wg_engine *e)
{
	uint64_t rate = e->conf->pressure;

	if (!wg_bucket_take(&e->unknown, rate, rate, 1, e->now_ms))
		e->pressure_ms = e->now_ms + PRESSURE_MS;
}

bool wg_pressure(const struct wg_engine *e)
{
	return e->now_ms < e->pressure_ms;
}

/* What it sent led to nothing: the next time it proves its address first. */
void wg_suspect(struct wg_engine *e, const struct wg_addr *from)
{
	struct wg_source *s = wg_source_get(e, from);

	if (s != NULL)
		s->suspect_ms = e->now_ms + SUSPECT_MS;
}

bool wg_is_suspect(struct wg_engine *e, const struct wg_addr *from)
{
	const struct wg_source *s = wg_source_get(e, from);

	return s != NULL && e->now_ms < s->suspect_ms;
}

/* ---- addresses that have proven themselves ---- */

struct wg_caller *wg_caller_find(const struct wg_engine *e,
				 const struct wg_addr *addr)
{
	struct wg_caller *c = wg_book_find(&e->callers, &e->hash, addr);

	return c != NULL && e->now_ms < HD_MAX(c->proven_ms, c->cookie_ms)
		       ? c
		       : NULL;
}

enum wg_proof wg_caller_proof(const struct wg_engine *e,
			      const struct wg_caller *c)
{
	if (c == NULL)
		return WG_PROOF_NONE;
	return e->now_ms < c->proven_ms ? WG_PROOF_BEFORE : WG_PROOF_WAIVED;
}

static struct wg_caller *caller_get(struct wg_engine *e,
				    const struct wg_addr *addr)
{
	struct wg_caller *c = wg_caller_find(e, addr);

	if (c != NULL)
		return c;
	c = wg_book_get(&e->callers, &e->hash, addr);
	if (c == NULL)
		return NULL;
	*c = (struct wg_caller){ .keyed = c->keyed, .last_peer = WG_NONE };
	return c;
}

/* Its mac2 verified. What came from it may go back to it, later. */
struct wg_caller *wg_caller_prove(struct wg_engine *e,
				  const struct wg_addr *addr,
				  const struct wg_addr *local)
{
	struct wg_caller *c = caller_get(e, addr);

	if (c == NULL)
		return NULL;
	c->local = *local;
	c->proven_ms = e->now_ms + WG_COOKIE_MS;
	return c;
}

void wg_caller_credit(struct wg_caller *c)
{
	c->credit_bytes = HD_MIN(c->credit_bytes + WG_INIT_BYTES,
				 (uint32_t)WG_CANDIDATES * WG_INIT_BYTES);
}

/* An initiation for who it may be: once a second, and never more bytes than
 * it has sent itself. */
bool wg_caller_take(const struct wg_engine *e, struct wg_caller *c)
{
	if (c->credit_bytes < WG_INIT_BYTES ||
	    (c->sent_ms != 0 && e->now_ms - c->sent_ms < 1000))
		return false;
	c->credit_bytes -= WG_INIT_BYTES;
	c->sent_ms = e->now_ms;
	return true;
}

/* It has a responder's cookie now and will refuse ours. */
void wg_caller_has_cookie(struct wg_engine *e, const struct wg_addr *addr)
{
	struct wg_caller *c = caller_get(e, addr);

	if (c != NULL)
		c->cookie_ms = e->now_ms + WG_COOKIE_MS;
}

/* It came with our cookie and was answered with a responder's, which it will
 * show the next time. */
void wg_caller_spare(struct wg_engine *e, const struct wg_addr *addr)
{
	struct wg_caller *c = wg_caller_find(e, addr);

	if (c != NULL)
		c->spare = 2;
}

bool wg_caller_spared(struct wg_engine *e, const struct wg_addr *addr)
{
	struct wg_caller *c = wg_caller_find(e, addr);

	if (c == NULL || c->spare == 0)
		return false;
	c->spare--;
	return true;
}
