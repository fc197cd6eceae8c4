/* SPDX-License-Identifier: MIT */
/* hyper-derp/event.h - what happened, for everybody who watches: `hdctl watch`
 * and the sockets of other programs; and for who asks later: the audit log. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The events that a module tells with hd_event(): `hdctl watch` takes these
 * names, and what they begin with. Ends with name NULL. */
struct hd_event_def {
	const char *name; /* "wg.moved": the module's name and a dot first */
	const char *help; /* "a peer has another address" */
};

/* hd_event_wanted - whether anybody does: ask before making one. Any thread.
 * hd_event - @json an object, or NULL; copied. Not on the packet path: it
 * allocates. When too many wait, it is lost and counted. */
HD_API bool hd_event_wanted(void);
HD_API void hd_event(const char *name, const char *json);

/* hd_audit - a line for the audit log (`audit.file`), where there is one: what
 * a rule or an operator did to somebody. Any thread; it never waits for the
 * disk. Not for what happens by the thousand each second.
 * @what  "policy.quota": the module's name and a dot first
 * @json  an object, copied, whose members stand in the line; NULL: none. Not
 *        "time" nor "what". No secrets. */
HD_API void hd_audit(const char *what, const char *json);

#ifdef __cplusplus
}
#endif
