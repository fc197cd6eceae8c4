/* SPDX-License-Identifier: MIT */
/* modules/mesh/backoff.c - how long to wait before a member is dialled again.
 * All relays of a region lose one that restarts at the same moment: by chance
 * they do not come back at the same moment. */
#include "modules/mesh/mesh.h"

enum { FIRST_MS = 100, DOUBLINGS_MAX = 16 };

uint32_t mesh_backoff_ms(unsigned tries, uint32_t max_ms, uint32_t chance)
{
	uint32_t ms = (uint32_t)FIRST_MS << HD_MIN(tries, DOUBLINGS_MAX);

	ms = HD_MAX(HD_MIN(ms, max_ms), 2);
	return ms / 2 + chance % (ms / 2 + 1);
}
