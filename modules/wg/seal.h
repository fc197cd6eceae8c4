/* SPDX-License-Identifier: MIT */
/* modules/wg/seal.h - whether a file is whole: its last bytes say what all
 * before them must be. */
#pragma once
#include <hyper-derp/base.h>

#define WG_SEAL_BYTES 32

/* wg_seal_make - the SHA-256 of n bytes. */
void wg_seal_make(const void *data, size_t n, uint8_t ret[WG_SEAL_BYTES]);
