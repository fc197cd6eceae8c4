/* SPDX-License-Identifier: MIT */
/* core/http/http_answer.c - bodies that are made after the call that answers.
 *
 *             the text is queued, there is room for more
 *   SENDING --------------------------------------------> AWAY (helper thread,
 *      ^                                                   |    some worker)
 *      `-------------------- it has come back -------------'
 *
 * Between two calls the text is in the client's worker and goes into the
 * stream as far as there is room; the next call is only made when all of it
 * has. So an answer of any length costs the text of one call. An answer whose
 * client has gone is freed when it comes back. */
#include "core/http/http.h"
#include "core/loop/task.h"
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/worker.h"
#include "core/stream/stream_life.h"

/* Output that waits: with more than this nothing is added. */
#define ENOUGH_BYTES (64 * 1024)
#define CHUNK_HEAD_BYTES 16

enum stage { STAGE_TASK, STAGE_EACH, STAGE_LAST, STAGE_END };

struct hd_answer {
	struct hd_stream_user user; /* of its stream */
	struct hd_module *mod; /* NULL: the core's; a body that is there */
	const struct hd_body *body;
	struct hd_worker *home;
	struct hd_stream *stream; /* home only; NULL: it has gone */
	struct hd_answer *next, *prev; /* of home, while there is a stream */
	bool away; /* home only: somebody else has the rest */
	bool cancelled; /* atomic: its module goes */
	bool failed; /* out of memory */
	bool keep, chunked;
	enum stage stage;
	unsigned worker; /* whose turn it is in STAGE_EACH */
	uint64_t cursor;
	char *text;
	size_t len, size, off;
	uint64_t data[]; /* of the module */
};

static void answer_free(struct hd_answer *a)
{
	free(a->text);
	free(a);
}

static const struct hd_stream_user_ops answer_user;

static struct hd_answer *answer_new(struct hd_request *req, size_t data_size)
{
	struct hd_stream *s = req->stream;
	struct hd_answer *a = calloc(1, sizeof(*a) + data_size);

	if (a == NULL)
		return NULL;
	a->home = s->worker;
	a->stream = s;
	a->keep = req->keep;
	a->next = s->worker->answers;
	if (a->next != NULL)
		a->next->prev = a;
	s->worker->answers = a;
	a->user.ops = &answer_user;
	hd_stream_set_user(s, &a->user);
	s->deadline_ms[HD_DEADLINE_LOGIN] = 0;
	req->later = true;
	return a;
}

static void unlink_answer(struct hd_answer *a)
{
	if (a->next != NULL)
		a->next->prev = a->prev;
	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		a->home->answers = a->next;
	hd_stream_set_user(a->stream, NULL);
	a->stream = NULL;
}

/* Without an end, the client sees that the answer is not whole. */
static void give_up(struct hd_answer *a)
{
	struct hd_stream *s = a->stream;

	unlink_answer(a);
	answer_free(a);
	hd_stream_abort(s, HD_CLOSE_DONE);
}

static void cancel_here(struct hd_worker *w, const struct hd_module *mod)
{
	for (struct hd_answer *a = w->answers; a != NULL; a = a->next) {
		if (a->mod != mod)
			continue;
		__atomic_store_n(&a->cancelled, true, __ATOMIC_RELEASE);
		hd_stream_abort(a->stream, HD_CLOSE_DRAIN);
	}
}

const struct hd_kind hd_answer_kind = {
	.name = "answers",
	.cancel_here = cancel_here,
};

/* ---- what modules call ---- */

void *hd_answer_data(struct hd_answer *a)
{
	return a->data;
}

uint64_t *hd_answer_cursor(struct hd_answer *a)
{
	return &a->cursor;
}

void hd_answer_fail(struct hd_answer *a)
{
	a->failed = true;
}

void hd_answer_put(struct hd_answer *a, const void *data, size_t n)
{
	size_t size = a->size > 0 ? a->size : 4096;

	if (a->failed || n == 0)
		return;
	while (size - a->len < n)
		size *= 2;
	if (size > a->size) {
		char *text = realloc(a->text, size);

		a->failed = text == NULL;
		if (a->failed)
			return;
		a->text = text;
		a->size = size;
	}
	memcpy(a->text + a->len, data, n);
	a->len += n;
}

/* ---- away ---- */

static void came_back(struct hd_worker *w, void *answer, void *unused)
{
	struct hd_answer *a = answer;

	(void)w;
	(void)unused;
	a->away = false;
	if (a->stream == NULL)
		answer_free(a);
	else
		hd_stream_mark_dirty(a->stream);
}

/* When home takes nothing any more, it has ended all its streams. */
static void send_back(struct hd_answer *a)
{
	if (hd_worker_post(a->home, came_back, a, NULL) < 0)
		answer_free(a);
}

static bool is_cancelled(const struct hd_answer *a)
{
	return __atomic_load_n(&a->cancelled, __ATOMIC_ACQUIRE);
}

static void run_task(struct hd_module *mod, void *answer)
{
	struct hd_answer *a = answer;

	if (!is_cancelled(a))
		a->body->task(mod, a);
	send_back(a);
}

/* The relay ends: the client sees that it is not whole. */
static void drop_task(void *answer)
{
	struct hd_answer *a = answer;

	__atomic_store_n(&a->cancelled, true, __ATOMIC_RELEASE);
	a->failed = true;
	send_back(a);
}

