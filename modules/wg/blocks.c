/* SPDX-License-Identifier: MIT */
/* modules/wg/blocks.c - addresses whose handshakes are not looked at for a
 * while, and where dropped datagrams came from.
 *
 * Only an address that has proven itself gets strikes: a forged one must not
 * bring them upon somebody else. */
#include <arpa/inet.h>
#include <hyper-derp/log.h>
#include "modules/wg/state.h"
#include "modules/wg/xdp.h"

#define MINUTE_MS 60000ull
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

static const struct step {
	unsigned strikes;
	uint64_t within_ms, for_ms;
} steps[] = {
	/* the worst first */
	{ 10, DAY_MS, DAY_MS },
	{ 5, HOUR_MS, HOUR_MS },
	{ 2, MINUTE_MS, MINUTE_MS },
};

static const struct step *step_of(const struct wg_block *b, uint64_t now_ms)
{
	for (unsigned i = 0; i < HD_ARRAY_N(steps); i++) {
		uint64_t at = b->strike_ms[steps[i].strikes - 1];

		if (at != 0 && now_ms - at <= steps[i].within_ms)
			return &steps[i];
	}
	return NULL;
}

enum { BELOW_PER_S = 20 };

/* The kernel need not know: we ignore the host as well. So who has many hosts
 * does not make us look at all peers for each strike. */
static bool may_block_below(struct wg_engine *e, const struct wg_addr *host)
{
	return wg_bucket_take(&e->below_looks, BELOW_PER_S, BELOW_PER_S, 1,
			      e->now_ms) &&
	       !wg_is_host_known(e, host);
}

/* Where the kernel sees it first. */
static void block_below(const struct wg_engine *e, struct wg_block *b,
			uint64_t for_ms)
{
	union hd_addr ip;

	b->below = for_ms > 0;
	wg_addr_get(&b->keyed.addr, &ip);
	wg_xdp_block(e->xdp, &ip, for_ms);
}

/* A host, or the /64 of an IPv6 one. */
static const char *host_text(const struct wg_addr *source,
			     char buf[HD_ADDR_TEXT_BYTES])
{
	union hd_addr a;

	wg_addr_get(source, &a);
	if (a.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a.in.sin_addr, buf, HD_ADDR_TEXT_BYTES);
	} else {
		inet_ntop(AF_INET6, &a.in6.sin6_addr, buf, HD_ADDR_TEXT_BYTES);
		strcat(buf, "/64");
	}
	return buf;
}
_Static_assert(HD_ADDR_TEXT_BYTES >= INET6_ADDRSTRLEN + sizeof("/64"),
	       "a network fits");

void wg_strike(struct wg_engine *e, const struct wg_addr *from)
{
	struct wg_addr ip = wg_addr_source(from);
	struct wg_block *b = wg_book_get(&e->blocks, &e->hash, &ip);
	const struct step *step;
	char text[HD_ADDR_TEXT_BYTES], host[HD_ADDR_TEXT_BYTES];

	if (b == NULL)
		return;
	b->port = from->port;
	memmove(b->strike_ms + 1, b->strike_ms,
		sizeof(b->strike_ms) - sizeof(b->strike_ms[0]));
	b->strike_ms[0] = e->now_ms;
	step = step_of(b, e->now_ms);
	if (step == NULL)
		return;
	b->until_ms = e->now_ms + step->for_ms;
	if (may_block_below(e, &ip))
		block_below(e, b, step->for_ms);
	hd_log_notice("wg: handshakes of an address are ignored: addr=%s "
		      "blocked=%s strikes=%u seconds=%ju",
		      wg_addr_text(from, text), host_text(&ip, host),
		      step->strikes, (uintmax_t)(step->for_ms / 1000));
}

bool wg_is_blocked(const struct wg_engine *e, const struct wg_addr *from)
{
	struct wg_addr ip = wg_addr_source(from);
	const struct wg_block *b;

	if (e->blocks.pool.used == 0)
		return false;
	b = wg_book_find(&e->blocks, &e->hash, &ip);
	return b != NULL && e->now_ms < b->until_ms;
}

void wg_block_spare(struct wg_engine *e, const struct wg_addr *addr)
{
	struct wg_addr ip = wg_addr_source(addr);
	struct wg_block *b;

	if (e->blocks.pool.used == 0)
		return;
	b = wg_book_find(&e->blocks, &e->hash, &ip);
	if (b != NULL && b->below)
		block_below(e, b, 0);
}

