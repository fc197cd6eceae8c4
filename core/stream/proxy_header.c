/* SPDX-License-Identifier: MIT */
/* core/stream/proxy_header.c - the PROXY protocol's header: a line of text
 * (version 1) or a binary block with a checksum (version 2).
 *
 * Section numbers are those of haproxy's doc/proxy-protocol.txt. */
#include "core/stream/proxy_header.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

/* ---- version 1 (section 2.1) ---- */

#define V1_MAX_BYTES 107 /* with CR LF */

static const char v1_begin[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

/* Decimal, no leading zero, up to 65535. */
static bool parse_port(const char *text, in_port_t *ret)
{
	size_t n = strspn(text, "0123456789");
	unsigned port = 0;

	if (n == 0 || n > 5 || text[n] != '\0' || (n > 1 && text[0] == '0'))
		return false;
	for (; *text != '\0'; text++)
		port = 10 * port + (unsigned)(*text - '0');
	*ret = htons((uint16_t)port);
	return port <= UINT16_MAX;
}

/* "192.0.2.1", "443": the line's text has two of each, of one family. */
static bool parse_end(int family, const char *host, const char *port,
		      union hd_addr *ret)
{
	bool v4 = family == AF_INET;
	void *ip = v4 ? (void *)&ret->in.sin_addr : &ret->in6.sin6_addr;

	*ret = (union hd_addr){ .in6 = { .sin6_family = 0 } };
	ret->sa.sa_family = (sa_family_t)family;
	return host != NULL && port != NULL &&
	       inet_pton(family, host, ip) == 1 &&
	       parse_port(port, v4 ? &ret->in.sin_port : &ret->in6.sin6_port);
}

static bool parse_ends(int family, char *line, union hd_addr *ret_client)
{
	const char *from = strsep(&line, " "), *to = strsep(&line, " ");
	const char *from_port = strsep(&line, " ");
	union hd_addr unused;

	/* the last one is all that is left: no fifth */
	return parse_end(family, from, from_port, ret_client) &&
	       parse_end(family, to, line, &unused);
}

/* @line  what stands between "PROXY " and CR LF */
static bool parse_line(char *line, union hd_addr *ret_client)
{
	static const char unknown[] = "UNKNOWN";
	const char *kind = strsep(&line, " ");

	if (strcmp(kind, unknown) == 0)
		return true; /* whatever follows */
	if (strcmp(kind, "TCP4") == 0)
		return parse_ends(AF_INET, line, ret_client);
	return strcmp(kind, "TCP6") == 0 &&
	       parse_ends(AF_INET6, line, ret_client);
}

static int parse_v1(const char *p, size_t n, union hd_addr *ret_client,
		    const char **ret_why)
{
	const char *end = memmem(p, HD_MIN(n, (size_t)V1_MAX_BYTES), "\r\n", 2);
	char line[V1_MAX_BYTES];
	size_t len;

	if (end == NULL)
		return n < V1_MAX_BYTES
			       ? 0
			       : bad(ret_why, "its PROXY line does not end "
					      "within 107 bytes");
	len = (size_t)(end - p) - sizeof(v1_begin);
	memcpy(line, p + sizeof(v1_begin), len);
	line[len] = '\0';
	if (strlen(line) != len || !parse_line(line, ret_client))
		return bad(ret_why, "its PROXY line is wrong");
	return (int)(end + 2 - p);
}

/* ---- version 2 (section 2.2) ---- */

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
				       0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 }; /* version and command */
enum { V2_TCP4 = 0x11, V2_TCP6 = 0x21 }; /* family and transport */
enum { V2_FAMILIES = 4, V2_TRANSPORTS = 3 };
enum { V2_COMMAND_AT = 12, V2_FAMILY_AT = 13, V2_LEN_AT = 14 };

#define V2_HEAD_BYTES 16

static unsigned number16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t number32(const uint8_t *p)
{
	return (uint32_t)number16(p) << 16 | number16(p + 2);
}

