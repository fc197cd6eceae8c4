/* SPDX-License-Identifier: MIT */
/* libhd/streams_none.c - in place of streams.c, where configure has found no
 * ngtcp2: an endpoint without streams is not made, so the rest is never
 * asked. */
#include <errno.h>
#include "libhd/inner.h"

bool libhd_has_streams(void)
{
	return false;
}

int hdl_streams_init(struct libhd *h)
{
	(void)h;
	return -EOPNOTSUPP;
}

void hdl_streams_free(struct libhd *h)
{
	(void)h;
}

void hdl_streams_peer_free(struct libhd_peer *peer)
{
	(void)peer;
}

void hdl_streams_here(struct libhd_peer *peer)
{
	(void)peer;
}

void hdl_streams_away(struct libhd_peer *peer)
{
	(void)peer;
}

void hdl_streams_gone(struct libhd_peer *peer, bool not_here)
{
	(void)peer, (void)not_here;
}

void hdl_streams_packet(struct libhd_peer *peer, const uint8_t *p, size_t n)
{
	(void)peer, (void)p, (void)n;
}

void hdl_streams_run(struct libhd *h)
{
	(void)h;
}

int64_t hdl_streams_timeout_ms(const struct libhd *h)
{
	(void)h;
	return -1;
}

int libhd_stream_open(struct libhd_peer *peer, struct libhd_stream **ret)
{
	(void)peer, (void)ret;
	return -EOPNOTSUPP;
}

ssize_t libhd_stream_read(struct libhd_stream *s, void *data, size_t len_bytes)
{
	(void)s, (void)data, (void)len_bytes;
	return -EOPNOTSUPP;
}

ssize_t libhd_stream_write(struct libhd_stream *s, const void *data,
			   size_t len_bytes)
{
	(void)s, (void)data, (void)len_bytes;
	return -EOPNOTSUPP;
}

void libhd_stream_end(struct libhd_stream *s)
{
	(void)s;
}

size_t libhd_stream_unsent_bytes(const struct libhd_stream *s)
{
	(void)s;
	return 0;
}

void libhd_stream_close(struct libhd_stream **s)
{
	*s = NULL;
}

struct libhd_peer *libhd_stream_peer(const struct libhd_stream *s)
{
	(void)s;
	return NULL;
}

void libhd_stream_set_user(struct libhd_stream *s, void *user)
{
	(void)s, (void)user;
}

void *libhd_stream_user(const struct libhd_stream *s)
{
	(void)s;
	return NULL;
}