static uint32_t strikes_of(const struct wg_block *b, uint64_t now_ms)
{
	uint32_t n = 0;

	while (n < HD_ARRAY_N(b->strike_ms) && b->strike_ms[n] != 0 &&
	       now_ms - b->strike_ms[n] <= DAY_MS)
		n++;
	return n;
}

/* Entries that have been quiet for a day go. */
void wg_blocks_sweep(struct wg_engine *e)
{
	uint32_t at = 0;
	struct wg_block *b;

	while ((b = wg_pool_next(&e->blocks.pool, &at)) != NULL)
		if (e->now_ms >= b->until_ms && strikes_of(b, e->now_ms) == 0)
			wg_book_remove(&e->blocks, &e->hash, b);
}

bool wg_engine_block_next(struct wg_engine *e, uint64_t *cursor,
			  struct wg_block_info *ret)
{
	uint32_t at = (uint32_t)*cursor;
	const struct wg_block *b = wg_pool_next(&e->blocks.pool, &at);

	*cursor = at;
	if (b == NULL)
		return false;
	*ret = (struct wg_block_info){
		.blocked = e->now_ms < b->until_ms,
		.strikes = strikes_of(b, e->now_ms),
		.port = ntohs(b->port),
	};
	if (ret->blocked)
		ret->left_ms = b->until_ms - e->now_ms;
	wg_addr_get(&b->keyed.addr, &ret->ip);
	return true;
}

unsigned wg_engine_block_clear(struct wg_engine *e, const union hd_addr *ip)
{
	struct wg_addr only = { 0 }, from;
	uint32_t at = 0;
	struct wg_block *b;
	unsigned n = 0;

	if (ip != NULL) {
		from = wg_addr_of(ip);
		only = wg_addr_source(&from);
	}
	while ((b = wg_pool_next(&e->blocks.pool, &at)) != NULL) {
		if (ip != NULL && !wg_addr_same(&b->keyed.addr, &only))
			continue;
		block_below(e, b, 0);
		wg_book_remove(&e->blocks, &e->hash, b);
		n++;
	}
	return n;
}

/* ---- drops ---- */

static const char *const drop_texts[] = {
	[WG_DROP_UNKNOWN_SRC] = "unknown_src",
	[WG_DROP_NO_LINK] = "no_link",
	[WG_DROP_NOT_WG_SHAPED] = "not_wg_shaped",
	[WG_DROP_PUBKEY_MISMATCH] = "handshake_pubkey_mismatch",
	[WG_DROP_NO_PUBKEY_MATCH] = "handshake_no_pubkey_match",
	[WG_DROP_RELEARN_UNCONFIRMED] = "relearn_unconfirmed",
	[WG_DROP_BLOCKED] = "blocklisted",
	[WG_DROP_RATE] = "rate",
	[WG_DROP_COOKIE] = "cookie_demanded",
	[WG_DROP_NO_ENDPOINT] = "no_endpoint",
	[WG_DROP_SEARCH] = "search_limit",
	[WG_DROP_REPLAY] = "replay",
	[WG_DROP_SEND] = "send_failed",
};
_Static_assert(HD_ARRAY_N(drop_texts) == WG_DROP_N, "each drop has a name");

const char *wg_drop_text(enum wg_drop why)
{
	return drop_texts[why];
}

void wg_drop(struct wg_engine *e, enum wg_drop why, const struct wg_addr *from,
	     struct wg_peer *peer)
{
	struct wg_addr ip = wg_addr_source(from);
	struct wg_drop_source *s = wg_book_get(&e->drop_sources, &e->hash, &ip);

	e->sum.drops[why]++;
	hd_count(&e->metrics->drops[why], 1);
	if (peer != NULL)
		peer->drops[why]++;
	if (s == NULL)
		return;
	s->seen_ms = e->now_ms;
	s->drops[why]++;
}

bool wg_engine_source_next(struct wg_engine *e, uint64_t *cursor,
			   struct wg_source_info *ret)
{
	uint32_t at = (uint32_t)*cursor;
	const struct wg_drop_source *s =
		wg_pool_next(&e->drop_sources.pool, &at);

	*cursor = at;
	if (s == NULL)
		return false;
	*ret = (struct wg_source_info){ .seen_ms = e->now_ms - s->seen_ms };
	wg_addr_get(&s->keyed.addr, &ret->ip);
	memcpy(ret->drops, s->drops, sizeof(ret->drops));
	return true;
}
