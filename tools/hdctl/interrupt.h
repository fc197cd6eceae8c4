/* SPDX-License-Identifier: MIT */
/* tools/hdctl/interrupt.h - Ctrl-C ends what is under way, not the shell or the
 * terminal's state: the connection is shut down, so whoever waits for the
 * relay's next line, or polls, goes on at once. */
#pragma once
#include "tools/hdctl/ask.h"

/* interrupt_begin - from now on. interrupt_end - SIGINT as before; the
 * connection is closed when one came. interrupt_came - since the begin. */
void interrupt_begin(struct ask *a);
void interrupt_end(void);
bool interrupt_came(void);
/* interrupt_prompt - from now on, when nothing is under way, SIGINT ends no
 * more than a read: EINTR. Programs that are started have it as usual. */
void interrupt_prompt(void);