/* Castagnoli's polynomial, reflected (RFC 9260, appendix A). */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n > 0; n--, p++) {
		crc ^= *p;
		for (unsigned i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* Section 2.2.3: of the whole header, with zeros in place of the sum.
 * @at  the sum in it */
static bool sum_is_right(const uint8_t *p, size_t len, const uint8_t *at)
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(UINT32_MAX, p, (size_t)(at - p));

	crc = crc32c(crc, zeros, sizeof(zeros));
	crc = crc32c(crc, at + 4, (size_t)(p + len - at - 4));
	return ~crc == number32(at);
}

static const char cut_off[] = "its PROXY header is cut off";

enum { TLV_CRC32C = 0x03, TLV_HEAD_BYTES = 3 };

/* Of the TLVs only the checksum means something to us.
 * @at  the first of them */
static int check_tlvs(const uint8_t *p, size_t len, size_t at,
		      const char **ret_why)
{
	bool summed = false;

	while (at < len) {
		size_t n;

		if (len - at < TLV_HEAD_BYTES)
			return bad(ret_why, cut_off);
		n = number16(p + at + 1);
		if (n > len - at - TLV_HEAD_BYTES)
			return bad(ret_why, cut_off);
		if (p[at] == TLV_CRC32C &&
		    (n != 4 || summed ||
		     !sum_is_right(p, len, p + at + TLV_HEAD_BYTES)))
			return bad(ret_why, "the checksum of its PROXY header "
					    "is wrong");
		summed |= p[at] == TLV_CRC32C;
		at += TLV_HEAD_BYTES + n;
	}
	return (int)len;
}

/* Two addresses, then two ports: the client's come first. */
static int parse_tcp(const uint8_t *p, size_t len, union hd_addr *ret_client,
		     const char **ret_why)
{
	bool v4 = p[V2_FAMILY_AT] == V2_TCP4;
	void *ip = v4 ? (void *)&ret_client->in.sin_addr
		      : &ret_client->in6.sin6_addr;
	size_t n = v4 ? 4 : 16, end = V2_HEAD_BYTES + 2 * n + 4;

	if (len < end)
		return bad(ret_why, cut_off);
	ret_client->sa.sa_family = v4 ? AF_INET : AF_INET6;
	memcpy(ip, p + V2_HEAD_BYTES, n);
	/* sin_port and sin6_port lie at the same place */
	memcpy(&ret_client->in.sin_port, p + V2_HEAD_BYTES + 2 * n, 2);
	return check_tlvs(p, len, end, ret_why);
}

/* What is there of the first 16 bytes: the earlier it is refused the better.
 * LOCAL comes with any family, which is ignored. */
static int check_v2_head(const uint8_t *p, size_t n, const char **ret_why)
{
	if (n > V2_COMMAND_AT && p[V2_COMMAND_AT] >> 4 != V2_PROXY >> 4)
		return bad(ret_why, "the version of its PROXY header is "
				    "neither 1 nor 2");
	if (n > V2_COMMAND_AT && p[V2_COMMAND_AT] != V2_LOCAL &&
	    p[V2_COMMAND_AT] != V2_PROXY)
		return bad(ret_why, "its PROXY header has an unknown command");
	if (n > V2_FAMILY_AT && p[V2_COMMAND_AT] == V2_PROXY &&
	    (p[V2_FAMILY_AT] >> 4 >= V2_FAMILIES ||
	     (p[V2_FAMILY_AT] & 15) >= V2_TRANSPORTS))
		return bad(ret_why, "its PROXY header has an unknown family");
	if (n >= V2_HEAD_BYTES &&
	    V2_HEAD_BYTES + number16(p + V2_LEN_AT) > HD_PROXY_HEADER_MAX_BYTES)
		return bad(ret_why, "its PROXY header is longer than 4096 "
				    "bytes");
	return 0;
}

/* Whom the header does not name, or not in a way that can be ours, comes with
 * the proxy's address; the block is skipped then, whatever is in it. */
static int parse_v2(const uint8_t *p, size_t n, union hd_addr *ret_client,
		    const char **ret_why)
{
	int r = check_v2_head(p, n, ret_why);
	size_t len;

	if (r < 0 || n < V2_HEAD_BYTES)
		return r;
	len = V2_HEAD_BYTES + number16(p + V2_LEN_AT);
	if (n < len)
		return 0;
	if (p[V2_COMMAND_AT] == V2_PROXY &&
	    (p[V2_FAMILY_AT] == V2_TCP4 || p[V2_FAMILY_AT] == V2_TCP6))
		return parse_tcp(p, len, ret_client, ret_why);
	return (int)len;
}

int hd_proxy_header_parse(const uint8_t *p, size_t n, union hd_addr *ret_client,
			  const char **ret_why)
{
	*ret_client = (union hd_addr){ .in6 = { .sin6_family = AF_UNSPEC } };
	if (memcmp(p, v1_begin, HD_MIN(n, sizeof(v1_begin))) == 0)
		return parse_v1((const char *)p, n, ret_client, ret_why);
	if (memcmp(p, signature, HD_MIN(n, sizeof(signature))) == 0)
		return parse_v2(p, n, ret_client, ret_why);
	return bad(ret_why, "it does not begin with a PROXY header");
}
