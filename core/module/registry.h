/* SPDX-License-Identifier: MIT */
/* core/module/registry.h - all kinds of what modules register, taken together.
 * Each function goes through the rows of core/base/kind.h, in the order of the
 * table in registry.c. */
#pragma once
#include "core/base/kind.h"

/* hd_registry_add - a kind of a room above module/; once more: nothing
 * happens. In a load() it is too late for its draft(). */
void hd_registry_add(const struct hd_kind *kind);

/* Main thread. hd_registry_busy - @ret_text  what keeps it: "a command". */
void hd_registry_draft(void);
void hd_registry_publish(void);
void hd_registry_withdraw(const struct hd_module *mod);
/* hd_registry_withdraw_early - but for what is asked to the last. */
void hd_registry_withdraw_early(const struct hd_module *mod);
void hd_registry_reclaim(void);
bool hd_registry_busy(const struct hd_module *mod, const char **ret_text);
void hd_registry_hurry(const struct hd_module *mod);

/* In a worker. */
void hd_registry_sync_here(struct hd_worker *w, const struct hd_module *mod);
void hd_registry_cancel_here(struct hd_worker *w, const struct hd_module *mod);
void hd_registry_end_here(struct hd_worker *w, struct hd_module *mod,
			  bool kept);
void hd_registry_settle_here(struct hd_worker *w, const struct hd_module *mod,
			     bool kept);
