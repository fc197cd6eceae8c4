/* SPDX-License-Identifier: MIT */
/* tools/hdbench/report.h - tables for people, one JSON object for programs. */
#pragma once
#include "tools/hdbench/run.h"

struct idle_result {
	uint64_t peers, lost;
	uint64_t before_kb, after_kb;
};

struct login_result {
	uint64_t n;
	double seconds, cpu_s; /* cpu_s < 0: unknown */
	struct hist time;
};

struct found {
	unsigned int steps;
	bool is_any;
	struct run_result best; /* the highest that passed */
	double failed_pps; /* the lowest that did not; 0: none */
};

void report_run(const struct opts *o, const struct run_result *r);
void report_found(const struct opts *o, const struct found *f);
void report_idle(const struct opts *o, const struct idle_result *r);
void report_logins(const struct opts *o, const struct login_result *r);
