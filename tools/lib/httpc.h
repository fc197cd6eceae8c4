/* SPDX-License-Identifier: MIT */
/* tools/lib/httpc.h - the client's side of one HTTP/1.1 request. Bodies are
 * not read: whatever stands behind the head stays unread in the connection. */
#pragma once
#include "tools/lib/conn.h"

#define HTTPC_HEAD_BYTES 8192

struct httpc_head {
	int status;
	size_t len_bytes;
	char text[HTTPC_HEAD_BYTES + 1];
};

/* httpc_get - send a GET.
 * @headers  further lines, each ending in \r\n; "" none
 * @tail     bytes that follow the head at once, or NULL */
int httpc_get(struct conn *c, const char *host, const char *path,
	      const char *headers, const void *tail, size_t tail_bytes,
	      struct hd_error *err);

/* httpc_read_head - Returns 0; -EBADMSG this is not HTTP; as conn_fill(). */
int httpc_read_head(struct conn *c, struct httpc_head *ret_head,
		    struct hd_error *err);

/* httpc_header - copy a header's value. Returns whether it is there. */
bool httpc_header(const struct httpc_head *head, const char *name, char *buf,
		  size_t size);
