/* SPDX-License-Identifier: MIT */
/* modules/wg/yaml.c - see yaml.h. An entry of a list of mappings comes as the
 * values of its keys, each ended by a tab. */
#include "modules/wg/yaml.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEER_NAME, PEER_ENDPOINT, PEER_PUBKEY, PEER_LABEL, PEER_NIC, PEER_N };
const char *const wg_yaml_peer_keys[] = { "name",  "endpoint", "pubkey",
					  "label", "nic",      NULL };
const char *const wg_yaml_link_keys[] = { "a", "b", NULL };

struct text {
	char s[256];
};

/* Value i of an entry. */
static struct text value(const char *entry, unsigned i)
{
	struct text t = { "" };

	for (; i > 0 && entry != NULL; i--) {
		entry = strchr(entry, '\t');
		entry += entry != NULL;
	}
	if (entry != NULL)
		snprintf(t.s, sizeof(t.s), "%.*s", (int)strcspn(entry, "\t"),
			 entry);
	return t;
}

static bool read_key(const char *text, uint8_t key[WG_KEY_BYTES])
{
	size_t n = 0;

	return sodium_base642bin(key, WG_KEY_BYTES, text, strlen(text), NULL,
				 &n, NULL,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       n == WG_KEY_BYTES;
}

static bool read_endpoint(char *text, union hd_addr *ret)
{
	char *colon = strrchr(text, ':'), *end;
	unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;

	memset(ret, 0, sizeof(*ret));
	if (port < 1 || port > 65535 || *end != '\0')
		return false;
	*colon = '\0';
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, text + 1, &ret->in6.sin6_addr) == 1;
	}
	ret->in.sin_family = AF_INET;
	ret->in.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, text, &ret->in.sin_addr) == 1;
}

static int read_peer(const char *entry, struct wg_peer_conf *p,
		     struct hd_error *err)
{
	struct text name = value(entry, PEER_NAME);
	struct text key = value(entry, PEER_PUBKEY);
	struct text endpoint = value(entry, PEER_ENDPOINT);
	struct text nic = value(entry, PEER_NIC), kept = endpoint;

	if (name.s[0] == '\0' || strlen(name.s) >= sizeof(p->name))
		return hd_error_set(err, -EINVAL,
				    "`wg.peers`: an entry needs a `name` of "
				    "at most %zu characters",
				    sizeof(p->name) - 1);
	strcpy(p->name, name.s);
	snprintf(p->nic, sizeof(p->nic), "%.15s", nic.s);
	p->has_key = key.s[0] != '\0';
	p->has_endpoint = endpoint.s[0] != '\0';
	if (p->has_key && !read_key(key.s, p->key))
		return hd_error_set(err, -EINVAL,
				    "`wg.peers`: the pubkey of %s is no "
				    "WireGuard key (44 characters)",
				    p->name);
	if (p->has_endpoint && !read_endpoint(endpoint.s, &p->endpoint))
		return hd_error_set(err, -EINVAL,
				    "`wg.peers`: the endpoint of %s must be "
				    "ADDRESS:PORT, not %s",
				    p->name, kept.s);
	if (!p->has_key && !p->has_endpoint)
		return hd_error_set(err, -EINVAL,
				    "`wg.peers`: %s needs a pubkey or an "
				    "endpoint",
				    p->name);
	return 0;
}

static int read_link(const char *entry, struct wg_link_conf *l,
		     struct hd_error *err)
{
	struct text a = value(entry, 0), b = value(entry, 1);

	if (a.s[0] == '\0' || b.s[0] == '\0' || strcmp(a.s, b.s) == 0)
		return hd_error_set(err, -EINVAL,
				    "`wg.links`: an entry needs two names, `a` "
				    "and `b`");
	snprintf(l->a, sizeof(l->a), "%.63s", a.s);
	snprintf(l->b, sizeof(l->b), "%.63s", b.s);
	return 0;
}

int wg_yaml_plan(const struct wg_conf *conf, struct wg_plan **ret,
		 struct hd_error *err)
{
	HD_AUTO(wg_plan_free)
	struct wg_plan *plan = wg_plan_new((uint32_t)conf->peers.n,
					   (uint32_t)conf->links.n);
	int r = 0;

	if (plan == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < conf->peers.n && r == 0; i++)
		r = read_peer(conf->peers.v[i], &plan->peers[i], err);
	for (size_t i = 0; i < conf->links.n && r == 0; i++)
		r = read_link(conf->links.v[i], &plan->links[i], err);
	if (r == 0)
		*ret = hd_steal(&plan);
	return r;
}
