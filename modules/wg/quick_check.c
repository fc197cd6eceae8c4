/* SPDX-License-Identifier: MIT */
/* modules/wg/quick_check.c - what somebody wants in a client's configuration is
 * something that wg-quick(8) takes. */
#include "modules/wg/quick.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX_BYTES = 253, IP_MAX_BYTES = INET6_ADDRSTRLEN };

static bool is_number(const char *text, unsigned long min, unsigned long max)
{
	size_t n = strspn(text, "0123456789");
	unsigned long v = strtoul(text, NULL, 10);

	return n > 0 && n <= 5 && text[n] == '\0' && v >= min && v <= max;
}

/* ---- HOST, HOST:PORT ---- */

/* Returns 1 it is one; 0 it is none; -1 it is nobody's. */
static int is_ip(const char *text, int family)
{
	union hd_addr a;
	struct wg_refusal unused;

	memset(&a, 0, sizeof(a));
	a.sa.sa_family = (sa_family_t)family;
	if (inet_pton(family, text,
		      family == AF_INET ? (void *)&a.in.sin_addr
					: (void *)&a.in6.sin6_addr) != 1)
		return 0;
	return wg_addr_check(&a, &unused) < 0 ? -1 : 1;
}

/* Letters, digits and hyphens between dots; the last part is no number, else it
 * would be an address with a mistake. */
static bool is_host_name(const char *text)
{
	const char *last = text;
	size_t n = strlen(text);

	if (n == 0 || n > HOST_MAX_BYTES)
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
			return false;
		if (*p == '.' && (p == text || p[-1] == '.'))
			return false;
		if (*p == '.' && p[1] != '\0')
			last = p + 1;
	}
	return text[0] != '-' && strspn(last, "0123456789.") != strlen(last);
}

static bool is_host(const char *text)
{
	int four = is_ip(text, AF_INET);

	return four != 0 ? four > 0 : is_host_name(text);
}

static bool is_endpoint(const char *text)
{
	char host[HOST_MAX_BYTES + 1];
	bool brackets = text[0] == '[';
	const char *end = brackets ? strchr(text, ']') : strchr(text, ':');
	const char *port;
	size_t n;

	if (!brackets && end != NULL && strchr(end + 1, ':') != NULL)
		return is_ip(text, AF_INET6) > 0; /* bare */
	if (end == NULL)
		return !brackets && is_host(text);
	n = (size_t)(end - text) - brackets;
	if (n > HOST_MAX_BYTES)
		return false;
	memcpy(host, text + brackets, n);
	host[n] = '\0';
	port = end + brackets;
	if (*port == ':' ? !is_number(port + 1, 1, 65535) : *port != '\0')
		return false;
	return brackets ? is_ip(host, AF_INET6) > 0 : is_host(host);
}

/* ---- IP, IP/N, and more of them behind commas ---- */

static bool is_network(char *text)
{
	char *slash = strchr(text, '/');
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	if (slash != NULL) {
		*slash = '\0';
		if (!is_number(slash + 1, 0, family == AF_INET ? 32 : 128))
			return false;
	}
	return is_ip(text, family) > 0;
}

static bool are_addresses(const char *text)
{
	char one[IP_MAX_BYTES + 8];

	for (;;) {
		size_t n = strcspn(text, ","), blank = strspn(text, " ");
		size_t len;

		if (blank > n || n - blank >= sizeof(one))
			return false;
		len = n - blank;
		memcpy(one, text + blank, len);
		while (len > 0 && one[len - 1] == ' ')
			len--;
		one[len] = '\0';
		if (!is_network(one))
			return false;
		if (text[n] == '\0')
			return true;
		text += n + 1;
	}
}

int wg_quick_check(const struct wg_client *c, struct wg_refusal *why)
{
	if (c->endpoint != NULL && !is_endpoint(c->endpoint))
		return wg_refuse(
			why, -EINVAL, "bad_args",
			"\"%.64s\" is not an endpoint for clients: write "
			"the relay's name or address, and a port from "
			"1 to 65535 where it is another: "
			"relay.example.net, 192.0.2.1:51820, "
			"[2001:db8::1]:51820",
			c->endpoint);
	if (c->address != NULL && !are_addresses(c->address))
		return wg_refuse(
			why, -EINVAL, "bad_args",
			"\"%.64s\" is not an address in the tunnel: write "
			"10.9.0.2/24 or fd00::2/64, several with "
			"commas, or leave it out",
			c->address);
	return 0;
}
