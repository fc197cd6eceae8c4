/* SPDX-License-Identifier: MIT */
/* modules/policy/watch.c - files of keys that change are read again, when they
 * stand still. Folders are watched, since a file that is replaced by rename is
 * another one; and every two seconds each file is looked at, since a symbolic
 * link on the way to it may lead elsewhere now.
 *
 *   at rest --event, or another stamp--> it is looked at every 100 ms
 *      ^                                     |
 *      `---- it rests, or 1 s is over: read -'
 *
 * Who writes a file in place has it open meanwhile, and it is empty first: such
 * a one is waited for longer. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/mainloop.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>
#include "modules/policy/policy.h"

enum {
	LOOK_MS = 100, /* unchanged for so long: it rests */
	PATIENCE_MS = 1000, /* with one that never rests */
	EMPTY_MS = 2000, /* with one that has become empty */
	OPEN_MS = 10000, /* with one that somebody writes to */
	POLL_MS = 2000,
};

struct file {
	char *path;
	size_t rule; /* that named it last: with thousands of them nobody wants
			to look for it each time */
	struct policy_stamp seen, refused; /* refused: it was no list */
	uint64_t seen_ms; /* it is as seen since then */
	uint64_t open_ms; /* it is written to since then; 0: it is not */
	bool stirred; /* something has happened to it since it was read */
};

static struct {
	int fd;
	struct hd_main_timer *timer;
	struct file *v;
	size_t n;
	uint64_t since_ms; /* a file has changed; 0: none */
} watcher = { .fd = -1 };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* ---- events ---- */

/* By name alone: a file of that name in another folder that is watched costs
 * a reading. */
static void note(const char *name, uint32_t mask)
{
	for (size_t i = 0; i < watcher.n; i++) {
		struct file *f = &watcher.v[i];

		if (name != NULL && strcmp(base_name(f->path), name) != 0)
			continue;
		if (mask & IN_MODIFY && f->open_ms == 0)
			f->open_ms = now_ms();
		if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_Q_OVERFLOW)) {
			f->open_ms = 0;
			f->stirred = true;
		}
	}
}

static void note_all(const char *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(p + at);

		if (e->mask & IN_Q_OVERFLOW || e->len > 0)
			note(e->len > 0 ? e->name : NULL, e->mask);
		at += sizeof(*e) + e->len;
	}
}

