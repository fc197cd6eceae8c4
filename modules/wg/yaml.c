/* SPDX-License-Identifier: MIT */
/* modules/wg/yaml.c - see yaml.h. An entry of a list of mappings comes as the
 * values of its keys, each ended by a tab. */
#include "modules/wg/yaml.h"
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum { PEER_NAME, PEER_ENDPOINT, PEER_PUBKEY, PEER_LABEL, PEER_NIC, PEER_N };
const char *const wg_yaml_peer_keys[] = { "name",  "endpoint", "pubkey",
					  "label", "nic",      NULL };
const char *const wg_yaml_link_keys[] = { "a", "b", NULL };

static void free_text(char **text)
{
	free(*text);
}

/* @copy  of an entry; its tabs become ends */
static void split(char *copy, const char **v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *tab = strchr(copy, '\t');

		v[i] = copy;
		if (tab == NULL)
			copy += strlen(copy);
		else
			*tab = '\0', copy = tab + 1;
	}
}

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

	if (!is_host(*at))
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

static int read_peer(struct reading *q, const char *entry,
		     struct wg_refusal *why)
{
	HD_AUTO(free_text) char *copy = strdup(entry);
	const char *v[PEER_N];
	int r;

	if (copy == NULL)
		return wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
	split(copy, v, PEER_N);
	r = take_host(q, &v[PEER_ENDPOINT], why);
	if (r < 0)
		return r;
	return wg_roster_add(
		q->r,
		&(struct wg_entry_text){ .name = v[PEER_NAME],
					 .endpoint = v[PEER_ENDPOINT],
					 .pubkey = v[PEER_PUBKEY],
					 .label = v[PEER_LABEL],
					 .nic = v[PEER_NIC],
					 .fixed = true },
		NULL, why);
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
static int read_link(struct wg_roster *r, const char *entry, bool rest,
		     struct wg_refusal *why)
{
	HD_AUTO(free_text) char *copy = strdup(entry);
	const char *v[2];

	if (copy == NULL)
		return wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
	split(copy, v, 2);
	for (unsigned i = 0; rest && i < 2; i++)
		if (wg_roster_find(r, v[i]) == NULL)
			return wg_name_check(v[i], why) < 0 ? -EINVAL : 1;
	if (take_link(r, v[0], v[1]))
		return 0;
	return wg_roster_link(r, v[0], v[1], true, why);
}

/* @entry  as it comes; for people its tabs are commas */
static int refused(const char *list, size_t i, const char *entry, int r,
		   const struct wg_refusal *why, struct hd_error *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", entry);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '\t')
			*p = ' ';
	return hd_error_set(err, r, "`wg.%s`: entry %zu (%s): %s", list, i + 1,
			    text, why->err.text);
}

int wg_yaml_peers(struct wg_roster *r, const struct hd_list *peers,
		  bool look_up, struct hd_error *err)
{
	struct reading q = { .r = r, .look_up = look_up };
	struct wg_refusal why;
	int e;

	for (size_t i = 0; i < peers->n; i++) {
		e = read_peer(&q, peers->v[i], &why);
		if (e < 0)
			return refused("peers", i, peers->v[i], e, &why, err);
	}
	return 0;
}

int wg_yaml_links(struct wg_roster *r, const struct hd_list *links, bool rest,
		  struct hd_error *err)
{
	struct wg_refusal why;
	int e, left_out = 0;

	for (size_t i = 0; i < links->n; i++) {
		e = read_link(r, links->v[i], rest, &why);
		if (e < 0)
			return refused("links", i, links->v[i], e, &why, err);
		left_out += e;
	}
	return left_out;
}
