/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_live.c - commands that change which modules are loaded.
 *
 *   run -> in a helper thread: a child tries the files -> on the main thread:
 *   the change, when those before it are done -> the answer
 *
 * A file that hangs while it is loaded holds up nobody but who asked for it.
 * A load, and a reload of one module, takes the module's section from the
 * configuration's file as it is now, and nothing else of it. */
#include "core/loop/task.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/module/module_live.h"

struct job {
	struct hd_main_post post;
	struct hd_call *call;
	struct hd_change change;
	struct hd_conf *edited; /* load, reload: may be NULL */
	char note[512]; /* what the answer says beside "ok" */
	struct hd_trial trials[HD_MODULES_MAX];
	unsigned n;
};

static void answer(struct hd_call *c, int r, const struct hd_error *err)
{
	if (r == -EBUSY)
		hd_call_fail(c, "busy", err->text);
	else if (r < 0)
		hd_call_error(c, "%s", err->text);
}

static void job_free(struct job *j)
{
	for (unsigned i = 0; i < j->n; i++)
		hd_trial_free(&j->trials[i]);
	hd_conf_free(&j->edited);
	free(j);
}

static void on_done(struct hd_change *c)
{
	struct job *j = hd_container_of(c, struct job, change);
	struct hd_call *call = j->call;

	answer(call, c->result, &c->err);
	if (c->result == 0 && j->note[0] != '\0')
		hd_out_string(call, NULL, j->note);
	job_free(j);
	hd_call_answer(&call);
}

static void on_main(struct hd_main_post *post)
{
	struct job *j = hd_container_of(post, struct job, post);

	hd_change_expect(false);
	if (j->change.result < 0)
		on_done(&j->change);
	else
		hd_change_begin(&j->change);
}

static void in_helper(struct hd_module *mod, void *arg)
{
	struct job *j = arg;
	struct hd_change *c = &j->change;
	char name[HD_MODULE_NAME_BYTES];

	(void)mod;
	for (unsigned i = 0; i < j->n && c->result == 0; i++) {
		c->result = hd_module_try_child(&j->trials[i], &c->err);
		if (c->result < 0 &&
		    hd_module_name(j->trials[i].path, name) == 0)
			hd_live_refused(c->result, name, &c->err);
	}
	j->post.fn = on_main;
	hd_main_post(&j->post);
}

static void dropped(void *arg)
{
	struct job *j = arg;
	struct hd_change *c = &j->change;

	c->result = hd_error_set(&c->err, -ESHUTDOWN, "the relay is stopping");
	j->post.fn = on_main;
	hd_main_post(&j->post);
}

static struct job *job_new(struct hd_call *c, const char *name,
			   int (*step)(struct hd_change *))
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		hd_call_fail(c, "no_memory", "out of memory");
		return NULL;
	}
	j->call = c;
	j->change.name = name; /* the call's */
	j->change.step = step;
	j->change.done = on_done;
	return j;
}

static void job_begin(struct job *j)
{
	hd_call_hold(j->call);
	if (j->n == 0) {
		hd_change_begin(&j->change);
		return;
	}
	hd_change_expect(true);
	if (hd_task_offer(NULL, in_helper, j, dropped) < 0) {
		hd_change_expect(false);
		j->change.result = hd_error_set(&j->change.err, -EBUSY,
						"too much work waits already");
		on_done(&j->change);
	}
}

/* @path  taken; NULL: nothing to try, it is built in, or out of memory, which
 *        the change will find, too */
static void job_try(struct job *j, const char *name, char *path)
{
	const struct hd_conf *conf =
		j->edited != NULL ? j->edited : hd_daemon_ops->conf();
	const char *file = NULL;

	if (path == NULL)
		return;
	char *text = hd_conf_section_text(conf, name, path, &file);

	j->trials[j->n++] = (struct hd_trial){
		.path = path,
		.text = text,
		.conf_file = file != NULL ? strdup(file) : NULL,
	};
}

/* Whoever may write elsewhere could run code as the relay. */
static bool in_module_path(const char *path)
{
	const struct hd_list *dirs = &hd_daemon_ops->conf()->module_path;
	size_t n = (size_t)(strrchr(path, '/') - path);

	for (size_t i = 0; i < dirs->n; i++)
		if (n == strlen(dirs->v[i]) &&
		    strncmp(path, dirs->v[i], n) == 0)
			return true;
	return false;
}

