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
#include "core/base/log.h"
#include "core/daemon/daemon.h"
#include "core/daemon/trial_modules.h"
#include "core/daemon/trial_texts.h"

#define STATE_FILE "configure-trial.json"
enum {
	STATE_MAX_BYTES = 40 * 1024 * 1024,
	RETRY_MS = 2000, /* the first time that taking it back fails */
	RETRY_MAX_MS = 3600 * 1000,
};

static struct hd_trial now;
static struct {
	const struct hd_daemon *daemon;
	hd_trial_reload_fn *reload;
} used;
static char state_path[PATH_MAX]; /* where it is kept */
static bool from_files; /* what was loaded last */

void hd_trial_use(const struct hd_daemon *d, hd_trial_reload_fn *reload)
{
	used.daemon = d;
	used.reload = reload;
}

/* ---- loading ---- */

static int load(const struct hd_trial *t, const struct hd_conf_cli *cli,
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
	from_files = now.json == NULL || now.over ||
		     hd_trial_unlike(&now, "base") != NULL;
	return from_files ? hd_conf_load(cli, ret_conf, err)
			  : load(&now, cli, ret_conf, err);
}

int hd_trial_files(struct hd_conf **ret_conf, struct hd_error *err)
{
	return hd_trial_load(&used.daemon->cli->conf, ret_conf, err);
}

