/* SPDX-License-Identifier: MIT */
/* core/stream/dial_lookup.c - what must be known before a connection can be
 * opened: addresses of a name, CAs of a file. Both may block, so a helper
 * thread does it (core/loop/task.h); an address and a pin need nothing of it.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/task.h"
#include "core/loop/worker.h"
#include "core/stream/dial_private.h"

void hd_dial_job_free(struct hd_dial_job *job)
{
	SSL_CTX_free(job->ctx);
	free(job->host);
	free(job->ca_file);
	free(job);
}

/* ---- in a helper thread ---- */

static void take_addresses(struct hd_dial_job *job, const struct addrinfo *ai)
{
	job->n_addrs = 0;
	for (; ai != NULL && job->n_addrs < HD_DIAL_ADDRS_MAX;
	     ai = ai->ai_next) {
		union hd_addr *a = &job->addrs[job->n_addrs];

		if (ai->ai_addrlen > sizeof(*a))
			continue;
		memcpy(a, ai->ai_addr, ai->ai_addrlen);
		a->in.sin_port = htons(job->port); /* as sin6_port */
		job->n_addrs++;
	}
}

static int resolve(struct hd_dial_job *job)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int e = getaddrinfo(job->host, NULL, &hints, &found);
	const char *why = e == EAI_SYSTEM ? strerror(errno) : gai_strerror(e);

	if (e == 0) {
		take_addresses(job, found);
		freeaddrinfo(found);
	}
	if (e == 0 && job->n_addrs > 0)
		return 0;
	return hd_error_set(&job->err,
			    e == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH,
			    "%s:%u: the name cannot be resolved: %s", job->host,
			    job->port, e == 0 ? "it has no address" : why);
}

static int trust(struct hd_dial_job *job)
{
	if (!job->tls)
		return 0;
	return job->pin_only ? hd_tls_trust_nobody(&job->ctx, &job->err)
			     : hd_tls_trust(job->ca_file, &job->ctx, &job->err);
}

static void prepare(struct hd_dial_job *job)
{
	job->error = job->host != NULL ? resolve(job) : 0;
	if (job->error == 0)
		job->error = trust(job);
}

static void work(struct hd_module *mod, void *arg)
{
	(void)mod;
	prepare(arg);
}

static void drop(void *job)
{
	hd_dial_job_free(job);
}

/* ---- in the worker ---- */

static void done(struct hd_worker *w, void *a, void *unused)
{
	struct hd_dial_job *job = a;

	(void)unused;
	job->done(w, job);
}

static struct hd_dial_job *job_new(const struct hd_dial_target *t)
{
	struct hd_dial_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->port = t->port;
	job->tls = t->tls;
	job->pin_only = t->peer.pin_only;
	job->addrs[0] = t->addr;
	job->n_addrs = 1;
	if (t->host != NULL)
		job->host = strdup(t->host);
	if (t->ca_file != NULL)
		job->ca_file = strdup(t->ca_file);
	if ((t->host == NULL) == (job->host == NULL) &&
	    (t->ca_file == NULL) == (job->ca_file == NULL))
		return job;
	hd_dial_job_free(job);
	return NULL;
}

static int give_back(struct hd_worker *w, struct hd_dial_job *job)
{
	prepare(job);
	int r = hd_worker_post(w, done, job, NULL);

	if (r < 0)
		hd_dial_job_free(job);
	return r;
}

int hd_dial_look_up(struct hd_worker *w, uint64_t id,
		    const struct hd_dial_target *t,
		    void (*fn)(struct hd_worker *w, struct hd_dial_job *job))
{
	struct hd_dial_job *job = job_new(t);
	int r;

	if (job == NULL)
		return -ENOMEM;
	job->id = id;
	job->done = fn;
	if (job->host == NULL && (!job->tls || job->pin_only))
		return give_back(w, job); /* nothing of it blocks */
	r = hd_task_core(w, work, done, job, drop);
	return r == -EBUSY ? -ENOBUFS : r;
}
