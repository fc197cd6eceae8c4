/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_poll.c - lists of devices are asked for, each by
 * itself, for as long as a rule that is in force names it.
 *
 *          due: hd_fetch              200: hd_task
 *   RESTS ------------------> ASKS ------------------> READS
 *     ^                        |                         |
 *     `-- 304, error ----------'                         |
 *     `-- a list, or the answer was none: the helper has told by a descriptor
 *
 * After an error it is asked again later and later, up to ten minutes, or
 * devices_every if that is longer; what was loaded before stands.
 * Context: the main thread, but for work(). */
#include <errno.h>
#include <hyper-derp/fetch.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "modules/policy/devices_poll.h"

enum {
	RETRY_MIN_MS = 5000,
	RETRY_MAX_MS = 600000,
	TOLD_MAX_S = 3600, /* of Retry-After */
	ANSWER_MAX_BYTES = 32 << 20,
};

static uint64_t now_ms(void)
{
	return hd_now_ns() / 1000000;
}

static const struct policy_conf *conf_now(void)
{
	return hd_module_conf(devices_module());
}

static const struct policy_devices_rule *wish(const struct devices_poll *p)
{
	return &p->rule->devices;
}

/* ---- how it went ---- */

/* Many relays do not ask at the same moment. */
static uint64_t about(uint64_t ms)
{
	return ms - ms / 8 + randombytes_uniform((uint32_t)(ms / 4) + 1);
}

static void rests(struct devices_poll *p, uint64_t ms)
{
	p->state = DEVICES_REST;
	p->due_ms = now_ms() + (p->again ? 0 : ms);
	p->again = false;
}

static uint64_t retry_ms(const struct devices_poll *p)
{
	uint64_t every = conf_now()->devices_every_ms;
	uint64_t most = HD_MAX(every, (uint64_t)RETRY_MAX_MS);
	uint64_t ms = HD_MIN(every, (uint64_t)RETRY_MIN_MS);

	for (unsigned i = 1; i < p->failures && ms < most; i++)
		ms *= 2;
	return HD_MIN(ms, most);
}

/* @told_s  when the server wants to be asked again; 0: it has not said */
static void failed(struct devices_poll *p, const char *why, unsigned told_s)
{
	const struct policy_device_list *l = devices_list_of(p);
	char then[64] = "no list: fail_open decides";
	uint64_t ms;

	p->failures++;
	ms = HD_MAX(about(retry_ms(p)), (uint64_t)told_s * 1000);
	if (l != NULL)
		snprintf(then, sizeof(then), "the last list, of %zu, stands",
			 l->keys.n);
	snprintf(p->error, sizeof(p->error), "%s", why);
	hd_log_warn("no answer with a list of devices: rule=\"%s\" url=%s "
		    "why=\"%s\" (%s; asked again in %llu s)",
		    p->rule->label, wish(p)->url, why, then,
		    (unsigned long long)(ms + 999) / 1000);
	rests(p, ms);
	devices_count(0, 1);
}

static void went_well(struct devices_poll *p)
{
	if (p->failures > 0)
		hd_log_notice("the list of devices is there again: rule=\"%s\" "
			      "url=%s",
			      p->rule->label, wish(p)->url);
	p->failures = 0;
	p->error[0] = '\0';
	p->ok_ms = now_ms();
	rests(p, about(conf_now()->devices_every_ms));
	devices_count(1, 0);
}

/* ---- what a job has read ---- */

/* @n  how many it has */
static void tell_change(const struct devices_poll *p,
			const struct devices_job *j, size_t n)
{
	hd_log_notice("list of devices: rule=\"%s\" url=%s devices=%zu "
		      "was=%zu left_out=%zu without_key=%zu",
		      p->rule->label, wish(p)->url, n,
		      j->old != NULL ? j->old->keys.n : 0, j->found.left_out,
		      j->found.skipped);
}

/* Returns 0; -ENOMEM: the old one stays. */
static int publish(struct devices_poll *p, struct devices_job *j)
{
	size_t n = j->list->keys.n;
	int r = j->same ? 0 : policy_devices_publish(&j->list);

	if (r == 0 && !j->same) /* who has read the line finds it so */
		tell_change(p, j, n);
	return r;
}

/* An ETag is that of a list in force: what was not taken is asked for anew. */
static void take_list(struct devices_poll *p, struct devices_job *j)
{
	p->unsaved = j->saved < 0;
	if (p->unsaved)
		hd_log_warn("a list of devices is in force, and would be gone "
			    "after a restart: %s",
			    j->save_err.text);
	if (publish(p, j) < 0) {
		p->etag[0] = '\0';
		failed(p, "out of memory", 0);
		return;
	}
	p->found = j->found;
	memcpy(p->etag, p->new_etag, sizeof(p->etag));
	went_well(p);
}

