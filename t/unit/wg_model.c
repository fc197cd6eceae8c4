/* SPDX-License-Identifier: MIT */
/* t/unit/wg_model.c - the table of sessions against a small model that knows
 * who is who: two peers with real sessions, which they renew and move, and
 * attackers who send every kind of packet, with forged sources, indexes that
 * they saw, and hosts of their own, in random order.
 *
 * Always: what the two send each other arrives; a new handshake is through at
 * the second try, 5 s later, and the attacks go on meanwhile; who moves is
 * answered within 2 s; each address of the attackers gets at most three times
 * what was sent from it; no endpoint is one of theirs, and both are where the
 * two are once the attacks pause; the table stays bounded. 30 seeds, 1,000 with
 * HD_LONG, or those in HD_SEEDS ("57-57"). t/system/wg-seeded.t puts mistakes
 * into the engine, which this must find. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"
#include <stdio.h>
#include <stdlib.h>

enum { EVILS = 6, STEPS = 1500, WINDOW = 20000 /* of counters, and some */ };

static struct model {
	unsigned seed;
	union hd_addr at[2], evil[EVILS];
	uint32_t live[2]; /* what they listen at */
	uint64_t made_ms, spoke_ms, counter;
	uint64_t forged[2]; /* the highest near its own, in its name */
	uint32_t next;
	uint64_t in[EVILS], out[EVILS]; /* from and to their addresses */
	struct cookie { /* that it was given, as who asks or who answers */
		bool has;
		uint8_t v[16];
	} asks[2], answers[2];
} m;

static uint32_t dice(uint32_t n)
{
	return (uint32_t)random() % n;
}

static void count_evil(void)
{
	for (unsigned i = 0; i < net.n_sent; i++)
		for (unsigned k = 0; k < EVILS; k++)
			if (net_is(&net.sent[i].to, &m.evil[k]))
				m.out[k] += net.sent[i].len;
	for (unsigned k = 0; k < EVILS; k++)
		if (m.out[k] > 3 * m.in[k] || net_at(1, &m.evil[k]) ||
		    net_at(2, &m.evil[k]))
			fail_msg("seed %u: an attacker got %lu for %lu, or is "
				 "an endpoint", m.seed,
				 (unsigned long)m.out[k],
				 (unsigned long)m.in[k]);
	net_clear();
}

static bool arrived(const union hd_addr *to, uint32_t type, uint32_t len)
{
	for (unsigned i = 0; i < net.n_sent; i++)
		if (net_is(&net.sent[i].to, to) && net.sent[i].len == len &&
		    wg_get32(net.sent[i].data) == type)
			return true;
	return false;
}

/* ---- the two ---- */

/* Whether the other one does. */
static bool is_heard(unsigned who)
{
	bool there;

	net_data(&m.at[who], m.live[!who], ++m.counter, 96);
	there = arrived(&m.at[!who], WG_DATA, 96);
	count_evil();
	return there;
}

static void say(unsigned who)
{
	if (!is_heard(who))
		fail_msg("seed %u: data of %u is lost", m.seed, who + 1);
}

static void echo(unsigned first)
{
	say(first);
	say(!first);
	m.spoke_ms = net.now_ms;
}

/* One try, from wherever `who` is. Returns whether the other one got it. */
static bool ask(unsigned who, uint32_t index)
{
	uint8_t msg[WG_INIT_BYTES];
	bool there;

	net_clear();
	net_make_init(msg, !who + 1, index,
		      m.asks[who].has ? m.asks[who].v : NULL);
	net_in(&m.at[who], msg, sizeof(msg));
	m.asks[who].has = net_open_cookie(net_to(&m.at[who]), !who + 1, msg,
					  m.asks[who].v);
	there = arrived(&m.at[!who], WG_INIT, WG_INIT_BYTES);
	count_evil();
	return there;
}

static void attack(void);

/* The others do something meanwhile. */
static void attacks(unsigned n)
{
	for (; n > 0; n--)
		attack();
}

