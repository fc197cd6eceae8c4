/* SPDX-License-Identifier: MIT */
/* modules/wg/quick.h - wg-quick's configuration files, both ways. */
#pragma once
#include "modules/wg/roster.h"

/* wg_quick_is - whether a text is a wg-quick configuration.
 * wg_quick_apply - its interface and peers become peers, each linked with the
 * interface. @name  of the interface's peer, or NULL.
 * Returns as wg_text_apply(). */
bool wg_quick_is(const char *text);
int wg_quick_apply(struct wg_changes *c, struct wg_roster *r, const char *text,
		   const char *name, struct wg_refusal *why);

struct wg_client { /* whose configuration, and what only people know */
	const struct wg_entry *peer;
	const char *endpoint; /* of the relay: HOST or HOST:PORT */
	const char *address; /* in the tunnel; NULL: one made of the key */
	uint16_t port; /* of the relay */
};
/* wg_quick_check - whether endpoint and address, where given, are such.
 * Returns 0; -EINVAL with the reason in why. */
int wg_quick_check(const struct wg_client *c, struct wg_refusal *why);
/* wg_quick_print - a client's configuration, all but its private key. */
void wg_quick_print(const struct wg_client *c, FILE *out);
/* wg_quick_address - the address in the tunnel that a key has: fd68:6477:6700::
 * and 80 bits of its hash, so that nobody has to hand out addresses. */
#define WG_ADDRESS_TEXT_BYTES 48
const char *wg_quick_address(const struct hd_key *key,
			     char buf[WG_ADDRESS_TEXT_BYTES]);
