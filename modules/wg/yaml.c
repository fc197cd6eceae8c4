/* SPDX-License-Identifier: MIT */
/* modules/wg/yaml.c - see yaml.h. An entry of a list of mappings comes as the
 * values of its keys, each ended by a tab. */
#include "modules/wg/yaml.h"
#include <errno.h>
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

static int read_peer(struct wg_roster *r, const char *entry,
		     struct wg_refusal *why)
{
	HD_AUTO(free_text) char *copy = strdup(entry);
	const char *v[PEER_N];

	if (copy == NULL)
		return wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
	split(copy, v, PEER_N);
	return wg_roster_add(
		r,
		&(struct wg_entry_text){ .name = v[PEER_NAME],
					 .endpoint = v[PEER_ENDPOINT],
					 .pubkey = v[PEER_PUBKEY],
					 .label = v[PEER_LABEL],
					 .nic = v[PEER_NIC],
					 .fixed = true },
		NULL, why);
}

static int read_link(struct wg_roster *r, const char *entry,
		     struct wg_refusal *why)
{
	HD_AUTO(free_text) char *copy = strdup(entry);
	const char *v[2];

	if (copy == NULL)
		return wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
	split(copy, v, 2);
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

int wg_yaml_read(struct wg_roster *r, const struct hd_list *peers,
		 const struct hd_list *links, struct hd_error *err)
{
	struct wg_refusal why;
	int e;

	for (size_t i = 0; i < peers->n; i++) {
		e = read_peer(r, peers->v[i], &why);
		if (e < 0)
			return refused("peers", i, peers->v[i], e, &why, err);
	}
	for (size_t i = 0; i < links->n; i++) {
		e = read_link(r, links->v[i], &why);
		if (e < 0)
			return refused("links", i, links->v[i], e, &why, err);
	}
	return 0;
}
