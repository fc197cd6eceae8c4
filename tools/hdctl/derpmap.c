/* SPDX-License-Identifier: MIT */
/* tools/hdctl/derpmap.c - the relay's entry in maps of DERP relays, from what
 * the relay says of itself. hdprobe --derpmap sees it from outside. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"
#include "tools/lib/derpmap.h"

enum { STUN_NONE = -1, REGION_FIRST = 900 };

struct wish {
	const char *format, *host, *port, *region_id, *code, *name, *output;
};

static int read_wish(const char *const *words, size_t n, struct wish *w)
{
	const struct {
		const char *option, **to;
	} rows[] = {
		{ "--format", &w->format },	  { "--host", &w->host },
		{ "--port", &w->port },		  { "--output", &w->output },
		{ "--region-id", &w->region_id }, { "--region-code", &w->code },
		{ "--region-name", &w->name },
	};

	for (size_t i = 0; i < n; i += 2) {
		size_t k = 0;

		while (k < HD_ARRAY_N(rows) &&
		       strcmp(rows[k].option, words[i]) != 0)
			k++;
		if (k == HD_ARRAY_N(rows) || i + 1 == n)
			return usage_fail_option(HDCTL_USAGE, "derpmap",
						 words[i]);
		*rows[k].to = words[i + 1];
	}
	return HDCTL_OK;
}

/* Returns 0: told. */
static int number_of(const char *option, const char *text, int def)
{
	char *end;
	long n;

	if (text == NULL)
		return def;
	n = strtol(text, &end, 10);
	if (end != text && *end == '\0' && n >= 1 && n <= 65535)
		return (int)n;
	hdctl_fail(HDCTL_USAGE, "derpmap: %s is a number from 1 to 65535, not "
		   "\"%s\"", option, text);
	return 0;
}

/* Older relays say nothing of protocols. */
static bool speaks_http(const json_t *listener)
{
	const char *protocol =
		json_string_value(json_object_get(listener, "protocol"));

	return protocol == NULL || strcmp(protocol, "http") == 0;
}

/* Whether the listener has the pages; NULL: everything. */
static bool has_pages(const json_t *listener, const char *pages)
{
	const json_t *only = json_object_get(listener, "only"), *name;
	size_t i;

	json_array_foreach(only, i, name)
		if (pages != NULL &&
		    strcmp(json_string_value(name), pages) == 0)
			return true;
	return json_array_size(only) == 0;
}

/* The port with TLS, which clients need; else the first. */
static const json_t *choose_listener(const json_t *relay)
{
	const json_t *all = json_object_get(relay, "listeners"), *l;
	const json_t *first = NULL;
	size_t i;

	json_array_foreach(all, i, l) {
		if (!speaks_http(l) || !has_pages(l, NULL))
			continue;
		if (json_is_true(json_object_get(l, "tls")) &&
		    json_is_null(json_object_get(l, "name")))
			return l;
		if (first == NULL)
			first = l;
	}
	return first;
}

static int port_of(const json_t *o)
{
	return (int)json_integer_value(json_object_get(o, "port"));
}

static const char *text_in(const json_t *o, const char *name, const char *def)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : def;
}

static void set_host(struct derpmap_node *node, const struct wish *w,
		     const json_t *names)
{
	static char host[256];
	struct in6_addr addr;
	const char *name = json_string_value(json_array_get(names, 0));

	if (w->host == NULL && name == NULL &&
	    gethostname(host, sizeof(host) - 1) == 0)
		name = host;
	node->host = w->host != NULL ? w->host : name;
	if (inet_pton(AF_INET, node->host, &addr) == 1) {
		node->ipv4 = node->host;
		node->ipv6 = "none";
	} else if (inet_pton(AF_INET6, node->host, &addr) == 1) {
		node->ipv4 = "none";
		node->ipv6 = node->host;
	}
}

/* "*.example.net" is for relay.example.net. */
static bool is_for(const char *name, const char *host)
{
	const char *dot = strchr(host, '.');

	return strcasecmp(name, host) == 0 ||
	       (strncmp(name, "*.", 2) == 0 && dot != NULL &&
		strcasecmp(name + 1, dot) == 0);
}

static bool has_name(const json_t *names, const char *host)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		if (is_for(json_string_value(name), host))
			return true;
	return false;
}

/* Clients compare the name also where the certificate is pinned. Where the host
 * is an address they may not. */
static void warn_of_name(const struct derpmap_node *node, const json_t *names)
{
	if (node->ipv4[0] != '\0' || json_array_size(names) == 0 ||
	    has_name(names, node->host))
		return;
	fprintf(stderr,
		"hdctl: the certificate is not for %s but for %s, and "
		"Tailscale's clients refuse it then, pinned or not: enter a "
		"name that it has, or get one for %s\n",
		node->host, json_string_value(json_array_get(names, 0)),
		node->host);
}

