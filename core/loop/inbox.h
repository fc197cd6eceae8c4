/* SPDX-License-Identifier: MIT */
/* core/loop/inbox.h - work that other threads hand to a worker. */
#pragma once
#include "core/loop/worker.h"

void hd_inbox_init(struct hd_inbox *inbox);
bool hd_inbox_empty(struct hd_inbox *inbox);
/* hd_inbox_run - everything that was there when called, in order. */
void hd_inbox_run(struct hd_worker *w);
/* hd_inbox_shut - run what is left and refuse what comes. */
void hd_inbox_shut(struct hd_worker *w);
