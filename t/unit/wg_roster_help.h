/* SPDX-License-Identifier: MIT */
/* t/unit/wg_roster_help.h - a roster and what was done to it, for a test. */
#pragma once
#include "modules/wg/roster.h"
#include "t/unit/unit.h"

struct world {
	struct wg_roster *r;
	struct wg_changes c;
	struct wg_refusal why;
	char *text; /* what was printed last */
};

/* world_up, world_down - cmocka's setup and teardown; *state is a world. */
int world_up(void **state);
int world_down(void **state);
/* apply - what the text says is done; the changes are in w->c.
 * Returns as wg_text_apply(). */
int apply(struct world *w, const char *text);
