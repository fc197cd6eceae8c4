/* SPDX-License-Identifier: MIT */
/* core/relay/audited.h - who was refused or put out, for the audit log. */
#pragma once
#include <hyper-derp/stream.h>

/* hd_peer_audit - a line about the peer of a stream: its key, address, and the
 * reason. Strangers make keys by the thousand: at most 20 a second are written
 * one by one, and the next line says how many were not ("more"). Any worker. */
void hd_peer_audit(const struct hd_stream *s, const char *what,
		   const char *reason);
