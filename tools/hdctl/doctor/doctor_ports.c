/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_ports.c - are the ports free, or the relay's? */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

int doctor_port(const char *addr)
{
	const char *colon = addr != NULL ? strrchr(addr, ':') : NULL;
	char *end;
	long n;

	if (colon == NULL)
		return 0;
	n = strtol(colon + 1, &end, 10);
	return end != colon + 1 && *end == '\0' && n > 0 && n <= 65535
		       ? (int)n
		       : 0;
}

/* "[::1]:443", "127.0.0.1:443", ":443". Returns its length; 0: none. */
static socklen_t address_of(const char *addr, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	int port = doctor_port(addr);
	char host[64];

	memset(ret, 0, sizeof(*ret));
	if (port == 0)
		return 0;
	(void)snprintf(host, sizeof(host), "%.*s",
		       (int)(strrchr(addr, ':') - addr), addr);
	if (host[0] == '\0')
		strcpy(host, "[::]");
	if (host[0] != '[' && inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return sizeof(*in);
	}
	host[strcspn(host, "]")] = '\0';
	if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1)
		return 0;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	return sizeof(*in6);
}

int doctor_bind(bool udp, const char *addr)
{
	struct sockaddr_storage to;
	socklen_t len = address_of(addr, &to);
	int on = 1, r = 0;
	int fd = socket(to.ss_family,
			(udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (len == 0 || fd < 0)
		r = len == 0 ? EINVAL : errno;
	if (r == 0 && !udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
				 sizeof(on));
	if (r == 0 && bind(fd, (struct sockaddr *)&to, len) < 0)
		r = errno;
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- a port ---- */

/* Another relay's is somebody else's, unless we may not ask it who it is. */
static bool is_the_relays(const struct doctor *d, pid_t pid, const char *name)
{
	bool may_not = strstr(d->no_relay.text, "not permitted") != NULL;

	return pid == 1 /* the socket unit */ ||
	       (d->pid > 0 && pid == d->pid) ||
	       (may_not && strcmp(name, "hyper-derp") == 0);
}

static void taken(struct doctor *d, const char *port, bool udp,
		  const char *addr)
{
	char name[32] = "";
	pid_t pid = 0;
	bool known = doctor_holder(udp, doctor_port(addr), &pid, name) &&
		     pid > 0;

	if (known && is_the_relays(d, pid, name)) {
		doctor_say(d, DOCTOR_OK, "%s is the relay's (%s, pid %d)", port,
			   name, (int)pid);
	} else if (!known && d->status != NULL) {
		doctor_say(d, DOCTOR_SKIP, "%s is taken, by the relay that "
			   "runs: only root sees it", port);
	} else if (!known) {
		doctor_say(d, DOCTOR_FAIL, "%s is taken", port);
		doctor_remedy(d, "ask as root to see by whom");
	} else {
		doctor_say(d, DOCTOR_FAIL, "%s is taken by %s (pid %d)", port,
			   name, (int)pid);
		doctor_remedy(d, "stop it, or give the relay another port");
	}
}

static void not_permitted(struct doctor *d, const char *port, bool udp,
			  const char *addr)
{
	char name[32] = "";
	pid_t pid = 0;

	if (doctor_holder(udp, doctor_port(addr), &pid, name))
		taken(d, port, udp, addr);
	else
		doctor_say(d, DOCTOR_OK, "%s: nobody has it; below 1024 it is "
			   "for root, or for the unit", port);
}

static void look_at(struct doctor *d, const char *what, bool udp,
		    const char *addr)
{
	char port[160];
	int r = doctor_bind(udp, addr);

	(void)snprintf(port, sizeof(port), "%s %s (%s)", udp ? "UDP" : "TCP",
		       addr, what);
	if (r == 0)
		doctor_say(d, d->status == NULL ? DOCTOR_OK : DOCTOR_WARN,
			   d->status == NULL
				   ? "%s is free"
				   : "%s is free: the relay that runs does not "
				     "serve it", port);
	if (r == 0 && d->status != NULL)
		doctor_remedy(d, "hdctl reload, or a restart");
	if (r == EADDRINUSE)
		taken(d, port, udp, addr);
	else if (r == EACCES || r == EPERM)
		not_permitted(d, port, udp, addr);
	else if (r == EADDRNOTAVAIL || r == EAFNOSUPPORT) {
		doctor_say(d, DOCTOR_FAIL, "%s: this machine has no such "
			   "address", port);
		doctor_remedy(d, "[::] is all addresses%s",
			      r == EAFNOSUPPORT ? "; without IPv6: 0.0.0.0"
						: "");
	} else if (r != 0) {
		doctor_say(d, DOCTOR_WARN, "%s: %s", port, strerror(r));
	}
}

/* ---- all of them ---- */

static const char *addr_of(const json_t *entry)
{
	return json_is_string(entry) ? json_string_value(entry)
				     : tree_text(entry, "addr", NULL);
}

static void look_at_listeners(struct doctor *d)
{
	const json_t *all = tree_get(d->conf, "listen"), *entry;
	const char *one = tree_text(d->conf, "port", "3340");
	char addr[64];
	size_t i;

	json_array_foreach(all, i, entry)
	{
		const char *name = tree_text(entry, "name", NULL);

		if (addr_of(entry) != NULL)
			look_at(d, name != NULL ? name
				   : tree_is(entry, "tls") ? "TLS" : "plain",
				false, addr_of(entry));
	}
	if (json_array_size(all) > 0)
		return;
	(void)snprintf(addr, sizeof(addr), "[::]:%s", one);
	look_at(d, "port", false, addr);
}

/* Ports that modules open. */
static const struct module_port {
	const char *module, *addr, *port, *host, *def;
	bool udp;
} module_ports[] = {
	{ "stun", "stun.listen", NULL, NULL, "[::]:3478", true },
	{ "wg", "wg.listen", "wg.port", "[::]", "51820", true },
	{ "metrics", "metrics.addr", "metrics.port", "127.0.0.1", "9340",
	  false },
};

static void look_at_module(struct doctor *d, const struct module_port *m)
{
	const char *addr = tree_text(d->conf, m->addr, NULL);
	char text[64];

	if (!doctor_loads(d, m->module))
		return;
	if (addr == NULL && m->port == NULL)
		addr = m->def;
	if (addr == NULL) {
		(void)snprintf(text, sizeof(text), "%s:%s", m->host,
			       tree_text(d->conf, m->port, m->def));
		addr = text;
	}
	if (doctor_port(addr) > 0) /* metrics.port 0 is none */
		look_at(d, m->module, m->udp, addr);
}

void doctor_check_ports(struct doctor *d)
{
	look_at_listeners(d);
	for (size_t i = 0; i < HD_ARRAY_N(module_ports); i++)
		look_at_module(d, &module_ports[i]);
}

const char *doctor_tls_listener(const struct doctor *d)
{
	const json_t *all = tree_get(d->conf, "listen"), *entry;
	size_t i;

	json_array_foreach(all, i, entry)
		if (tree_is(entry, "tls") &&
		    tree_text(entry, "name", NULL) == NULL &&
		    tree_get(entry, "proxy_protocol") == NULL &&
		    strcmp(tree_text(entry, "protocol", "http"), "http") == 0)
			return tree_text(entry, "addr", NULL);
	return NULL;
}
