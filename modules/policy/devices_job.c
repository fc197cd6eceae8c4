/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_job.c - an answer with a list of devices is read, and
 * kept in state_dir, in a helper thread: 10,000 devices have megabytes of JSON,
 * and disks may take a second. */
#include <errno.h>
#include <hyper-derp/task.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "modules/policy/devices_poll.h"

void devices_job_clear(struct devices_job *j)
{
	free(j->url);
	free(j->body);
	policy_device_list_drop(&j->old);
	policy_device_list_drop(&j->list);
	*j = (struct devices_job){ .state = DEVICES_JOB_NONE };
}

static void done(struct devices_job *j, enum devices_job_state state)
{
	uint64_t one = 1;
	int event = j->event;

	atomic_store_explicit(&j->state, state, memory_order_release);
	if (write(event, &one, sizeof(one)) < 0)
		return; /* it is told already; and there is the timer */
}

static void read_list(struct devices_job *j)
{
	struct policy_keys keys;
	char *text = NULL;

	if (policy_devices_read(&j->paths, j->body, j->n, &text, &j->found,
				&j->err) == 0 &&
	    policy_keys_parse(j->url, text, &keys, &j->err) == 0) {
		j->list = policy_device_list_new(&j->id, &keys);
		hd_error_set(&j->err, -ENOMEM, "out of memory");
	}
	j->same = policy_device_list_same(j->list, j->old);
	if (j->list != NULL && (!j->same || j->save))
		j->saved = policy_device_list_save(&j->id, text, &j->save_err);
	free(text);
}

/* In a helper thread. */
static void work(struct hd_module *mod, void *job)
{
	struct devices_job *j = job;

	(void)mod;
	read_list(j);
	done(j, DEVICES_JOB_DONE);
}

static void dropped(void *job)
{
	done(job, DEVICES_JOB_DROPPED);
}

int devices_job_start(struct devices_poll *p, int event, const char *body,
		      size_t n)
{
	struct devices_job *j = &p->job;

	*j = (struct devices_job){
		.state = DEVICES_JOB_BUSY,
		.event = event,
		.id = p->rule->devices.id,
		.paths = p->rule->devices.paths,
		.url = strdup(p->rule->devices.url),
		.body = malloc(n + 1),
		.n = n,
		.old = policy_device_list_hold(devices_list_of(p)),
		.save = p->unsaved,
	};
	if (j->url == NULL || j->body == NULL) {
		devices_job_clear(j);
		return -ENOMEM;
	}
	memcpy(j->body, body, n);
	hd_task(devices_module(), NULL, work, NULL, j, dropped);
	return 0;
}
