/* SPDX-License-Identifier: MIT */
/* t/unit/policy_key.h - keys of one byte, and two of them as text. */
#pragma once
#include <hyper-derp/base.h>
#include <string.h>

static inline struct hd_key key_of(unsigned char c)
{
	struct hd_key k;

	memset(&k, c, sizeof(k));
	return k;
}

#define AA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BB "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
