/* SPDX-License-Identifier: MIT */
/* hyper-derp/splice.h - two streams become a pipe: what comes on one goes out
 * on the other, both ways. For a module that passes connections on to a server
 * which it has dialled (dial.h). Everything here runs in the worker of the
 * streams. */
#pragma once
#include <hyper-derp/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_splice - from now on a and b, of the same module and worker, are a pipe.
 * data() of both protocols is
 *
 *	return hd_splice_data(s, p, n);
 *
 * and what data() has not used so far goes first. A pause of a or b ends.
 * - Who reads slowly holds the other one back: at most 128 KiB wait in each
 *   direction. write_timeout does not count, idle_ms does.
 * - The end of what one sends is passed on when all before it has left, and the
 *   other direction goes on. When both have ended, both close with
 *   HD_CLOSE_DONE.
 * - Who breaks off takes the other along, when that has what was queued: with
 *   no end of TLS, so that half of something does not look whole. Both close
 *   for the same reason. hd_stream_close() of one closes both.
 * @idle_ms  so long without a byte either way, and both close with
 *           HD_CLOSE_TIMEOUT; it takes the place of login_timeout
 * Returns 0; else nothing has changed
 * -EINVAL  they are one stream, or not of one module and one worker
 * -EPIPE   one of the two closes
 * -EBUSY   one is in a pipe already, or has logged in (relay.h)
 * -ENOMEM */
HD_API int hd_splice(struct hd_stream *a, struct hd_stream *b,
		     uint32_t idle_ms);

/* hd_splice_data - what data() of both does. Before hd_splice() it uses
 * nothing: so all is kept, up to a limit; hd_stream_pause() until then. */
HD_API size_t hd_splice_data(struct hd_stream *s, uint8_t *p, size_t n);

/* hd_proxy_header_put - the PROXY header that tells a server whose connection s
 * is: who connected, or whom a PROXY header named; not whom X-Forwarded-For and
 * the like did, which are of a request. Source: the PROXY protocol of haproxy,
 * 2.1 and 2.2.
 * @version  1 (text) or 2 (binary)
 * @buf      HD_PROXY_HEADER_BYTES
 * Returns its length in bytes. */
#define HD_PROXY_HEADER_BYTES 108
HD_API size_t hd_proxy_header_put(const struct hd_stream *s, unsigned version,
				  uint8_t *buf);

#ifdef __cplusplus
}
#endif
