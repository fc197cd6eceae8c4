/* SPDX-License-Identifier: MIT */
/* modules/hd/path.h - a client's way by UDP: of udp.c and path.c.
 *
 *   OFFERED --Probe, or anything right, from an address: Challenge there-->
 *   ASKED --Response from that address--> VALID: packets go there
 *   VALID --UdpLost, or silence--> OFFERED
 *
 * An address that has not answered is sent nothing but a Challenge, which is
 * no longer than what came from there. */
#pragma once
#include "modules/hd/hd.h"
#include "modules/hd/udp_keys.h"

struct hdp_path_place { /* where it is, and which of our addresses it uses */
	union hd_addr addr, local;
};

struct hdp_path { /* of hdp_udp_path_new(): a reload keeps it */
	struct hd_stream *stream;
	uint32_t conn; /* worker(8) slot(24): the client's id for it */
	bool valid, asked;
	struct hdp_path_place at; /* while valid */
	struct hdp_path_place asked_at;
	uint8_t token[HDP_UDP_TOKEN_BYTES]; /* of the Challenge there */
	uint64_t asked_ms, heard_ms;
	uint64_t unheard_ms; /* sent since then, and not heard; 0: not */
	uint64_t control_ms; /* the last one that was not charged for */
	struct hdp_udp_tx tx;
	struct hdp_udp_rx rx;
};

struct hdp_path_slot {
	struct hdp_path *path; /* NULL: free */
	uint32_t next_free; /* number + 1; 0: the last */
};
