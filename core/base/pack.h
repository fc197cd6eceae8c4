/* SPDX-License-Identifier: MIT */
/* core/base/pack.h - what modules pack: hyper-derp/upgrade.h, as items of a
 * snapshot.
 *
 *   HD_SNAP_PACK_BYTES  a byte: bytes of the name; the name; the bytes
 *   HD_SNAP_PACK_FD     the same; the bytes are a number, of a descriptor
 *   HD_SNAP_PACK_GROUP  the same; the bytes are items
 *
 * Any thread; a hd_pack is one thread's. */
#pragma once
#include <hyper-derp/upgrade.h>
#include <pthread.h>
#include "core/base/snap.h"

/* ---- written ---- */

#define HD_PACK_KEY_BYTES 32

struct hd_pack_fds { /* of all threads; they stay whose they are */
	pthread_mutex_t lock;
	int *v;
	size_t n;
	bool failed; /* out of memory */
	const uint8_t *key; /* that seals secrets; NULL: none can be packed */
	uint64_t secrets; /* how many there are: atomic */
};

struct hd_pack { /* an item of a snapshot that is open */
	struct hd_snap *to;
	struct hd_pack_fds *fds;
	size_t open[HD_PACK_DEPTH];
	unsigned depth;
};

/* hd_pack_key_new - of one upgrade: it seals what hd_pack_secret() gets. */
void hd_pack_key_new(uint8_t key[HD_PACK_KEY_BYTES]);

/* hd_pack_end - after a module's function: what it left open is closed. */
void hd_pack_end(struct hd_pack *p);

/* hd_taking_over - this process is, or not any more: the main thread, before
 * there are workers, and while they stand. */
void hd_taking_over(bool on);

/* ---- read ---- */

struct hd_unpack_fds { /* of all threads; -1: taken. The rest: the caller's */
	int *v;
	size_t n;
	const uint8_t *key; /* of the old process; NULL: it has sent none */
};

struct hd_unpack hd_unpack_of(struct hd_snap_in in, uint64_t version,
			      struct hd_unpack_fds *fds);
/* hd_pack_is_item - whether it is one of the three; who reads the item that
 * they are in passes over them. */
bool hd_pack_is_item(const struct hd_snap_item *item);
