/* SPDX-License-Identifier: MIT */
/* modules/wg/saved.h - the file of endpoints and tunnels.
 *
 *   head | peers that are known somewhere | their links | their sessions | seal
 *
 * The seal is the SHA-256 of all before it; the first version had none.
 * Records have a fixed size, in this machine's byte order; peers and links are
 * named by their place in the file. Times are ages; the head says when. */
#pragma once
#include "modules/wg/state.h"

#define WG_STATE_FILE "wg.state"
#define WG_STATE_BEFORE "wg.state.before"
#define WG_STATE_MAGIC "HDWG\x01\x00\x02\x04"
#define WG_STATE_MAGIC_UNSEALED "HDWG\x01\x00\x02\x03"

struct wg_saved_head {
	char magic[8];
	uint64_t wall_ms;
	uint32_t n_peers, n_links, n_sessions, zero;
};

struct wg_peer_record {
	char name[WG_NAME_BYTES];
	uint8_t key[WG_KEY_BYTES];
	struct wg_addr pinned, endpoint, local;
	uint64_t seen_ago_ms, handshake_ago_ms, relearned;
};

struct wg_link_record {
	uint32_t peer[2];
	uint32_t trusted, zero;
	uint64_t handshake_ago_ms;
};

struct wg_session_record {
	uint32_t link; /* record */
	uint32_t initiator; /* 0 or 1; and 2: it stood */
	uint64_t made_ago_ms, used_ago_ms;
	struct wg_end_record {
		struct wg_addr addr, local;
		uint64_t next;
		uint32_t index, zero;
	} end[2];
};

struct wg_saved {
	uint8_t *v;
	size_t n, cap;
	bool failed;
};

extern bool wg_saved_damaged; /* the file that the next one replaces */

struct wg_saving { /* goes on over several turns */
	struct wg_saved_head head;
	struct wg_saved *file;
	uint32_t *peers, *links; /* number of its record, by id */
	uint32_t peer_ids, link_ids; /* when it began */
	uint32_t pool, at; /* how far it is */
};

uint64_t wg_wall_ms(void);
