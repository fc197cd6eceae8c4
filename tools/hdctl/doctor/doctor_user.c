/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_user.c - whom the relay runs as, and what that
 * user may. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

/* ---- the unit ---- */

static const char *const unit_files[] = {
	"/etc/systemd/system/hyper-derp.service",
	"/run/systemd/system/hyper-derp.service",
	"/usr/local/lib/systemd/system/hyper-derp.service",
	"/lib/systemd/system/hyper-derp.service",
	"/usr/lib/systemd/system/hyper-derp.service",
};

static bool find_setting(FILE *f, const char *key, char *buf, size_t size)
{
	size_t n = strlen(key);
	char line[512];

	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, key, n) != 0 || line[n] != '=')
			continue;
		line[strcspn(line, "\n")] = '\0';
		(void)snprintf(buf, size, "%s", line + n + 1);
		return true;
	}
	return false;
}

bool doctor_unit(const struct doctor *d, const char *key, char *buf,
		 size_t size)
{
	if (strcmp(d->config, HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml"))
		return false;
	for (size_t i = 0; i < HD_ARRAY_N(unit_files); i++) {
		FILE *f = fopen(unit_files[i], "re");
		bool there;

		if (f == NULL)
			continue;
		there = find_setting(f, key, buf, size);
		fclose(f);
		return there;
	}
	return false;
}

/* ---- who ---- */

static bool is_user(struct doctor *d, const struct passwd *pw, const char *why)
{
	if (pw == NULL)
		return false;
	(void)snprintf(d->user, sizeof(d->user), "%s", pw->pw_name);
	d->uid = pw->pw_uid;
	d->gid = pw->pw_gid;
	d->user_why = why;
	return true;
}

static bool owns(struct doctor *d, const char *path, const char *why)
{
	struct stat st;

	return stat(path, &st) == 0 && is_user(d, getpwuid(st.st_uid), why);
}

static bool by_name(struct doctor *d, const char *name, const char *why)
{
	if (name == NULL)
		return false;
	if (!is_user(d, getpwnam(name), why)) { /* the check of it says so */
		(void)snprintf(d->user, sizeof(d->user), "%s", name);
		d->uid = (uid_t)-1;
		d->user_why = why;
	}
	return true;
}

void doctor_find_user(struct doctor *d)
{
	const char *state = tree_text(d->conf, "state_dir",
				      "/var/lib/hyper-derp");
	char proc[32], unit[64];
	struct stat st;

	(void)snprintf(proc, sizeof(proc), "/proc/%d", (int)d->pid);
	if (d->pid > 0 && owns(d, proc, "whom the relay runs as"))
		return;
	if (by_name(d, tree_text(d->conf, "user", NULL), "of the key `user`"))
		return;
	if (doctor_unit(d, "User", unit, sizeof(unit)) &&
	    by_name(d, unit, "of the unit"))
		return;
	if (stat(state, &st) == 0 && st.st_uid != 0 &&
	    owns(d, state, "who owns state_dir"))
		return;
	if (!is_user(d, getpwuid(geteuid()), "who asks"))
		d->user_why = "who asks";
}

/* ---- what it may ---- */

/* As the user, in a process that ends with the answer. */
static int access_as(const struct doctor *d, const char *path, int how)
{
	if (initgroups(d->user, d->gid) < 0 ||
	    setresgid(d->gid, d->gid, d->gid) < 0 ||
	    setresuid(d->uid, d->uid, d->uid) < 0)
		return 255;
	return access(path, how) == 0 ? 0 : errno;
}

int doctor_access(const struct doctor *d, const char *path, int how)
{
	int status;

	if (d->uid == geteuid())
		return access(path, how) == 0 ? 0 : errno;
	if (geteuid() != 0 || d->uid == (uid_t)-1)
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(access_as(d, path, how));
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 255)
		return -1;
	return WEXITSTATUS(status);
}

void doctor_check_user(struct doctor *d)
{
	if (d->uid == (uid_t)-1) {
		doctor_say(d, DOCTOR_FAIL, "there is no user %s, %s", d->user,
			   d->user_why);
		doctor_remedy(d, "useradd --system --home-dir "
				 "/var/lib/hyper-derp --shell "
				 "/usr/sbin/nologin %s",
			      d->user);
	} else if (d->uid == 0) {
		doctor_say(d, DOCTOR_WARN, "the relay runs as root (%s)",
			   d->user_why);
		doctor_remedy(d, "set `user: hyper-derp`: it switches to "
				 "that user after opening its ports");
	} else {
		doctor_say(d, DOCTOR_OK, "%s, %s", d->user, d->user_why);
	}
}
