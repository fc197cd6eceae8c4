/* SPDX-License-Identifier: MIT */
/* tools/hdbench/opts.h - what the user asked for. */
#pragma once
#include "tools/hdbench/proc.h"
#include <hyper-derp/base.h>

#define OPTS_BATCH_MAX 64
#define OPTS_BEHIND_MAX 8
#define OPTS_THREADS_MAX 64

struct opts {
	char host[256];
	char port[16];
	bool is_plain, is_fast, is_json, is_find, is_rate_max;
	bool is_hd, is_hd_udp, is_silence, is_near;
	bool is_cpu; /* print what --pid has used, and leave */
	bool is_quiet; /* of a thread: another one shows the progress */
	const char *cpu_command;
	uint64_t threads;
	const char *hd_credential;
	const char *crypto; /* auto, openssl, ipsec-mb */
	const char *ca_file;
	const char *sni;
	uint64_t pairs, peers;
	uint64_t size_bytes;
	double rate_pps;
	double share_percent; /* of the offered packets, for --find */
	double resolution_percent; /* --find ends there */
	double duration_s, warmup_s;
	uint64_t batch; /* records per write(2) */
	uint64_t burst; /* packets of a pair that are due together */
	uint64_t in_flight; /* with is_rate_max: packets under way; 0: any */
	uint64_t idle, logins, parallel;
	uint64_t behind; /* packets behind each login */
	uint64_t identities; /* that take turns; 0: each has its own */
	double login_rate;
	struct proc_set pids;
};

/* opts_parse - Returns 0; 1 after --help or --version; -EINVAL, said on
 * stderr. */
int opts_parse(struct opts *o, int argc, char **argv);
