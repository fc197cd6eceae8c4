/* SPDX-License-Identifier: MIT */
/* core/base/offer.h - what modules offer each other: include/hyper-derp/offer.h
 */
#pragma once
#include <hyper-derp/offer.h>
#include "core/base/kind.h"

extern const struct hd_kind hd_offer_kind;
