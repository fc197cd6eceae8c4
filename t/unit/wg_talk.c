/* SPDX-License-Identifier: MIT */
/* t/unit/wg_talk.c - what peers say to the relay: see wg_net.h. */
#include "t/unit/wg_net.h"
#include <stdlib.h>

union hd_addr a_at, b_at, evil, evil2;

void net_pair(unsigned n)
{
	net_start();
	a_at = net_addr(1, 1000);
	b_at = net_addr(2, 2000);
	evil = net_addr(66, 666);
	evil2 = net_addr(67, 667);
	for (unsigned i = 1; i <= n; i++)
		net_peer(i, NULL);
	net_link(1, 2);
}

void net_init(const union hd_addr *from, unsigned to, uint32_t index)
{
	uint8_t m[WG_INIT_BYTES], cookie[16];

	net_clear();
	net_make_init(m, to, index, NULL);
	net_in(from, m, sizeof(m));
	if (!net_open_cookie(net_to(from), to, m, cookie))
		return;
	net_clear();
	net_make_init(m, to, index, cookie);
	net_in(from, m, sizeof(m));
}

void net_response(const union hd_addr *from, unsigned initiator,
		  uint32_t index, uint32_t receiver)
{
	uint8_t m[WG_RESPONSE_BYTES];

	net_clear();
	net_make_response(m, initiator, index, receiver);
	net_in(from, m, sizeof(m));
}

void net_data(const union hd_addr *from, uint32_t receiver, uint64_t counter,
	      size_t len)
{
	uint8_t *m = malloc(len);

	net_clear();
	net_make_data(m, len, receiver, counter);
	net_in(from, m, len);
	free(m);
}

void net_tunnel(unsigned a, const union hd_addr *x, unsigned b,
		const union hd_addr *y, uint32_t i)
{
	net_init(y, a, i + 100000); /* so that b may be found */
	net_pass(1000);
	net_rekey(a, x, b, y, i);
}

void net_rekey(unsigned a, const union hd_addr *x, unsigned b,
	       const union hd_addr *y, uint32_t i)
{
	net_init(x, b, i);
	hd_assert(net_to(y) != NULL && net_to(y)->len == WG_INIT_BYTES);
	net_response(y, a, i + 1, i);
	hd_assert(net_to(x) != NULL && net_to(x)->len == WG_RESPONSE_BYTES);
	net_data(x, i + 1, 0, 32);
	hd_assert(net_to(y) != NULL && net_to(y)->len == 32);
	net_data(y, i, 0, 32);
	hd_assert(net_to(x) != NULL && net_to(x)->len == 32);
}
