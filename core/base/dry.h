/* SPDX-License-Identifier: MIT */
/* core/base/dry.h - a process that only tries a module's file: load() and
 * unload() run, but no task; no socket is opened, and nothing is read from or
 * written to the state folder. */
#pragma once
#include <stdbool.h>

extern bool hd_dry; /* set once, before anything else runs */
