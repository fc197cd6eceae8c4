/* SPDX-License-Identifier: MIT */
/* core/base/entries.c - see entries.h. A relay has a dozen entries of a kind,
 * looked up once per connection: a list. */
#include "core/base/entries.h"
#include <stdlib.h>

static void store(struct hd_entry_link **at, struct hd_entry_link *entry)
{
	__atomic_store_n(at, entry, __ATOMIC_RELEASE);
}

static void append(struct hd_entry_link **at, struct hd_entry_link *entry)
{
	while (*at != NULL)
		at = &(*at)->next;
	store(at, entry);
}

void hd_entries_add(struct hd_entries *list, struct hd_entry_link *entry)
{
	append(list->drafting ? &list->drafts : &list->first, entry);
}

void hd_entries_draft(struct hd_entries *list)
{
	list->drafting = true;
}

void hd_entries_publish(struct hd_entries *list)
{
	list->drafting = false;
	append(&list->first, list->drafts);
	list->drafts = NULL;
}

static void out_of(struct hd_entry_link **at, const struct hd_module *mod,
		   struct hd_entry_link **withdrawn)
{
	while (*at != NULL) {
		struct hd_entry_link *entry = *at;

		if (entry->mod != mod) {
			at = &entry->next;
			continue;
		}
		store(at, entry->next);
		entry->next_withdrawn = *withdrawn;
		*withdrawn = entry;
	}
}

void hd_entries_withdraw(struct hd_entries *list, const struct hd_module *mod)
{
	out_of(&list->first, mod, &list->withdrawn);
	out_of(&list->drafts, mod, &list->withdrawn);
}

void hd_entries_reclaim(struct hd_entries *list)
{
	while (list->withdrawn != NULL) {
		struct hd_entry_link *entry = list->withdrawn;

		list->withdrawn = entry->next_withdrawn;
		free(entry);
	}
}

struct hd_entry_link *hd_entries_after(const struct hd_entries *list,
				       const struct hd_entry_link *entry)
{
	return __atomic_load_n(entry != NULL ? &entry->next : &list->first,
			       __ATOMIC_ACQUIRE);
}
