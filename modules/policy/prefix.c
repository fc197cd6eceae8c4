/* SPDX-License-Identifier: MIT */
/* modules/policy/prefix.c - prefixes of addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "modules/policy/policy.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

enum { MAPPED_BITS = 96 };

/* Returns how many bits the text's kind of address has; 0: no address. */
static unsigned address_parse(const char *text, uint8_t ret[static 16])
{
	if (inet_pton(AF_INET6, text, ret) == 1)
		return 128;
	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret + sizeof(mapped)) == 1 ? 32 : 0;
}

/* Returns -1: no number of so many bits. */
static int bits_parse(const char *text, unsigned max)
{
	char *end;
	unsigned long n;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	n = strtoul(text, &end, 10);
	return *end == '\0' && n <= max ? (int)n : -1;
}

static bool bit(const uint8_t *addr, unsigned i)
{
	return addr[i / 8] & (0x80 >> i % 8);
}

int policy_prefix_parse(const char *text, struct policy_prefix *ret)
{
	char addr[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "/");
	unsigned kind;
	int bits;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	kind = address_parse(addr, ret->addr);
	if (kind == 0)
		return -EINVAL;
	bits = text[n] == '/' ? bits_parse(text + n + 1, kind) : (int)kind;
	if (bits < 0)
		return -EINVAL;
	ret->bits = (unsigned)bits + (kind == 32 ? MAPPED_BITS : 0);
	for (unsigned i = ret->bits; i < 128; i++)
		if (bit(ret->addr, i))
			return -EDOM;
	return 0;
}

static void bytes_of(const union hd_addr *addr, uint8_t ret[static 16])
{
	if (addr->sa.sa_family == AF_INET6) {
		memcpy(ret, &addr->in6.sin6_addr, 16);
		return;
	}
	memcpy(ret, mapped, sizeof(mapped));
	memcpy(ret + sizeof(mapped), &addr->in.sin_addr, 4);
}

/* "::/0" is all of IPv6, and no IPv4 client, whatever its listener makes of its
 * address: who lets in by one family does not think of the other. */
bool policy_prefix_has(const struct policy_prefix *p, const union hd_addr *addr)
{
	uint8_t bytes[16];
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	bytes_of(addr, bytes);
	if (p->bits < MAPPED_BITS &&
	    memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return false;
	return memcmp(bytes, p->addr, whole) == 0 &&
	       (rest == 0 ||
		((bytes[whole] ^ p->addr[whole]) >> (8 - rest)) == 0);
}
