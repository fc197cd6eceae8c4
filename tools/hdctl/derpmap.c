/* SPDX-License-Identifier: MIT */
/* tools/hdctl/derpmap.c - the relay's entry in maps of DERP relays, from what
 * the relay says of itself. hdprobe --derpmap sees it from outside. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"
#include "tools/lib/derpmap.h"

enum { STUN_NONE = -1, REGION_FIRST = 900 };

struct wish {
	const char *format, *host, *region_id, *code, *name;
};

static int read_wish(const char *const *words, size_t n, struct wish *w)
{
	const struct {
		const char *option, **to;
	} rows[] = {
		{ "--format", &w->format },	  { "--host", &w->host },
		{ "--region-id", &w->region_id }, { "--region-code", &w->code },
		{ "--region-name", &w->name },
	};

	for (size_t i = 0; i < n; i += 2) {
		size_t k = 0;

		while (k < HD_ARRAY_N(rows) &&
		       strcmp(rows[k].option, words[i]) != 0)
			k++;
		if (k == HD_ARRAY_N(rows) || i + 1 == n)
			return hdctl_fail(HDCTL_USAGE,
					  "derpmap: %s: no such option, or its "
					  "value is missing; see hdctl(1)",
					  words[i]);
		*rows[k].to = words[i + 1];
	}
	return HDCTL_OK;
}

/* The port with TLS, which clients need; else the first. */
static const json_t *choose_listener(const json_t *relay)
{
	const json_t *all = json_object_get(relay, "listeners"), *l;
	size_t i;

	json_array_foreach(
		all, i,
		l) if (json_is_true(json_object_get(l, "tls")) &&
		       json_is_null(json_object_get(l, "name"))) return l;
	return json_array_get(all, 0);
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
		     const json_t *cert)
{
	static char host[256];
	struct in6_addr addr;
	const char *name = json_string_value(
		json_array_get(json_object_get(cert, "names"), 0));

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

static int print_entry(const struct wish *w, const json_t *relay,
		       const json_t *stun)
{
	const json_t *cert = json_object_get(relay, "certificate");
	bool pinned = json_is_true(json_object_get(cert, "self_signed"));
	struct derpmap_node node = {
		.region_id = w->region_id != NULL ? atoi(w->region_id)
						  : REGION_FIRST,
		.region_code = w->code != NULL ? w->code : "hd",
		.region_name = w->name != NULL ? w->name : "Hyper-DERP",
		.ipv4 = "",
		.ipv6 = "",
		.cert_name = pinned ? text_in(cert, "pin", "") : "",
		.derp_port = port_of(choose_listener(relay)),
		.stun_port = stun != NULL ? port_of(stun) : STUN_NONE,
	};
	struct hd_error err;

	set_host(&node, w, cert);
	if (pinned)
		fputs("hdctl: the certificate is self-signed and pinned: print "
		      "the entry again when it is renewed\n",
		      stderr);
	if (derpmap_print(stdout, w->format != NULL ? w->format : "json", &node,
			  &err) < 0)
		return hdctl_fail(HDCTL_USAGE, "%s", err.text);
	return HDCTL_OK;
}

int run_derpmap(struct hdctl *h, const char *const *words, size_t n)
{
	const char *stun_words[] = { "stun", "info" };
	const char *derp_words[] = { "derp", "info" };
	struct wish w = { .host = NULL };
	json_t *relay = NULL, *stun = NULL;
	int r = read_wish(words, n, &w);

	if (r == HDCTL_OK)
		r = hdctl_commands(h);
	if (r == HDCTL_OK && hdctl_find(h, derp_words, 2) == NULL)
		r = hdctl_fail(HDCTL_REFUSED, "the relay does not speak DERP: "
					      "load the module derp");
	if (r == HDCTL_OK)
		r = hdctl_ask(h, "relay info", &relay);
	if (r == HDCTL_OK && hdctl_find(h, stun_words, 2) != NULL)
		r = hdctl_ask(h, "stun info", &stun);
	if (r == HDCTL_OK)
		r = print_entry(&w, relay, stun);
	json_decref(relay);
	json_decref(stun);
	return r;
}
