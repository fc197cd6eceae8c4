/* SPDX-License-Identifier: MIT */
/* core/relay/ticket.h - what a module says of a login. Plain memory: whoever
 * has it may write to it. */
#pragma once
#include <hyper-derp/hook.h>

struct hd_ticket { /* one question: its answer finds the login by this */
	unsigned worker; /* an index: unload() may answer when all have ended */
	uint32_t slot, gen;
	uint32_t asked_n;
	enum hd_verdict verdict;
	char reason[124], label[64];
	uint32_t wait_ms; /* instead of login_timeout; 0: that */
	bool has_mesh, mesh; /* whether it is trusted as another relay */
	bool has_tenant;
	char tenant[HD_TENANT_BYTES];
	bool has_limits[HD_LIMITS_N];
	struct hd_limits limits[HD_LIMITS_N];
};
