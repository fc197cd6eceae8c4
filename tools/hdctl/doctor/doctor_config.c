/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_config.c - the configuration as the relay's program
 * sees it, and the modules that it names. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/hdctl/installed.h"
#include "tools/hdctl/program.h"

/* ---- -t ---- */

/* "2026-11-29T09:32:49.735Z error text". Returns the text; NULL: less than a
 * warning. */
static const char *log_line(const char *line, enum doctor_verdict *ret_v)
{
	const char *p = strchr(line, ' ');

	if (p == NULL || !isdigit((unsigned char)line[0]))
		return NULL;
	if (strncmp(p, " error ", 7) == 0)
		*ret_v = DOCTOR_FAIL;
	else if (strncmp(p, " warn ", 6) == 0)
		*ret_v = DOCTOR_WARN;
	else
		return NULL;
	return strchr(p + 1, ' ') + 1;
}

/* Returns how many lines were worth a line of ours. */
static unsigned say_lines(struct doctor *d, char *text)
{
	unsigned n = 0;

	for (char *save, *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		enum doctor_verdict v;
		const char *what = log_line(line, &v);

		if (what == NULL)
			continue;
		doctor_say(d, v, "%s", what);
		n++;
	}
	return n;
}

static void no_program(struct doctor *d)
{
	doctor_say(d, DOCTOR_FAIL, "hyper-derp is neither beside hdctl nor in "
				   "PATH");
	doctor_remedy(d, "install it: apt install hyper-derp, or make install");
}

static void no_file(struct doctor *d)
{
	int e = errno;

	doctor_say(d, DOCTOR_FAIL, "%s: %s", d->config, strerror(e));
	doctor_remedy(d, e == EACCES
				 ? "ask as root, or as the relay's user"
				 : "hdctl setup writes one; -c FILE names "
				   "another");
}

void doctor_check_config(struct doctor *d)
{
	char path[4096], *text;
	int status = -1;

	if (access(d->config, R_OK) < 0)
		return no_file(d);
	if (program_find("hyper-derp", path) == NULL)
		return no_program(d);
	text = program_output((char *const[]){ path, (char *)"-t",
					       (char *)"-c",
					       (char *)d->config, NULL },
			      true, &status);
	if (text == NULL)
		return;
	if (status == 0)
		doctor_say(d, DOCTOR_OK, "%s is good (hyper-derp -t)",
			   d->config);
	if (say_lines(d, text) == 0 && status != 0)
		doctor_say(d, DOCTOR_FAIL, "hyper-derp -t ends with %d: %s",
			   status, text);
	if (status != 0)
		doctor_remedy(d, "correct it; then: hyper-derp -t -c %s",
			      d->config);
	free(text);
}

/* ---- modules ---- */

static void missing(struct doctor *d, const char *name, bool optional)
{
	doctor_say(d, optional ? DOCTOR_WARN : DOCTOR_FAIL,
		   "%s is to be loaded, and no file %s.so is in module_path",
		   name, name);
	if (access("/etc/debian_version", F_OK) == 0)
		doctor_remedy(d, "apt install hyper-derp-mod-%s, or: hdctl "
				 "module disable %s", name, name);
	else
		doctor_remedy(d, "install the module, or: hdctl module disable "
				 "%s", name);
}

/* A package has gone, the link to its file stayed. */
static void say_dangling(struct doctor *d)
{
	const char *slash = strrchr(d->config, '/');
	char folder[DOCTOR_PATH_BYTES], path[DOCTOR_PATH_BYTES + 264];
	const struct dirent *e;
	DIR *dir;

	(void)snprintf(folder, sizeof(folder), "%.*s/modules-enabled",
		       slash != NULL ? (int)(slash - d->config) : 1,
		       slash != NULL ? d->config : ".");
	dir = opendir(folder);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (access(path, F_OK) == 0 || errno != ENOENT)
			continue;
		doctor_say(d, DOCTOR_FAIL, "%s leads nowhere", path);
		doctor_remedy(d, "install the module's package again, or: rm "
				 "%s", path);
	}
	if (dir != NULL)
		closedir(dir);
}

/* @list  "derp, stun" for the line of those that are there */
static unsigned look_at(struct doctor *d, const json_t *modules, char *list,
			size_t size)
{
	const json_t *entry;
	unsigned bad = 0;
	size_t i, n = 0;

	json_array_foreach(modules, i, entry)
	{
		const char *name = json_is_string(entry)
					   ? json_string_value(entry)
					   : tree_text(entry, "name", "?");

		if (!d->conf_good && !installed(d->conf, name)) {
			missing(d, name, tree_is(entry, "optional"));
			bad++;
		} else if (n < size) {
			n += (size_t)snprintf(list + n, size - n, "%s%s",
					      n > 0 ? ", " : "", name);
		}
	}
	return bad;
}

static void look_at_all(struct doctor *d)
{
	json_t *modules = json_incref(tree_get(d->conf, "load_module"));
	char list[512] = "";

	if (modules == NULL)
		modules = json_pack("[ss]", "derp", "stun");
	if (json_array_size(modules) == 0) {
		doctor_say(d, DOCTOR_WARN, "none is loaded: such a relay "
			   "serves nobody");
		doctor_remedy(d, "hdctl module enable derp");
	} else if (look_at(d, modules, list, sizeof(list)) == 0) {
		doctor_say(d, DOCTOR_OK, "%s", list);
	}
	say_dangling(d);
	json_decref(modules);
}

void doctor_check_modules(struct doctor *d)
{
	if (access(d->config, R_OK) == 0)
		look_at_all(d);
}
