/* SPDX-License-Identifier: MIT */
/* core/http/forwarded.h - whose a request is that a proxy passes on: what the
 * configuration's trusted_header says, from trusted_proxies only. */
#pragma once
#include "core/base/prefix.h"
#include "core/conf/conf.h"
#include "core/http/http.h"

/* hd_forwarded_find - who the header names: of all that stand there, in all of
 * its lines, the last that is no proxy that we trust, since each proxy adds at
 * the end whom it saw; the first, if all are. What stands before one that is no
 * address ("unknown", "_hidden") does not count: nobody trusted has seen it.
 * @ret_client  its port is 0 where none is given
 * Returns 1; 0: it names nobody; -EBADMSG: Forwarded breaks RFC 7239, 4. Any
 * thread. */
int hd_forwarded_find(const struct hd_http_head *head,
		      enum hd_trusted_header which,
		      const struct hd_prefixes *trusted,
		      union hd_addr *ret_client);

/* hd_forwarded_apply - the stream's address is the client's of this request;
 * the next one on the same connection may be another's. Returns 0; -EBADMSG, a
 * trusted proxy sends what cannot be read; -EUSERS, that client has more
 * connections than it may. The stream's worker. */
int hd_forwarded_apply(struct hd_request *req);
