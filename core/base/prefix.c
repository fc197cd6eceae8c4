/* SPDX-License-Identifier: MIT */
/* core/base/prefix.c - prefixes of addresses. */
#include "core/base/prefix.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

enum { ALL_BITS = 128, MAPPED_BITS = 96 };

/* Returns how many bits stand before the address in ret; -EINVAL: no address.
 */
static int parse_address(const char *text, uint8_t ret[static 16])
{
	if (inet_pton(AF_INET6, text, ret) == 1)
		return 0;
	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret + sizeof(mapped)) == 1 ? MAPPED_BITS
								   : -EINVAL;
}

/* One to three digits. Returns -EINVAL: others. */
static int parse_bits(const char *text)
{
	size_t n = strspn(text, "0123456789");
	int bits = 0;

	if (n == 0 || n > 3 || text[n] != '\0')
		return -EINVAL;
	for (; *text != '\0'; text++)
		bits = 10 * bits + (*text - '0');
	return bits;
}

/* The bits of byte i that belong to a prefix of so many bits. */
static uint8_t mask_of(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0xff;
	return bits > 8 * i ? (uint8_t)(0xff << (8 - bits % 8)) : 0;
}

static bool has_more_bits(const struct hd_prefix *p)
{
	for (unsigned i = 0; i < sizeof(p->addr); i++)
		if ((p->addr[i] & ~mask_of(p->bits, i)) != 0)
			return true;
	return false;
}

int hd_prefix_parse(const char *text, struct hd_prefix *ret)
{
	char addr[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "/");
	int before, bits = ALL_BITS;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	before = parse_address(addr, ret->addr);
	if (before < 0)
		return before;
	if (text[n] == '/') {
		bits = parse_bits(text + n + 1);
		if (bits < 0 || bits > ALL_BITS - before)
			return -EINVAL;
		bits += before;
	}
	ret->bits = (uint8_t)bits;
	return has_more_bits(ret) ? -EDOM : 0;
}

bool hd_prefix_is_all(const struct hd_prefix *p)
{
	return p->bits == 0 || (p->bits == MAPPED_BITS &&
				memcmp(p->addr, mapped, sizeof(mapped)) == 0);
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

struct hd_prefix hd_prefix_of(const union hd_addr *addr, unsigned bits)
{
	struct hd_prefix p = { .bits = ALL_BITS };

	bytes_of(addr, p.addr);
	if (memcmp(p.addr, mapped, sizeof(mapped)) == 0)
		return p;
	p.bits = (uint8_t)bits;
	for (unsigned i = 0; i < sizeof(p.addr); i++)
		p.addr[i] &= mask_of(bits, i);
	return p;
}

/* Who lets in by one family does not think of the other: an IPv4 client is in
 * no prefix that is shorter than the one in which all of IPv4 stands. */
static bool has(const struct hd_prefix *p, const uint8_t addr[static 16])
{
	unsigned whole = p->bits / 8;

	if (p->bits < MAPPED_BITS && memcmp(addr, mapped, sizeof(mapped)) == 0)
		return false;
	return memcmp(p->addr, addr, whole) == 0 &&
	       (p->bits % 8 == 0 || ((p->addr[whole] ^ addr[whole]) &
				     mask_of(p->bits, whole)) == 0);
}

bool hd_prefix_has(const struct hd_prefix *p, const union hd_addr *addr)
{
	uint8_t bytes[16];

	bytes_of(addr, bytes);
	return has(p, bytes);
}

bool hd_prefixes_have(const struct hd_prefixes *list, const union hd_addr *addr)
{
	uint8_t bytes[16];

	bytes_of(addr, bytes);
	for (size_t i = 0; i < list->n; i++)
		if (has(&list->v[i], bytes))
			return true;
	return false;
}
