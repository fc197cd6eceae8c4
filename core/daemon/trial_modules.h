/* SPDX-License-Identifier: MIT */
/* core/daemon/trial_modules.h - the modules of a trial; of trial.c only. */
#pragma once
#include <jansson.h>

struct hd_conf;

/* hd_trial_modules_note - which modules are there as a trial begins.
 * @before  the trial that this one replaces; NULL: there is none
 * hd_trial_modules_end - those that only the trial lists are unloaded, unless
 * they were there before it; later, as other changes of modules are. */
void hd_trial_modules_note(json_t *trial, const json_t *before);
void hd_trial_modules_end(const json_t *trial, const struct hd_conf *tried,
			  const struct hd_conf *files);
