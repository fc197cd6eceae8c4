/* SPDX-License-Identifier: MIT */
/* t/unit/wg_roster_help.c - see wg_roster_help.h. */
#include "t/unit/wg_roster_help.h"
#include <stdlib.h>
#include <string.h>

int world_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->r = wg_roster_new();
	*state = w;
	return 0;
}

int world_down(void **state)
{
	struct world *w = *state;

	wg_changes_free(&w->c);
	wg_roster_free(&w->r);
	free(w->text);
	free(w);
	return 0;
}

int apply(struct world *w, const char *text)
{
	return wg_text_apply(&w->c, w->r, "roster", text, strlen(text),
			     &w->why);
}
