/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_net.c - the name, and a TCP connection. */
#include "tools/hdprobe/probe.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

#define ADDR_TEXT_BYTES (NI_MAXHOST + NI_MAXSERV + 4)

static const char *addr_text(const struct addrinfo *a, char *buf)
{
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	bool v6 = a->ai_family == AF_INET6;

	getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(buf, ADDR_TEXT_BYTES, v6 ? "[%s]:%s" : "%s:%s", host,
		       port);
	return buf;
}

static void check_resolve(struct probe *p, struct result *r)
{
	char text[sizeof(r->detail)] = "", one[ADDR_TEXT_BYTES];
	struct hd_error err;
	int rc = conn_resolve(p->opt.host, p->opt.port, p->opt.family,
			      &p->addrs, &err);

	if (rc < 0) {
		result_bad(r, V_UNKNOWN,
			   rc == -EAGAIN
				   ? "the resolver does not answer: see "
				     "/etc/resolv.conf"
				   : "check the spelling, add an A or AAAA "
				     "record, or leave out -4/-6",
			   "%s", err.text);
		return;
	}
	for (const struct addrinfo *a = p->addrs; a != NULL; a = a->ai_next) {
		size_t n = strlen(text);

		(void)snprintf(text + n, sizeof(text) - n, "%s%s",
			       n > 0 ? ", " : "", addr_text(a, one));
	}
	result_ok(r, "%s", text);
}

static const struct {
	int code;
	enum verdict verdict;
	const char *remedy;
} connect_failures[] = {
	{ ECONNREFUSED, V_FAIL,
	  "nothing listens there: is the relay running, and is this its port? "
	  "(ss -ltnp on the relay)" },
	{ ETIMEDOUT, V_FAIL,
	  "a firewall swallows it, or the address is wrong: let TCP to this "
	  "port in" },
	{ EHOSTUNREACH, V_FAIL,
	  "no route to the relay, or a firewall rejects it" },
	{ ENETUNREACH, V_UNKNOWN,
	  "this machine has no route for this kind of address: try -4 or -6" },
	{ EAFNOSUPPORT, V_UNKNOWN,
	  "this machine lacks this kind of address: try -4 or -6" },
};

/* The package's configuration serves there; clients come to 443, unless their
 * map has another port. */
enum { PACKAGE_PORT = 3340 };

/* Nobody has named a port, and the usual one refuses. */
static bool is_elsewhere(const struct probe *p, const struct addrinfo *a)
{
	struct conn *c = NULL;

	if (p->opt.any_port && !p->opt.plain)
		c = probe_open(p, a, PACKAGE_PORT);
	bool there = c != NULL;

	conn_close(&c);
	return there;
}

static void connect_failed(struct result *r, int code, const char *detail)
{
	for (size_t i = 0; i < HD_ARRAY_N(connect_failures); i++) {
		if (connect_failures[i].code != -code)
			continue;
		result_bad(r, connect_failures[i].verdict,
			   connect_failures[i].remedy, "%s", detail);
		return;
	}
	result_bad(r, V_UNKNOWN, NULL, "%s", detail);
}

static void tell_port(const struct probe *p, struct result *r)
{
	bool colons = strchr(p->opt.host, ':') != NULL;

	(void)snprintf(r->remedy, sizeof(r->remedy),
		       "something listens on port %d, where the package's "
		       "relay serves: hdprobe %s%.200s%s:%d (clients go to "
		       "443, unless their DERP map has another port)",
		       PACKAGE_PORT, colons ? "[" : "", p->opt.host,
		       colons ? "]" : "", PACKAGE_PORT);
}

/* Every address must answer: clients of either family come. But an address
 * that this machine cannot reach at all proves nothing. */
static void check_tcp(struct probe *p, struct result *r)
{
	struct result bad = { .verdict = V_OK };
	char fine[256] = "", one[ADDR_TEXT_BYTES];

	for (const struct addrinfo *a = p->addrs; a != NULL; a = a->ai_next) {
		int64_t start = now_us();
		struct conn *c = NULL;
		struct hd_error err;
		int rc = conn_open(a, p->opt.timeout_ms, &c, &err);
		size_t n = strlen(fine);
		char text[700];

		if (rc == 0 && p->addr == NULL)
			p->addr = a;
		if (rc == 0)
			(void)snprintf(fine + n, sizeof(fine) - n,
				       "%s%s in %.1f ms", n > 0 ? ", " : "",
				       addr_text(a, one),
				       (double)(now_us() - start) / 1e3);
		conn_close(&c);
		if (rc == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s: %s", addr_text(a, one),
			       err.text);
		if (bad.verdict < V_FAIL)
			connect_failed(&bad, rc, text);
		if (rc == -ECONNREFUSED && is_elsewhere(p, a))
			tell_port(p, &bad);
	}
	if (p->addr == NULL) {
		*r = bad;
	} else if (bad.verdict == V_FAIL) {
		result_bad(r, V_WARN, bad.remedy, "%s, but %s", fine,
			   bad.detail);
	} else {
		result_ok(r, "%s%s%s", fine, bad.verdict == V_OK ? "" : "; ",
			  bad.detail);
	}
}

const struct check net_checks[] = {
	{ "resolve", 0, FACT_ADDRESS, false, check_resolve },
	{ "tcp", FACT_ADDRESS, FACT_TCP, false, check_tcp },
	{ 0 },
};
