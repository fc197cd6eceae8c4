/* SPDX-License-Identifier: MIT */
/* modules/metrics/status.h - the status page: /status, and /status.json, which
 * the page asks every two seconds.
 *
 * Files: status.c answers, status_history.c the last minutes, status_peers.c
 * who is connected; the page itself is status.html with status.css and the
 * scripts status*.js (status_page.c is made of them). */
#pragma once
#include <hyper-derp/timer.h>
#include "modules/metrics/metrics.h"

enum { STATUS_STEP_MS = 2000, STATUS_SAMPLES = 150 }; /* 5 minutes */

enum status_number {
	STATUS_RECV_BYTES,
	STATUS_SEND_BYTES,
	STATUS_RECV_PACKETS,
	STATUS_SEND_PACKETS,
	STATUS_DROPS,
	STATUS_LOGINS,
	STATUS_RATES, /* those above are rates of counters */
	STATUS_PEERS = STATUS_RATES,
	STATUS_STREAMS,
	STATUS_NUMBERS
};

struct status_totals {
	uint64_t v[STATUS_NUMBERS];
};

/* The whole relay's last minutes. Every worker keeps them, so that it can
 * answer without asking another. */
struct status_history {
	struct hd_timer *timer; /* ours from start() to stop() */
	uint64_t at_ms; /* of the totals; 0: there are none yet */
	struct status_totals totals;
	unsigned n, next; /* samples there are; where the next one goes */
	float samples[STATUS_SAMPLES][STATUS_STREAMS]; /* per second; peers */
};

struct status_top;
struct status_peers {
	struct status_top *shown, *making; /* NULL: nothing yet */
	unsigned round, awaited; /* workers that have not answered */
};

struct metrics_worker { /* the module's data in a worker */
	struct status_history history;
	struct status_peers peers;
};

/* status_totals_read - of a worker; NULL: of all. */
void status_totals_read(struct hd_worker *w, struct status_totals *ret);
const char *status_number_name(enum status_number i);
/* status_history_put - {"recv_bytes":[oldest,...,newest],...} */
void status_history_put(const struct status_history *h, struct metrics_text *t);

/* status_peers_ask - a round begins, for the next answer.
 * status_peers_put - "peers":[...], what the last one brought; or null. */
void status_peers_ask(struct hd_module *mod, struct hd_worker *w,
		      struct status_peers *p);
void status_peers_put(const struct status_peers *p, struct metrics_text *t);
void status_peers_free(struct status_peers *p);

/* Life: in each worker. */
int metrics_status_start(struct hd_module *mod, struct hd_worker *w,
			 struct hd_error *err);
void metrics_status_stop(struct hd_module *mod, struct hd_worker *w);
void metrics_status_changed(struct hd_module *mod, struct hd_worker *w,
			    const void *old_conf);

/* Pages */
void metrics_answer_status(struct hd_module *mod, struct hd_request *req);
void metrics_answer_status_json(struct hd_module *mod, struct hd_request *req);
void metrics_answer_root(struct hd_module *mod, struct hd_request *req);

extern const char metrics_status_page[];
