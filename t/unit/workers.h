/* SPDX-License-Identifier: MIT */
/* t/unit/workers.h - real workers for a test, which nobody connects to. */
#pragma once
#include <hyper-derp/relay.h>
#include "core/conf/conf.h"

/* What workers_start() gives them; a test may change it before. */
extern struct hd_conf workers_conf;

/* workers_start - Returns 0; -1 and says why. The test stops them. */
int workers_start(unsigned n);
/* workers_gone - hd_peer_ops.gone of a peer that does not care. */
void workers_gone(struct hd_module *of, struct hd_peer *p,
		  const struct hd_key *other, enum hd_gone why);
