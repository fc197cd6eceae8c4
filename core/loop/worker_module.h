/* SPDX-License-Identifier: MIT */
/* core/loop/worker_module.h - a module in a worker. */
#pragma once
#include "core/base/module_id.h"
#include "core/loop/account.h"

struct hd_timer;

enum hd_module_phase { /* of a module in a worker: what its posts do */
		       HD_MOD_NONE, /* are refused, also those that wait are
				       dropped */
		       HD_MOD_STARTING, /* wait: start() has not run */
		       HD_MOD_STARTED,
		       HD_MOD_STOPPING, /* are refused; those that were taken
					   run */
};

struct hd_worker_module { /* what a worker holds for one module */
	void *data; /* def->worker_size bytes, zeroed */
	const void *conf; /* this worker's view */
	void *metrics; /* def->metrics_size bytes, as def->metrics says */
	struct hd_timer *timers;
	struct hd_account account;
	uint8_t phase; /* enum hd_module_phase; set by hd_inbox_phase() */
};
