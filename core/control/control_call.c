/* SPDX-License-Identifier: MIT */
/* core/control/control_call.c - a command at work.
 *
 *   main: run() -------------------------------------> answer
 *   main -> worker 0: each() -> worker 1 -> ... -> main: done() -> answer
 *             `-- again while the cursor is not 0
 *
 * The call is in one place at a time, so that nobody locks it. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/bug.h"
#include "core/conf/conf_number.h"
#include "core/control/control.h"
#include "core/loop/worker.h"

static struct hd_call *calls; /* under way */

/* ---- life ---- */

struct hd_call *hd_call_new(struct hd_client *c, const char *id,
			    const struct hd_command_entry *e)
{
	struct hd_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->client = c;
	call->who = c->who;
	call->entry = *e;
	snprintf(call->id, sizeof(call->id), "%s", id);
	call->out.limit = HD_CONTROL_ANSWER_MAX_BYTES;
	call->next = calls;
	if (calls != NULL)
		calls->prev = call;
	calls = call;
	return call;
}

void hd_call_free(struct hd_call **call)
{
	struct hd_call *c = hd_steal(call);

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		calls = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	hd_args_free(&c->values);
	hd_json_free(&c->out);
	if (c->release != NULL && c->data != NULL)
		c->release(c->data);
	free(c->data);
	free(c);
}

unsigned hd_control_calls(const struct hd_module *mod)
{
	unsigned n = 0;

	for (const struct hd_call *c = calls; c != NULL; c = c->next)
		n += c->entry.mod == mod;
	return n;
}

void hd_call_lost(struct hd_call *call)
{
	call->client = NULL;
}

/* ---- the answer ---- */

static void write_begin(struct hd_call *c)
{
	hd_json_open(&c->out, NULL, '{');
	hd_json_raw(&c->out, "id", c->id, strlen(c->id));
	hd_json_bool(&c->out, "ok", true);
	hd_json_put(&c->out, ",\"data\":", sizeof(",\"data\":") - 1);
	c->out.comma = false;
	c->out_begin = c->out.len;
	if (c->entry.command->each != NULL && c->entry.command->done == NULL)
		hd_json_open(&c->out, NULL, '[');
	c->base = c->out.depth;
}

static void write_error(struct hd_call *c)
{
	hd_json_free(&c->out);
	hd_json_open(&c->out, NULL, '{');
	hd_json_raw(&c->out, "id", c->id, strlen(c->id));
	hd_json_bool(&c->out, "ok", false);
	hd_json_open(&c->out, "error", '{');
	hd_json_string(&c->out, "code", c->code);
	hd_json_string(&c->out, "message", c->err.text);
	hd_json_close(&c->out);
}

static void write_end(struct hd_call *c)
{
	if (c->out.error == -EFBIG)
		hd_call_fail(c, "too_large", "the answer is too large");
	else if (c->out.error < 0)
		hd_call_fail(c, "no_memory", "out of memory");
	if (c->err.text[0] != '\0')
		write_error(c);
	else if (c->out.len == c->out_begin)
		hd_json_put(&c->out, "null", 4);
	while (c->out.depth > 0)
		hd_json_close(&c->out);
	hd_json_put(&c->out, "\n", 1);
}

static size_t audit_arg(const struct hd_arg *a, const char *value, char *to,
			size_t size)
{
	if (hd_arg_is_file(a))
		return (size_t)snprintf(to, size, " %s=(%zu bytes)", a->name,
					strlen(value));
	return (size_t)snprintf(to, size, " %s=%s", a->name, value);
}

/* What an operator gives cannot end the quotes it stands in. */
static void no_quotes(char *text)
{
	while ((text = strchr(text, '"')) != NULL)
		*text = '\'';
}

static void audit_line(const struct hd_call *c)
{
	char args[160] = "";
	size_t n = 0;

	for (unsigned i = 0; i < c->entry.n_args && n < sizeof(args) - 1; i++)
		if (c->values.v[i] != NULL)
			n += audit_arg(&c->entry.args[i], c->values.v[i],
				       args + n, sizeof(args) - n);
	no_quotes(args);
	hd_log_write(HD_LOG_NOTICE,
		     "audit: uid=%u pid=%d role=%s command=\"%s%s\" "
		     "result=%s%s%s",
		     (unsigned)c->who.uid, (int)c->who.pid,
		     hd_role_text(c->who.role), c->entry.command->words, args,
		     c->err.text[0] != '\0' ? c->code : "ok",
		     c->err.text[0] != '\0' ? " why=" : "", c->err.text);
}

/* Who, what, with which result: in the log, whatever its level filters, and in
 * the audit log. */
