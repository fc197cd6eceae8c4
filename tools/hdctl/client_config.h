/* SPDX-License-Identifier: MIT */
/* tools/hdctl/client_config.h - what wg client-config is asked for. */
#pragma once
#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/wg_key.h"

enum { CLIENT_LINKS_MAX = 16 };

struct client_wish {
	const char *name, *endpoint, *address, *private_key;
	const char *links[CLIENT_LINKS_MAX]; /* with --new-key */
	size_t n_links;
	bool new_key, qr;
};

/* client_ask_config - the text that the relay has for it, the key's place open.
 * Returns an exit status, told. */
int client_ask_config(struct hdctl *h, const struct client_wish *w,
		      json_t **ret);
/* client_register - the relay knows the peer by pair's public key from now on,
 * also a peer that it did not know, and links it. Says so on stderr, and whose
 * configuration has to follow. Returns an exit status, told.
 * @ret_old  the public key before it; "-": it had none; "": the peer was not
 * there */
int client_register(struct hdctl *h, const struct client_wish *w,
		    const struct wg_key_pair *pair,
		    char ret_old[WG_KEY_TEXT_BYTES]);
/* client_unregister - its private half was lost on the way: what was there
 * before is there again. Returns an exit status, told. */
int client_unregister(struct hdctl *h, const struct client_wish *w,
		      const char *old);
