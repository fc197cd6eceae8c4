/* SPDX-License-Identifier: MIT */
/* core/base/memo.h - what is remembered of many, each for a while, in bounded
 * memory: of keys or addresses that have gone and may come back.
 *
 * A memo is held, or kept until some time. Beyond the most that may be kept the
 * one goes first whose time is over first. So if that time is how much somebody
 * owes, a crowd that owes little does not make us forget who owes much.
 *
 * Memos stand in structs of who keeps them, and are freed there. The clock is
 * the caller's. One thread, or a lock of the caller's. */
#pragma once
#include "core/base/heap.h"

struct hd_memo {
	struct hd_heap_node until; /* not in the heap: it is held */
	struct hd_memo *next; /* in the same place of the table */
	struct hd_key id;
	uint16_t realm; /* of the id */
};

struct hd_memos { /* zeroed but for max */
	uint32_t max; /* that are kept */
	struct hd_memo **v; /* NULL: there has never been one */
	struct hd_heap kept;
};

struct hd_memo *hd_memo_find(const struct hd_memos *all, uint16_t realm,
			     const struct hd_key *id);
/* hd_memo_add - held; there is none of that id. Returns 0; -ENOMEM.
 * hd_memo_take - out of the table. */
int hd_memo_add(struct hd_memos *all, struct hd_memo *m, uint16_t realm,
		const struct hd_key *id);
void hd_memo_take(struct hd_memos *all, struct hd_memo *m);
/* hd_memo_keep - it may be forgotten then. Returns who is forgotten now, as
 * there are too many, and maybe itself; NULL: nobody.
 * hd_memo_hold - it is held again. */
struct hd_memo *hd_memo_keep(struct hd_memos *all, struct hd_memo *m,
			     uint64_t until_ms);
void hd_memo_hold(struct hd_memos *all, struct hd_memo *m);
/* hd_memo_over - the next whose time is over: is in the table no more. NULL:
 * none. hd_memos_free - when none is left. */
struct hd_memo *hd_memo_over(struct hd_memos *all, uint64_t now_ms);
void hd_memos_free(struct hd_memos *all);