static void run_each(struct hd_worker *w, void *answer, void *unused)
{
	struct hd_answer *a = answer;

	(void)unused;
	if (!is_cancelled(a))
		a->body->each(a->mod, a, w);
	if (a->cursor == 0 || is_cancelled(a))
		a->worker++;
	send_back(a);
}

/* ---- the next call ---- */

static bool has_stage(const struct hd_answer *a)
{
	switch (a->stage) {
	case STAGE_TASK:
		return a->body->task != NULL;
	case STAGE_EACH:
		return a->body->each != NULL && a->worker < hd_workers();
	case STAGE_LAST:
		return a->body->last != NULL;
	default:
		return true;
	}
}

/* Returns whether somebody has it now. */
static bool send_away(struct hd_answer *a)
{
	int r;

	a->away = true;
	if (a->stage == STAGE_TASK) {
		a->stage = STAGE_EACH;
		r = hd_task_offer(a->mod, run_task, a, drop_task);
	} else {
		r = hd_worker_post(hd_worker_at(a->worker), run_each, a, NULL);
	}
	a->away = r == 0;
	return a->away;
}

/* Returns whether there is text, or the end, to send. */
static bool next_call(struct hd_answer *a)
{
	while (!has_stage(a))
		a->stage++;
	if (a->stage == STAGE_END)
		return true;
	if (a->stage == STAGE_LAST) {
		a->stage = STAGE_END;
		a->body->last(a->mod, a);
		return true;
	}
	if (!send_away(a))
		give_up(a);
	return false;
}

/* ---- sending ---- */

static bool has_room(const struct hd_stream *s)
{
	return hd_stream_is_open(s) &&
	       s->lane[HD_LANE_CONTROL].bytes + s->flight.bytes < ENOUGH_BYTES;
}

static void put_chunk(struct hd_answer *a)
{
	size_t n = HD_MIN(a->len - a->off,
			  (size_t)HD_CHUNK_BYTES - CHUNK_HEAD_BYTES);
	char head[CHUNK_HEAD_BYTES] = "";

	if (a->chunked)
		snprintf(head, sizeof(head), "%zx\r\n", n);
	hd_stream_append(a->stream, HD_LANE_CONTROL, head, strlen(head));
	hd_stream_append(a->stream, HD_LANE_CONTROL, a->text + a->off, n);
	if (a->chunked)
		hd_stream_append(a->stream, HD_LANE_CONTROL, "\r\n", 2);
	a->off += n;
}

static void put_end(struct hd_answer *a)
{
	struct hd_stream *s = a->stream;
	bool keep = a->keep;

	if (a->chunked)
		hd_stream_append(s, HD_LANE_CONTROL, "0\r\n\r\n", 5);
	unlink_answer(a);
	answer_free(a);
	s->rx_held = false;
	if (!keep) {
		hd_stream_close(s, HD_CLOSE_DONE);
		return;
	}
	hd_stream_deadline(s, HD_DEADLINE_LOGIN,
			   s->worker->conf->login_timeout_ms);
	hd_stream_resume(s);
}

/* ---- as the user of its stream ---- */

static struct hd_answer *answer_of(const struct hd_stream *s)
{
	return hd_container_of(s->user, struct hd_answer, user);
}

static void drained(struct hd_stream *s)
{
	struct hd_answer *a = answer_of(s);

	if (a->away)
		return;
	if (a->failed) {
		give_up(a);
		return;
	}
	while (a->off < a->len && has_room(s))
		put_chunk(a);
	if (a->off < a->len || !has_room(s))
		return; /* again when something has left */
	a->off = a->len = 0;
	if (!next_call(a))
		return;
	if (a->len == 0 && a->stage == STAGE_END)
		put_end(a);
	else
		hd_stream_mark_dirty(s);
}

static void ended(struct hd_stream *s)
{
	struct hd_answer *a = answer_of(s);

	unlink_answer(a);
	if (!a->away)
		answer_free(a);
}

static const struct hd_stream_user_ops answer_user = {
	.drained = drained,
	.ended = ended,
};

/* ---- beginning ---- */

struct hd_answer *hd_reply_body(struct hd_request *req, int status,
				const char *type, const struct hd_body *body,
				size_t data_size)
{
	struct hd_answer *a;

	hd_assert(!req->replied);
	req->replied = true;
	req->keep &= req->head.minor > 0; /* else the end is the end */
	if (!hd_reply_begin(req, status, type, HD_LENGTH_LATER) ||
	    req->method == HD_HTTP_HEAD)
		return NULL;
	a = answer_new(req, data_size);
	if (a == NULL) {
		hd_stream_abort(req->stream, HD_CLOSE_ERROR);
		return NULL;
	}
	a->mod = req->mod;
	a->body = body;
	a->chunked = req->head.minor > 0;
	return a;
}

static const struct hd_body no_body;

void hd_reply_large(struct hd_request *req, const void *body, size_t len_bytes)
{
	struct hd_answer *a = answer_new(req, 0);

	if (a == NULL) {
		hd_stream_abort(req->stream, HD_CLOSE_ERROR);
		return;
	}
	a->body = &no_body;
	hd_answer_put(a, body, len_bytes);
}
