/* SPDX-License-Identifier: MIT */
/* core/relay/refused.h - which keys were refused a short while ago. A client
 * that is told why takes the frame for a sign of life and comes back at once: a
 * tailscaled 1.102 that was told each time logged in 150 times a second. One
 * that is closed without a word waits longer each time, up to 5 s (magicsock's
 * backoff). So a key is told the same, and is in the log, once a minute.
 * Context: the key's home worker. */
#pragma once
#include <hyper-derp/base.h>

struct hd_worker;

enum {
	HD_REFUSED_MS = 60000, /* until a key is told the same again */
	HD_REFUSED_N = 1024,   /* keys that a worker remembers; two that fall
				  on one place push each other out */
};

/* hd_refused_again - the key is refused now. Returns whether it was told this
 * reason within the last minute; if not, it counts as told from now on.
 * hd_refused_forget - the key has been admitted. */
bool hd_refused_again(struct hd_worker *w, uint16_t realm,
		      const struct hd_key *key, const char *reason);
void hd_refused_forget(struct hd_worker *w, uint16_t realm,
		       const struct hd_key *key);
