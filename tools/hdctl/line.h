/* SPDX-License-Identifier: MIT */
/* tools/hdctl/line.h - lines from a person. line_edit.c has libedit behind it:
 * history, completion, ? for help; line_plain.c is for where that is missing.
 */
#pragma once
#include "tools/hdctl/complete.h"

struct line;

struct line *line_open(struct hdctl *h);
/* line_read - the next line, borrowed; "" after Ctrl-C. Returns NULL: the
 * end. */
const char *line_read(struct line *l);
void line_close(struct line *l);
/* line_prompt - what stands before the line. */
static inline const char *line_prompt(const struct hdctl *h)
{
	return h->configuring ? "configure# " : "hdctl> ";
}
