/* SPDX-License-Identifier: MIT */
/* core/base/close.h - why streams end: the core's reasons, and those that their
 * modules name. A stream keeps the number only, so that nothing in it points
 * into a module; a number that the table does not have (any more) is nobody's
 * reason. */
#pragma once
#include <hyper-derp/base.h>

/* hd_close_own - the row of a module's table; NULL: why is one of the core's,
 * mod is NULL, or the table has no such row. */
const struct hd_close_reason *hd_close_own(const struct hd_module *mod,
					   unsigned why);
/* hd_close_like - what it is a kind of: always one of the core's, below
 * HD_CLOSE_N. Of what is nobody's reason: HD_CLOSE_DONE. */
enum hd_close hd_close_like(const struct hd_module *mod, unsigned why);
/* hd_close_word - of the core's reasons: "timeout". @why  below HD_CLOSE_N
 * hd_close_is_core - a word that the core says itself. */
const char *hd_close_word(enum hd_close why);
bool hd_close_is_core(const char *word);
