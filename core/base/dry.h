/* SPDX-License-Identifier: MIT */
/* core/base/dry.h - a process that only tries a module's file: load() and
 * unload() run, but no task; no socket is opened, and nothing is written to the
 * state folder. It is read if somebody opens it: hd_state_dir_look(). */
#pragma once
#include <stdbool.h>

extern bool hd_dry; /* set once, before anything else runs */
