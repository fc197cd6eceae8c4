/* SPDX-License-Identifier: MIT */
/* t/unit/workers.h - real workers for a test, which nobody connects to. */
#pragma once
#include "core/conf/conf.h"

/* What workers_start() gives them; a test may change it before. */
extern struct hd_conf workers_conf;

/* workers_start - Returns 0; -1 and says why. The test stops them. */
int workers_start(unsigned n);
