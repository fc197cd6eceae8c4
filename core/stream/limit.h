/* SPDX-License-Identifier: MIT */
/* core/stream/limit.h - how much is read of one key: of all its connections
 * together, which are in one worker. The relay has it and hands it to the
 * streams; a stream without one pays one branch a read.
 * Context: the key's home worker. */
#pragma once
#include "core/base/bucket.h"

struct hd_limit {
	struct hd_rate rate; /* bytes */
	uint64_t per_s; /* what rate was made of */
	struct hd_bucket bucket;
};
