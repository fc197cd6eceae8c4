/* SPDX-License-Identifier: MIT */
/* core/base/event.h - events of hyper-derp/control.h, for whoever shows them.
 * Who tells one knows nobody: it asks hd_event_wanted(), calls hd_event(). */
#pragma once

/* hd_events_to - from now on hd_event() calls fn, from any thread; NULL:
 * nobody wants events. A call of the function before may still be under way. */
typedef void hd_event_fn(const char *name, const char *json);
void hd_events_to(hd_event_fn *fn);
