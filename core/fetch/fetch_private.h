/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_private.h - a request on its way.
 *
 *   hd_fetch()      its turn        ended              the callback's thread
 *   ---------> WAITING ---> RUNNING ------> DELIVERED ----------------> freed
 *                 `-------- too late -------^
 *
 * WAITING and RUNNING: the thread of fetch_thread.c has it. DELIVERED: it hangs
 * on a post to a worker or to the main thread. All of it under the lock, but
 * for what the thread alone uses. */
#pragma once
#include <hyper-derp/fetch.h>
#include <pthread.h>
#include "core/loop/mainloop.h"

enum hd_fetch_state {
	HD_FETCH_WAITING,
	HD_FETCH_RUNNING,
	HD_FETCH_DELIVERED,
	HD_FETCH_STATES
};

struct hd_fetch_job { /* the request as libcurl takes it; all its own memory */
	char *url, *method, *unix_path, *connect_to, *ca_file, *pin;
	char *host; /* who is asked: for limits, and for the log */
	char **headers; /* NULL at the end */
	char *body;
	size_t body_len_bytes, answer_max_bytes;
	uint32_t connect_ms, timeout_ms;
	unsigned redirects;
	bool proxy;
};

struct hd_fetch_bytes { /* a NUL behind them, once there is any */
	char *p;
	size_t n, size, max;
};

struct fetch {
	struct fetch *prev, *next; /* in the list of its state */
	enum hd_fetch_state state;
	uint64_t id;
	struct hd_module *mod; /* NULL: nobody is to be called any more */
	struct hd_worker *w;
	hd_fetch_fn *fn;
	hd_drop_fn *drop;
	void *arg; /* gone when mod is NULL */
	bool give_up; /* it is to end, with -ECANCELED */
	struct hd_main_post post;
	/* ---- the thread's ---- */
	struct hd_fetch_job job;
	uint64_t until_ms;
	void *easy, *header_list, *connect_list; /* libcurl's */
	struct hd_fetch_bytes head, body;
	/* ---- the answer ---- */
	int error;
	unsigned status;
	char *url;
	char text[320];
};

/* ---- fetch_request.c ---- */

/* hd_fetch_job_make - a copy with all defaults filled in. Returns 0; -EINVAL;
 * -ENOMEM. hd_fetch_job_free - also half made. */
int hd_fetch_job_make(struct hd_fetch_job *job,
		      const struct hd_fetch_request *request,
		      size_t request_size, struct hd_error *err);
void hd_fetch_job_free(struct hd_fetch_job *job);

/* ---- fetch.c ---- */

/* The lists, the lock, and who wakes the thread. */
struct hd_fetches {
	pthread_mutex_t lock;
	struct fetch *lists[HD_FETCH_STATES];
	unsigned n_running;
	uint64_t last_id;
	bool stopping;
	int wake_fd; /* of the thread; -1: it does not run */
	pthread_t thread;
};
extern struct hd_fetches hd_fetches;

/* With the lock held. hd_fetch_move - to another list.
 * hd_fetch_deliver - it has ended: the callback is on its way. */
void hd_fetch_move(struct fetch *f, enum hd_fetch_state to);
void hd_fetch_deliver(struct fetch *f);

/* ---- fetch_thread.c ---- */

/* hd_fetch_thread_start - unless it runs. With the lock held.
 * Returns 0; -errno. */
int hd_fetch_thread_start(void);

/* ---- fetch_library.c, fetch_transfer.c: the thread ---- */

struct hd_curl;
/* hd_curl_load - once; NULL and why not. */
const struct hd_curl *hd_curl_load(const char **ret_why);
/* hd_transfer_begin - its handle, not yet at work. Returns 0; with f->error and
 * f->text set: negative. hd_transfer_end - the handle is gone.
 * hd_transfer_result - what libcurl says, into the answer. */
int hd_transfer_begin(const struct hd_curl *curl, struct fetch *f,
		      uint32_t timeout_ms);
void hd_transfer_result(const struct hd_curl *curl, struct fetch *f, int code);
void hd_transfer_end(const struct hd_curl *curl, struct fetch *f);
