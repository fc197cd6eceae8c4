/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_files.c - what the relay opens later: may it? */
#include "core/daemon/daemon_files.h"
#include <dirent.h>
#include <errno.h>
#include <hyper-derp/log.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/conf/conf_value.h"

static const char *me(void)
{
	static char name[64];
	const struct passwd *pw = getpwuid(geteuid());

	if (pw != NULL)
		snprintf(name, sizeof(name), "%s", pw->pw_name);
	else
		snprintf(name, sizeof(name), "%u", (unsigned)geteuid());
	return name;
}

static bool may(const char *path, int how)
{
	return access(path, how) == 0;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0 || errno == EACCES;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folder that holds @path. */
static const char *folder_of(const char *path, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s", path);
	char *slash = strrchr(buf, '/');

	if (slash == NULL)
		return strcpy(buf, ".");
	slash[slash == buf] = '\0';
	return buf;
}

/* ---- state_dir ---- */

/* Keys of an earlier start by root: read then, and not at a reload. */
static void warn_state_files(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char path[PATH_MAX + 256];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    !may(path, R_OK))
			hd_log_write(HD_LOG_WARN,
				     "state_dir: the user %s cannot read %s; "
				     "if it is the relay's: chown %s %s",
				     me(), path, me(), path);
	}
	if (d != NULL)
		closedir(d);
}

/* A folder is made where it can be. */
static bool can_be_made(const char *path)
{
	char buf[PATH_MAX];
	const char *up = folder_of(path, buf);

	while (!is_there(up) && strchr(up, '/') != NULL && up[1] != '\0') {
		char copy[PATH_MAX];

		snprintf(copy, sizeof(copy), "%s", up);
		up = folder_of(copy, buf);
	}
	return may(up, W_OK | X_OK);
}

static int check_state(const char *dir, bool by_root, struct hd_error *err)
{
	struct stat st;
	bool there = stat(dir, &st) == 0;
	char buf[PATH_MAX];

	if (there && !S_ISDIR(st.st_mode))
		return hd_error_set(err, -ENOTDIR,
				    "state_dir %s: this is not a folder", dir);
	if (by_root && (there || errno == ENOENT))
		; /* root makes it, and gives it to the user */
	else if (!there && errno == ENOENT && can_be_made(dir))
		;
	else if (!there)
		return hd_error_set(err, -EACCES,
				    "state_dir %s: the user %s cannot make or "
				    "enter it: make the folder, owned by %s, "
				    "or set state_dir",
				    dir, me(), me());
	else if (!may(dir, W_OK | X_OK))
		return hd_error_set(err, -EACCES,
				    "state_dir %s: the user %s cannot write "
				    "there: chown %s %s",
				    dir, me(), me(), dir);
	if (there && !may(folder_of(dir, buf), X_OK))
		return hd_error_set(err, -EACCES,
				    "state_dir %s: the user %s cannot enter "
				    "%s: chmod o+x %s",
				    dir, me(), buf, buf);
	if (there)
		warn_state_files(dir);
	return 0;
}

/* ---- socket and log ---- */

/* Whether a folder that is missing may be there at the start, since it is where
 * the service manager makes some: then that is said. */
static bool made_at_start(const char *option, const char *dir,
			  const char *under)
{
	if (strncmp(dir, under, strlen(under)) != 0)
		return false;
	hd_log_write(HD_LOG_WARN,
		     "%s: there is no folder %s; unless the service manager "
		     "makes it, the start will fail",
		     option, dir);
	return true;
}

static int check_socket(const char *path, bool by_root, struct hd_error *err)
{
	char buf[PATH_MAX];
	const char *dir = path != NULL ? folder_of(path, buf) : NULL;

	if (dir == NULL)
		return 0; /* without the usual one a relay starts, too */
	if (!is_there(dir))
		return made_at_start("control.socket", dir, "/run/")
			       ? 0
			       : hd_error_set(
					 err, -ENOENT,
					 "control.socket: the folder of %s "
					 "is missing: make it, or set "
					 "another path",
					 path);
	if (!by_root && !may(dir, W_OK | X_OK))
		return hd_error_set(err, -EACCES,
				    "control.socket %s: the user %s cannot "
				    "write in its folder: chown %s %s, or set "
				    "another path",
				    path, me(), me(), dir);
	return 0;
}

