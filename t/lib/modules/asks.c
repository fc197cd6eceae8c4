/* SPDX-License-Identifier: MIT */
/* t/lib/modules/asks.c - asks other servers what the test tells it to: command
 * `asks fetch` answers with what came. The test writes a build number
 * into copies of the file. */
#include <errno.h>
#include <hyper-derp/control.h>
#include <hyper-derp/fetch.h>
#include <hyper-derp/module.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "t/lib/modules/words.h"

static const volatile char build[] = "BUILD=000000";

static const char *build_text(char text[static sizeof(build)])
{
	for (unsigned i = 0; i < sizeof(build); i++)
		text[i] = build[i];
	return text;
}

/* ---- one, and its answer ---- */

static void put_header(struct hd_call *call, const struct hd_fetched *got,
		       const char *name)
{
	size_t n;
	const char *v = hd_fetched_header(got, name, 0, &n);
	char text[200] = "";

	if (v != NULL)
		memcpy(text, v, HD_MIN(n, sizeof(text) - 1));
	hd_out_string(call, name, v != NULL ? text : NULL);
}

static void answer(struct hd_module *mod, struct hd_worker *w, void *arg,
		   const struct hd_fetched *got)
{
	struct hd_call *call = arg;
	char text[sizeof(build)];

	(void)mod;
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "build", build_text(text));
	hd_out_bool(call, "right_thread", w == hd_worker_self());
	hd_out_bool(call, "worker", w != NULL);
	hd_out_string(call, "error",
		      got->error < 0 ? strerrorname_np(-got->error) : NULL);
	hd_out_string(call, "text", got->text);
	hd_out_uint(call, "status", got->status);
	hd_out_string(call, "url", got->url);
	hd_out_string(call, "body",
		      got->body_len_bytes < 4096 ? got->body : "long");
	hd_out_uint(call, "length", got->body_len_bytes);
	put_header(call, got, "x-test");
	hd_out_close(call);
	hd_call_answer(&call);
}

static void drop(void *arg)
{
	struct hd_call *call = arg;

	hd_call_error(call, "dropped");
	hd_call_answer(&call);
}

static void run_fetch(struct hd_module *mod, struct hd_call *call)
{
	struct words a = words_of(call);
	const char *headers[] = { word(&a, "header"), NULL };
	const char *body = word(&a, "body");
	const struct hd_fetch_request request = {
		.url = word(&a, "url"),
		.method = word(&a, "method"),
		.headers = headers,
		.body = body,
		.body_len_bytes = body != NULL ? strlen(body) : 0,
		.via = word(&a, "via"),
		.timeout_ms = word_number(&a, "ms"),
		.answer_max_bytes = word_number(&a, "max"),
		.redirects = word_number(&a, "redirects"),
		.ca_file = word(&a, "ca"),
		.pin = word(&a, "pin"),
	};
	bool to_worker = word(&a, "main") == NULL;
	bool cancel = word(&a, "cancel") != NULL;
	struct hd_worker *w = to_worker ? hd_worker_at(hd_workers() - 1) : NULL;
	struct hd_error err = { "" };
	uint64_t id;

	hd_call_hold(call);
	if (hd_fetch_check(&request, &err) < 0)
		hd_call_error(call, "%s", err.text);
	int r = hd_fetch(mod, w, &request, answer, call, drop, &id, &err);
	if (r == 0 && cancel)
		hd_fetch_cancel(mod, id);
}

static const struct hd_command fetch = {
	.words = "asks fetch",
	.args = "TEXT",
	.help = "asks another server",
	.role = HD_ROLE_READ,
	.run = run_fetch,
};

/* ---- many ---- */

struct many {
	struct hd_call *call;
	unsigned left, good;
};

static void count_one(struct many *m)
{
	if (--m->left > 0)
		return;
	hd_out_uint(m->call, NULL, m->good);
	hd_call_answer(&m->call);
	free(m);
}

static void one_of_many(struct hd_module *mod, struct hd_worker *w, void *arg,
			const struct hd_fetched *got)
{
	struct many *m = arg;

	(void)mod;
	(void)w;
	m->good += got->status == 200;
	count_one(m);
}

static void run_many(struct hd_module *mod, struct hd_call *call)
{
	struct words a = words_of(call);
	struct hd_fetch_request request = { .url = word(&a, "url"),
					    .timeout_ms = 120000 };
	unsigned n = word_number(&a, "n");
	struct many *m = calloc(1, sizeof(*m));

	hd_call_hold(call);
	if (m == NULL)
		abort();
	m->call = call;
	m->left = n + 1;
	for (unsigned i = n; i > 0; i--)
		if (hd_fetch(mod, NULL, &request, one_of_many, m, NULL, NULL,
			     NULL) < 0)
			m->left--;
	count_one(m); /* the one for this function */
}

static const struct hd_command many = {
	.words = "asks many",
	.args = "TEXT",
	.help = "asks another server very often at once",
	.role = HD_ROLE_READ,
	.run = run_many,
};

static int asks_load(struct hd_module *mod, struct hd_error *err)
{
	int r = hd_command_add(mod, &fetch, err);

	return r == 0 ? hd_command_add(mod, &many, err) : r;
}

HD_MODULE(asks, .version = "1.0", .licence = "MIT",
	  .summary = "asks other servers", .load = asks_load);
