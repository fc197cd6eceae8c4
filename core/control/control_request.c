/* SPDX-License-Identifier: MIT */
/* core/control/control_request.c - a line becomes a call, or an error that says
 * why not: {"id":7,"cmd":["peer","close","6b1f"],"args":{"for":"30s"}} */
#include <hyper-derp/log.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/control/control.h"
#include "core/module/module.h"

enum { WORDS_MAX = 64 };

struct request {
	json_t *top;
	char id[HD_CONTROL_ID_BYTES];
	const char *words[WORDS_MAX];
	size_t n_words;
	const json_t *args; /* NULL: none */
};

void hd_client_refuse(struct hd_client *c, const char *id, const char *code,
		      const char *why)
{
	struct hd_json out = { 0 };

	hd_json_open(&out, NULL, '{');
	hd_json_raw(&out, "id", id, strlen(id));
	hd_json_bool(&out, "ok", false);
	hd_json_open(&out, "error", '{');
	hd_json_string(&out, "code", code);
	hd_json_string(&out, "message", why);
	hd_json_close(&out);
	hd_json_close(&out);
	hd_json_put(&out, "\n", 1);
	hd_client_take(c, &out);
	hd_json_free(&out);
}

void hd_client_interrupt(struct hd_client *c)
{
	if (c->call == NULL)
		return;
	hd_client_refuse(c, c->call->id, "interrupted",
			 "another process has taken over while this was under "
			 "way: it may be done, or not");
	hd_call_lost(c->call);
	c->call = NULL;
}

