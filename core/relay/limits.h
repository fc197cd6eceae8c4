/* SPDX-License-Identifier: MIT */
/* core/relay/limits.h - how much keys and tenants may send, and how many
 * connections they may have. What a key owes is kept with its entry, and when
 * that goes, until it is paid: debt.h.
 * Context: the key's home worker. */
#pragma once
#include "core/base/snap.h"
#include "core/relay/peer.h"

struct hd_limits_worker; /* w->relay->limits */

#define HD_LIMITS_FULL "its tenant has as many connections as it may"

/* hd_limits_enter - a peer that hooks let in; before it is up. Returns 0;
 * -EUSERS its tenant has as many connections as it may, and its key has none of
 * them; else one of those closes.
 * hd_limits_begin - it is up: from now on what it sends is counted, if there is
 * a limit. Returns 0; -ENOMEM.
 * hd_limits_is_first - nobody is in its tenant yet.
 * hd_limits_may - how many its tenant may have, by what is said until now.
 * hd_limits_crowd - its key has more connections than it may: the one that has
 * been silent longest closes. The same of its tenant as hd_limits_enter(), if
 * less than `before` was said while it came up.
 * hd_limits_end - it is about to leave its entry, or has never been up. */
int hd_limits_enter(struct hd_peer *p);
int hd_limits_begin(struct hd_peer *p);
bool hd_limits_is_first(const struct hd_peer *p);
uint32_t hd_limits_may(const struct hd_peer *p);
void hd_limits_crowd(struct hd_peer *p, uint32_t before);
void hd_limits_end(struct hd_peer *p);
/* hd_limits_give - what a hook said of it. Returns 0; -ENOMEM. */
int hd_limits_give(struct hd_peer *p, enum hd_limits_of of,
		   const struct hd_limits *limits);

/* hd_limits_start, hd_limits_reload - the configuration is this, or another
 * one: for the worker and all its peers. hd_limits_free - when no worker runs.
 */
void hd_limits_start(struct hd_worker *w);
void hd_limits_reload(struct hd_worker *w);
void hd_limits_free(struct hd_worker *w);

/* ---- to another process: limits_snap.c ---- */

/* hd_limits_pack - what hooks gave a peer, in its item.
 * hd_limits_unpack - an item of that. Returns 0; -EBADMSG; -ENOTSUP; -ENOMEM.
 * hd_limits_again - a peer that was up in the old process, before it is up:
 * counted, and never one too many.
 * hd_limits_owe - what its key owed there, once it is up. */
void hd_limits_pack(const struct hd_peer *p, struct hd_snap *to);
int hd_limits_unpack(struct hd_peer *p, struct hd_snap_in in,
		     struct hd_error *err);
void hd_limits_again(struct hd_peer *p);
/* hd_funds_pack - what tenants and the relay have used up of their limits, an
 * item each. hd_fund_take - one of them. Returns 0; -EBADMSG; -ENOTSUP;
 * -ENOMEM. Main thread, while workers stand.
 * hd_fund_relay - of all. hd_fund_of - of a tenant; NULL: it has none.
 * hd_fund_made - made if there is none; NULL: out of memory. */
struct hd_fund *hd_fund_relay(void);
struct hd_fund *hd_fund_of(uint16_t tenant);
struct hd_fund *hd_fund_made(uint16_t tenant);
void hd_funds_pack(struct hd_snap *to);
int hd_fund_take(struct hd_snap_in in, struct hd_error *err);
void hd_limits_owe(struct hd_peer *p, uint64_t paid_ns);
