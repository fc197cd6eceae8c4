/* SPDX-License-Identifier: MIT */
/* modules/hd/commands.h - what both files of commands need. Main thread. */
#pragma once
#include <hyper-derp/control.h>
#include "modules/hd/people.h"

/* hdp_call_word - an argument as a word of a statement, or a line of a file;
 * not given: "".
 * hdp_call_grant - of --name or NAME, --tenant, --rate, --connections.
 * hdp_call_save - what has been changed, to disk.
 * Return whether it went well; else the call has been refused. */
bool hdp_call_word(struct hd_call *call, const char *name,
		   char to[HDP_WORD_MAX_BYTES + 1]);
bool hdp_call_grant(struct hd_call *call, struct hdp_grant *ret);
bool hdp_call_save(struct hd_call *call);
/* hdp_out_time - 0 is null. hdp_out_grant - members of an open object. */
void hdp_out_time(struct hd_call *call, const char *name, int64_t at_s);
void hdp_out_grant(struct hd_call *call, const struct hdp_grant *grant);

/* Each ends with a row without words. */
extern const struct hd_command hdp_commands[], hdp_people_commands[];
