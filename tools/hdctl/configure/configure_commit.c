/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_commit.c - check, commit, commit confirmed,
 * rollback, discard. */
#include "tools/hdctl/configure/configure.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/clean.h"

struct options {
	bool confirmed, no_reload;
	const char *time; /* of confirmed */
	char comment[1024];
};

/* ---- check ---- */

/* "workers, listen". */
static char *names(const json_t *list)
{
	char *text = NULL;
	const json_t *name;
	size_t i, n = 0;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		return NULL;
	json_array_foreach(list, i, name)
		fprintf(out, "%s%s", i > 0 ? ", " : "",
			json_string_value(name));
	return fclose(out) == 0 ? text : NULL;
}

static void put_verdict(const struct configure *c,
			const struct configure_verdict *v)
{
	char *restart = names(v->restart), *modules = names(v->modules);

	puts(c->relay && v->knows_restart
		     ? "the relay would take it"
		     : "the next start would take it; no relay that runs was "
		       "asked");
	if (json_array_size(v->restart) > 0)
		printf("needs a restart: %s\n", restart);
	if (json_array_size(v->modules) > 0)
		printf("loaded at the next start, or by hdctl module load: "
		       "%s\n", modules);
	free(restart);
	free(modules);
}

static json_t *verdict_json(const struct configure_verdict *v)
{
	json_t *said = json_object();

	json_object_set_new(said, "ok", json_boolean(v->good));
	if (!v->good)
		json_object_set_new(said, "why", json_string(v->why));
	if (v->restart != NULL)
		json_object_set(said, "restart", v->restart);
	if (v->modules != NULL)
		json_object_set(said, "modules", v->modules);
	return said;
}

static int refuse(const struct configure_verdict *v, int r)
{
	return hdctl_fail(r != HDCTL_OK ? r : HDCTL_REFUSED, "%s", v->why);
}

int configure_try(struct configure *c, const char *const *words, size_t n)
{
	struct configure_verdict v;
	int r;

	(void)words;
	if (n > 0)
		return hdctl_fail(HDCTL_USAGE, "check takes no words");
	if (json_object_size(json_object_get(c->cand, "files")) == 0) {
		puts("no changes");
		return HDCTL_OK;
	}
	r = configure_check(c, &v);
	if (c->h->json) {
		json_t *said = verdict_json(&v);

		clean_json(stdout, said, JSON_INDENT(2));
		json_decref(said);
		r = r == HDCTL_OK && !v.good ? HDCTL_REFUSED : r;
	} else if (r != HDCTL_OK || !v.good) {
		r = refuse(&v, r);
	} else {
		put_verdict(c, &v);
	}
	configure_verdict_free(&v);
	return r;
}

/* ---- commit ---- */

static bool is_duration(const char *word)
{
	size_t n = strspn(word, "0123456789");

	return n > 0 && strspn(word + n, "smhd") == strlen(word + n);
}

/* commit [confirmed [TIME]] [comment TEXT...] [--no-reload] */
static int take_options(struct options *o, const char *const *words, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], "--no-reload") == 0) {
			o->no_reload = true;
		} else if (strcmp(words[i], "confirmed") == 0) {
			o->confirmed = true;
			if (i + 1 < n && is_duration(words[i + 1]))
				o->time = words[++i];
		} else if (strcmp(words[i], "comment") == 0 && i + 1 < n) {
			while (++i < n && len < sizeof(o->comment))
				len += (size_t)snprintf(
					o->comment + len,
					sizeof(o->comment) - len, "%s%s",
					len > 0 ? " " : "", words[i]);
		} else {
			return hdctl_fail(HDCTL_USAGE,
					  "commit: \"%s\" is not expected "
					  "here: commit [confirmed [5m]] "
					  "[comment TEXT] [--no-reload], the "
					  "comment last", words[i]);
		}
	}
	if (o->confirmed && o->no_reload)
		return hdctl_fail(HDCTL_USAGE, "confirmed and --no-reload do "
				  "not go together");
	return HDCTL_OK;
}