/* @option  names a file that is written, and opened again after a rotation */
static int check_log(const char *option, const char *path, bool by_root,
		     struct hd_error *err)
{
	char buf[PATH_MAX];

	if (path == NULL || strcmp(path, "stderr") == 0)
		return 0;
	if (is_folder(path))
		return hd_error_set(err, -EISDIR,
				    "%s %s: this is a folder: name a file in "
				    "it",
				    option, path);
	if (!is_there(folder_of(path, buf)))
		return made_at_start(option, buf, "/var/log/")
			       ? 0
			       : hd_error_set(
					 err, -ENOENT,
					 "%s %s: its folder is missing: make "
					 "it, or set another path",
					 option, path);
	bool good = is_there(path) ? may(path, W_OK) : may(buf, W_OK | X_OK);

	if (!good && !by_root)
		return hd_error_set(err, -EACCES,
				    "%s %s: the user %s cannot write it",
				    option, path, me());
	if (!good)
		hd_log_write(HD_LOG_WARN,
			     "%s %s: the user %s cannot open it again: after a "
			     "rotation (USR1) lines go into the old file",
			     option, path, me());
	return 0;
}

/* ---- files that modules are told ---- */

static int check_path(const char *where, const struct hd_option *o,
		      const void *base, struct hd_error *err)
{
	const char *path;

	memcpy(&path, (const char *)base + o->offset, sizeof(path));
	if (path == NULL || path[0] != '/' || !is_there(path) ||
	    may(path, R_OK))
		return 0;
	return hd_error_set(err, -EACCES, "%s.%s: the user %s cannot read %s",
			    where, o->name, me(), path);
}

static int check_options(const char *where, const struct hd_option *o,
			 const void *base, struct hd_error *err);

static int check_entries(const char *up, const struct hd_option *o,
			 const void *base, struct hd_error *err)
{
	const void *at = (const char *)base + o->offset;
	char where[128];
	int r = 0;

	snprintf(where, sizeof(where), "%s.%s", up, o->name);
	for (size_t i = 0; r == 0 && i < hd_entries_n(at); i++)
		r = check_options(where, o->entry, hd_entries_get(o, at, i),
				  err);
	return r;
}

static int check_options(const char *where, const struct hd_option *o,
			 const void *base, struct hd_error *err)
{
	int r = 0;

	for (; r == 0 && o->name != NULL; o++)
		if (o->type == HD_OPTION_PATH)
			r = check_path(where, o, base, err);
		else if (o->type == HD_OPTION_ENTRIES)
			r = check_entries(where, o, base, err);
	return r;
}

static int check_sections(const struct hd_conf *conf, struct hd_error *err)
{
	const struct hd_conf_section *s = conf->priv->sections;
	int r = 0;

	for (; r == 0 && s != NULL; s = s->next)
		if (s->data != NULL && s->table != NULL)
			r = check_options(s->name, s->table, s->data, err);
	return r;
}

int hd_files_check(const struct hd_conf *conf, bool by_root,
		   struct hd_error *err)
{
	int r = check_state(conf->state_dir, by_root, err);

	if (r == 0)
		r = check_socket(conf->control_socket, by_root, err);
	if (r == 0)
		r = check_log("log.target", conf->log_target, by_root, err);
	if (r == 0) /* opened when it is no longer root */
		r = check_log("audit.file", conf->audit_file, false, err);
	return r == 0 ? check_sections(conf, err) : r;
}

/* ---- at the start ---- */

static void warn_unread(const char *what, const char *path)
{
	if (may(path, R_OK))
		return;
	hd_log_write(HD_LOG_WARN,
		     "the user %s cannot read the %s %s: a reload will be "
		     "refused, and so will a renewed certificate; see "
		     "hyper-derp -t and hyper-derp-cert(8)",
		     me(), what, path);
}

void hd_files_warn_unread(const struct hd_conf *conf)
{
	if (conf->path != NULL)
		warn_unread("configuration", conf->path);
	for (size_t i = 0; i < conf->n_certificates; i++) {
		warn_unread("certificate", conf->certificates[i].cert);
		warn_unread("certificate key", conf->certificates[i].key);
	}
}
