/* SPDX-License-Identifier: MIT */
/* modules/metrics/host.c - who may ask from this machine.
 *
 * A listener on loopback is meant for this machine's programs, but its browser
 * runs what strangers wrote: a page whose own name has been changed to
 * 127.0.0.1 (DNS rebinding) would be of one origin with us, and could read the
 * answers. Such a request names a host that only the stranger knows, in Host.
 * From other machines we are reached by names that nobody here can know, and
 * a firewall decides. */
#include <arpa/inet.h>
#include <hyper-derp/about.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "modules/metrics/metrics.h"

struct name { /* as in Host, without the port and the final dot */
	const char *s;
	size_t n;
	bool known;
};

static bool is_loopback(const union hd_addr *a)
{
	const struct in6_addr *in6 = &a->in6.sin6_addr;

	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(in6) ||
	       (IN6_IS_ADDR_V4MAPPED(in6) &&
		in6->s6_addr[12] == IN_LOOPBACKNET);
}

static bool is(const struct name *name, const char *s, size_t n)
{
	return n == name->n && strncasecmp(s, name->s, n) == 0;
}

/* Nobody can make an address point elsewhere. */
static bool is_address(const struct name *name)
{
	struct in_addr in;
	char text[INET_ADDRSTRLEN];

	if (name->s[0] == '[')
		return true;
	if (name->n >= sizeof(text))
		return false;
	memcpy(text, name->s, name->n);
	text[name->n] = '\0';
	return inet_pton(AF_INET, text, &in) == 1;
}

static bool is_machine(const struct name *name)
{
	char host[256] = "";

	return is(name, "localhost", strlen("localhost")) ||
	       (gethostname(host, sizeof(host) - 1) == 0 &&
		is(name, host, strlen(host)));
}

static bool is_listed(const struct name *name, const struct hd_list *hosts)
{
	for (size_t i = 0; i < hosts->n; i++)
		if (is(name, hosts->v[i], strlen(hosts->v[i])))
			return true;
	return false;
}

/* The names of a certificate stand between commas. */
static void look_at_certificate(void *arg, const struct hd_about_certificate *c)
{
	struct name *name = arg;
	const char *at = c->names;

	while (*at != '\0' && !name->known) {
		size_t n = strcspn(at, ",");

		name->known = is(name, at, n);
		at += n + (at[n] == ',');
	}
}

static bool is_certified(struct name *name)
{
	hd_about_certificates(look_at_certificate, name);
	return name->known;
}

static struct name name_of(const char *host)
{
	struct name name = { .s = host };

	name.n = *host == '[' ? strlen(host) : strcspn(host, ":");
	if (name.n > 0 && host[name.n - 1] == '.')
		name.n--;
	return name;
}

/* Browsers always name a host; an HTTP/1.0 check without one is none. */
bool metrics_may_ask(struct hd_module *mod, struct hd_request *req)
{
	static const char why[] =
		"this name is not known to be this machine's: ask for "
		"127.0.0.1 or localhost, or add it to metrics.hosts\n";
	const struct metrics_conf *conf =
		hd_module_worker_conf(mod, hd_request_worker(req));
	const char *host = hd_request_header(req, "Host");
	struct name name = name_of(host != NULL ? host : "");

	if (name.n == 0 || !is_loopback(hd_request_addr(req)) ||
	    is_address(&name) || is_machine(&name) ||
	    is_listed(&name, &conf->hosts) || is_certified(&name))
		return true;
	hd_reply(req, 403, "text/plain; charset=utf-8", why, sizeof(why) - 1);
	return false;
}
