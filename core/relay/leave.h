/* SPDX-License-Identifier: MIT */
/* core/relay/leave.h - the leave hooks: who was here, and how much.
 * Context: the peer's worker. */
#pragma once
#include "core/relay/peer.h"

/* hd_leave_tell - its stream has ended: all hooks hear of it, once.
 * hd_leave_behind - a module is about to be stopped, and its hooks are in the
 * table of the worker yet: those hear of everybody who stays. */
void hd_leave_tell(struct hd_peer *p);
void hd_leave_behind(struct hd_worker *w, const struct hd_module *mod);
