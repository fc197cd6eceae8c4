/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/report.h - a line per check, and what it all means. */
#pragma once
#include <hyper-derp/base.h>
#include <jansson.h>
#include <stdio.h>

enum verdict {
	V_OK,
	V_SKIP,
	V_WARN,
	V_UNKNOWN, /* we could not check: nothing is said about the relay */
	V_FAIL,
	V_N
};

struct result {
	enum verdict verdict;
	char detail[512];
	char remedy[512]; /* "" none */
	json_t *data; /* figures, for --json */
};

/* One call each per check; the last one stands. */
void result_ok(struct result *r, const char *fmt, ...) HD_PRINTF(2, 3);
void result_skip(struct result *r, const char *fmt, ...) HD_PRINTF(2, 3);
/* result_bad - @remedy is a sentence, or NULL */
void result_bad(struct result *r, enum verdict v, const char *remedy,
		const char *fmt, ...) HD_PRINTF(4, 5);

struct report {
	FILE *out;
	bool json, quiet;
	const char *target;
	unsigned count[V_N];
	json_t *checks;
	char first_bad[600]; /* the worst check's name and detail */
	char first_remedy[512]; /* "" none */
	enum verdict worst;
};

void report_init(struct report *rep, FILE *out, const char *target, bool json,
		 bool quiet);
/* report_add - prints at once, unless JSON or quiet; releases r->data. */
void report_add(struct report *rep, const char *name, struct result *r);
void report_print_sum(struct report *rep);
/* report_status - the exit status as monitoring plugins have it: 0 ok,
 * 1 warning, 2 failed, 3 could not check. */
int report_status(const struct report *rep);
void report_clear(struct report *rep);
