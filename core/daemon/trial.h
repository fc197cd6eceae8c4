/* SPDX-License-Identifier: MIT */
/* core/daemon/trial.h - a configuration on trial: `hdctl configure commit
 * confirmed`. The relay has texts in place of files for some time; then it
 * reads the files again, unless they have become what is tried. So nobody has
 * to be there to take it back, and a relay that may not write its configuration
 * needs not. What is tried is kept in state_dir: a restart and an upgrade go on
 * with it, and with the time that is left. Main thread. */
#pragma once
#include "core/cmd/cmd.h"
#include "core/conf/conf.h"

struct hd_daemon;

/* hd_trial_use - whose configuration, and how it reads its files again: before
 * the others, but for hd_trial_resume(). */
typedef int hd_trial_reload_fn(struct hd_error *err);
void hd_trial_use(const struct hd_daemon *d, hd_trial_reload_fn *reload);

/* hd_trial_load - hd_conf_load() with the texts on trial, as long as the files
 * are what they were when it began. hd_trial_files - of who uses it. */
int hd_trial_load(const struct hd_conf_cli *cli, struct hd_conf **ret_conf,
		  struct hd_error *err);
int hd_trial_files(struct hd_conf **ret_conf, struct hd_error *err);

/* What struct hd_daemon_ops has of it.
 * hd_trial_dry - what the texts would be; whichever keys differ.
 * hd_trial_begin - try them for so long: a reload decides.
 * hd_trial_end - take it back now. Returns -ENOENT there is none. Files that
 * cannot be read now are tried again, until they can.
 * @text  JSON: {"by", "comment", "files": [{"path", "base", "text"}]} */
int hd_trial_dry(const char *text, struct hd_conf **ret_conf,
		 struct hd_error *err);
int hd_trial_begin(const char *text, uint64_t for_ms, struct hd_error *err);
int hd_trial_end(struct hd_error *err);
bool hd_trial_about(struct hd_trial_about *ret);

/* hd_trial_reloaded - the files may have become others; before: what was in
 * effect. hd_trial_tick - its
 * time may be over. hd_trial_wait_ms - as long as this, -1: for ever, or until
 * its time is over. */
void hd_trial_reloaded(const struct hd_conf *before);
void hd_trial_tick(void);
int hd_trial_wait_ms(int wait_ms);

/* hd_trial_resume - at a start: one that was under way becomes *conf.
 * hd_trial_failed - this start has failed: the next one reads the files.
 * Returns whether there was one, and the next start may succeed. */
void hd_trial_resume(const struct hd_conf_cli *cli, struct hd_conf **conf);
bool hd_trial_failed(void);
