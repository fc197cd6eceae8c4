/* SPDX-License-Identifier: MIT */
/* core/conf/conf_number.c - numbers with units, addresses and keys as text. */
#include "core/conf/conf_number.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* The largest first; the one named "" is what a bare number has. */
static const struct unit durations[] = {
	{ "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
	{ "ms", 1 },	  { "", 1000 },	  { NULL, 0 },
};
static const struct unit sizes[] = {
	{ "TiB", 1ull << 40 }, { "GiB", 1 << 30 }, { "MiB", 1 << 20 },
	{ "KiB", 1 << 10 },    { "", 1 },	   { NULL, 0 },
};
static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(enum hd_option_type type)
{
	return type == HD_OPTION_DURATION_MS  ? durations
	       : type == HD_OPTION_SIZE_BYTES ? sizes
					      : plain;
}

int hd_number_parse(enum hd_option_type type, const char *text, uint64_t *ret)
{
	const struct unit *u = units_of(type);
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)text[0])) /* strtoull() takes "-1" */
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0)
		return -ERANGE;
	while (u->name != NULL && strcmp(u->name, end) != 0)
		u++;
	if (u->name == NULL)
		return -EINVAL;
	return __builtin_mul_overflow(v, u->factor, ret) ? -ERANGE : 0;
}

const char *hd_number_text(enum hd_option_type type, uint64_t v,
			   char buf[HD_NUMBER_TEXT_BYTES])
{
	const struct unit *u = units_of(type);

	while (u[1].name != NULL && (v == 0 || v % u->factor != 0))
		u++;
	if (v == 0)
		snprintf(buf, HD_NUMBER_TEXT_BYTES, "0");
	else
		snprintf(buf, HD_NUMBER_TEXT_BYTES, "%" PRIu64 "%s",
			 v / u->factor, u->name);
	return buf;
}

const char *hd_number_form(enum hd_option_type type)
{
	return type == HD_OPTION_DURATION_MS
		       ? "a time, as in 500ms, 10s, 5m or 2h"
	       : type == HD_OPTION_SIZE_BYTES
		       ? "a size, as in 4096, 256KiB or 1MiB"
		       : "a whole number";
}

static int parse_port(const char *text, in_port_t *ret_port)
{
	uint64_t v;

	if (hd_number_parse(HD_OPTION_UINT, text, &v) < 0 || v > UINT16_MAX)
		return -EINVAL;
	*ret_port = htons((uint16_t)v);
	return 0;
}

static int parse_v6(const char *host, const char *port, union hd_addr *ret)
{
	ret->in6.sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, host, &ret->in6.sin6_addr) != 1)
		return -EINVAL;
	return parse_port(port, &ret->in6.sin6_port);
}

static int parse_v4(const char *host, const char *port, union hd_addr *ret)
{
	ret->in.sin_family = AF_INET;
	if (inet_pton(AF_INET, host, &ret->in.sin_addr) != 1)
		return -EINVAL;
	return parse_port(port, &ret->in.sin_port);
}

int hd_addr_parse(const char *text, union hd_addr *ret_addr)
{
	char buf[HD_ADDR_TEXT_BYTES];
	size_t len = strlen(text);
	char *colon;

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len + 1);
	colon = strrchr(buf, ':');
	if (colon == NULL || colon == buf)
		return -EINVAL;
	*colon = '\0';
	if (buf[0] != '[')
		return parse_v4(buf, colon + 1, ret_addr);
	if (colon[-1] != ']')
		return -EINVAL;
	colon[-1] = '\0';
	return parse_v6(buf + 1, colon + 1, ret_addr);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c == '\0' ? NULL : strchr(digits, tolower(c));

	return p == NULL ? -EINVAL : (int)(p - digits);
}

int hd_key_parse(const char *text, struct hd_key *ret_key)
{
	if (strlen(text) != (size_t)2 * HD_KEY_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < HD_KEY_BYTES; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret_key->b[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
