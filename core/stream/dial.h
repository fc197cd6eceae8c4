/* SPDX-License-Identifier: MIT */
/* core/stream/dial.h - connections that modules open. Context: the worker. */
#pragma once
#include <hyper-derp/dial.h>
#include "core/base/kind.h"

extern const struct hd_kind hd_dial_kind;
/* hd_dials_stop - the worker ends: what is under way does, with -ECANCELED. */
void hd_dials_stop(struct hd_worker *w);
