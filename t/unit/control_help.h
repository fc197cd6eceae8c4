/* SPDX-License-Identifier: MIT */
/* t/unit/control_help.h - a control client over a socket pair; no worker
 * runs. Links with --wrap=hd_log_write. */
#pragma once
#include "core/control/control.h"
#include "t/unit/unit.h"

extern char control_logged[1024]; /* the last line */
extern char control_answer[256 * 1024]; /* what control_say() returns */

/* The test's end; the other one is the relay's. */
int control_connect(enum hd_role role);
/* The main loop, n times. */
void control_turns(unsigned n);
/* Sends bytes; what is answered by then, "" when nothing is. */
const char *control_say(int fd, const char *text);
const char *control_say_n(int fd, const char *p, size_t len);
/* Closes; nobody is left. */
void control_leave(int fd);

/* Group setup and teardown: the commands, of which words NULL is the end. */
int control_begin(const struct hd_command *commands);
int control_end(void **state);

/* "big N": an answer of N MiB. "watch [EVENT...]". */
void control_run_big(struct hd_module *mod, struct hd_call *c);
void control_run_watch(struct hd_module *mod, struct hd_call *c);
