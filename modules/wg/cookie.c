/* SPDX-License-Identifier: MIT */
/* modules/wg/cookie.c - cookies that the relay makes itself.
 *
 * A cookie reply is encrypted under a key made from the responder's public key,
 * so a relay can ask an address to prove itself without the responder. What
 * the address then sends as mac2 is checked without any state (whitepaper,
 * section 5.4.7). */
#include <sodium.h>
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

void wg_cookie_rotate(struct wg_engine *e)
{
	if (e->secret_ms != 0 && e->now_ms - e->secret_ms < WG_COOKIE_MS)
		return;
	memcpy(e->secret[1], e->secret[0], sizeof(e->secret[0]));
	randombytes_buf(e->secret[0], sizeof(e->secret[0]));
	if (e->secret_ms == 0)
		randombytes_buf(e->secret[1], sizeof(e->secret[1]));
	e->secret_ms = e->now_ms;
}

static void make_cookie(const uint8_t secret[32], const struct wg_addr *from,
			uint8_t cookie[WG_MAC_BYTES])
{
	crypto_generichash(cookie, WG_MAC_BYTES, (const uint8_t *)from,
			   sizeof(*from), secret, 32);
}

bool wg_cookie_verify(const struct wg_engine *e, const struct wg_addr *from,
		      const uint8_t *message, size_t mac2_at)
{
	const uint8_t *mac2 = message + mac2_at;
	struct wg_mac1_key key;
	const struct wg_mac1_key *keys[] = { &key };
	uint8_t cookie[WG_MAC_BYTES];

	if (sodium_is_zero(mac2, WG_MAC_BYTES))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		make_cookie(e->secret[i], from, cookie);
		wg_mac_key_set(&key, cookie, sizeof(cookie));
		if (wg_mac1_try(keys, 1, message, mac2_at, mac2) == 0)
			return true;
	}
	return false;
}

int wg_cookie_reply(const struct wg_engine *e, const struct wg_peer *to,
		    const struct wg_addr *from, const uint8_t *message,
		    size_t mac1_at, uint8_t *ret)
{
	uint8_t key[32], cookie[WG_MAC_BYTES];
	int r = wg_label_hash("cookie--", to->key, key);

	if (r < 0)
		return r;
	make_cookie(e->secret[0], from, cookie);
	wg_put32(ret, WG_COOKIE);
	memcpy(ret + WG_RECEIVER_OF_COOKIE, message + WG_SENDER, 4);
	randombytes_buf(ret + WG_COOKIE_NONCE, 24);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		ret + WG_COOKIE_BOX, NULL, cookie, sizeof(cookie),
		message + mac1_at, WG_MAC_BYTES, NULL, ret + WG_COOKIE_NONCE,
		key);
	return 0;
}

void wg_cookie_demand(struct wg_engine *e, const struct wg_in *in,
		      const struct wg_peer *to, size_t mac1_at)
{
	uint8_t reply[WG_COOKIE_BYTES];
	struct wg_in out = { .data = reply, .len = sizeof(reply) };

	if (wg_cookie_reply(e, to, &in->from, in->data, mac1_at, reply) < 0)
		return;
	e->sum.cookies_sent++;
	hd_count(&e->metrics->cookies, 1);
	wg_forward(e, &out, &in->from, &in->local);
}
