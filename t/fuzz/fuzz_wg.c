/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_wg.c - datagrams from a few addresses to the engine of wg, with
 * time between them. Two peers have a tunnel; whatever comes from elsewhere,
 * they keep it, and never does more go out than came in.
 *
 * Each datagram is: address and flags, milliseconds, length (2), its bytes.
 * A flag makes mac1 right for one of the peers: a fuzzer cannot. */
#include "t/unit/wg_net.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { HEAD = 4, MAC1 = 0x80, COOKIE = 0x40 };

static void begin(void)
{
	net_pair(4);
	net_link(1, 3);
	net_link(3, 4);
	net_tunnel(1, &a_at, 2, &b_at, 10);
}

/* The bytes of the input, where mac1 leaves them. */
static void make(uint8_t *m, size_t len, uint8_t flags)
{
	unsigned to = m[0] % 5;
	uint32_t index = len >= 8 ? wg_get32(m + 4) % 64 : 0;

	if (!(flags & MAC1))
		return;
	if (len == WG_INIT_BYTES)
		net_make_init(m, to, index, NULL);
	else if (len == WG_RESPONSE_BYTES)
		net_make_response(m, to, index + 1, index);
	else if (len >= WG_DATA_MIN_BYTES)
		net_make_data(m, len, index, m[8]);
}

static void one(uint8_t flags, uint8_t *m, size_t len)
{
	union hd_addr from = net_addr(60 + (flags & 7), 600);

	make(m, len, flags);
	if ((flags & COOKIE) && len == WG_INIT_BYTES)
		net_init(&from, m[0] % 5, m[4]);
	else
		net_in(&from, m, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	begin();
	while (n >= HEAD) {
		uint8_t m[1024], flags = p[0];
		size_t len = (size_t)p[2] << 8 | p[3];

		net_pass((uint64_t)p[1] * 8);
		p += HEAD;
		n -= HEAD;
		len = HD_MIN(HD_MIN(len, n), sizeof(m));
		memcpy(m, p, len);
		p += len;
		n -= len;
		one(flags, m, len);
	}
	if (net.now_ms < 1000000 + WG_REJECT_AFTER_MS) {
		net_data(&b_at, 10, 1, 64);
		hd_assert(net_to(&a_at) != NULL);
	}
	hd_assert(net_at(1, &a_at) && net_at(2, &b_at));
	hd_assert(net_out() <= net.bytes_in);
	hd_assert(net.e->sum.copied_bytes <= net.bytes_out);
	hd_assert(net.e->sessions.used <= 3u * WG_LINK_SESSIONS);
	net_stop();
	return 0;
}
