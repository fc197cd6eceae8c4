/* SPDX-License-Identifier: MIT */
/* core/relay/login_head.c - what modules see of a login's HTTP request. */
#include <hyper-derp/hook.h>
#include "core/relay/peer.h"
#include "core/stream/stream_head.h"

const char *hd_login_header(const struct hd_peer *peer, const char *name)
{
	HD_CHECK_MAGIC(peer, HD_PEER_MAGIC);
	return hd_stream_head_header(peer->stream, name);
}

const char *hd_login_query(const struct hd_peer *peer, const char *name)
{
	HD_CHECK_MAGIC(peer, HD_PEER_MAGIC);
	return hd_stream_head_query(peer->stream, name);
}
