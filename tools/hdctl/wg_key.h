/* SPDX-License-Identifier: MIT */
/* tools/hdctl/wg_key.h - key pairs of WireGuard, in base64 as wg(8) has them.
 */
#pragma once
#include <stdbool.h>

enum { WG_KEY_CHARS = 44, WG_KEY_TEXT_BYTES = WG_KEY_CHARS + 1 };

struct wg_key_pair {
	char secret[WG_KEY_TEXT_BYTES], public[WG_KEY_TEXT_BYTES];
};

/* wg_key_make - a new pair, as `wg genkey` does. wg_key_forget - wipe it.
 * wg_key_public - what belongs to the secret of which text has the first
 * WG_KEY_CHARS; returns whether it is one.
 * wg_key_make returns false where there is no randomness. */
bool wg_key_make(struct wg_key_pair *ret);
void wg_key_forget(struct wg_key_pair *pair);
bool wg_key_public(const char *text, char ret[WG_KEY_TEXT_BYTES]);
