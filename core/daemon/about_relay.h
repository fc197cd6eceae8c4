/* SPDX-License-Identifier: MIT */
/* core/daemon/about_relay.h - where hyper-derp/about.h has it from. Main
 * thread. */
#pragma once
#include <hyper-derp/about.h>

/* hd_about_begin - the relay starts now. */
void hd_about_begin(void);
