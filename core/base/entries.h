/* SPDX-License-Identifier: MIT */
/* core/base/entries.h - what modules have registered: a list that the main
 * thread changes while workers read it. An entry is complete before it is
 * linked, and one that was unlinked leads on to the rest until every worker has
 * ended its turn. The functions are those of a kind (core/base/kind.h).
 * Context: the main thread, unless it says more. */
#pragma once
#include <stdbool.h>

struct hd_module;

struct hd_entry_link { /* the first member of an entry, which is malloc()ed */
	struct hd_module *mod;
	struct hd_entry_link *next, *next_withdrawn;
};

struct hd_entries { /* zeroed: empty */
	struct hd_entry_link *first;
	struct hd_entry_link *drafts; /* not published yet */
	struct hd_entry_link *withdrawn; /* not freed yet */
	bool drafting;
};

/* hd_entries_add - at the end; of the drafts between draft and publish. Takes
 * the entry, whose mod is set. */
void hd_entries_add(struct hd_entries *list, struct hd_entry_link *entry);
void hd_entries_draft(struct hd_entries *list);
void hd_entries_publish(struct hd_entries *list);
void hd_entries_withdraw(struct hd_entries *list, const struct hd_module *mod);
void hd_entries_reclaim(struct hd_entries *list);

/* hd_entries_after - the one behind an entry, NULL: the first. Any thread,
 * within a turn of its worker. */
struct hd_entry_link *hd_entries_after(const struct hd_entries *list,
				       const struct hd_entry_link *entry);
