/* SPDX-License-Identifier: MIT */
/* core/cmd_live.c - commands that change which modules are loaded.
 *
 *   run -> in a helper thread: a child tries the files -> on the main thread:
 *   the change -> the answer
 *
 * A file that hangs while it is loaded holds up nobody but who asked for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/control.h"
#include "core/daemon.h"
#include "core/module_live.h"

struct job {
	struct hd_main_post post;
	struct hd_call *call;
	int (*change)(const char *name, struct hd_error *err);
	const char *name; /* the call's; NULL: all */
	char *files[HD_MODULES_MAX]; /* to be tried */
	unsigned n;
	int result;
	struct hd_error err;
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
		free(j->files[i]);
	free(j);
}

static void on_main(struct hd_main_post *post)
{
	struct job *j = hd_container_of(post, struct job, post);
	struct hd_call *call = j->call;

	if (j->result == 0)
		j->result = j->change(j->name, &j->err);
	answer(call, j->result, &j->err);
	job_free(j);
	hd_call_answer(&call);
}

static void in_helper(void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < j->n && j->result == 0; i++)
		j->result = hd_module_try_child(j->files[i], &j->err);
	j->post.fn = on_main;
	hd_main_post(&j->post);
}

static struct job *job_new(struct hd_call *c, const char *name,
			   int (*change)(const char *, struct hd_error *))
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		hd_call_fail(c, "no_memory", "out of memory");
		return NULL;
	}
	j->call = c;
	j->change = change;
	j->name = name;
	return j;
}

static void job_begin(struct job *j)
{
	if (hd_task(NULL, NULL, in_helper, NULL, j) < 0) {
		hd_call_fail(j->call, "busy", "too much work waits already");
		job_free(j);
		return;
	}
	hd_call_hold(j->call);
}

/* Whoever may write elsewhere could run code as the relay. */
static bool in_module_path(const char *path)
{
	const struct hd_list *dirs = &hd_daemon()->conf->module_path;
	size_t n = (size_t)(strrchr(path, '/') - path);

	for (size_t i = 0; i < dirs->n; i++)
		if (n == strlen(dirs->v[i]) &&
		    strncmp(path, dirs->v[i], n) == 0)
			return true;
	return false;
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
	int r = hd_module_live_file(entry, &j->files[0], &err);
	if (r < 0) {
		answer(c, r, &err);
		job_free(j);
		return;
	}
	j->n = j->files[0] != NULL; /* nothing to try: it is built in */
	job_begin(j);
}

static void run_unload(struct hd_module *unused, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)unused;
	answer(c, hd_module_live_unload(hd_call_arg(c, "module"), &err), &err);
}

static void run_reload(struct hd_module *unused, struct hd_call *c)
{
	const char *name = hd_call_arg(c, "module");
	struct job *j = job_new(c, name, hd_module_live_reload);

	(void)unused;
	if (j == NULL)
		return;
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if (mod->path != NULL && !(mod->def->flags & HD_RESIDENT) &&
		    (name == NULL || strcmp(name, mod->name) == 0))
			j->files[j->n++] = strdup(mod->path);
	}
	job_begin(j);
}

const struct hd_command hd_cmd_live[] = {
	{ .words = "module load",
	  .args = "MODULE",
	  .role = HD_ROLE_OPERATE,
	  .help = "load a module: a name in module_path, or /path/name.so",
	  .run = run_load },
	{ .words = "module unload",
	  .args = "MODULE",
	  .role = HD_ROLE_OPERATE,
	  .help = "close the connections of a module and take it out",
	  .run = run_unload },
	{ .words = "module reload",
	  .args = "[MODULE]",
	  .role = HD_ROLE_OPERATE,
	  .help = "take the file of a module as it is now; its connections "
		  "stay when the new code says that it can have them",
	  .run = run_reload },
	{ .words = NULL },
};
