/* SPDX-License-Identifier: MIT */
/* core/net/path.h - the path of a TCP connection that takes less than it is
 * sent: how far the other end is, and whether the way there loses packets. What
 * the kernel has measured says it. Context: the connection's worker.
 *
 * CUBIC takes each loss for a full queue and slows down; on a long way that
 * loses by chance it never has the rate of the line. BBR keeps what it has
 * measured. Near, CUBIC is back at once, and BBR's pacing costs CPU. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define HD_PATH_FAR_US 5000 /* round trip, without queues */
/* How often the kernel is asked, at most. */
#define HD_PATH_LOOK_MS 250
/* The way loses by chance: so many looks saw packets sent again while no queue
 * was there, within so many bytes (0.03 % of usual packets). */
#define HD_PATH_LOSSES 3
#define HD_PATH_WINDOW_BYTES (16 * 1024 * 1024)
/* What may wait for one that is far: what the path holds, at most this. */
#define HD_PATH_ROOM_BYTES (4 * 1024 * 1024)

struct hd_path { /* zeroed: nothing is known */
	uint64_t next_ms; /* not before is looked again */
	uint64_t from_bytes; /* sent before `losses` was counted */
	uint32_t retransmits; /* as the last look saw them */
	uint32_t room_bytes; /* may wait here; 0: it is near */
	uint8_t losses;
	bool keeps_rate; /* it has BBR */
	bool settled; /* it has what it may have */
};

struct hd_path_seen { /* by the kernel */
	uint64_t sent_bytes; /* all of them */
	uint64_t rate; /* bytes/s that it sends at; 0: not known */
	uint32_t rtt_us, min_rtt_us; /* now; without queues */
	uint32_t retransmits; /* all of them */
};

/* hd_path_see - ask the kernel. Returns 0; -errno: no TCP. */
int hd_path_see(int fd, struct hd_path_seen *ret);
/* hd_path_is_lossy - a look. Returns whether BBR would be faster. */
bool hd_path_is_lossy(struct hd_path *p, const struct hd_path_seen *seen);
/* hd_path_measure - a look: sets room_bytes. */
void hd_path_measure(struct hd_path *p, const struct hd_path_seen *seen);
/* hd_path_has_bbr - what sends on the socket.
 * hd_path_name - of that. Returns "": no TCP.
 * hd_path_set_bbr - from now on. Returns 0; -ENOENT the kernel has not loaded
 * it; -EPERM it may not be chosen. */
#define HD_PATH_NAME_BYTES 16
const char *hd_path_name(int fd, char ret[static HD_PATH_NAME_BYTES]);
bool hd_path_has_bbr(int fd);
int hd_path_set_bbr(int fd);
