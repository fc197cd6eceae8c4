/* SPDX-License-Identifier: MIT */
/* core/stream/visitor.h - addresses that have connections here: how many, and
 * how fast they open more. Of IPv6 a prefix counts as one address, for a client
 * has a whole network of them.
 *
 * One table for all workers, in parts with a lock each; a connection that comes
 * or goes takes one for a few loads, a packet never. An address is held in it
 * while it has connections, so there are no more than those. Then it is kept
 * until its rate is paid for, and for a minute after a line in the log. Of too
 * many those go first whose time is over first: so a crowd of addresses does
 * not make us forget who exceeds limits.
 * Context: a worker. */
#pragma once
#include "core/loop/worker.h"

struct hd_listener;
struct hd_stream;
struct hd_visitor;

/* hd_visitor_come - one more connection from there. Returns whether it may
 * stay; if not, it is counted and in the log.
 * @ret_visitor  given; NULL: it does not count, for there is no limit, or it is
 *               one of trusted_proxies
 * hd_visitor_leave - one less. NULL is nothing. */
bool hd_visitor_come(struct hd_worker *w, const struct hd_listener *l,
		     const union hd_addr *from,
		     struct hd_visitor **ret_visitor);
void hd_visitor_leave(struct hd_worker *w, struct hd_visitor **visitor);

/* hd_visitor_renamed - a stream is another client's now, as a proxy says.
 * Returns whether it may be. */
bool hd_visitor_renamed(struct hd_stream *s);
/* hd_visitors_reload - the configuration is another one: those count that have
 * not counted. */
void hd_visitors_reload(struct hd_worker *w);
/* hd_visitors_n - addresses that are held or kept; takes all locks. */
size_t hd_visitors_n(void);
