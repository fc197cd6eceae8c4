/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_ahead.h - the old process: connections go ahead, while it
 * serves.
 *
 * Hardly any of many thousand connections says anything within a second. So all
 * are written down, a few of each worker between two turns; these are a part,
 * which the new process takes while the next one is made. Nobody notes whether
 * a connection has changed since: when the workers stand it is written down
 * once more and compared with what has gone, keys and numbers of records too,
 * and goes again where that is not the same. So who changes a field of a
 * connection need not know of this.
 *
 * One that ends in between has no number any more, and what went of it is of no
 * use; its descriptor may be another file by the time it is sent. */
#pragma once
#include "core/daemon/upgrade.h"

struct hd_ahead_image { /* what has gone of a stream */
	const struct hd_stream *s;
	int fd;
	unsigned worker;
	size_t at, n, secret_at, secret_n; /* in what its worker has written */
	const uint8_t *plain, *secret; /* once that has been sent */
};

struct hd_ahead_part; /* upgrade_parts.c */

struct hd_ahead {
	struct hd_give *g;
	struct hd_ahead_image *v; /* by index */
	uint8_t *since; /* enum hd_since of each */
	size_t n, size;
	struct hd_ahead_part *parts; /* which have been sent */
	/* the one that is being made, of each worker */
	uint32_t *slot; /* how far it has come */
	struct hd_snap *plains, *secrets;
	bool more, failed; /* one of them */
};

/* Slots that a worker looks at between two turns. */
#define HD_AHEAD_SLICE 256

/* ---- upgrade_parts.c: main thread ---- */

/* hd_ahead_send - while workers turn. Returns 0; negative with err.
 * @fd  to the new process
 * hd_ahead_n - how many have gone; NULL: none. hd_ahead_same - of those, when
 * the workers have stood: are as they were. */
int hd_ahead_send(struct hd_give *g, int fd, struct hd_error *err);
size_t hd_ahead_n(const struct hd_ahead *a);
unsigned hd_ahead_same(const struct hd_ahead *a);
void hd_ahead_free(struct hd_ahead **ahead);

/* ---- upgrade_ahead.c: in workers ---- */

struct hd_ahead_scratch { /* of one worker, for hd_ahead_is_same() alone */
	struct hd_snap plain, secret;
};

/* hd_ahead_slice - between two turns: the next few are written down. A
 * hd_run_fn; arg: struct hd_ahead.
 * The others while they stand:
 * hd_ahead_index - which number it has. Returns false: it has not gone ahead.
 * hd_ahead_is_same - nothing of it has changed. hd_ahead_note - what has become
 * of it; who is never noted has gone. */
void hd_ahead_slice(struct hd_worker *w, void *arg);
bool hd_ahead_index(const struct hd_ahead *a, const struct hd_stream *s,
		    size_t *ret);
bool hd_ahead_is_same(struct hd_give *g, struct hd_stream *s, size_t index,
		      struct hd_ahead_scratch *scratch);
void hd_ahead_note(struct hd_ahead *a, size_t index, enum hd_since since);
int hd_ahead_scratch_new(struct hd_ahead_scratch *scratch);
void hd_ahead_scratch_free(struct hd_ahead_scratch *scratch);
