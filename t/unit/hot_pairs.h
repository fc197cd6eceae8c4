/* SPDX-License-Identifier: MIT */
/* t/unit/hot_pairs.h - pairs that send without end, beside a quiet one. Real
 * workers; worker 0's own thread writes and reads the clients' ends between its
 * turns: where all are in it, no clock and no other thread has a say. From
 * worker 0 to the last one. */
#pragma once
#include <hyper-derp/stream.h>

enum {
	HOT_MAX = 40, /* pairs */
	HOT_PACKETS = 60, /* of the quiet pair */
	HOT_APART = 7, /* turns between one's arrival and the next one */
};

struct hot_args {
	unsigned pairs, workers;
	enum hd_lane lane; /* that packets leave in */
	bool deep; /* sockets hold more than a turn reads */
	uint64_t others_bytes; /* what slow peers share in worker 0 */
	/* The quiet pair does not cross, and sends at once when one has come.
	 * What the last worker has to take waits until all of its packets have;
	 * then each hot pair gets so many bytes. 0: nothing waits. */
	uint64_t held_bytes;
	bool halves; /* each hot one begins with a packet, and half of one */
};

struct hot_result {
	uint64_t turns, longest; /* that a packet of the quiet pair waited */
	uint64_t xfer_drops, queue_drops; /* of worker 0 */
	unsigned n_slow; /* were closed, since they did not read */
	unsigned n_astray; /* hot packets that came in another order */
	uint64_t least_bytes, most_bytes; /* what a hot pair has got */
	bool held; /* the quiet ones came while the last worker took nothing */
};

/* hot_run - until all packets of the quiet pair have come, however long that
 * takes, except where the last worker stands still: 20 s. */
void hot_run(const struct hot_args *args, struct hot_result *ret);
