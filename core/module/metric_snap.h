/* SPDX-License-Identifier: MIT */
/* core/module/metric_snap.h - numbers go to another process. Main thread, while
 * all workers stand. */
#pragma once
#include "core/base/snap.h"

/* hd_metrics_pack - an item for each counter and histogram of the core and of
 * modules, but those of families. hd_metric_unpack - one of them. Returns 0;
 * -EBADMSG; -ENOTSUP; -ENOMEM. */
void hd_metrics_pack(struct hd_snap *to);
int hd_metric_unpack(struct hd_snap_in in, struct hd_error *err);
