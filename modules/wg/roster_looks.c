/* SPDX-License-Identifier: MIT */
/* modules/wg/roster_looks.c - what is almost a key or an address is a mistake,
 * not a name or a label; and some addresses are nobody's. */
#include "modules/wg/roster.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum {
	KEY_CHARS = WG_KEY_TEXT_BYTES - 1,
	KEY_SLACK = 2, /* so many characters may be lost or doubled */
	ENDED_MIN = 16, /* so many before a = are a piece of a key */
};

/* With a character in it that none has: the = at its end tells. */
static bool ends_like_key(const char *text)
{
	size_t n = strlen(text);

	return n >= KEY_CHARS - KEY_SLACK && n <= KEY_CHARS + KEY_SLACK &&
	       text[n - 1] == '=' && strchr(text, ' ') == NULL;
}

bool wg_looks_like_key(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"abcdefghijklmnopqrstuvwxyz0123456789+/");
	size_t ends = strspn(text + n, "=");

	if (text[n + ends] != '\0')
		return ends_like_key(text);
	if (ends > 0)
		return n >= ENDED_MIN;
	return (n >= KEY_CHARS - KEY_SLACK && n <= KEY_CHARS + KEY_SLACK) ||
	       wg_looks_like_hex(text);
}

bool wg_looks_like_hex(const char *text)
{
	return strlen(text) == 2 * HD_KEY_BYTES &&
	       strspn(text, "0123456789abcdefABCDEF") == 2 * HD_KEY_BYTES;
}

/* 192.0.2.1, 192.0.2.999: with whatever is behind it. */
static bool begins_with_ipv4(const char *text)
{
	for (unsigned i = 0; i < 4; i++) {
		size_t n = strspn(text, "0123456789");

		text += n;
		if (n == 0 || n > 3 || (i < 3 && *text++ != '.'))
			return false;
	}
	return strchr(":/%", *text) != NULL; /* or the end */
}

static bool is_ipv6(const char *text)
{
	char ip[INET6_ADDRSTRLEN];
	struct in6_addr unused;
	size_t n = strcspn(text, "/%]");

	if (n >= sizeof(ip))
		return false;
	memcpy(ip, text, n);
	ip[n] = '\0';
	return inet_pton(AF_INET6, ip, &unused) == 1;
}

static bool has_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;

	return digits > 0 && colon[1 + digits] == '\0';
}

bool wg_looks_like_addr(const char *text)
{
	return begins_with_ipv4(text) || is_ipv6(text + (text[0] == '[')) ||
	       has_port(text);
}

static bool is_nobody4(uint32_t ip)
{
	return ip == INADDR_ANY || ip == INADDR_BROADCAST || IN_MULTICAST(ip);
}

static bool is_nobody6(const struct in6_addr *ip)
{
	return IN6_IS_ADDR_UNSPECIFIED(ip) || IN6_IS_ADDR_MULTICAST(ip);
}

int wg_addr_check(const union hd_addr *addr, struct wg_refusal *why)
{
	char text[HD_ADDR_TEXT_BYTES];

	if (addr->sa.sa_family == AF_INET6 ? !is_nobody6(&addr->in6.sin6_addr)
					   : !is_nobody4(ntohl(
						     addr->in.sin_addr.s_addr)))
		return 0;
	return wg_refuse(why, -EINVAL, "bad_args",
			 "%s is not the address of one host: write that of the "
			 "peer, or leave it out and it is learned",
			 hd_addr_text(addr, text));
}

int wg_looks_check(const struct wg_entry *p, struct wg_refusal *why)
{
	if (wg_looks_like_key(p->name) || wg_looks_like_addr(p->name))
		return wg_refuse(why, -EINVAL, "bad_args",
				 "the name \"%s\" looks like a key or an "
				 "address: choose one such as alice-phone",
				 p->name);
	if (p->label != NULL && wg_looks_like_key(p->label))
		return wg_refuse(why, -EINVAL, "bad_args",
				 "the label \"%.64s\" looks like a key: a peer "
				 "has one key, and a label is for people",
				 p->label);
	return wg_entry_has_endpoint(p) ? wg_addr_check(&p->endpoint, why) : 0;
}
