/* SPDX-License-Identifier: MIT */
/* core/relay/wayless.h - keys whose packets another relay has brought to
 * somebody here, while no way leads to them.
 *
 * A packet, and the news of where its source is, come over two connections and
 * through other workers: so either may be first.
 *
 *   packet --> waits --a way comes--> away (away.h): told when it goes
 *              ^  | `-it logs in----> here
 *              |  `--a minute is over--> forgotten; told if another process had
 *              |     a way, and ways do not wait until somebody needs one
 *   its last way is not used any more --' (an upgrade)
 *
 *   its last way goes, since its relay says so --> marked --packet, within a
 *   second--> told
 *
 * Context: the key's home worker. */
#pragma once
#include "core/loop/worker.h"
#include "core/relay/relay_table.h"

enum {
	HD_WAYLESS_MS = 60000, /* from the last packet that was noted */
	HD_WAYLESS_MAX = 4096, /* keys that wait in a worker */
	HD_WENT_MS = 1000,
	HD_WENT_MAX = 64, /* that one mark tells */
};

/* hd_wayless_note - a packet of it has reached somebody here: it waits, or has
 * gone. hd_wayless_owe - the same of one that another process had a way to.
 * hd_wayless_keep - takes an entry that is in no table; no way is left.
 * hd_wayless_join - what waits is owed by this entry of the key from now on,
 * which is here or away. hd_wayless_has - something waits.
 * hd_wayless_went - its last way has gone, as its relay says.
 * hd_wayless_came - it has a way again. */
void hd_wayless_note(struct hd_worker *w, uint64_t hash, uint16_t realm,
		     const struct hd_key *source,
		     const struct hd_key *receiver);
void hd_wayless_owe(struct hd_worker *w, uint64_t hash, uint16_t realm,
		    const struct hd_key *source, const struct hd_key *receiver);
void hd_wayless_keep(struct hd_worker *w, struct hd_entry **entry);
void hd_wayless_join(struct hd_worker *w, struct hd_entry *e);
bool hd_wayless_has(const struct hd_worker *w, uint64_t hash, uint16_t realm,
		    const struct hd_key *key);
void hd_wayless_went(struct hd_worker *w, uint64_t hash, uint16_t realm);
void hd_wayless_came(struct hd_worker *w, uint64_t hash, uint16_t realm);

/* hd_wayless_table - those that wait; NULL: none ever did.
 * hd_wayless_free - the worker has ended. */
const struct hd_relay_table *hd_wayless_table(const struct hd_worker *w);
void hd_wayless_free(struct hd_worker *w);
