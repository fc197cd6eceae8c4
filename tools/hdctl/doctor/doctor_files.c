/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_files.c - who may read and write what. */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

static const char *owner(const struct stat *st, char buf[32])
{
	const struct passwd *pw = getpwuid(st->st_uid);

	if (pw != NULL)
		(void)snprintf(buf, 32, "%s", pw->pw_name);
	else
		(void)snprintf(buf, 32, "%u", (unsigned)st->st_uid);
	return buf;
}

static void look_at_config(struct doctor *d)
{
	struct stat st;
	int r = doctor_access(d, d->config, R_OK);

	if (stat(d->config, &st) < 0)
		return;
	if (st.st_mode & S_IWOTH) {
		doctor_say(d, DOCTOR_FAIL, "%s: everybody may change it",
			   d->config);
		doctor_remedy(d, "chmod o-w %s", d->config);
	} else if (r > 0) {
		doctor_say(d, DOCTOR_FAIL, "the user %s cannot read %s: %s: a "
			   "reload would be refused", d->user, d->config,
			   strerror(r));
		doctor_remedy(d, "chmod o+r %s", d->config);
	} else {
		doctor_say(d, DOCTOR_OK, "%s: for the user %s to read",
			   d->config, d->user);
	}
}

/* The keys that the relay made for itself. */
static unsigned look_into(struct doctor *d, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	unsigned bad = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char file[DOCTOR_PATH_BYTES + 264], who[32];
		struct stat st;

		(void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (lstat(file, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (st.st_uid != d->uid && doctor_access(d, file, R_OK) > 0) {
			doctor_say(d, DOCTOR_FAIL, "%s is %s's: the user %s "
				   "cannot read it", file, owner(&st, who),
				   d->user);
			doctor_remedy(d, "chown %s %s", d->user, file);
			bad++;
		} else if (st.st_mode & (S_IROTH | S_IWOTH) &&
			   strstr(e->d_name, ".key") != NULL) {
			doctor_say(d, DOCTOR_FAIL, "%s: everybody may read "
						   "this key", file);
			doctor_remedy(d, "chmod 600 %s", file);
			bad++;
		}
	}
	if (dir != NULL)
		closedir(dir);
	return bad;
}

static void wrong_owner(struct doctor *d, const char *path,
			const struct stat *st)
{
	char who[32];

	doctor_say(d, DOCTOR_FAIL, "state_dir %s is %s's: the user %s cannot "
		   "write there", path, owner(st, who), d->user);
	doctor_remedy(d, "chown -R %s %s", d->user, path);
}

static void look_at_state(struct doctor *d)
{
	const char *path = tree_text(d->conf, "state_dir",
				     "/var/lib/hyper-derp");
	struct stat st;

	if (stat(path, &st) < 0) {
		doctor_say(d, errno == ENOENT ? DOCTOR_OK : DOCTOR_WARN,
			   "state_dir %s: %s", path,
			   errno == ENOENT ? "made at the first start"
					   : strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		doctor_say(d, DOCTOR_FAIL, "state_dir %s is not a folder",
			   path);
		doctor_remedy(d, "set another state_dir, or remove the file");
	} else if (doctor_access(d, path, W_OK | X_OK) > 0) {
		wrong_owner(d, path, &st);
	} else if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		doctor_say(d, DOCTOR_FAIL, "state_dir %s has keys, and others "
			   "than its owner may write there", path);
		doctor_remedy(d, "chmod 700 %s", path);
	} else if (look_into(d, path) == 0) {
		doctor_say(d, DOCTOR_OK, "state_dir %s", path);
	}
}

void doctor_check_files(struct doctor *d)
{
	if (access(d->config, F_OK) < 0)
		return;
	look_at_config(d);
	look_at_state(d);
}