void devices_take(struct devices_poll *p)
{
	struct devices_job *j = &p->job;
	enum devices_job_state state =
		atomic_load_explicit(&j->state, memory_order_acquire);

	if (p->state != DEVICES_READ || state == DEVICES_JOB_BUSY)
		return;
	if (state == DEVICES_JOB_DROPPED)
		failed(p, "the relay is too busy", 0);
	else if (j->list == NULL)
		failed(p, j->err.text, 0);
	else
		take_list(p, j);
	devices_job_clear(j);
}


/* ---- asked ---- */

static unsigned retry_after_s(const struct hd_fetched *got)
{
	size_t n;
	const char *v = hd_fetched_header(got, "Retry-After", 0, &n);
	unsigned s = 0;

	for (; v != NULL && n > 0 && *v >= '0' && *v <= '9'; v++, n--)
		s = HD_MIN(s * 10 + (unsigned)(*v - '0'), (unsigned)TOLD_MAX_S);
	return s;
}

/* It goes back in a line of ours. */
static bool is_etag(const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] <= ' ' || v[i] >= 0x7f)
			return false;
	return n > 0 && n < DEVICES_ETAG_BYTES;
}

static void take_etag(struct devices_poll *p, const struct hd_fetched *got)
{
	size_t n;
	const char *v = hd_fetched_header(got, "ETag", 0, &n);

	p->new_etag[0] = '\0';
	if (v != NULL && is_etag(v, n))
		snprintf(p->new_etag, sizeof(p->new_etag), "%.*s", (int)n, v);
}

static void take_body(struct devices_poll *p, const struct hd_fetched *got)
{
	take_etag(p, got);
	p->state = DEVICES_READ;
	if (devices_job_start(p, devices_event(), got->body,
			      got->body_len_bytes) < 0)
		failed(p, "out of memory", 0);
}

static void bad_status(struct devices_poll *p, const struct hd_fetched *got)
{
	const char *what = "";
	char text[80];

	if (got->status == 401 || got->status == 403)
		what = ": the token is refused";
	else if (got->status >= 300 && got->status < 400)
		what = ": it leads elsewhere; write that URL";
	snprintf(text, sizeof(text), "HTTP status %u%s", got->status, what);
	failed(p, text, retry_after_s(got));
}

static void on_answer(struct hd_module *mod, struct hd_worker *w, void *arg,
		      const struct hd_fetched *got)
{
	struct devices_poll *p = arg;

	(void)mod;
	(void)w;
	if (got->error == -ECANCELED) { /* this code goes */
		rests(p, DEVICES_TICK_MS);
	} else if (got->error < 0) {
		failed(p, got->text, 0);
	} else if (got->status == 304 && p->etag[0] != '\0') {
		went_well(p);
	} else if (got->status != 200) {
		bad_status(p, got);
	} else {
		take_body(p, got);
	}
}

/* Returns 0; negative with the file in err. */
static int put_token(const struct devices_poll *p, char *buf, size_t size,
		     struct hd_error *err)
{
	static const char begin[] = "Authorization: Bearer ";
	size_t n = sizeof(begin) - 1;

	memcpy(buf, begin, n);
	return policy_devices_token(wish(p)->token_path, buf + n, size - n,
				    err);
}

static int fetch(struct devices_poll *p, struct hd_error *err)
{
	char token[POLICY_DEVICES_TOKEN_BYTES], match[DEVICES_ETAG_BYTES + 32];
	const char *headers[4] = { "Accept: application/json" };
	unsigned n = 1;
	const struct hd_fetch_request request = {
		.url = wish(p)->url,
		.headers = headers,
		.timeout_ms = (uint32_t)conf_now()->devices_timeout_ms,
		.answer_max_bytes = ANSWER_MAX_BYTES,
	};
	int r = 0;

	if (wish(p)->token_path != NULL) {
		r = put_token(p, token, sizeof(token), err);
		headers[n++] = token;
	}
	if (p->etag[0] != '\0' && devices_list_of(p) != NULL && !p->unsaved) {
		snprintf(match, sizeof(match), "If-None-Match: %s", p->etag);
		headers[n++] = match;
	}
	if (r == 0)
		r = hd_fetch(devices_module(), NULL, &request, on_answer, p,
			     NULL, NULL, err);
	explicit_bzero(token, sizeof(token));
	return r;
}

void devices_ask(struct devices_poll *p)
{
	struct hd_error err = { "" };
	int r;

	p->state = DEVICES_ASK;
	r = fetch(p, &err);
	if (r == -EBUSY || r == -ESHUTDOWN)
		rests(p, DEVICES_TICK_MS);
	else if (r < 0)
		failed(p, err.text, 0);
}

