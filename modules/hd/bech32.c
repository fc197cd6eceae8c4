/* SPDX-License-Identifier: MIT */
/* modules/hd/bech32.c - five bits a character; the checksum is a BCH code over
 * the human-readable part and the data. No library of Debian has it for C. */
#include "modules/hd/bech32.h"
#include <errno.h>
#include <string.h>

#define CHECKSUM_CHARS 6
#define CONSTANT 0x2bc830a3u /* of Bech32m */

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint32_t step(uint32_t sum, uint8_t five)
{
	static const uint32_t generator[] = { 0x3b6a57b2, 0x26508e6d,
					      0x1ea119fa, 0x3d4233dd,
					      0x2a1462b3 };
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ five;
	for (unsigned i = 0; i < HD_ARRAY_N(generator); i++)
		if (top >> i & 1)
			sum ^= generator[i];
	return sum;
}

static uint32_t begin(const char *part)
{
	uint32_t sum = 1;

	for (const char *p = part; *p != '\0'; p++)
		sum = step(sum, (uint8_t)*p >> 5);
	sum = step(sum, 0);
	for (const char *p = part; *p != '\0'; p++)
		sum = step(sum, *p & 31);
	return sum;
}

static char *checksum_put(char *to, uint32_t sum)
{
	for (unsigned i = 0; i < CHECKSUM_CHARS; i++)
		sum = step(sum, 0);
	sum ^= CONSTANT;
	for (unsigned i = 0; i < CHECKSUM_CHARS; i++)
		*to++ = alphabet[sum >> 5 * (CHECKSUM_CHARS - 1 - i) & 31];
	*to = '\0';
	return to;
}

/* The i-th five bits of n bytes; behind their end there are zeros. */
static uint8_t five_of(const uint8_t *v, size_t n, size_t i)
{
	size_t bit = 5 * i, at = bit / 8;
	unsigned two = (unsigned)v[at] << 8 | (at + 1 < n ? v[at + 1] : 0);

	return two >> (11 - bit % 8) & 31;
}

char *hdp_bech32_text(const char *part, const uint8_t *v, size_t n, char *text,
		      size_t size)
{
	size_t fives = (8 * n + 4) / 5, part_n = strlen(part);
	uint32_t sum = begin(part);
	char *to = text + part_n;

	hd_assert(size >= part_n + 1 + fives + CHECKSUM_CHARS + 1);
	memcpy(text, part, part_n);
	*to++ = '1';
	for (size_t i = 0; i < fives; i++) {
		uint8_t five = five_of(v, n, i);

		sum = step(sum, five);
		*to++ = alphabet[five];
	}
	checksum_put(to, sum);
	return text;
}

/* ---- reading ---- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool mixed(const char *text)
{
	bool upper = false, small = false;

	for (; *text != '\0'; text++) {
		upper |= *text >= 'A' && *text <= 'Z';
		small |= *text >= 'a' && *text <= 'z';
	}
	return upper && small;
}

static bool has_part(const char *part, const char *text)
{
	for (; *part != '\0'; part++, text++)
		if (lower(*text) != *part)
			return false;
	return *text == '1';
}

/* Returns -1: not of the alphabet. */
static int five_in(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, lower(c)) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

static void put_five(uint8_t *v, size_t n, size_t i, int five)
{
	size_t bit = 5 * i, at = bit / 8;
	unsigned two = (unsigned)five << (11 - bit % 8);

	v[at] |= (uint8_t)(two >> 8);
	if (at + 1 < n)
		v[at + 1] |= (uint8_t)two;
}

/* Bits behind the last byte must be zero: a key has one text. */
static bool ends_clean(size_t n, int last_five)
{
	size_t spare = (5 - 8 * n % 5) % 5;

	return (last_five & ((1 << spare) - 1)) == 0;
}

int hdp_bech32_bytes(const char *part, const char *text, uint8_t *v, size_t n)
{
	size_t fives = (8 * n + 4) / 5;
	uint32_t sum = begin(part);

	if (!has_part(part, text) || mixed(text))
		return -EINVAL;
	text += strlen(part) + 1;
	if (strlen(text) != fives + CHECKSUM_CHARS)
		return -EINVAL;
	memset(v, 0, n);
	for (size_t i = 0; i < fives + CHECKSUM_CHARS; i++) {
		int five = five_in(text[i]);

		if (five < 0 || (i == fives - 1 && !ends_clean(n, five)))
			return -EINVAL;
		sum = step(sum, (uint8_t)five);
		if (i < fives)
			put_five(v, n, i, five);
	}
	return sum == CONSTANT ? 0 : -EINVAL;
}
