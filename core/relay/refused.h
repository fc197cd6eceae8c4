/* SPDX-License-Identifier: MIT */
/* core/relay/refused.h - how often keys were refused a short while ago. A
 * client that is told why takes the frame for a sign of life and comes back at
 * once: a tailscaled 1.102 that was told each time logged in 150 times a
 * second. One that is closed without a word waits longer each time, up to 5 s
 * (magicsock's backoff). So the log has a refusal once a minute, and a key is
 * told some times in it: enough for a person who tries again, and the end for
 * a loop. Context: the key's home worker. */
#pragma once
#include <hyper-derp/base.h>

struct hd_worker;

enum {
	HD_REFUSED_MS = 60000, /* from the first time on they are counted */
	HD_REFUSED_TOLD = 10,  /* so often a key is told the same meanwhile */
	HD_REFUSED_N = 1024,   /* keys that a worker remembers; two that fall
				  on one place push each other out */
};

/* hd_refused_count - the key is refused now. Returns how often it was for this
 * reason within the minute, this time included: 1 the first time.
 * hd_refused_forget - the key has been admitted. */
uint32_t hd_refused_count(struct hd_worker *w, uint16_t realm,
			  const struct hd_key *key, const char *reason);
void hd_refused_forget(struct hd_worker *w, uint16_t realm,
		       const struct hd_key *key);
