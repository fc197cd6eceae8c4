/* SPDX-License-Identifier: MIT */
/* core/relay/debt.h - what keys owe that have left: who comes back goes on
 * where it stopped, instead of with another burst. A debt is forgotten when it
 * is paid; of too many the smallest goes first.
 * Context: the key's home worker. */
#pragma once
#include "core/base/snap.h"
#include "core/loop/worker.h"
#include "core/relay/relay_table.h"

/* That are kept in a worker, 250 bytes each. Who has that many keys has as many
 * bursts anyhow. */
#define HD_DEBTS_MAX 4096

struct hd_debts; /* w->relay->debts */

/* hd_debt_keep - its last connection has gone: of its limit, the entry has none
 * after this, it stays what is owed.
 * hd_debt_back - Returns the limit of a key that owes; the caller frees it.
 * NULL: it owes nothing.
 * hd_debts_free - when no worker runs. */
void hd_debt_keep(struct hd_worker *w, struct hd_entry *e);
struct hd_limit *hd_debt_back(struct hd_worker *w, const struct hd_entry *e);
void hd_debts_free(struct hd_worker *w);

/* ---- to another process: debt_snap.c; workers stand ---- */

/* hd_debts_pack - an item each. hd_debt_take - one of them; those whose home is
 * another worker are passed over. Returns 0; -EBADMSG; -ENOTSUP. */
void hd_debts_pack(struct hd_worker *w, struct hd_snap *to);
int hd_debt_take(struct hd_worker *w, struct hd_snap_in in,
		 struct hd_error *err);
/* hd_debts_each - in no order. hd_debt_put - takes the limit. */
typedef void hd_debt_fn(void *arg, uint16_t realm, const struct hd_key *key,
			const struct hd_limit *limit);
void hd_debts_each(struct hd_worker *w, hd_debt_fn *fn, void *arg);
void hd_debt_put(struct hd_worker *w, uint16_t realm, const struct hd_key *key,
		 struct hd_limit *limit);
