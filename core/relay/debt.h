/* SPDX-License-Identifier: MIT */
/* core/relay/debt.h - what keys owe that have left: who comes back goes on
 * where it stopped, instead of with another burst. A debt is forgotten when it
 * is paid; of too many the smallest goes first.
 * Context: the key's home worker. */
#pragma once
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
