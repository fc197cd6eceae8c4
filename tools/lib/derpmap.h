/* SPDX-License-Identifier: MIT */
/* tools/lib/derpmap.h - a relay's entry in the DERP map, in the forms that
 * control servers and clients read. */
#pragma once
#include <hyper-derp/base.h>
#include <stdio.h>

/* For one's own relays: another number in the policy file takes the place of
 * Tailscale's region. Source: tailscale, tailcfg/derpmap.go. */
enum { DERPMAP_OWN_MIN = 900, DERPMAP_OWN_MAX = 999 };

struct derpmap_node { /* everything borrowed */
	int region_id;
	const char *region_code, *region_name;
	const char *host; /* its name, or an address */
	const char *ipv4, *ipv6; /* "" ask DNS; "none" do not use */
	const char *cert_name; /* "" the host's; "sha256-raw:…" a pin */
	int derp_port;
	int stun_port; /* -1 none */
	bool can_port_80; /* /generate_204 answers by plain HTTP: clients ask
			     it whether they are behind a captive portal */
};

/* derpmap_print - @format  "json": the part of a Tailscale policy file;
 *   "yaml": a file for Headscale's derp.paths; "tailcat": a whole DERP map
 *   to serve at --derpmap-url.
 * Returns 0; -EINVAL no such format; -ENOMEM. */
int derpmap_print(FILE *out, const char *format,
		  const struct derpmap_node *node, struct hd_error *err);
/* derpmap_save - the same into a file: it is replaced, by rename, when all is
 * written; else what was there stays, so that no control server ever reads an
 * empty map. A new one has the mode that the umask leaves.
 * Returns 0; as derpmap_print(); -EINVAL no regular file; other -errno. */
int derpmap_save(const char *path, const char *format,
		 const struct derpmap_node *node, struct hd_error *err);
/* derpmap_warn - on stderr, what whoever enters it must know.
 * @plain  the port speaks no TLS */
void derpmap_warn(const char *program, const struct derpmap_node *node,
		  bool plain);