/* The id comes back as it was: a number, or a short text. */
static bool read_id(struct request *q)
{
	const json_t *id = json_object_get(q->top, "id");

	strcpy(q->id, "null");
	if (id == NULL || json_is_null(id))
		return true;
	if (!json_is_integer(id) &&
	    !(json_is_string(id) && json_string_length(id) < 32))
		return false;
	char *text = json_dumps(id, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	bool fits = text != NULL && strlen(text) < sizeof(q->id);

	if (fits)
		strcpy(q->id, text);
	free(text);
	return fits;
}

static const char *read_words(struct request *q)
{
	const json_t *cmd = json_object_get(q->top, "cmd"), *word;
	size_t i;

	if (!json_is_array(cmd) || json_array_size(cmd) == 0 ||
	    json_array_size(cmd) > WORDS_MAX)
		return "\"cmd\" must be an array of 1 to 64 words";
	json_array_foreach(cmd, i, word)
	{
		if (!json_is_string(word))
			return "\"cmd\" must be an array of strings";
		q->words[q->n_words++] = json_string_value(word);
	}
	return NULL;
}

static const char *read_rest(struct request *q)
{
	const char *name;
	const json_t *unused;

	q->args = json_object_get(q->top, "args");
	if (q->args != NULL && !json_is_object(q->args))
		return "\"args\" must be an object";
	json_object_foreach (q->top, name, unused)
		if (strcmp(name, "id") != 0 && strcmp(name, "cmd") != 0 &&
		    strcmp(name, "args") != 0)
			return "a request has id, cmd and args, nothing else";
	return NULL;
}

static int set_arg(const struct hd_command_entry *e, const char *name,
		   const json_t *v, struct hd_arg_values *values,
		   struct hd_error *err)
{
	char number[32];

	if (json_is_string(v))
		return hd_args_set(e, name, json_string_value(v), values, err);
	if (json_is_boolean(v))
		return hd_args_set(e, name, json_is_true(v) ? "true" : "false",
				   values, err);
	if (!json_is_integer(v))
		return hd_error_set(err, -1,
				    "%.64s: expected a string, a whole "
				    "number, true or false",
				    name);
	snprintf(number, sizeof(number), "%lld",
		 (long long)json_integer_value(v));
	return hd_args_set(e, name, number, values, err);
}

static int set_args(const struct hd_command_entry *e, const struct request *q,
		    size_t used, struct hd_arg_values *values,
		    struct hd_error *err)
{
	int r = hd_args_fill(e, q->words + used, q->n_words - used, values,
			     err);
	const char *name;
	const json_t *v;

	json_object_foreach ((json_t *)q->args, name, v)
		if (r == 0)
			r = set_arg(e, name, v, values, err);
	return r == 0 ? hd_args_check(e, values, err) : r;
}

static void not_permitted(struct hd_client *c, const struct request *q,
			  const struct hd_command_entry *e)
{
	char why[160];

	snprintf(why, sizeof(why),
		 "\"%s\" needs the role %s, yours is %s: be a member of the "
		 "control group, or root",
		 e->command->words, hd_role_text(e->command->role),
		 hd_role_text(c->who.role));
	hd_log_notice("audit: uid=%u pid=%d role=%s command=\"%s\" "
		      "result=not_permitted",
		      (unsigned)c->who.uid, (int)c->who.pid,
		      hd_role_text(c->who.role), e->command->words);
	hd_control_audit(&c->who, e, NULL, "not_permitted", "");
	hd_client_refuse(c, q->id, "not_permitted", why);
}

/* A change of a module waits for its calls to end: who only looks comes
 * later, else the change would never have its turn. */
static bool has_to_wait(const struct hd_command_entry *e)
{
	return e->mod != NULL && e->command->role == HD_ROLE_READ &&
	       __atomic_load_n(&e->mod->closing, __ATOMIC_RELAXED);
}

static bool refused; /* another process has the relay */

void hd_requests_refuse(void)
{
	refused = true;
}

static void call(struct hd_client *c, const struct request *q)
{
	struct hd_error err = { "" };
	size_t used;

	if (refused) {
		hd_client_refuse(c, q->id, "upgraded",
				 "another process has taken over: connect, "
				 "and ask again");
		return;
	}
	const struct hd_command_entry *e =
		hd_command_find(q->words, q->n_words, &used, &err);

	if (e == NULL) {
		hd_client_refuse(c, q->id, "unknown_command", err.text);
		return;
	}
	if (c->who.role < e->command->role) {
		not_permitted(c, q, e);
		return;
	}
	if (has_to_wait(e)) {
		hd_client_refuse(c, q->id, "busy",
				 "its module is being replaced or "
				 "unloaded: try again");
		return;
	}
	struct hd_call *new = hd_call_new(c, q->id, e);

	if (new == NULL) {
		hd_client_refuse(c, q->id, "no_memory", "out of memory");
	} else if (set_args(e, q, used, &new->values, &err) < 0) {
		hd_call_free(&new);
		hd_client_refuse(c, q->id, "bad_argument", err.text);
	} else {
		hd_call_begin(&new);
	}
}

/* A tree of 40 MiB of brackets would take gigabytes and seconds: no line may
 * have more values than a short one has room for. */
static bool is_too_branched(const char *line, size_t n)
{
	size_t values = 0;
	bool in_text = false;

	for (size_t i = 0; i < n; i++) {
		if (line[i] == '"')
			in_text = !in_text;
		else if (in_text)
			i += line[i] == '\\';
		else
			values += line[i] == ',' || line[i] == '[' ||
				  line[i] == '{';
	}
	return values > HD_CONTROL_VALUES_MAX;
}

static const char *read_request(struct request *q)
{
	const char *why;

	if (!json_is_object(q->top))
		return "a request is an object: "
		       "{\"id\":1,\"cmd\":[\"status\"]}";
	if (!read_id(q))
		return "\"id\" must be a whole number or a short string";
	why = read_words(q);
	return why != NULL ? why : read_rest(q);
}

void hd_client_request(struct hd_client *c, const char *line, size_t n)
{
	struct request q = { .id = "null" };
	json_error_t err;
	const char *why;

	if (is_too_branched(line, n)) {
		hd_client_refuse(c, "null", "bad_request",
				 "a line has at most 65536 values");
		return;
	}
	q.top = json_loadb(line, n, JSON_REJECT_DUPLICATES, &err);
	if (q.top == NULL) {
		char text[JSON_ERROR_TEXT_LENGTH + 40];

		snprintf(text, sizeof(text), "no JSON: column %d: %s",
			 err.column, err.text);
		hd_client_refuse(c, "null", "bad_json", text);
		return;
	}
	why = read_request(&q);
	if (why != NULL)
		hd_client_refuse(c, q.id, "bad_request", why);
	else
		call(c, &q);
	json_decref(q.top);
}
