/* SPDX-License-Identifier: MIT */
/* modules/policy/watch.c - files of keys that change are read again. Folders
 * are watched, since a file that is replaced by rename is another one. What
 * is under way when the file is written in several parts: it is read when a
 * moment has passed without another change. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/mainloop.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "modules/policy/policy.h"

enum { SETTLE_MS = 100 };

static struct {
	int fd;
	struct hd_main_timer *timer;
} watcher = { .fd = -1 };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* By name alone: a file of that name in another folder that is watched costs
 * a reading. */
static bool is_ours(const char *name)
{
	const struct policy_rules *rules = policy_rules_now();

	for (size_t i = 0; i < rules->n; i++) {
		const char *path = rules->v[i].keys_path;

		if (path != NULL && strcmp(base_name(path), name) == 0)
			return true;
	}
	return false;
}

static bool names_ours(const char *p, size_t n)
{
	bool ours = false;

	for (size_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(p + at);

		ours |= e->mask & IN_Q_OVERFLOW ||
			(e->len > 0 && is_ours(e->name));
		at += sizeof(*e) + e->len;
	}
	return ours;
}

static void on_events(struct hd_module *mod, int fd, unsigned events, void *arg)
{
	char buf[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	(void)mod;
	(void)events;
	(void)arg;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (names_ours(buf, (size_t)n))
			hd_main_timer_set(watcher.timer, SETTLE_MS);
}

static void on_settled(struct hd_module *mod, void *arg)
{
	struct hd_error err;

	(void)mod;
	(void)arg;
	if (policy_reread(&err) < 0)
		hd_log_error("files of keys have changed and cannot be taken; "
			     "those of before stay in force: %s",
			     err.text);
	else
		hd_log_notice("files of keys have changed and are in force");
}

static void watch_folder_of(const char *path)
{
	char folder[PATH_MAX];
	int n = (int)(base_name(path) - path);

	snprintf(folder, sizeof(folder), "%.*s", n > 0 ? n : 1,
		 n > 0 ? path : ".");
	if (inotify_add_watch(watcher.fd, folder,
			      IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
		hd_log_warn("%s is not watched: %m; after a change give "
			    "`hdctl policy reread`",
			    folder);
}

void policy_watch_files(const struct policy_rules *rules)
{
	for (size_t i = 0; watcher.fd >= 0 && i < rules->n; i++)
		if (rules->v[i].keys_path != NULL)
			watch_folder_of(rules->v[i].keys_path);
}

int policy_watch_init(struct hd_module *mod, struct hd_error *err)
{
	watcher.timer = hd_main_timer_new(mod, on_settled, NULL);
	if (watcher.timer == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	watcher.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watcher.fd < 0 ||
	    hd_watch(mod, watcher.fd, HD_WATCH_READ, on_events, NULL) < 0)
		hd_log_warn("files of keys are not watched: %m; after a change "
			    "give `hdctl policy reread`");
	return 0;
}

void policy_watch_end(struct hd_module *mod)
{
	if (watcher.fd < 0)
		return;
	hd_unwatch(mod, watcher.fd);
	close(watcher.fd);
	watcher.fd = -1;
}