/* `who` has asked. Returns whether it gets the answer. */
static bool answer(unsigned who, uint32_t index)
{
	struct cookie *c = &m.answers[!who];
	uint8_t msg[WG_RESPONSE_BYTES];
	bool there;

	net_make_response(msg, who + 1, index + 1, index);
	if (c->has)
		net_sign_response(msg, c->v);
	net_in(&m.at[!who], msg, sizeof(msg));
	c->has |= net_open_cookie(net_to(&m.at[!who]), who + 1, msg, c->v);
	there = arrived(&m.at[who], WG_RESPONSE, WG_RESPONSE_BYTES);
	count_evil();
	return there;
}

static void renew(unsigned who)
{
	uint32_t i = m.next += 2;
	bool there = ask(who, i);

	for (unsigned k = 0; !there && k < 25; k++, net_pass(200))
		attacks(1);
	if (!there)
		there = ask(who, i = m.next += 2);
	if (!there)
		fail_msg("seed %u: no handshake at the second try", m.seed);
	attacks(dice(3));
	if (!answer(who, i))
		fail_msg("seed %u: a response is lost", m.seed);
	attacks(dice(3));
	m.live[who] = i;
	m.live[!who] = i + 1;
	m.made_ms = net.now_ms;
	m.counter = m.forged[0] = m.forged[1] = 0;
	say(who);
	say(!who);
}

static void talk(unsigned first, unsigned n, uint64_t every_ms)
{
	for (; n > 0; n--, net_pass(every_ms))
		echo(first);
}

/* Data with a counter that was made up at the old address looks seen before:
 * then it has no answer until its handshake (doc/wireguard.md). */
static bool looks_old(unsigned who)
{
	return m.counter < m.forged[who];
}

/* A new mapping in the middle of traffic, then the handshake that follows. */
static void roam(unsigned who)
{
	net_pass(1500);
	echo(who);
	m.at[who] = net_addr(1 + who, 1000 + dice(60000));
	m.asks[who].has = m.answers[who].has = false;
	if (!looks_old(who)) {
		for (unsigned i = 0; i < 20; i++, net_pass(100)) {
			say(who);
			is_heard(!who); /* if somebody just claimed it */
		}
		talk(who, 10, 100);
	}
	renew(who);
	talk(who, 40, 500);
}

/* The attacks pause: both endpoints are where the two are. */
static void settle(void)
{
	talk(dice(2), 60, 500);
	renew(dice(2));
	talk(dice(2), 60, 500);
	for (unsigned i = 0; i < 2; i++)
		if (!net_at(i + 1, &m.at[i]))
			fail_msg("seed %u: %u is not where it is", m.seed,
				 i + 1);
}

/* ---- the others ---- */

static const union hd_addr *somewhere(void)
{
	uint32_t i = dice(EVILS + 2);

	return i < EVILS ? &m.evil[i] : &m.at[i - EVILS];
}

static uint32_t some_index(void)
{
	uint32_t i = dice(10);

	return i < 2 ? m.live[i] : 0x1000 + dice(64);
}

/* From one of the two: 0 or 1; else 2. */
static unsigned in_name_of(const union hd_addr *from)
{
	return from == &m.at[0] ? 0 : from == &m.at[1] ? 1 : 2;
}

static void bad_in(const union hd_addr *from, const void *msg, size_t len)
{
	if (in_name_of(from) == 2)
		m.in[from - m.evil] += len;
	net_in(from, msg, len);
}

static void bad_init(const union hd_addr *from, unsigned to, uint32_t index)
{
	uint8_t msg[WG_INIT_BYTES], cookie[16];
	bool asked;

	net_make_init(msg, to, index, NULL);
	bad_in(from, msg, sizeof(msg));
	asked = in_name_of(from) == 2 && /* else it is not seen */
		net_open_cookie(net_to(from), to, msg, cookie);
	count_evil();
	if (!asked || dice(2) == 0)
		return;
	net_make_init(msg, to, index, cookie);
	bad_in(from, msg, sizeof(msg));
	count_evil();
}

