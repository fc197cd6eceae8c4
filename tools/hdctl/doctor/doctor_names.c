/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_names.c - do the relay's names lead here? */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/lib/conn.h"

enum { TIMEOUT_MS = 3000, TEXT_BYTES = 512 };

/* ---- addresses ---- */

static bool same_ip(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a == NULL || b == NULL || a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return a->sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
}

static bool is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr)
			       >> 24 == 127;
	return a->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)
						    ->sin6_addr);
}

/* Addresses that the Internet does not route. Sources: RFC 1918, 6598, 3927,
 * 4193, 4291. */
static bool is_private(const struct sockaddr *a)
{
	static const struct {
		uint32_t net;
		unsigned bits;
	} rows[] = {
		{ 0x0a000000, 8 },  { 0xac100000, 12 }, { 0xc0a80000, 16 },
		{ 0x64400000, 10 }, { 0xa9fe0000, 16 },
	};

	if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 =
			(const struct sockaddr_in6 *)a;
		const uint8_t *b = in6->sin6_addr.s6_addr;

		return (b[0] & 0xfe) == 0xfc ||
		       (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
	}
	uint32_t ip = ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr);
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++)
		if (ip >> (32 - rows[i].bits) ==
		    rows[i].net >> (32 - rows[i].bits))
			return true;
	return false;
}

static bool is_ours(const struct ifaddrs *all, const struct sockaddr *a)
{
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		if (same_ip(i->ifa_addr, a))
			return true;
	return false;
}

static void add_text(char *buf, const struct sockaddr *a)
{
	char text[INET6_ADDRSTRLEN] = "?";
	size_t n = strlen(buf);

	if (a->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr,
			  text, sizeof(text));
	else
		inet_ntop(AF_INET6,
			  &((const struct sockaddr_in6 *)a)->sin6_addr, text,
			  sizeof(text));
	if (n < TEXT_BYTES)
		(void)snprintf(buf + n, TEXT_BYTES - n, "%s%s",
			       n > 0 ? ", " : "", text);
}

/* Of this machine. Returns whether one of them is a public one. */
static bool list_ours(const struct ifaddrs *all, char buf[TEXT_BYTES])
{
	bool public = false;

	buf[0] = '\0';
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		const struct sockaddr *a = i->ifa_addr;

		if (a == NULL || !(i->ifa_flags & IFF_UP) ||
		    (a->sa_family != AF_INET && a->sa_family != AF_INET6) ||
		    is_loopback(a))
			continue;
		if (a->sa_family == AF_INET6 && is_private(a))
			continue; /* every interface has one */
		public = public || !is_private(a);
		add_text(buf, a);
	}
	if (buf[0] == '\0')
		strcpy(buf, "no address but loopback");
	return public;
}

/* ---- a name ---- */

static void unknown_name(struct doctor *d, const char *name, const char *why,
			 const char *ours)
{
	doctor_say(d, DOCTOR_FAIL, "%s: %s", name, why);
	doctor_remedy(d, "enter it in the DNS: A (and AAAA) records with this "
			 "machine's public address; it has %s", ours);
}

static void elsewhere(struct doctor *d, const char *name, const char *found,
		      const char *ours, bool public)
{
	doctor_say(d, DOCTOR_WARN, "%s leads to %s; this machine has %s", name,
		   found, ours);
	if (public)
		doctor_remedy(d, "correct the DNS, unless that address is "
				 "forwarded to this machine");
	else
		doctor_remedy(d, "behind a NAT: forward the ports below from "
				 "that address to this machine");
}

static void look_at(struct doctor *d, const char *name,
		    const struct ifaddrs *all)
{
	char here[TEXT_BYTES] = "", there[TEXT_BYTES] = "", ours[TEXT_BYTES];
	bool public = list_ours(all, ours), loopback = false;
	struct addrinfo *list = NULL;
	struct hd_error err;

	if (conn_resolve(name, "443", AF_UNSPEC, &list, &err) < 0)
		return unknown_name(d, name, err.text, ours);
	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		bool mine = is_loopback(a->ai_addr) || is_ours(all, a->ai_addr);

		loopback = loopback || is_loopback(a->ai_addr);
		add_text(mine ? here : there, a->ai_addr);
	}
	freeaddrinfo(list);
	if (there[0] != '\0') {
		elsewhere(d, name, there, ours, public);
	} else if (loopback) {
		doctor_say(d, DOCTOR_WARN, "%s is %s here (/etc/hosts?): what "
			   "others get was not checked", name, here);
		doctor_remedy(d, "look it up from elsewhere: it must lead to "
				 "this machine, which has %s", ours);
	} else {
		doctor_say(d, DOCTOR_OK, "%s leads here: %s", name, here);
	}
}

void doctor_check_names(struct doctor *d)
{
	struct ifaddrs *all = NULL;

	if (d->n_names == 0) {
		doctor_say(d, DOCTOR_SKIP, "what do clients call the relay? "
					   "--host NAME says it");
		return;
	}
	if (getifaddrs(&all) < 0)
		all = NULL;
	for (size_t i = 0; i < d->n_names; i++)
		look_at(d, d->names[i], all);
	freeifaddrs(all);
}

/* ---- does it answer there? ---- */

static void knock(struct doctor *d, const char *name, const char *port,
		  const struct addrinfo *a)
{
	char text[TEXT_BYTES] = "";
	struct conn *c = NULL;
	struct hd_error err;

	add_text(text, a->ai_addr);
	if (conn_open(a, TIMEOUT_MS, &c, &err) == 0) {
		doctor_say(d, DOCTOR_OK, "%s answers from here at %s port %s; "
			   "firewalls before this machine are not seen from "
			   "here: hdprobe %s:%s on another one", name, text,
			   port, name, port);
	} else {
		doctor_say(d, DOCTOR_WARN, "%s does not answer from here at %s "
			   "port %s: %s", name, text, port, err.text);
		doctor_remedy(d, "a firewall, or a NAT that does not lead "
				 "back: hdprobe %s:%s on another machine "
				 "tells", name, port);
	}
	conn_close(&c);
}

void doctor_check_reach(struct doctor *d)
{
	const char *addr = doctor_tls_listener(d);
	struct addrinfo *list;
	struct hd_error err;
	char port[8];

	if (d->status == NULL || d->n_names == 0 || addr == NULL) {
		doctor_say(d, DOCTOR_SKIP, "%s: whether it is reachable was "
			   "not checked",
			   d->status == NULL ? "no relay runs"
			   : addr == NULL    ? "no port has TLS"
					     : "no name is known");
		return;
	}
	(void)snprintf(port, sizeof(port), "%d", doctor_port(addr));
	for (size_t i = 0; i < d->n_names; i++) {
		list = NULL;
		if (conn_resolve(d->names[i], port, AF_UNSPEC, &list, &err) < 0)
			continue; /* said above */
		for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
			knock(d, d->names[i], port, a);
		freeaddrinfo(list);
	}
}
