/* SPDX-License-Identifier: MIT */
/* tools/hdbench/run.h - traffic at a rate through pairs, and what came of it.
 *
 *   start ---- warmup ---- window ---- drain
 *
 * Packet number k is due at start + k / rate, whatever happened to those
 * before it, goes to pair k modulo pairs, and carries that time: latency is
 * counted from when it should have left. A pair that cannot send keeps no
 * packets, only a number: the k of its next one says when it was due.
 * With --burst B so many packets are due together, of one pair, and bursts
 * take the place of packets in this. */
#pragma once
#include "tools/hdbench/hist.h"
#include "tools/hdbench/pool.h"
#include "tools/hdbench/silence.h"
#include <stdio.h>

/* Others that use more disturb; less is lost in the ticks of /proc/stat. */
#define DISTURBED_CORES 0.05

struct pair {
	struct peer *from, *to;
	uint8_t *frame; /* SendPacket; one spare byte behind it */
	uint64_t due, sent, seen; /* packets of this run; seen: last seq + 1 */
	struct silence silence; /* with --silence, of the window */
	bool is_blocked, is_dirty;
};

struct traffic {
	struct net *net;
	struct peer *peers; /* 2 per pair */
	struct pair *pairs;
	size_t n;
	uint32_t *dirty; /* pairs with something to send; room for 2 n */
	size_t dirty_n;
	uint32_t runs;
};

struct run_conf {
	double rate_pps;
	bool is_max;
	bool ends_on_int; /* SIGINT: the window ends, all else is done */
	double warmup_s, duration_s;
	int64_t start_ns; /* 0: now */
};

struct run_result {
	double window_s; /* less than --duration when told to end */
	double offered_pps; /* due in the window (max: sent in it) */
	double sent_pps, delivered_pps; /* sent, arrived in the window */
	double share; /* delivered_pps / offered_pps, at most 1 */
	double lost_share; /* of all packets sent in the run */
	uint64_t sent, lost, reordered, foreign, unsent, closed;
	double busy; /* share of the window that we worked */
	double load_cores; /* our CPU time; looking for work is in it */
	double cpu_cores, cpu_us_per_packet; /* the relay's; < 0 unknown */
	double others_cores; /* used by all but the relay and us; < 0 unknown */
	struct hist latency; /* of packets due in the window */
	struct hist late; /* sent after it was due, in the window */
	struct hist since_sent; /* latency without that */
	struct hist silence; /* of each receiver the longest */
	struct hd_error error; /* of a connection that was closed */
};

struct run_cpu { /* used up to a moment */
	uint64_t relay_ns, self_ns, all_ns;
	int64_t clock_ns;
	FILE *said; /* by --cpu-command, which may take its time */
};

/* run_cpu_read - now. Returns 0; -ESRCH a --pid is gone.
 * run_cpu_sum - between two of them. */
int run_cpu_read(const struct opts *o, struct run_cpu *ret,
		 struct hd_error *err);
void run_cpu_sum(const struct opts *o, const struct run_cpu cpu[2],
		 struct run_result *ret);
/* run_cpu_per_packet - once all has been counted. */
void run_cpu_per_packet(struct run_result *res);
/* run_cpu_print - for --cpu. Returns 0; -ESRCH. */
int run_cpu_print(const struct opts *o, struct hd_error *err);

/* traffic_open - log all pairs in. */
int traffic_open(struct traffic *t, struct net *net, struct hd_error *err);
void traffic_close(struct traffic *t);

/* run_traffic - Returns 0; -ESRCH a --pid is gone.
 * run_result_end - shares of it, when all is counted. */
int run_traffic(struct traffic *t, const struct run_conf *conf,
		struct run_result *ret_result, struct hd_error *err);
void run_result_end(struct run_result *res);
