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

struct hd_pack;
struct hd_unpack;

struct hdp_path_place { /* where it is, and which of our addresses it uses */
	union hd_addr addr, local;
};

struct hdp_path { /* of hdp_udp_path_new(): a reload keeps it */
	struct hd_stream *stream;
	uint32_t conn; /* the client's id for it: worker(8) slot(24), unless
			  another process has given it: moved.h */
	uint32_t slot;
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

/* ---- path_upgrade.c ---- */
/* hdp_path_pack - all of it. hdp_path_unpack - the same in another process,
 * without a place yet: hdp_path_adopted(). NULL: it has none, or none that can
 * be used here: then packets go by TCP. */
void hdp_path_pack(const struct hdp_path *path, struct hd_pack *to);
struct hdp_path *hdp_path_unpack(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_unpack *from);

struct hdp_path_slot {
	struct hdp_path *path; /* NULL: free */
	uint32_t next_free; /* number + 1; 0: the last */
};