static void take_events(void)
{
	char buf[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while (watcher.fd >= 0 && (n = read(watcher.fd, buf, sizeof(buf))) > 0)
		note_all(buf, (size_t)n);
}

static bool is_stirred(void)
{
	for (size_t i = 0; i < watcher.n; i++)
		if (watcher.v[i].stirred)
			return true;
	return false;
}

static void on_events(struct hd_module *mod, int fd, unsigned events, void *arg)
{
	(void)mod;
	(void)fd;
	(void)events;
	(void)arg;
	take_events();
	if (watcher.since_ms != 0 || !is_stirred())
		return;
	watcher.since_ms = now_ms();
	hd_main_timer_set(watcher.timer, LOOK_MS);
}

/* ---- a look ---- */

static bool is_path(const struct file *f, const char *path)
{
	return path != NULL && strcmp(path, f->path) == 0;
}

/* NULL: it is none of this rule. */
static const struct policy_stamp *stamp_in(const struct file *f,
					   const struct policy_rules *rules,
					   size_t i)
{
	const struct policy_rule *r = &rules->v[i];

	if (i < rules->n && is_path(f, r->keys_path))
		return &r->keys.stamp;
	if (i < rules->n && is_path(f, r->terms.tokens_path))
		return &r->terms.tokens->stamp;
	return NULL;
}

/* NULL: no rule that is in force names it. */
static const struct policy_stamp *in_force(struct file *f)
{
	const struct policy_rules *rules = policy_rules_now();
	const struct policy_stamp *stamp = stamp_in(f, rules, f->rule);

	for (size_t i = 0; stamp == NULL && i < rules->n; i++) {
		stamp = stamp_in(f, rules, i);
		f->rule = i;
	}
	return stamp;
}

static bool is_written(const struct file *f)
{
	return f->open_ms != 0 && now_ms() - f->open_ms < OPEN_MS;
}

static bool rests(const struct file *f, const struct policy_stamp *old)
{
	uint64_t now = now_ms(), rest_ms = now - f->seen_ms;

	if (is_written(f))
		return false;
	if (f->seen.size == 0 && old->size > 0)
		return rest_ms >= EMPTY_MS;
	return rest_ms >= LOOK_MS || now - watcher.since_ms >= PATIENCE_MS;
}

enum state { SAME, MOVES, RESTS };

static enum state look_at(struct file *f)
{
	const struct policy_stamp *old = in_force(f);
	const struct policy_stamp now = policy_stamp_at(f->path);

	if (!policy_stamp_same(&f->seen, &now)) {
		f->seen = now;
		f->seen_ms = now_ms();
	}
	if (old == NULL ||
	    (!f->stirred && (policy_stamp_same(&now, old) ||
			     policy_stamp_same(&now, &f->refused))))
		return SAME;
	return rests(f, old) ? RESTS : MOVES;
}

static void all_refused(void)
{
	for (size_t i = 0; i < watcher.n; i++)
		watcher.v[i].refused = watcher.v[i].seen;
}

static void read_again(void)
{
	struct hd_error err;

	for (size_t i = 0; i < watcher.n; i++)
		watcher.v[i].stirred = false;
	watcher.since_ms = 0;
	if (policy_reread(&err) == 0) {
		hd_log_notice("files of keys have changed and are in force");
		return;
	}
	all_refused();
	hd_log_error("files of keys have changed and cannot be taken; the old "
		     "ones stay in force: %s",
		     err.text);
}

static void on_look(struct hd_module *mod, void *arg)
{
	unsigned n[RESTS + 1] = { 0 };

	(void)mod;
	(void)arg;
	take_events();
	for (size_t i = 0; i < watcher.n; i++)
		n[look_at(&watcher.v[i])]++;
	if (n[MOVES] + n[RESTS] == 0)
		watcher.since_ms = 0;
	else if (watcher.since_ms == 0)
		watcher.since_ms = now_ms();
	if (n[RESTS] > 0 && n[MOVES] == 0)
		read_again();
	hd_main_timer_set(watcher.timer,
			  watcher.since_ms != 0 ? LOOK_MS : POLL_MS);
}

int policy_watch_whole(struct hd_error *err)
{
	take_events();
	for (size_t i = 0; i < watcher.n; i++)
		if (is_written(&watcher.v[i]) &&
		    in_force(&watcher.v[i]) != NULL)
			return hd_error_set(
				err, -EAGAIN,
				"%s is being written; try again when it is "
				"whole, and better write a new file and rename "
				"it",
				watcher.v[i].path);
	return 0;
}

/* ---- what is watched ---- */

static void watch_folder_of(const char *path)
{
	char folder[PATH_MAX];
	int n = (int)(base_name(path) - path);

	snprintf(folder, sizeof(folder), "%.*s", n > 0 ? n : 1,
		 n > 0 ? path : ".");
	/* without it two seconds may pass */
	if (watcher.fd >= 0)
		inotify_add_watch(watcher.fd, folder,
				  IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO);
}

static bool is_known(const char *path)
{
	for (size_t i = 0; i < watcher.n; i++)
		if (strcmp(watcher.v[i].path, path) == 0)
			return true;
	return false;
}

static int add(const char *path)
{
	struct file *v =
		realloc(watcher.v, (watcher.n + 1) * sizeof(*watcher.v));
	char *copy = strdup(path);

	if (v != NULL)
		watcher.v = v;
	if (v == NULL || copy == NULL) {
		free(copy);
		return -ENOMEM;
	}
	v[watcher.n++] = (struct file){
		.path = copy,
		.refused.ino = UINT64_MAX, /* none: 0 is that of no file */
	};
	return 0;
}

static void watch_file(const char *path)
{
	if (path == NULL)
		return;
	watch_folder_of(path); /* it may be another one by now */
	if (!is_known(path) && add(path) < 0)
		hd_log_warn("%s is not watched: out of memory; after a change "
			    "give `hdctl policy reread`",
			    path);
}

void policy_watch_files(const struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		watch_file(rules->v[i].keys_path);
		watch_file(rules->v[i].terms.tokens_path);
	}
	if (watcher.n > 0 && watcher.since_ms == 0)
		hd_main_timer_set(watcher.timer, POLL_MS);
}

int policy_watch_init(struct hd_module *mod, struct hd_error *err)
{
	watcher.timer = hd_main_timer_new(mod, on_look, NULL);
	if (watcher.timer == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	watcher.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watcher.fd < 0 ||
	    hd_watch(mod, watcher.fd, HD_WATCH_READ, on_events, NULL) < 0)
		hd_log_warn("files of keys are not watched, but looked at "
			    "every %d s: %m",
			    POLL_MS / 1000);
	return 0;
}

void policy_watch_end(struct hd_module *mod)
{
	for (size_t i = 0; i < watcher.n; i++)
		free(watcher.v[i].path);
	free(watcher.v);
	watcher.v = NULL;
	watcher.n = 0;
	watcher.since_ms = 0;
	if (watcher.fd < 0)
		return;
	hd_unwatch(mod, watcher.fd);
	close(watcher.fd);
	watcher.fd = -1;
}
