/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp_load.h - the parts of hd_xdp_load. */
#pragma once
#include <stdbool.h>
#include "t/bench/hd_xdp.h"

struct hd_xdp_load {
	const char *relay, *mine; /* addresses */
	const char *frames; /* the interface; NULL: sockets */
	uint8_t relay_mac[6];
	bool checked; /* frames have a UDP checksum */
	unsigned pairs, size, burst;
	double rate, seconds;
};

/* hd_xdp_frames_open - once. hd_xdp_frames_run - for so long. */
void hd_xdp_frames_open(const struct hd_xdp_load *load);
void hd_xdp_frames_run(const struct hd_xdp_load *load, double seconds,
		       uint64_t *ret_sent, uint64_t *ret_received);
