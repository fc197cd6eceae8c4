/* SPDX-License-Identifier: MIT */
/* t/unit/wg_people.c - see wg_people.h. */
#include "t/unit/wg_people.h"

enum { WINDOW = 20000 /* of counters, and some */ };

struct people m;

/* Of what the two sent (their data; not what asks), or the attackers. */
static uint64_t sent_to(const union hd_addr *to, bool data)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < net.n_sent; i++)
		if (net_is(&net.sent[i].to, to) &&
		    (!data || wg_get32(net.sent[i].data) == WG_DATA))
			n += net.sent[i].len;
	return n;
}

static void count_evil(bool theirs)
{
	for (unsigned k = 0; k < PEOPLE_EVILS; k++) {
		const union hd_addr *to = &m.evil[k];

		if (theirs)
			m.back[k] += sent_to(to, false);
		else
			m.got[k] += sent_to(to, true);
		if (m.got[k] > 100 * m.in[k] || m.back[k] > m.all_in)
			people_fail("an attacker got more than he may");
		if (net_at(1, to) || net_at(2, to))
			people_fail("an attacker is an endpoint");
	}
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
	count_evil(false);
	return there;
}

static void say(unsigned who)
{
	if (!is_heard(who))
		people_fail("data is lost");
}

void people_echo(unsigned first)
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
	count_evil(false);
	return there;
}

/* The others do something meanwhile. */
static void attacks(unsigned n)
{
	for (; n > 0; n--)
		people_attack();
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
	count_evil(false);
	return there;
}

/* Its index led to a session: they use it from now on. */
static void use(unsigned who, uint32_t index)
{
	m.live[who] = index;
	m.live[!who] = index + 1;
	m.made_ms = net.now_ms;
	m.counter = m.forged[0] = m.forged[1] = 0;
	say(who);
	say(!who);
}

void people_renew(unsigned who)
{
	uint32_t i = m.next += 2;
	bool there = ask(who, i);

	for (unsigned k = 0; !there && k < 25; k++, net_pass(200))
		attacks(1);
	if (!there)
		there = ask(who, i = m.next += 2);
	if (!there)
		people_fail("no handshake at the second try");
	attacks(m.dice(3));
	if (!answer(who, i))
		people_fail("a response is lost");
	attacks(m.dice(3));
	use(who, i);
}

bool people_try(unsigned who)
{
	uint32_t i = m.next += 2;

	if (!ask(who, i) || !answer(who, i))
		return false;
	use(who, i);
	return true;
}

static void talk(unsigned first, unsigned n, uint64_t every_ms)
{
	for (; n > 0; n--, net_pass(every_ms))
		people_echo(first);
}

/* Its next data has a counter that was made up at its address, or less: that
 * looks seen before, and does not show that it is there. If it moves then, it
 * has no answer until its handshake (doc/internals/wireguard.md). */
static bool next_looks_old(unsigned who)
{
	return m.counter < m.forged[who];
}

/* A new mapping in the middle of traffic, then the handshake that follows. */
void people_roam(unsigned who)
{
	bool looks_old = next_looks_old(who);

	net_pass(1500);
	people_echo(who);
	m.at[who] = net_addr(1 + who, 1000 + m.dice(60000));
	m.asks[who].has = m.answers[who].has = false;
	if (!looks_old) {
		for (unsigned i = 0; i < 20; i++, net_pass(100)) {
			say(who);
			is_heard(!who); /* if somebody just claimed it */
		}
		talk(who, 10, 100);
	}
	people_renew(who);
	talk(who, 40, 500);
}

/* The attacks pause: both endpoints are where the two are. */
void people_settle(void)
{
	talk(m.dice(2), 60, 500);
	people_renew(m.dice(2));
	talk(m.dice(2), 60, 500);
	for (unsigned i = 0; i < 2; i++)
		if (!net_at(i + 1, &m.at[i]))
			people_fail("one is not known where it is");
}

/* ---- the others ---- */

static const union hd_addr *somewhere(void)
{
	uint32_t i = m.dice(PEOPLE_EVILS + 2);

	return i < PEOPLE_EVILS ? &m.evil[i] : &m.at[i - PEOPLE_EVILS];
}

static uint32_t some_index(void)
{
	uint32_t i = m.dice(10);

	return i < 2 ? m.live[i] : 0x1000 + m.dice(64);
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
	m.all_in += len;
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
	count_evil(true);
	if (!asked || m.dice(2) == 0)
		return;
	net_make_init(msg, to, index, cookie);
	bad_in(from, msg, sizeof(msg));
	count_evil(true);
}

static void bad_response(const union hd_addr *from, unsigned initiator,
			 uint32_t index, uint32_t receiver)
{
	uint8_t msg[WG_RESPONSE_BYTES];

	net_make_response(msg, initiator, index, receiver);
	bad_in(from, msg, sizeof(msg));
	count_evil(true);
}

/* A counter that was there, the next ones, or anything. */
static uint64_t some_counter(void)
{
	switch (m.dice(3)) {
	case 0:
		return m.dice((uint32_t)m.counter + 1);
	case 1:
		return m.counter + m.dice(100);
	default:
		return m.dice(1u << 30);
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
	count_evil(true);
}

static void bad_cookie(const union hd_addr *from)
{
	uint8_t msg[WG_COOKIE_BYTES] = { WG_COOKIE };

	wg_put32(msg + 4, some_index());
	bad_in(from, msg, sizeof(msg));
	count_evil(true);
}

/* A whole session, as it should be. */
static void bad_session(void)
{
	const union hd_addr *x = somewhere(), *y = somewhere();
	uint32_t i = some_index(), k = some_index();
	unsigned a = m.dice(2);

	bad_init(x, !a + 1, i);
	bad_response(y, a + 1, k, i);
	bad_data(x, k);
	bad_data(y, i);
}

void people_attack(void)
{
	const union hd_addr *from = somewhere();

	net_clear();
	switch (m.dice(6)) {
	case 0:
		bad_init(from, 1 + m.dice(2), some_index());
		break;
	case 1:
		bad_response(from, 1 + m.dice(2), some_index(), some_index());
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

void people_begin(const char *name, uint32_t (*dice)(uint32_t n))
{
	m = (struct people){ .name = name, .dice = dice, .next = 0x70000000 };
	net_start();
	for (unsigned i = 0; i < 2; i++) {
		m.at[i] = net_addr(1 + i, 1000);
		net_peer(1 + i, NULL);
	}
	for (unsigned i = 0; i < PEOPLE_EVILS; i++)
		m.evil[i] = net_addr(66 + i / 2, 600 + i);
	net_link(1, 2);
	net_tunnel(1, &m.at[0], 2, &m.at[1], 0x70000000);
	m.live[0] = 0x70000000;
	m.live[1] = 0x70000001;
	m.made_ms = net.now_ms;
	m.counter = 1;
}

void people_end(void)
{
	if (net_out() > net.bytes_in ||
	    net.e->sessions.used > WG_LINK_SESSIONS)
		people_fail("more went out than came in, or the table grew");
	net_stop();
}
