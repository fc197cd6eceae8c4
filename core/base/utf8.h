/* SPDX-License-Identifier: MIT */
/* core/base/utf8.h - is it UTF-8? Context: any. */
#pragma once
#include <hyper-derp/base.h>

/* hd_utf8_prefix - how many of n bytes are whole characters of UTF-8 (RFC 3629:
 * no surrogates, nothing longer than needed, nothing above U+10FFFF) up to the
 * first that is none, or is cut off. */
size_t hd_utf8_prefix(const void *text, size_t n);

static inline bool hd_utf8_valid(const void *text, size_t n)
{
	return hd_utf8_prefix(text, n) == n;
}
