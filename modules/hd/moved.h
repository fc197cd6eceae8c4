/* SPDX-License-Identifier: MIT */
/* modules/hd/moved.h - connection ids that another process has given: where
 * their clients are at home in this one. All workers read it, without a lock;
 * it is made while they stand, and only loses entries after that. */
#pragma once
#include <hyper-derp/base.h>

struct hdp_moved;

/* hdp_moved_new - for n ids; it has one holder. NULL: out of memory.
 * hdp_moved_hold - one more: returns m. hdp_moved_drop - one less; NULL is
 * nothing.
 * hdp_moved_add - while workers stand, any of them. Returns 0; -EEXIST;
 * -ENOSPC.
 * hdp_moved_find - NULL has none. Returns whether there is such an id.
 * hdp_moved_remove - its client has ended. */
struct hdp_moved *hdp_moved_new(size_t n);
struct hdp_moved *hdp_moved_hold(struct hdp_moved *m);
void hdp_moved_drop(struct hdp_moved *m);
int hdp_moved_add(struct hdp_moved *m, uint32_t id, uint32_t place);
bool hdp_moved_find(const struct hdp_moved *m, uint32_t id,
		    uint32_t *ret_place);
void hdp_moved_remove(struct hdp_moved *m, uint32_t id);