static void audit(const struct hd_call *c)
{
	if (c->entry.command->role == HD_ROLE_READ)
		return;
	audit_line(c);
	hd_control_audit(&c->who, &c->entry, &c->values,
			 c->err.text[0] != '\0' ? c->code : "ok",
			 c->err.text);
}

static void finish(struct hd_call *call)
{
	struct hd_client *client = call->client;

	write_end(call);
	audit(call);
	if (client != NULL) {
		client->call = NULL;
		hd_client_take(client, &call->out);
	}
	hd_call_free(&call);
	if (client != NULL)
		hd_client_go_on(client);
}

/* ---- the way ---- */

static void finished(struct hd_main_post *post)
{
	finish(hd_container_of(post, struct hd_call, post));
}

static void came_back(struct hd_main_post *post)
{
	struct hd_call *c = hd_container_of(post, struct hd_call, post);

	if (c->entry.command->done != NULL && c->err.text[0] == '\0')
		c->entry.command->done(c->entry.mod, c);
	if (!c->held)
		finish(c);
}

static void in_worker(struct hd_worker *w, void *call, void *unused);

/* Worker i is next, or the main thread. */
static void to_next(struct hd_call *c, unsigned i)
{
	if (i < hd_workers() && c->err.text[0] == '\0') {
		if (hd_worker_post(hd_worker_at(i), in_worker, c, NULL) == 0)
			return;
		hd_call_fail(c, "busy", "the relay is stopping");
	}
	c->post.fn = came_back;
	hd_main_post(&c->post);
}

static void in_worker(struct hd_worker *w, void *call, void *unused)
{
	struct hd_call *c = call;

	(void)unused;
	c->entry.command->each(c->entry.mod, c, w);
	to_next(c, hd_worker_index(w) + (c->cursor == 0));
}

/* Each may hold a row for every peer. Administrators are not kept out. */
static bool too_many(const struct hd_call *new)
{
	unsigned n = 0;

	if (new->who.role == HD_ROLE_ADMIN)
		return false;
	for (const struct hd_call *c = calls; c != NULL; c = c->next)
		n += c->entry.command->each != NULL;
	return n > HD_CONTROL_CALLS_MAX;
}

void hd_call_begin(struct hd_call **call)
{
	struct hd_call *c = hd_steal(call);

	c->client->call = c;
	write_begin(c);
	if (c->entry.command->each != NULL && !too_many(c)) {
		to_next(c, 0);
		return;
	}
	if (c->entry.command->run != NULL)
		c->entry.command->run(c->entry.mod, c);
	else
		hd_call_fail(c, "busy", "too many commands are under way: "
					"try again");
	if (!c->held)
		finish(c);
}

/* ---- what commands call ---- */

void hd_call_hold(struct hd_call *call)
{
	call->held = true;
}

void hd_call_answer(struct hd_call **call)
{
	struct hd_call *c = hd_steal(call);

	c->post.fn = finished;
	hd_main_post(&c->post);
}

const char *hd_call_arg(const struct hd_call *call, const char *name)
{
	const struct hd_command_entry *e = &call->entry;

	for (unsigned i = 0; i < e->n_args; i++)
		if (strcmp(e->args[i].name, name) == 0)
			return call->values.v[i];
	hd_bug_once("command \"%s\" has no argument \"%s\"", e->command->words,
		    name);
	return NULL;
}

bool hd_call_arg_key(struct hd_call *call, const char *name,
		     struct hd_key *ret_key)
{
	const char *text = hd_call_arg(call, name);

	if (text == NULL)
		return false;
	if (hd_key_parse(text, ret_key) == 0)
		return true;
	hd_call_refuse(
		call, "bad_argument",
		"%s is not a whole key; give all 64 hexadecimal digits, as "
		"\"peers --json\" shows them",
		text);
	return false;
}

void hd_call_fail(struct hd_call *call, const char *code, const char *text)
{
	if (call->err.text[0] != '\0')
		return;
	call->code = code;
	hd_error_set(&call->err, 0, "%s", text);
}

void hd_call_error(struct hd_call *call, const char *fmt, ...)
{
	char text[sizeof(call->err.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hd_call_fail(call, "refused", text);
}

void hd_call_refuse(struct hd_call *call, const char *code, const char *fmt,
		    ...)
{
	char text[sizeof(call->err.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hd_call_fail(call, code, text);
}

void *hd_call_data(struct hd_call *call, size_t size)
{
	if (call->data == NULL)
		call->data = calloc(1, size);
	if (call->data == NULL)
		hd_call_fail(call, "no_memory", "out of memory");
	return call->data;
}

uint64_t *hd_call_cursor(struct hd_call *call)
{
	return &call->cursor;
}
