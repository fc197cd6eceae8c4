/* SPDX-License-Identifier: MIT */
/* core/base/dry.c - whether this process only tries a module's file. */
#include "core/base/dry.h"

bool hd_dry;
