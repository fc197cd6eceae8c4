/* SPDX-License-Identifier: MIT */
/* core/daemon/trial.c - a configuration on trial: begin, go on after a restart,
 * end. What is at work is always one of two: the files, or what is tried. */
#include "core/daemon/trial.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <hyper-derp/state_file.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/daemon/daemon.h"

#define STATE_FILE "configure-trial.json"
enum { STATE_MAX_BYTES = 40 * 1024 * 1024 };

struct trial {
	json_t *json; /* NULL: none; owns what the rest points to */
	struct hd_conf_instead v[HD_CONF_INSTEAD_MAX];
	size_t n;
	uint64_t until_ms; /* hd_clock_ms() */
};

static struct trial now;
static struct {
	const struct hd_daemon *daemon;
	hd_trial_reload_fn *reload;
} used;
static char state_path[PATH_MAX]; /* where it is kept */

void hd_trial_use(const struct hd_daemon *d, hd_trial_reload_fn *reload)
{
	used.daemon = d;
	used.reload = reload;
}

/* ---- texts and files ---- */

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static bool read_whole(int fd, char *buf, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = read(fd, buf + at, n - at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		at += (size_t)r;
	}
	return true;
}

static bool file_is(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t n = strlen(text);
	char *buf = malloc(n + 1);
	struct stat st;
	bool same = fd >= 0 && buf != NULL && fstat(fd, &st) == 0 &&
		    S_ISREG(st.st_mode) && (size_t)st.st_size == n &&
		    read_whole(fd, buf, n) && memcmp(buf, text, n) == 0;

	if (fd >= 0)
		close(fd);
	free(buf);
	return same;
}

/* @which  "base": as when it began; "text": as it is tried */
static const char *first_unlike(const struct trial *t, const char *which)
{
	const json_t *file;
	size_t i;

	json_array_foreach(json_object_get(t->json, "files"), i, file)
		if (!file_is(text_of(file, "path"), text_of(file, which)))
			return text_of(file, "path");
	return NULL;
}

static bool add_file(struct trial *t, const json_t *file)
{
	const char *text =
		json_string_value(json_object_get(file, "text"));
	const char *path = text_of(file, "path");

	if (text == NULL || path[0] != '/' || t->n == HD_CONF_INSTEAD_MAX ||
	    !json_is_string(json_object_get(file, "base")))
		return false;
	t->v[t->n++] = (struct hd_conf_instead){ path, text, strlen(text) };
	return true;
}

static void release(struct trial *t)
{
	json_decref(t->json);
	*t = (struct trial){ .json = NULL };
}

static int parse(struct trial *t, const char *text, struct hd_error *err)
{
	const json_t *file;
	bool good;
	size_t i;

	*t = (struct trial){ .json = json_loads(text, 0, NULL) };
	good = json_array_size(json_object_get(t->json, "files")) > 0;
	json_array_foreach(json_object_get(t->json, "files"), i, file)
		good = good && add_file(t, file);
	if (good)
		return 0;
	release(t);
	return hd_error_set(err, -EINVAL,
			    "this is not what `hdctl configure` sends: 1 to %d "
			    "files with path, base and text",
			    HD_CONF_INSTEAD_MAX);
}

/* ---- loading ---- */

static int load(const struct trial *t, const struct hd_conf_cli *cli,
		struct hd_conf **ret_conf, struct hd_error *err)
{
	struct hd_conf_cli with = *cli;

	with.instead = t->v;
	with.n_instead = t->n;
	return hd_conf_load(&with, ret_conf, err);
}

int hd_trial_load(const struct hd_conf_cli *cli, struct hd_conf **ret_conf,
		  struct hd_error *err)
{
	if (now.json != NULL && first_unlike(&now, "base") == NULL)
		return load(&now, cli, ret_conf, err);
	return hd_conf_load(cli, ret_conf, err);
}

int hd_trial_files(struct hd_conf **ret_conf, struct hd_error *err)
{
	return hd_trial_load(&used.daemon->cli->conf, ret_conf, err);
}

static int check_base(const struct trial *t, struct hd_error *err)
{
	const char *path = first_unlike(t, "base");

	return path == NULL ? 0
			    : hd_error_set(err, -EBUSY,
					   "%s is not what it was when the "
					   "candidate began; nothing has "
					   "changed",
					   path);
}

int hd_trial_dry(const char *text, struct hd_conf **ret_conf,
		 struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	struct trial t;
	int r = parse(&t, text, err);

	if (r == 0)
		r = check_base(&t, err);
	if (r == 0)
		r = load(&t, &used.daemon->cli->conf, &conf, err);
	release(&t);
	if (r == 0)
		r = hd_daemon_look(used.daemon, conf, err);
	if (r == 0)
		*ret_conf = hd_steal(&conf);
	return r;
}

/* ---- what is kept ---- */

static uint64_t wall_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

static void name_state(const struct hd_conf *conf)
{
	snprintf(state_path, sizeof(state_path), "%s/" STATE_FILE,
		 conf->state_dir);
}