/* Whoever edits the section wants it to count; what else has been edited waits
 * for a reload, and whoever loads is told. */
static void note_unlike(struct job *j, const char *done, const char *name)
{
	char keys[256];

	if (hd_conf_unlike(hd_daemon_ops->conf(), j->edited, name, keys,
			   sizeof(keys)) == 0)
		return;
	snprintf(j->note, sizeof(j->note),
		 "%s, with the section `%s` of the file as it is now; other "
		 "changes in the file are not applied, `hdctl reload` takes "
		 "them: %s",
		 done, name, keys);
}

/* A relay that may not read its file any more loads modules all the same.
 * @done  "loaded" */
static int read_edited(struct job *j, const char *done, const char *name,
		       struct hd_error *err)
{
	int r = hd_daemon_ops->load_conf(&j->edited, err);

	if (r == 0) {
		note_unlike(j, done, name);
		j->change.edited = j->edited;
	} else if (r == -EACCES) {
		snprintf(j->note, sizeof(j->note),
			 "%s, with its section as it was at the last start or "
			 "reload: %.300s",
			 done, err->text);
		r = 0;
	}
	return r;
}

static int prepare_load(struct job *j, const char *entry, struct hd_error *err)
{
	char name[HD_MODULE_NAME_BYTES] = "", *path = NULL;
	int r = 0;

	if (hd_module_name(entry, name) == 0)
		r = read_edited(j, "loaded", name, err);
	if (r == 0)
		r = hd_module_live_file(entry, j->edited, &path, err);
	if (r == 0)
		job_try(j, name, path);
	return r;
}

static void run_load(struct hd_module *unused, struct hd_call *c)
{
	const char *entry = hd_call_arg(c, "module");
	struct hd_error err = { "" };

	(void)unused;
	if (entry[0] == '/' && !in_module_path(entry) &&
	    c->who.role != HD_ROLE_ADMIN) {
		hd_call_fail(c, "not_permitted",
			     "a file outside module_path is for "
			     "administrators: root, or the user that the "
			     "relay runs as");
		return;
	}
	struct job *j = job_new(c, entry, hd_module_live_load);
	if (j == NULL)
		return;
	int r = prepare_load(j, entry, &err);
	if (r < 0) {
		answer(c, r, &err);
		job_free(j);
		return;
	}
	job_begin(j);
}

static void run_unload(struct hd_module *unused, struct hd_call *c)
{
	struct job *j =
		job_new(c, hd_call_arg(c, "module"), hd_module_live_unload);

	(void)unused;
	if (j == NULL)
		return;
	j->change.force = hd_call_arg(c, "force") != NULL;
	job_begin(j);
}

/* All of them, after an upgrade of the package: with the sections that they
 * have. Who names one has edited it. */
static void run_reload(struct hd_module *unused, struct hd_call *c)
{
	const char *name = hd_call_arg(c, "module");
	struct job *j = job_new(c, name, hd_module_live_reload);
	struct hd_error err = { "" };

	(void)unused;
	if (j == NULL)
		return;
	int r = name != NULL ? read_edited(j, "reloaded", name, &err) : 0;
	if (r < 0) {
		answer(c, r, &err);
		job_free(j);
		return;
	}
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if (mod->path != NULL &&
		    !(mod->def->flags & HD_MODULE_RESIDENT) &&
		    (name == NULL || strcmp(name, mod->name) == 0))
			job_try(j, mod->name, strdup(mod->path));
	}
	job_begin(j);
}

const struct hd_command hd_cmd_live[] = {
	{ .words = "module load",
	  .args = "MODULE",
	  .role = HD_ROLE_OPERATE,
	  .help = "load a module, with its section of the file as it is now: "
		  "a name in module_path, or /path/name.so",
	  .run = run_load },
	{ .words = "module unload",
	  .args = "MODULE [--force]",
	  .role = HD_ROLE_OPERATE,
	  .help = "close the connections of a module and take it out; --force: "
		  "also one that says who may log in",
	  .run = run_unload },
	{ .words = "module reload",
	  .args = "[MODULE]",
	  .role = HD_ROLE_OPERATE,
	  .help = "take the file of a module as it is now, with its section "
		  "when it is named; its connections stay when the new code "
		  "says that it can have them",
	  .run = run_reload },
	{ .words = NULL },
};
