/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_poll.h - a list of devices that is asked for: between
 * devices_wanted.c, which has all of them, devices_poll.c, which asks, and
 * devices_job.c, which reads what came. */
#pragma once
#include "modules/policy/devices.h"

enum { DEVICES_TICK_MS = 1000, DEVICES_ETAG_BYTES = 128 };

enum devices_job_state {
	DEVICES_JOB_NONE,
	DEVICES_JOB_BUSY,
	DEVICES_JOB_DONE,
	DEVICES_JOB_DROPPED, /* no helper has begun it */
};

struct devices_job { /* the helper's, while it is busy */
	_Atomic(enum devices_job_state) state;
	int event; /* is told when it is done */
	struct hd_key id;
	struct policy_devices_paths paths;
	char *url, *body;
	size_t n;
	struct policy_device_list *old; /* NULL: none */
	bool save; /* what is the same, too: the last time it failed */
	struct policy_device_list *list; /* NULL: see err */
	struct policy_devices_found found;
	bool same;
	int saved;
	struct hd_error err, save_err;
};

enum devices_state { DEVICES_REST, DEVICES_ASK, DEVICES_READ };

struct devices_poll {
	struct devices_poll *next;
	struct policy_rules *rules; /* held: of these is the rule */
	const struct policy_rule *rule;
	bool wanted;
	bool again; /* as soon as what is under way has ended */
	enum devices_state state;
	uint64_t due_ms, ok_ms; /* ok_ms 0: not yet */
	unsigned failures; /* since it went well */
	bool unsaved;
	struct policy_devices_found found;
	char etag[DEVICES_ETAG_BYTES]; /* of what is in force; "" none */
	char new_etag[DEVICES_ETAG_BYTES];
	char error[160]; /* of the last time; "" none */
	struct devices_job job;
};

/* ---- devices_wanted.c ---- */

/* devices_module - that asks. devices_event - a descriptor: a job is done.
 * devices_list_of - what is in force;
 * NULL: none. devices_count - metrics: it went so, so often. */
struct hd_module *devices_module(void);
int devices_event(void);
struct policy_device_list *devices_list_of(const struct devices_poll *p);
void devices_count(unsigned loaded, unsigned failed);

/* ---- devices_poll.c ---- */

/* devices_ask - what is due. devices_take - what a job has read, if it has. */
void devices_ask(struct devices_poll *p);
void devices_take(struct devices_poll *p);

/* ---- devices_job.c ---- */

/* devices_job_start - in a helper thread. @event  a descriptor. Returns 0;
 * -ENOMEM. devices_job_clear - one that is not busy. */
int devices_job_start(struct devices_poll *p, int event, const char *body,
		      size_t n);
void devices_job_clear(struct devices_job *j);