/* Without it a restart would be the end of the trial, which is safe. */
static void save(uint64_t for_ms)
{
	struct hd_error err = { "" };

	json_object_set_new(now.json, "until_ms",
			    json_integer((json_int_t)(wall_ms() + for_ms)));
	json_object_set_new(now.json, "for_ms",
			    json_integer((json_int_t)for_ms));
	char *text = json_dumps(now.json, JSON_COMPACT);

	if (text == NULL ||
	    hd_state_file_write(STATE_FILE, text, strlen(text), &err) < 0)
		hd_log_warn("a restart would end the configuration on trial: "
			    "it cannot be kept: %s",
			    err.text);
	free(text);
}

static void forget(void)
{
	if (state_path[0] != '\0' && unlink(state_path) < 0 && errno != ENOENT)
		hd_log_warn("%s: %m", state_path);
	release(&now);
}

/* ---- begin, end ---- */

int hd_trial_begin(const char *text, uint64_t for_ms, struct hd_error *err)
{
	struct trial was = now, new;
	int r = parse(&new, text, err);

	if (r < 0)
		return r;
	r = check_base(&new, err);
	if (r == 0) {
		now = new;
		r = used.reload(err);
	}
	if (r < 0) {
		now = was;
		release(&new);
		return r;
	}
	release(&was);
	name_state(used.daemon->conf);
	now.until_ms = hd_clock_ms() + for_ms;
	save(for_ms);
	hd_log_notice("a configuration is on trial: by=%s for_s=%ju",
		      text_of(now.json, "by"), (uintmax_t)(for_ms / 1000));
	return 0;
}

int hd_trial_end(struct hd_error *err)
{
	if (now.json == NULL)
		return hd_error_set(err, -ENOENT,
				    "no configuration is on trial");
	forget();
	return used.reload(err);
}

void hd_trial_reloaded(void)
{
	if (now.json == NULL || first_unlike(&now, "base") == NULL)
		return;
	hd_log_notice("the configuration on trial is %s",
		      first_unlike(&now, "text") == NULL
			      ? "confirmed"
			      : "over: a file of it has changed");
	forget();
}

static uint64_t left_ms(void)
{
	uint64_t at = hd_clock_ms();

	return now.until_ms > at ? now.until_ms - at : 0;
}

int hd_trial_wait_ms(int wait_ms)
{
	uint64_t left = left_ms();

	if (now.json == NULL || (wait_ms >= 0 && (uint64_t)wait_ms < left))
		return wait_ms;
	return (int)HD_MIN(left, (uint64_t)INT_MAX);
}

void hd_trial_tick(void)
{
	struct hd_error err = { "" };

	if (now.json == NULL || left_ms() > 0)
		return;
	hd_log_notice("the configuration on trial is not confirmed: back to "
		      "the files");
	hd_trial_end(&err); /* which logs what goes wrong */
}

bool hd_trial_about(struct hd_trial_about *ret)
{
	if (now.json == NULL)
		return false;
	*ret = (struct hd_trial_about){
		.by = text_of(now.json, "by"),
		.comment = text_of(now.json, "comment"),
		.left_ms = left_ms(),
	};
	return true;
}

/* ---- a start ---- */

/* Not more than there was: the clock may have been set back meanwhile. */
static uint64_t left_of(const json_t *json)
{
	json_int_t until = json_integer_value(json_object_get(json,
							      "until_ms"));
	json_int_t all = json_integer_value(json_object_get(json, "for_ms"));
	json_int_t left = until - (json_int_t)wall_ms();

	return left > 0 ? (uint64_t)HD_MIN(left, all) : 0;
}

static bool read_state(struct trial *t)
{
	char *text = calloc(1, STATE_MAX_BYTES + 1);
	struct hd_error err;
	bool good = text != NULL &&
		    hd_state_file_read(state_path, text, STATE_MAX_BYTES,
				       &err) >= 0 &&
		    parse(t, text, &err) == 0;

	free(text);
	return good;
}

void hd_trial_resume(const struct hd_conf_cli *cli, struct hd_conf **conf)
{
	struct hd_conf *tried = NULL;
	struct hd_error err = { "" };

	name_state(*conf);
	if (access(state_path, F_OK) < 0)
		return;
	bool good = read_state(&now) && left_of(now.json) > 0 &&
		    check_base(&now, &err) == 0;

	if (!good || load(&now, cli, &tried, &err) < 0) {
		hd_log_notice("the configuration on trial is over%s%s",
			      err.text[0] != '\0' ? ": " : "", err.text);
		forget();
		return;
	}
	now.until_ms = hd_clock_ms() + left_of(now.json);
	hd_log_notice("a configuration is on trial, still: left_s=%ju",
		      (uintmax_t)(left_of(now.json) / 1000));
	hd_conf_free(conf);
	*conf = tried;
}

void hd_trial_failed(void)
{
	if (now.json == NULL)
		return;
	hd_log_notice("the start failed with a configuration on trial: the "
		      "next one reads the files");
	forget();
}
