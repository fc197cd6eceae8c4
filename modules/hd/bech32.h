/* SPDX-License-Identifier: MIT */
/* modules/hd/bech32.h - Bech32m: bytes as text that people copy, with a
 * checksum. Source: BIP 350 (BIP 173 for all but the constant). */
#pragma once
#include <hyper-derp/base.h>

/* hdp_bech32_text - @size  at least strlen(part) + 8 + (8 n + 4) / 5
 * Returns text.
 * hdp_bech32_bytes - of a text of that part and exactly n bytes. Returns 0;
 * -EINVAL another part, other characters, another length, a wrong checksum. */
char *hdp_bech32_text(const char *part, const uint8_t *v, size_t n, char *text,
		      size_t size);
int hdp_bech32_bytes(const char *part, const char *text, uint8_t *v, size_t n);
