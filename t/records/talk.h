/* SPDX-License-Identifier: MIT */
/* t/records/talk.h - two differential tests, driven by dice; both abort when
 * something differs. After ends_set_up(). */
#pragma once
#include "t/records/dice.h"

/* talk - OpenSSL as an honest client of the seam: every byte arrives, once, in
 * order, whatever the sizes, cuts, padding, KeyUpdates; then it ends in one of
 * several ways. */
void talk(struct dice *d);

/* forgery - one list of records, good and bad, sealed for two servers: ours
 * and SSL_read(). They must give out the same bytes and end in the same way,
 * with the same alert. */
void forgery(struct dice *d);