static void bad_response(const union hd_addr *from, unsigned initiator,
			 uint32_t index, uint32_t receiver)
{
	uint8_t msg[WG_RESPONSE_BYTES];

	net_make_response(msg, initiator, index, receiver);
	bad_in(from, msg, sizeof(msg));
	count_evil();
}

/* A counter that was there, the next ones, or anything. */
static uint64_t some_counter(void)
{
	switch (dice(3)) {
	case 0:
		return dice((uint32_t)m.counter + 1);
	case 1:
		return m.counter + dice(100);
	default:
		return dice(1u << 30);
	}
}

static void bad_data(const union hd_addr *from, uint32_t index)
{
	unsigned own = in_name_of(from);
	uint64_t counter = some_counter();
	uint8_t msg[64];

	if (own < 2 && index == m.live[!own] && counter < m.counter + WINDOW)
		m.forged[own] = HD_MAX(m.forged[own], counter);
	net_make_data(msg, sizeof(msg), index, counter);
	bad_in(from, msg, sizeof(msg));
	count_evil();
}

static void bad_cookie(const union hd_addr *from)
{
	uint8_t msg[WG_COOKIE_BYTES] = { WG_COOKIE };

	wg_put32(msg + 4, some_index());
	bad_in(from, msg, sizeof(msg));
	count_evil();
}

/* A whole session, as it should be. */
static void bad_session(void)
{
	const union hd_addr *x = somewhere(), *y = somewhere();
	uint32_t i = some_index(), k = some_index();
	unsigned a = dice(2);

	bad_init(x, !a + 1, i);
	bad_response(y, a + 1, k, i);
	bad_data(x, k);
	bad_data(y, i);
}

static void attack(void)
{
	const union hd_addr *from = somewhere();

	net_clear();
	switch (dice(6)) {
	case 0:
		bad_init(from, 1 + dice(2), some_index());
		break;
	case 1:
		bad_response(from, 1 + dice(2), some_index(), some_index());
		break;
	case 2:
		bad_cookie(from);
		break;
	case 3:
		bad_session();
		break;
	default:
		bad_data(from, some_index());
	}
}

static void begin(unsigned seed)
{
	m = (struct model){ .seed = seed, .next = 0x70000000 };
	srandom(seed);
	net_start();
	for (unsigned i = 0; i < 2; i++) {
		m.at[i] = net_addr(1 + i, 1000);
		net_peer(1 + i, NULL);
	}
	for (unsigned i = 0; i < EVILS; i++)
		m.evil[i] = net_addr(66 + i / 2, 600 + i);
	net_link(1, 2);
	net_tunnel(1, &m.at[0], 2, &m.at[1], 0x70000000);
	m.live[0] = 0x70000000;
	m.live[1] = 0x70000001;
	m.made_ms = net.now_ms;
	m.counter = 1;
}

static void run(unsigned seed)
{
	begin(seed);
	for (unsigned i = 0; i < STEPS; i++) {
		attack();
		net_pass(dice(400));
		if (net.now_ms - m.spoke_ms >= 600)
			echo(dice(2));
		if (net.now_ms - m.made_ms >= 120000)
			renew(dice(2));
		if (dice(500) == 0)
			roam(dice(2));
		if (dice(1000) == 0)
			settle();
	}
	settle();
	assert_true(net_out() <= net.bytes_in);
	assert_true(net.e->sessions.used <= WG_LINK_SESSIONS);
	net_stop();
}

static void many_seeds(void **state)
{
	const char *seeds = getenv("HD_SEEDS");
	unsigned first = 1, last = getenv("HD_LONG") != NULL ? 1000 : 30;

	(void)state;
	if (seeds != NULL)
		assert_int_equal(sscanf(seeds, "%u-%u", &first, &last), 2);
	for (unsigned i = first; i <= last; i++)
		run(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
