/* SPDX-License-Identifier: MIT */
/* modules/hd/owed.h - who has allowed an address that was nowhere, of a worker.
 * Context: that worker. */
#pragma once
#include "modules/hd/hd.h"

/* hdp_owed_new - free() ends it; NULL: no memory.
 * hdp_owed_add - who has sent this allows one that is nowhere. Returns false:
 * it is known, or that client has all its places.
 * hdp_owed_take - one who has allowed this address; it is forgotten. Returns
 * false: nobody.
 * hdp_owed_note - the same as add, of a worker. hdp_owed_there - for
 * hd_hook_there(). */
struct hdp_owed;
struct hdp_owed *hdp_owed_new(void);
bool hdp_owed_add(struct hdp_owed *o, const struct hd_packet *packet);
bool hdp_owed_take(struct hdp_owed *o, uint16_t realm, const struct hd_key *to,
		   struct hd_key *ret_from);
void hdp_owed_note(struct hd_module *mod, struct hd_worker *w,
		   const struct hd_packet *packet);
hd_there_fn hdp_owed_there;
