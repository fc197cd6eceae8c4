/* SPDX-License-Identifier: MIT */
/* modules/wg/yaml.c - see yaml.h. */
#include "modules/wg/yaml.h"
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#define AT(type, field) .offset = offsetof(struct type, field)

const struct hd_option wg_yaml_peer_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, AT(wg_yaml_peer, at) },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  AT(wg_yaml_peer, name),
	  .required = true,
	  .help = "what it is called" },
	{ .name = "pubkey",
	  .type = HD_OPTION_STRING,
	  AT(wg_yaml_peer, pubkey),
	  .help = "its public key, base64" },
	{ .name = "endpoint",
	  .type = HD_OPTION_STRING,
	  AT(wg_yaml_peer, endpoint),
	  .help = "address and port, only where it is fixed" },
	{ .name = "label",
	  .type = HD_OPTION_STRING,
	  AT(wg_yaml_peer, label),
	  .help = "a note for people" },
	{ .name = "nic",
	  .type = HD_OPTION_STRING,
	  AT(wg_yaml_peer, nic),
	  .help = "the interface of xdp_interface that it is behind" },
	HD_OPTION_END,
};

const struct hd_option wg_yaml_link_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, AT(wg_yaml_link, at) },
	{ .name = "a",
	  .type = HD_OPTION_STRING,
	  AT(wg_yaml_link, a),
	  .required = true,
	  .help = "the name of a peer" },
	{ .name = "b",
	  .type = HD_OPTION_STRING,
	  AT(wg_yaml_link, b),
	  .required = true,
	  .help = "the name of another" },
	HD_OPTION_END,
};

struct reading {
	struct wg_roster *r;
	bool look_up;
	char endpoint[HD_ADDR_TEXT_BYTES]; /* in place of a name */
};

/* "relay.example.com:51820": one colon, and a letter before it. */
static bool is_host(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon != NULL && colon > text &&
	       strchr(colon + 1, ':') == NULL &&
	       isalpha((unsigned char)colon[-1]);
}

static int find_host(struct reading *q, const char *text,
		     struct wg_refusal *why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	const char *port = strchr(text, ':') + 1;
	struct addrinfo *all = NULL;
	union hd_addr addr;
	char host[256];
	int r;

	snprintf(host, sizeof(host), "%.*s", (int)(port - 1 - text), text);
	r = getaddrinfo(host, port, &hints, &all);
	if (r != 0)
		return wg_refuse(why, -EINVAL, "bad_args",
				 "the endpoint's name cannot be looked up: %s; "
				 "write its address",
				 gai_strerror(r));
	memset(&addr, 0, sizeof(addr));
	memcpy(&addr, all->ai_addr, HD_MIN(all->ai_addrlen, sizeof(addr)));
	freeaddrinfo(all);
	hd_addr_text(&addr, q->endpoint);
	return 0;
}

/* When it is not looked up, 0.0.0.0/8 has room for all and is nobody's. */
static int take_host(struct reading *q, const char **at, struct wg_refusal *why)
{
	uint64_t n = q->r->next_id;
	int r = 0;

	if (*at == NULL || !is_host(*at))
		return 0;
	if (q->look_up)
		r = find_host(q, *at, why);
	else
		snprintf(q->endpoint, sizeof(q->endpoint), "0.%u.%u.%u%.8s",
			 (unsigned)(n >> 16 & 255), (unsigned)(n >> 8 & 255),
			 (unsigned)(n & 255), strchr(*at, ':'));
	*at = q->endpoint;
	return r;
}

static int read_peer(struct reading *q, const struct wg_yaml_peer *p,
		     struct wg_refusal *why)
{
	struct wg_entry_text text = { .name = p->name,
				      .endpoint = p->endpoint,
				      .pubkey = p->pubkey,
				      .label = p->label,
				      .nic = p->nic,
				      .fixed = true };
	int r = take_host(q, &text.endpoint, why);

	return r < 0 ? r : wg_roster_add(q->r, &text, NULL, why);
}

/* One that the roster's file has, too: it is the configuration's now. */
static bool take_link(struct wg_roster *r, const char *a, const char *b)
{
	const struct wg_entry *pa = wg_roster_find(r, a);
	const struct wg_entry *pb = wg_roster_find(r, b);
	struct wg_edge *e = NULL;

	if (pa != NULL && pb != NULL && pa != pb)
		e = wg_edge_find(pa, pb);
	if (e == NULL || e->fixed)
		return false;
	e->fixed = true;
	wg_edge_find(pb, pa)->fixed = true;
	return true;
}

/* Returns 1: it was passed over. */
static int read_link(struct wg_roster *r, const struct wg_yaml_link *l,
		     bool rest, struct wg_refusal *why)
{
	const char *const v[] = { l->a, l->b };

	for (unsigned i = 0; rest && i < 2; i++)
		if (wg_roster_find(r, v[i]) == NULL)
			return wg_name_check(v[i], why) < 0 ? -EINVAL : 1;
	if (take_link(r, l->a, l->b))
		return 0;
	return wg_roster_link(r, l->a, l->b, true, why);
}

int wg_yaml_peers(struct wg_roster *r, const struct wg_yaml *yaml, bool look_up,
		  struct hd_error *err)
{
	struct reading q = { .r = r, .look_up = look_up };
	struct wg_refusal why;

	for (size_t i = 0; i < yaml->peers.n; i++) {
		const struct wg_yaml_peer *p = &yaml->peers.v[i];
		int e = read_peer(&q, p, &why);

		if (e < 0)
			return hd_error_at(&p->at, err, e, "the peer %.64s: %s",
					   p->name, why.err.text);
	}
	return 0;
}

int wg_yaml_links(struct wg_roster *r, const struct wg_yaml *yaml, bool rest,
		  struct hd_error *err)
{
	struct wg_refusal why;
	int left_out = 0;

	for (size_t i = 0; i < yaml->links.n; i++) {
		const struct wg_yaml_link *l = &yaml->links.v[i];
		int e = read_link(r, l, rest, &why);

		if (e < 0)
			return hd_error_at(&l->at, err, e,
					   "the link of %.64s and %.64s: %s",
					   l->a, l->b, why.err.text);
		left_out += e;
	}
	return left_out;
}

const struct hd_place *wg_yaml_at(const struct wg_yaml *yaml, const char *name)
{
	static const struct hd_place nowhere;

	for (size_t i = 0; i < yaml->peers.n; i++)
		if (strcmp(yaml->peers.v[i].name, name) == 0)
			return &yaml->peers.v[i].at;
	return &nowhere;
}
