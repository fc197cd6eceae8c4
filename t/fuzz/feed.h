/* SPDX-License-Identifier: MIT */
/* t/fuzz/feed.h - bytes to a protocol on the fake core, in one piece and in
 * many: that must have the same effect. */
#pragma once
#include "t/unit/fake_core.h"

/* feed_both - to two streams that connect_at(where) makes. A broken rule ends
 * in an assertion.
 * @seed  of the pieces, 1 to 64 bytes each */
void feed_both(struct hd_stream *(*connect_at)(int where), int where,
	       unsigned seed, const uint8_t *p, size_t n);
