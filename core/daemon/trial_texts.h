/* SPDX-License-Identifier: MIT */
/* core/daemon/trial_texts.h - the texts of a trial; of trial.c only. */
#pragma once
#include <jansson.h>
#include "core/conf/conf.h"

struct hd_trial {
	json_t *json; /* NULL: none; owns what the rest points to */
	struct hd_conf_instead v[HD_CONF_INSTEAD_MAX];
	size_t n;
	uint64_t until_ms; /* hd_clock_ms() */
	bool over; /* its time; the files are tried until they load */
	uint64_t retry_ms;
};

/* hd_trial_parse - Returns 0; -EINVAL, and *t is empty.
 * hd_trial_release - it is empty.
 * hd_trial_text - of a member; "": it has none.
 * hd_trial_unlike - a file that is not what it was; NULL: there is none.
 * @which  "base": as when it began; "text": as it is tried */
int hd_trial_parse(struct hd_trial *t, const char *text, struct hd_error *err);
void hd_trial_release(struct hd_trial *t);
const char *hd_trial_text(const json_t *o, const char *name);
const char *hd_trial_unlike(const struct hd_trial *t, const char *which);
