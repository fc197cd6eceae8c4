/* SPDX-License-Identifier: MIT */
/* core/base/utf8.h - is it UTF-8, and may it be shown? Context: any. */
#pragma once
#include <hyper-derp/base.h>

/* hd_utf8_prefix - how many of n bytes are whole characters of UTF-8 (RFC 3629:
 * no surrogates, nothing longer than needed, nothing above U+10FFFF) up to the
 * first that is none, or is cut off. */
size_t hd_utf8_prefix(const void *text, size_t n);

/* hd_utf8_clean - a name that others chose, for a line of text: what is no
 * UTF-8, controls, and marks that turn the direction of writing become ?, a
 * quotation mark '. Cut off between two characters.
 * @size  of ret, with its NUL */
void hd_utf8_clean(const char *text, char *ret, size_t size);

static inline bool hd_utf8_valid(const void *text, size_t n)
{
	return hd_utf8_prefix(text, n) == n;
}
