/* SPDX-License-Identifier: MIT */
/* core/base/event.c - events, from any room to whoever shows them. */
#include "core/base/event.h"
#include <hyper-derp/event.h>

static hd_event_fn *shown_by; /* atomic; NULL: nobody wants them */

static hd_event_fn *load(void)
{
	return __atomic_load_n(&shown_by, __ATOMIC_RELAXED);
}

void hd_events_to(hd_event_fn *fn)
{
	__atomic_store_n(&shown_by, fn, __ATOMIC_RELAXED);
}

bool hd_event_wanted(void)
{
	return load() != NULL;
}

void hd_event(const char *name, const char *json)
{
	hd_event_fn *fn = load();

	if (fn != NULL)
		fn(name, json != NULL ? json : "{}");
}
