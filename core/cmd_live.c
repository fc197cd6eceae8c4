/* SPDX-License-Identifier: MIT */
/* core/cmd_live.c - commands that change which modules are loaded. */
#include <errno.h>
#include <string.h>
#include "core/control.h"
#include "core/daemon.h"
#include "core/module_live.h"

static void answer(struct hd_call *c, int r, const struct hd_error *err)
{
	if (r >= 0)
		return;
	if (r == -EBUSY)
		hd_call_fail(c, "busy", err->text);
	else
		hd_call_error(c, "%s", err->text);
}

/* Whoever may write elsewhere could run code as the relay. */
static bool in_module_path(const char *path)
{
	const struct hd_list *dirs = &hd_daemon()->conf->module_path;
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < dirs->n; i++)
		if ((size_t)(slash - path) == strlen(dirs->v[i]) &&
		    strncmp(path, dirs->v[i], (size_t)(slash - path)) == 0)
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
	answer(c, hd_module_live_load(entry, &err), &err);
}

static void run_unload(struct hd_module *unused, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)unused;
	answer(c, hd_module_live_unload(hd_call_arg(c, "module"), &err), &err);
}

static void run_reload(struct hd_module *unused, struct hd_call *c)
{
	struct hd_error err = { "" };

	(void)unused;
	answer(c, hd_module_live_reload(hd_call_arg(c, "module"), &err), &err);
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
