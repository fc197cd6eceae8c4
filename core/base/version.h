/* SPDX-License-Identifier: MIT */
/* core/base/version.h - what was built. */
#pragma once

extern const char hd_version[]; /* "0.1.0" */
extern const char hd_commit[];  /* git's short id, "-dirty" behind it */