/* Whether others than this machine reach it by plain HTTP on port 80. */
static bool is_port_80(const json_t *l)
{
	const char *addr = text_in(l, "addr", "");

	return port_of(l) == 80 && !json_is_true(json_object_get(l, "tls")) &&
	       json_is_null(json_object_get(l, "name")) &&
	       strncmp(addr, "127.", 4) != 0 && strncmp(addr, "[::1]", 5) != 0;
}

static bool has_port_80(const json_t *relay)
{
	const json_t *l;
	size_t i;

	json_array_foreach(json_object_get(relay, "listeners"), i, l)
		if (is_port_80(l) && speaks_http(l) &&
		    has_pages(l, "captive_portal"))
			return true;
	return false;
}

static int put(const struct wish *w, const struct derpmap_node *node)
{
	const char *format = w->format != NULL ? w->format : "json";
	struct hd_error err;
	int r = w->output != NULL
			? derpmap_save(w->output, format, node, &err)
			: derpmap_print(stdout, format, node, &err);

	if (r == 0)
		return HDCTL_OK;
	return hdctl_fail(r == -EINVAL ? HDCTL_USAGE : HDCTL_REFUSED, "%s",
			  err.text);
}

/* Until acme has its certificate another one stands in, which the relay has
 * made; whoever pins that one is cut off the minute the other comes. One of
 * somebody's own making is for a name that acme is not asked for.
 * Returns the names that there will be a certificate for; NULL: there is. */
static const json_t *names_to_come(const struct wish *w, const json_t *cert,
				   const json_t *acme)
{
	const json_t *hosts = json_object_get(acme, "hosts");

	if (json_array_size(hosts) == 0 ||
	    !json_is_false(json_object_get(acme, "certificate")) ||
	    !json_is_true(json_object_get(cert, "self_signed")))
		return NULL;
	return w->host == NULL || has_name(hosts, w->host) ||
			       !has_name(json_object_get(cert, "names"),
					 w->host)
		       ? hosts
		       : NULL;
}

static void warn_temporary(void)
{
	fputs("hdctl: the relay has a temporary certificate only, which is not "
	      "pinned here: clients refuse it until acme has the other one; "
	      "hdctl acme status says how far it is\n",
	      stderr);
}

static int print_entry(const struct wish *w, const json_t *relay,
		       const json_t *stun, const json_t *acme)
{
	const json_t *cert = json_object_get(relay, "certificate");
	const json_t *to_come = names_to_come(w, cert, acme);
	const json_t *names = to_come != NULL ? to_come
					      : json_object_get(cert, "names");
	const json_t *listener = choose_listener(relay);
	bool tls = json_is_true(json_object_get(listener, "tls"));
	bool pinned = tls && to_come == NULL &&
		      json_is_true(json_object_get(cert, "self_signed"));
	struct derpmap_node node = {
		.region_id = number_of("--region-id", w->region_id,
				       REGION_FIRST),
		.region_code = w->code != NULL ? w->code : "hd",
		.region_name = w->name != NULL ? w->name : "Hyper-DERP",
		.ipv4 = "",
		.ipv6 = "",
		.cert_name = pinned ? text_in(cert, "pin", "") : "",
		.derp_port = number_of("--port", w->port, port_of(listener)),
		.stun_port = stun != NULL ? port_of(stun) : STUN_NONE,
		.can_port_80 = has_port_80(relay),
	};

	if (node.region_id == 0 || node.derp_port == 0)
		return HDCTL_USAGE;
	set_host(&node, w, names);
	/* who names a port has put something in front */
	derpmap_warn("hdctl", &node, !tls && w->port == NULL);
	if (tls && w->port == NULL)
		warn_of_name(&node, names);
	if (tls && w->port == NULL && to_come != NULL)
		warn_temporary();
	return put(w, &node);
}

int run_derpmap(struct hdctl *h, const char *const *words, size_t n)
{
	const char *stun_words[] = { "stun", "info" };
	const char *derp_words[] = { "derp", "info" };
	const char *acme_words[] = { "acme", "status" };
	struct wish w = { .host = NULL };
	json_t *relay = NULL, *stun = NULL, *acme = NULL;
	int r = read_wish(words, n, &w);

	if (r == HDCTL_OK && w.host != NULL)
		r = hdctl_host_name(w.host);
	if (r == HDCTL_OK)
		r = hdctl_commands(h);
	if (r == HDCTL_OK && hdctl_find(h, derp_words, 2) == NULL)
		r = hdctl_fail(HDCTL_REFUSED, "the relay does not speak DERP: "
					      "load the module derp");
	if (r == HDCTL_OK)
		r = hdctl_ask(h, "relay info", &relay);
	if (r == HDCTL_OK && hdctl_find(h, stun_words, 2) != NULL)
		r = hdctl_ask(h, "stun info", &stun);
	if (r == HDCTL_OK && hdctl_find(h, acme_words, 2) != NULL)
		r = hdctl_ask(h, "acme status", &acme);
	if (r == HDCTL_OK)
		r = print_entry(&w, relay, stun, acme);
	json_decref(relay);
	json_decref(stun);
	json_decref(acme);
	return r;
}
