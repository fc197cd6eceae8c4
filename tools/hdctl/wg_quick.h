/* SPDX-License-Identifier: MIT */
/* tools/hdctl/wg_quick.h - WireGuard configurations on their way to a relay. */
#pragma once
#include "tools/hdctl/ask.h"

/* wg_quick_public - replace private keys by their public ones, and drop
 * preshared keys, in any text that has some. Lines keep their numbers.
 * @text  replaced; the old one is wiped
 * Returns HDCTL_OK; HDCTL_USAGE a private key is none; HDCTL_REFUSED. */
int wg_quick_public(char **text, struct hd_error *err);
