/* SPDX-License-Identifier: MIT */
/* t/unit/policy_key.h - keys of one byte, and two of them as text;
 * addresses from text. */
#pragma once
#include <arpa/inet.h>
#include <hyper-derp/base.h>
#include <string.h>

static inline struct hd_key key_of(unsigned char c)
{
	struct hd_key k;

	memset(&k, c, sizeof(k));
	return k;
}

static inline union hd_addr addr_of(const char *text)
{
	union hd_addr a = { .sa = { .sa_family = AF_INET } };

	if (inet_pton(AF_INET, text, &a.in.sin_addr) != 1) {
		a.sa.sa_family = AF_INET6;
		hd_assert(inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1);
	}
	return a;
}

#define AA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BB "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
