/* SPDX-License-Identifier: MIT */
/* core/relay/presence.h - who is here is told to watchers.
 *
 *   home of a key            worker of the watcher
 *   feed: what is to be told --batch--> watch: offered while the stream takes
 *                            <--empty--        it
 *
 * There is one batch for each feed. While it is away changes are merged in the
 * feed: so a watcher that reads slowly costs a place for each key that has
 * changed, and no more.
 * Files: presence_feed.c, presence.c. Context: the worker that is named. */
#pragma once
#include <hyper-derp/presence.h>
#include "core/loop/worker.h"
#include "core/relay/relay_table.h"

enum { HD_PRESENCE_BATCH = 128 };

struct hd_watcher_id { /* of one hd_presence_watch() */
	unsigned worker;
	uint32_t slot, gen; /* of the watcher's stream there */
	uint32_t nth; /* of its watches */
	uint32_t also; /* realms that are told in all tenants; not its name */
};

struct hd_presence_batch {
	struct hd_presence_batch *next;
	struct hd_watcher_id id;
	unsigned from; /* whose feed */
	uint16_t realm; /* of the watch */
	bool lost; /* the feed ran out of memory */
	uint32_t n, at; /* at: the next to be offered */
	struct hd_presence_item { /* holds the tenant of its realm */
		struct hd_key key;
		bool present;
		uint16_t realm;
		uint32_t flags;
		union hd_addr addr;
	} item[HD_PRESENCE_BATCH];
};

/* ---- in the home of a key: presence_feed.c ---- */

/* hd_feed_open - takes the batch: keys that are here, then changes.
 * hd_feed_again - once more those that are here; what is owed stays so.
 * hd_feed_widen - the realms of id->also are told, too: who is here, then
 * changes. hd_feed_close - of a watch that has ended, if it is there.
 * hd_feed_back - takes a batch that has been offered, or that nobody wants.
 * All for hd_worker_post(). */
void hd_feed_open(struct hd_worker *w, void *batch, void *unused);
void hd_feed_again(struct hd_worker *w, void *id, void *unused);
void hd_feed_widen(struct hd_worker *w, void *id, void *unused);
void hd_feed_close(struct hd_worker *w, void *id, void *unused);
void hd_feed_back(struct hd_worker *w, void *batch, void *unused);

/* hd_feeds_up - a key of this home has one connection more.
 * hd_feeds_down - its last one has closed.
 * hd_feeds_run - once a turn: what is to be told goes out. Returns whether
 * there is more for the next turn.
 * hd_feeds_free - the worker has ended. */
void hd_feeds_up(struct hd_worker *w, const struct hd_entry *e);
void hd_feeds_down(struct hd_worker *w, const struct hd_entry *e);
bool hd_feeds_run(struct hd_worker *w);
void hd_feeds_free(struct hd_worker *w);

/* hd_presence_batch_clear - it holds nothing any more. Any worker.
 * hd_presence_batch_free - the same; NULL is fine. */
void hd_presence_batch_clear(struct hd_presence_batch *b);
void hd_presence_batch_free(struct hd_presence_batch *b);

/* ---- in the worker of the watcher: presence.c ---- */

struct hd_peer;
/* hd_presence_take - a batch has come. For hd_worker_post().
 * hd_presence_offer - the stream may take more, at the end of a turn.
 * hd_presence_end - its peer leaves. */
void hd_presence_take(struct hd_worker *w, void *batch, void *unused);
void hd_presence_offer(struct hd_stream *s);
void hd_presence_end(struct hd_peer *peer);