static int check_base(const struct hd_trial *t, struct hd_error *err)
{
	const char *path = hd_trial_unlike(t, "base");

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
	struct hd_trial t;
	int r = hd_trial_parse(&t, text, err);

	if (r == 0)
		r = check_base(&t, err);
	if (r == 0)
		r = load(&t, &used.daemon->cli->conf, &conf, err);
	hd_trial_release(&t);
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

static void unkeep(void)
{
	if (state_path[0] != '\0' && unlink(state_path) < 0 && errno != ENOENT)
		hd_log_warn("%s: %m", state_path);
}

/* Without it a restart would be the end of the trial, which is safe; with the
 * one before it would not be. */
static void save(uint64_t for_ms)
{
	struct hd_error err = { "" };

	json_object_set_new(now.json, "until_ms",
			    json_integer((json_int_t)(wall_ms() + for_ms)));
	json_object_set_new(now.json, "for_ms",
			    json_integer((json_int_t)for_ms));
	char *text = json_dumps(now.json, JSON_COMPACT);

	if (text == NULL ||
	    hd_state_file_write(STATE_FILE, text, strlen(text), &err) < 0) {
		hd_log_warn("a restart would end the configuration on trial: "
			    "it cannot be kept: %s",
			    err.text);
		unkeep();
	}
	free(text);
}

static void forget(void)
{
	unkeep();
	hd_trial_release(&now);
}

/* ---- begin, end ---- */

int hd_trial_begin(const char *text, uint64_t for_ms, struct hd_error *err)
{
	struct hd_trial was = now, new;
	int r = hd_trial_parse(&new, text, err);

	if (r < 0)
		return r;
	r = check_base(&new, err);
	if (r == 0) {
		now = new;
		r = used.reload(err);
	}
	if (r < 0) {
		now = was;
		hd_trial_release(&new);
		return r;
	}
	if (now.json != NULL)
		hd_trial_modules_note(now.json, was.json);
	hd_trial_release(&was);
	if (now.json == NULL) /* and the reload has read the files */
		return hd_error_set(err, -EBUSY,
				    "a file has changed at this moment; "
				    "nothing is on trial");
	name_state(used.daemon->conf);
	now.until_ms = hd_clock_ms() + for_ms;
	save(for_ms);
	hd_log_notice("a configuration is on trial: by=%s for_s=%ju",
		      hd_trial_text(now.json, "by"),
		      (uintmax_t)(for_ms / 1000));
	return 0;
}

/* The files cannot be read now: somebody edits them, or a certificate is not
 * there. What is tried stays no longer than that. */
static void end_later(void)
{
	now.retry_ms = HD_MIN(now.retry_ms > 0 ? 2 * now.retry_ms : RETRY_MS,
			      (uint64_t)RETRY_MAX_MS);
	now.until_ms = hd_clock_ms() + now.retry_ms;
	hd_log_warn("the configuration on trial is still in effect: the next "
		    "attempt to go back: in_s=%ju",
		    (uintmax_t)(now.retry_ms / 1000));
}

int hd_trial_end(struct hd_error *err)
{
	if (now.json == NULL)
		return hd_error_set(err, -ENOENT,
				    "no configuration is on trial");
	now.over = true;
	unkeep();
	int r = used.reload(err);

	if (r < 0)
		end_later();
	return r;
}

void hd_trial_reloaded(const struct hd_conf *before)
{
	if (now.json == NULL || !from_files)
		return;
	hd_trial_modules_end(now.json, before, used.daemon->conf);
	hd_log_notice("the configuration on trial is %s",
		      now.over ? "taken back"
		      : hd_trial_unlike(&now, "text") == NULL
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
	if (!now.over)
		hd_log_notice("the configuration on trial is not confirmed: "
			      "back to the files");
	hd_trial_end(&err); /* which logs what goes wrong */
}

bool hd_trial_about(struct hd_trial_about *ret)
{
	if (now.json == NULL)
		return false;
	*ret = (struct hd_trial_about){
		.by = hd_trial_text(now.json, "by"),
		.comment = hd_trial_text(now.json, "comment"),
		.left_ms = now.over ? 0 : left_ms(),
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

	return left > 0 && all > 0 ? (uint64_t)HD_MIN(left, all) : 0;
}

static bool read_state(struct hd_trial *t)
{
	char *text = calloc(1, STATE_MAX_BYTES + 1);
	struct hd_error err;
	struct stat st;
	bool good = text != NULL && lstat(state_path, &st) == 0 &&
		    S_ISREG(st.st_mode) &&
		    hd_state_file_read(state_path, text, STATE_MAX_BYTES,
				       &err) >= 0 &&
		    hd_trial_parse(t, text, &err) == 0;

	free(text);
	return good;
}

static bool same_modules(const struct hd_conf *a, const struct hd_conf *b)
{
	bool same = a->n_load_module == b->n_load_module &&
		    a->module_path.n == b->module_path.n;

	for (size_t i = 0; same && i < a->n_load_module; i++)
		same = strcmp(a->load_module[i].name,
			      b->load_module[i].name) == 0;
	for (size_t i = 0; same && i < a->module_path.n; i++)
		same = strcmp(a->module_path.v[i], b->module_path.v[i]) == 0;
	return same;
}

static bool kept_by_other(void)
{
	struct stat st;

	return lstat(state_path, &st) < 0 || st.st_uid != 0;
}

/* The relay's user may write state_dir, and root reads it here: what is kept
 * there names neither a user nor code that the files do not name, nor files
 * that modules open. Nobody knows which options of modules are live before
 * they are loaded. */
static int check_kept(const struct hd_conf *files, const struct hd_conf *tried,
		      struct hd_error *err)
{
	if (geteuid() == 0 && !same_modules(files, tried))
		return hd_error_set(err, -EPERM,
				    "a start as root loads the modules that "
				    "the files name");
	if (geteuid() == 0 && kept_by_other() &&
	    hd_conf_same_sections(tried, files, err) < 0)
		return hd_error_set(err, -EPERM,
				    "a start as root takes the sections of "
				    "modules from the files");
	return hd_conf_live_only(files, tried, err);
}

static int resume(const struct hd_conf_cli *cli, const struct hd_conf *files,
		  struct hd_conf **ret_tried, struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *tried = NULL;
	int r = read_state(&now) && left_of(now.json) > 0 ? 0 : -ENOENT;

	if (r == 0)
		r = check_base(&now, err);
	if (r == 0)
		r = load(&now, cli, &tried, err);
	if (r == 0)
		r = check_kept(files, tried, err);
	if (r == 0)
		*ret_tried = hd_steal(&tried);
	return r;
}

void hd_trial_resume(const struct hd_conf_cli *cli, struct hd_conf **conf)
{
	struct hd_conf *tried = NULL;
	struct hd_error err = { "" };

	name_state(*conf);
	if (access(state_path, F_OK) < 0)
		return;
	if (resume(cli, *conf, &tried, &err) < 0) {
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
	hd_log_level_set((enum hd_log_level)tried->log_level);
}

bool hd_trial_failed(void)
{
	if (now.json == NULL)
		return false;
	hd_log_notice("the start failed with a configuration on trial: the "
		      "next one reads the files");
	forget();
	return true;
}
