/* SPDX-License-Identifier: MIT */
/* modules/wg/wire.h - what a relay reads of WireGuard's messages (whitepaper,
 * section 5.4). Numbers are little-endian. */
#pragma once
#include <stdint.h>

enum wg_type { WG_INIT = 1, WG_RESPONSE, WG_COOKIE, WG_DATA };

enum {
	WG_INIT_BYTES = 148,
	WG_RESPONSE_BYTES = 92,
	WG_COOKIE_BYTES = 64,
	WG_DATA_MIN_BYTES = 32, /* a keepalive */

	WG_SENDER = 4, /* in WG_INIT and WG_RESPONSE */
	WG_RECEIVER_OF_RESPONSE = 8,
	WG_RECEIVER_OF_COOKIE = 4,
	WG_RECEIVER_OF_DATA = 4,
	WG_COUNTER = 8, /* in WG_DATA */

	WG_INIT_MAC1 = 116,
	WG_INIT_MAC2 = 132,
	WG_RESPONSE_MAC1 = 60,
	WG_RESPONSE_MAC2 = 76,
	WG_COOKIE_NONCE = 8,
	WG_COOKIE_BOX = 32,
};

static inline uint32_t wg_get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t wg_get64(const uint8_t *p)
{
	return wg_get32(p) | (uint64_t)wg_get32(p + 4) << 32;
}

static inline void wg_put32(uint8_t *p, uint32_t n)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> 8 * i);
}
