/* SPDX-License-Identifier: MIT */
/* modules/wg/yaml.h - peers and links that stand in the configuration. */
#pragma once
#include <hyper-derp/config.h>
#include "modules/wg/roster.h"

struct wg_yaml_peer { /* texts; NULL: not set */
	struct hd_place at;
	const char *name, *endpoint, *pubkey, *label, *nic;
};

struct wg_yaml_link {
	struct hd_place at;
	const char *a, *b;
};

struct wg_yaml { /* the two lists of a configuration */
	HD_ENTRIES_OF(struct wg_yaml_peer) peers;
	HD_ENTRIES_OF(struct wg_yaml_link) links;
};

extern const struct hd_option wg_yaml_peer_options[], wg_yaml_link_options[];

/* wg_yaml_peers - put them into an empty roster, marked as fixed.
 * @look_up  ask for the address of an endpoint that is a host's name, which the
 *           predecessor did once, too; it may take its time. Else the peer has
 *           an address that means nothing: enough to check the rest.
 * Returns 0; < 0 with what is wrong. */
int wg_yaml_peers(struct wg_roster *r, const struct wg_yaml *yaml,
		  bool look_up, struct hd_error *err);
/* wg_yaml_links - likewise, after the roster's file: peers of it may be linked
 * here, as the predecessor had it.
 * @rest  the file has not been read: leave out whom it may have
 * Returns how many were left out; < 0 with what is wrong. */
int wg_yaml_links(struct wg_roster *r, const struct wg_yaml *yaml, bool rest,
		  struct hd_error *err);
/* wg_yaml_at - where a peer of the configuration stands, for messages. */
const struct hd_place *wg_yaml_at(const struct wg_yaml *yaml, const char *name);