static bool ask_person(const char *restart)
{
	char answer[16] = "";

	printf("%s: needs a restart; write the file now, and restart the relay "
	       "later? [y/N] ", restart);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

/* A person may take long: others may change the candidate meanwhile, and then
 * the answer is for nothing. */
static int ask_restart(struct configure *c, struct options *o,
		       const char *restart)
{
	json_t *asked = json_incref(c->cand);
	int r;

	configure_unlock(c);
	o->no_reload = ask_person(restart);
	r = configure_lock(c);
	if (r == HDCTL_OK)
		r = configure_load(c);
	if (r == HDCTL_OK && !json_equal(asked, c->cand))
		r = hdctl_fail(HDCTL_REFUSED,
			       "somebody has changed the candidate meanwhile; "
			       "nothing is committed. Look at it: diff");
	else if (r == HDCTL_OK && !o->no_reload)
		r = hdctl_fail(HDCTL_REFUSED, "nothing is committed");
	json_decref(asked);
	return r;
}

static int check_restart(struct configure *c, struct options *o,
			 const struct configure_verdict *v)
{
	char *restart = names(v->restart);
	int r = HDCTL_OK;

	if (json_array_size(v->restart) == 0 || o->no_reload) {
		;
	} else if (o->confirmed) {
		r = hdctl_fail(HDCTL_REFUSED,
			       "needs a restart: %s; confirmed tries what a "
			       "reload can take back: commit this without it",
			       restart);
	} else if (c->h->shell && isatty(STDIN_FILENO)) {
		r = ask_restart(c, o, restart);
	} else {
		r = hdctl_fail(HDCTL_REFUSED,
			       "needs a restart: %s; nothing is committed. To "
			       "write the file now and restart the relay "
			       "later: commit --no-reload", restart);
	}
	free(restart);
	return r;
}

static int say(const struct configure *c, const char *state, const char *text)
{
	if (c->h->json)
		printf("{\n  \"state\": \"%s\"\n}\n", state);
	else
		puts(text);
	return HDCTL_OK;
}

static int begin_trial(struct configure *c, const struct options *o)
{
	char *text = configure_for_relay(c, o->comment), said[160];
	const char *for_time = o->time != NULL ? o->time : "10m";
	const char *words[] = { "config", "try", text, "--for", for_time };
	struct hd_error err = { "" };
	json_t *data = NULL;
	int r;

	if (!c->relay) {
		free(text);
		return hdctl_fail(HDCTL_NO_DAEMON, "no relay runs with %s: "
				  "there is nothing to try", c->config);
	}
	r = ask(&c->h->ask, words, HD_ARRAY_N(words), &data, &err);
	json_decref(data);
	free(text);
	if (r != HDCTL_OK)
		return hdctl_fail(r, "%s", err.text);
	snprintf(said, sizeof(said), "on trial for %.16s, then the relay goes "
		 "back by itself; to keep it: hdctl configure commit",
		 for_time);
	return say(c, "on_trial", said);
}

static int reload(struct configure *c)
{
	struct hd_error err = { "" };
	json_t *data = NULL;
	int r = ask_words(&c->h->ask, "reload", &data, &err);

	json_decref(data);
	if (r == HDCTL_OK)
		return r;
	if (configure_write_back(c) != HDCTL_OK)
		return hdctl_fail(r, "the relay refuses it: %s", err.text);
	return hdctl_fail(r, "the relay refuses it, so the files are as they "
			  "were: %s", err.text);
}

static int carry_out(struct configure *c, const struct options *o)
{
	bool reloads = c->relay && !o->no_reload;
	int r = configure_write(c, o->comment);

	if (r == HDCTL_OK && reloads)
		r = reload(c);
	if (r == HDCTL_OK)
		r = configure_recorded(c);
	if (r != HDCTL_OK)
		return r;
	return say(c, reloads ? "committed" : "written",
		   reloads    ? "committed, and in effect"
		   : c->relay ? "committed; the relay reads it at its next "
				"start: systemctl restart hyper-derp"
			      : "committed; no relay runs with this file: it "
				"is read at the next start");
}

static int may_commit(struct configure *c, struct options *o)
{
	struct configure_verdict v;
	int r;

	if (configure_by_hand(c) != NULL)
		return hdctl_fail(HDCTL_REFUSED,
				  "%s was changed by hand since the candidate "
				  "began; to put the candidate's changes onto "
				  "it: configure update", configure_by_hand(c));
	r = configure_check(c, &v);
	if (r != HDCTL_OK || !v.good)
		r = refuse(&v, r);
	if (r == HDCTL_OK)
		r = check_restart(c, o, &v);
	configure_verdict_free(&v);
	return r;
}

int configure_commit(struct configure *c, const char *const *words, size_t n)
{
	struct options o = { .confirmed = false };
	bool told;
	int r = take_options(&o, words, n);

	if (r != HDCTL_OK)
		return r;
	if (configure_is_empty(c)) {
		say(c, "nothing", "nothing to commit");
		return configure_drop(c);
	}
	told = o.no_reload;
	r = may_commit(c, &o);
	if (r == HDCTL_OK && o.no_reload && !told) /* somebody was asked */
		r = may_commit(c, &o);
	if (r != HDCTL_OK)
		return r;
	return o.confirmed ? begin_trial(c, &o) : carry_out(c, &o);
}

/* ---- back ---- */

int configure_discard(struct configure *c, const char *const *words, size_t n)
{
	struct hd_error err = { "" };
	json_t *data = NULL;
	int r;

	(void)words;
	if (n > 0)
		return hdctl_fail(HDCTL_USAGE, "discard takes no words");
	r = configure_drop(c);
	if (r == HDCTL_OK && c->relay &&
	    ask_words(&c->h->ask, "config trial", &data, &err) == HDCTL_OK &&
	    json_is_true(json_object_get(data, "on_trial"))) {
		json_decref(data);
		r = hdctl_ask(c->h, "config trial end", &data);
	}
	json_decref(data);
	return r == HDCTL_OK ? say(c, "discarded", "the candidate is gone; the "
						   "files are as they are")
			     : r;
}

static int put_back(struct configure *c, const json_t *record)
{
	const char *path;
	json_t *file;
	int r = HDCTL_OK;

	json_object_foreach (json_object_get(record, "files"), path, file) {
		const char *text =
			json_string_value(json_object_get(file, "base"));

		if (r == HDCTL_OK && text != NULL)
			r = configure_put(c, path, text);
	}
	return r;
}

int configure_rollback(struct configure *c, const char *const *words, size_t n)
{
	unsigned long commits;
	char *end = NULL;
	int r;

	if (n != 1)
		return hdctl_fail(HDCTL_USAGE, "rollback needs a number; see: "
				  "configure history");
	commits = strtoul(words[0], &end, 10);
	configure_history(c);
	if (*end != '\0' || words[0][0] == '-' ||
	    commits > json_array_size(c->history))
		return hdctl_fail(HDCTL_USAGE,
				  "rollback %s: expected 0 to %zu; see: "
				  "configure history", words[0],
				  json_array_size(c->history));
	if (commits == 0)
		return configure_discard(c, NULL, 0);
	r = configure_drop(c);
	for (size_t i = 0; i < commits && r == HDCTL_OK; i++)
		r = put_back(c, json_array_get(c->history, i));
	configure_note(c, "rollback", words[0], NULL);
	if (r == HDCTL_OK)
		r = configure_save(c);
	return r == HDCTL_OK
		       ? say(c, "candidate", "the candidate is what it was "
					     "then; see: diff; to go there: "
					     "commit")
		       : r;
}
