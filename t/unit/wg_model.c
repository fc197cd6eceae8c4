/* SPDX-License-Identifier: MIT */
/* t/unit/wg_model.c - the table of sessions against a small model that knows
 * who is who: two peers with real sessions, which they renew and move, and
 * attackers who send every kind of packet, with forged sources, indexes that
 * they saw, and hosts of their own, in random order.
 *
 * Always: what the two send each other arrives; a new handshake is through at
 * the second try; attackers get at most three times what they sent; no endpoint
 * is an attacker; the table stays bounded. 30 seeds, 50 with
 * HD_LONG. t/system/wg-seeded.t puts mistakes into the engine, which this must
 * find. */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"
#include <stdlib.h>

enum { EVILS = 6, STEPS = 1500 };

static struct model {
	unsigned seed;
	union hd_addr at[2], evil[EVILS];
	uint32_t live[2]; /* what they listen at */
	uint64_t made_ms, spoke_ms, counter;
	uint32_t next;
	uint64_t evil_in, evil_out;
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
				m.evil_out += net.sent[i].len;
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
	net_data(&m.at[who], m.live[!who], ++m.counter, 96);
	count_evil();
	return arrived(&m.at[!who], WG_DATA, 96);
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
	static uint8_t cookie[16];
	static bool has_cookie;
	uint8_t msg[WG_INIT_BYTES];

	net_clear();
	net_make_init(msg, !who + 1, index, has_cookie ? cookie : NULL);
	net_in(&m.at[who], msg, sizeof(msg));
	count_evil();
	has_cookie = net_open_cookie(net_to(&m.at[who]), !who + 1, msg, cookie);
	return arrived(&m.at[!who], WG_INIT, WG_INIT_BYTES);
}

static void renew(unsigned who)
{
	uint32_t i = m.next += 2;
	bool there = ask(who, i);

	if (!there) {
		net_pass(5000);
		i = m.next += 2;
		there = ask(who, i);
	}
	if (!there)
		fail_msg("seed %u: no handshake at the second try", m.seed);
	net_response(&m.at[!who], who + 1, i + 1, i);
	if (!arrived(&m.at[who], WG_RESPONSE, WG_RESPONSE_BYTES))
		fail_msg("seed %u: a response is lost", m.seed);
	m.live[who] = i;
	m.live[!who] = i + 1;
	m.made_ms = net.now_ms;
	m.counter = 0;
	say(who);
	say(!who);
}

/* A new mapping in the middle of traffic, then the handshake that follows. */
static void roam(unsigned who)
{
	net_pass(1500);
	echo(who);
	m.at[who] = net_addr(1 + who, 1000 + dice(60000));
	for (unsigned i = 0; i < 20; i++, net_pass(100)) {
		say(who);
		is_heard(!who); /* within 2 s, if somebody just claimed it */
	}
	for (unsigned i = 0; i < 10; i++, net_pass(100))
		echo(who);
	renew(who);
	for (unsigned i = 0; i < 40; i++, net_pass(500))
		echo(who);
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

static void bad_init(const union hd_addr *from)
{
	uint8_t msg[WG_INIT_BYTES], cookie[16];
	unsigned to = 1 + dice(2);
	uint32_t index = some_index();

	net_make_init(msg, to, index, NULL);
	net_in(from, msg, sizeof(msg));
	if (from == &m.at[0] || from == &m.at[1] ||
	    !net_open_cookie(net_to(from), to, msg, cookie))
		return; /* what comes back to a forged address is not seen */
	net_make_init(msg, to, index, cookie);
	net_in(from, msg, sizeof(msg));
	m.evil_in += sizeof(msg);
}

/* Forged in the name of a peer with its live index, a counter that looks fresh
 * makes the peer's own data look seen before, when it comes from a new address
 * next (doc/wireguard.md). Not here: the model lets it move at any time. */
static void bad_data(const union hd_addr *from, uint32_t index)
{
	bool own = from == &m.at[0] || from == &m.at[1];

	net_data(from, index, own ? dice((uint32_t)m.counter + 1) : dice(1u << 30),
		 64);
	m.evil_in += 64;
}

static void bad_cookie(const union hd_addr *from)
{
	uint8_t msg[WG_COOKIE_BYTES] = { WG_COOKIE };

	wg_put32(msg + 4, some_index());
	net_in(from, msg, sizeof(msg));
}

/* A whole session, as it should be. */
static void bad_session(void)
{
	const union hd_addr *x = somewhere(), *y = somewhere();
	uint32_t i = some_index(), k = some_index();
	unsigned a = dice(2);
	uint8_t msg[WG_INIT_BYTES];

	net_make_init(msg, !a + 1, i, NULL);
	net_in(x, msg, sizeof(msg));
	net_response(y, a + 1, k, i);
	count_evil();
	bad_data(x, k);
	count_evil();
	bad_data(y, i);
	m.evil_in += WG_INIT_BYTES + WG_RESPONSE_BYTES;
}

static void attack(void)
{
	const union hd_addr *from = somewhere();

	net_clear();
	switch (dice(6)) {
	case 0:
		bad_init(from);
		m.evil_in += WG_INIT_BYTES;
		break;
	case 1:
		net_response(from, 1 + dice(2), some_index(), some_index());
		m.evil_in += WG_RESPONSE_BYTES;
		break;
	case 2:
		bad_cookie(from);
		m.evil_in += WG_COOKIE_BYTES;
		break;
	case 3:
		bad_session();
		break;
	default:
		bad_data(from, some_index());
	}
	count_evil();
}

static void run(unsigned seed)
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
	for (unsigned i = 0; i < STEPS; i++) {
		attack();
		net_pass(dice(400));
		if (net.now_ms - m.spoke_ms >= 600)
			echo(dice(2));
		if (net.now_ms - m.made_ms >= 120000)
			renew(dice(2));
		if (dice(500) == 0)
			roam(dice(2));
	}
	for (unsigned i = 0; i < EVILS; i++)
		assert_false(net_at(1, &m.evil[i]) || net_at(2, &m.evil[i]));
	assert_true(m.evil_out <= 3 * m.evil_in);
	assert_true(net_out() <= net.bytes_in);
	assert_true(net.e->sessions.used <= WG_LINK_SESSIONS);
	net_stop();
}

static void many_seeds(void **state)
{
	unsigned n = getenv("HD_LONG") != NULL ? 50 : 30;

	(void)state;
	for (unsigned i = 1; i <= n; i++)
		run(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
