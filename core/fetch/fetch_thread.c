/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_thread.c - the thread that libcurl runs in. Not the main
 * one: reading the CAs of the system costs 40 ms, opening the library 5, and
 * some versions wait for a resolver when a request ends.
 *
 * It begins with the first request. When nothing was asked for two minutes,
 * connections and CAs are given back; the thread stays. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>
#include "core/base/clock.h"
#include "core/base/module_id.h"
#include "core/fetch/fetch_curl.h"
#include "core/fetch/fetch_private.h"

enum {
	RUNNING_MAX = 64,
	MODULE_MAX = 32,
	HOST_MAX = 16,
	IDLE_MS = 120 * 1000,
	CONNECTIONS_KEPT = 16,
};

static struct {
	const struct hd_curl *curl; /* NULL: there is none, and why */
	const char *why;
	CURLM *multi; /* NULL: idle */
} here;

/* ---- who is next ---- */

static bool has_turn(const struct fetch *f)
{
	unsigned of_module = 0, of_host = 0;
	const struct fetch *r;

	if (hd_fetches.n_running >= RUNNING_MAX)
		return false;
	DL_FOREACH (hd_fetches.lists[HD_FETCH_RUNNING], r) {
		of_module += r->mod == f->mod;
		of_host += strcmp(r->job.host, f->job.host) == 0;
	}
	return of_module < MODULE_MAX && of_host < HOST_MAX;
}

static void fail(struct fetch *f, int error, const char *text)
{
	f->error = error;
	snprintf(f->text, sizeof(f->text), "%.100s: %s", f->job.host, text);
}

static void begin(struct fetch *f, uint64_t now_ms)
{
	if (here.curl == NULL) {
		fail(f, -ENOSYS, here.why);
		hd_fetch_deliver(f);
		return;
	}
	if (here.multi == NULL)
		here.multi = here.curl->multi_init();
	if (here.multi == NULL ||
	    hd_transfer_begin(here.curl, f, (uint32_t)(f->until_ms - now_ms)) <
		    0 ||
	    here.curl->multi_add_handle(here.multi, f->easy) != CURLM_OK) {
		if (f->error == 0)
			fail(f, -ENOMEM, "out of memory");
		hd_transfer_end(here.curl, f);
		hd_fetch_deliver(f);
		return;
	}
	hd_fetch_move(f, HD_FETCH_RUNNING);
}

/* Returns when it is too late for the next of those that wait. */
static uint64_t look_at_waiting(uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX;
	struct fetch *f, *next;

	DL_FOREACH_SAFE (hd_fetches.lists[HD_FETCH_WAITING], f, next) {
		if (f->give_up) {
			fail(f, -ECANCELED, "cancelled");
			hd_fetch_deliver(f);
		} else if (f->until_ms <= now_ms) {
			fail(f, -ETIMEDOUT, "timed out, too many wait");
			hd_fetch_deliver(f);
		} else if (has_turn(f)) {
			begin(f, now_ms);
		} else {
			next_ms = HD_MIN(next_ms, f->until_ms);
		}
	}
	return next_ms;
}

/* ---- what has ended ---- */

static void log_end(const struct fetch *f)
{
	hd_log_debug("asked: module=%s host=%s status=%u error=%d",
		     f->mod != NULL ? f->mod->name : "-", f->job.host,
		     f->status, f->error);
}

static void end(struct fetch *f)
{
	here.curl->multi_remove_handle(here.multi, f->easy);
	hd_transfer_end(here.curl, f);
	log_end(f);
	hd_fetch_deliver(f);
}

static void look_at_running(void)
{
	struct fetch *f, *next;

	DL_FOREACH_SAFE (hd_fetches.lists[HD_FETCH_RUNNING], f, next) {
		if (!f->give_up)
			continue;
		fail(f, -ECANCELED, "cancelled");
		end(f);
	}
}

static struct fetch *find(const CURL *easy)
{
	struct fetch *f;

	DL_SEARCH_SCALAR(hd_fetches.lists[HD_FETCH_RUNNING], f, easy,
			 (void *)easy);
	return f;
}

static void look_at_ended(void)
{
	CURLMsg *msg;
	int left;

	if (here.multi == NULL)
		return;
	while ((msg = here.curl->multi_info_read(here.multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		struct fetch *f = find(msg->easy_handle);

		hd_transfer_result(here.curl, f, (int)msg->data.result);
		end(f);
	}
}

/* ---- waiting ---- */

/* Returns whether somebody woke it, or a connection did. */
static bool wait(int timeout_ms)
{
	struct pollfd fd = { .fd = hd_fetches.wake_fd, .events = POLLIN };
	struct curl_waitfd extra = { .fd = fd.fd, .events = CURL_WAIT_POLLIN };
	eventfd_t unused;
	int n = 0;

	if (here.multi != NULL)
		here.curl->multi_poll(here.multi, &extra, 1, timeout_ms, &n);
	else
		n = poll(&fd, 1, timeout_ms);
	eventfd_read(hd_fetches.wake_fd, &unused);
	return n != 0;
}

static int until(uint64_t next_ms, uint64_t now_ms)
{
	if (next_ms == UINT64_MAX)
		return IDLE_MS;
	return (int)HD_MIN(next_ms - now_ms, (uint64_t)IDLE_MS);
}

static void give_back(void)
{
	if (here.multi != NULL)
		here.curl->multi_cleanup(here.multi);
	here.multi = NULL;
}

/* Returns whether to go on. */
static bool turn(void)
{
	uint64_t now_ms = hd_clock_ms();
	int unused;

	if (here.multi != NULL)
		here.curl->multi_perform(here.multi, &unused);
	pthread_mutex_lock(&hd_fetches.lock);
	look_at_ended();
	look_at_running();
	uint64_t next_ms = look_at_waiting(now_ms);
	bool idle = hd_fetches.n_running == 0;
	bool over = hd_fetches.stopping;

	pthread_mutex_unlock(&hd_fetches.lock);
	if (!over && !wait(until(next_ms, now_ms)) && idle)
		give_back();
	return !over;
}

static void *run(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "hd-fetch");
	here.curl = hd_curl_load(&here.why);
	while (turn())
		;
	give_back();
	return NULL;
}

int hd_fetch_thread_start(void)
{
	struct hd_fetches *all = &hd_fetches;

	if (all->wake_fd >= 0)
		return 0;
	all->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (all->wake_fd < 0)
		return -errno;
	int r = pthread_create(&all->thread, NULL, run, NULL);

	if (r == 0)
		return 0;
	close(all->wake_fd);
	all->wake_fd = -1;
	return -r;
}
