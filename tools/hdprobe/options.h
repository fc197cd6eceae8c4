/* SPDX-License-Identifier: MIT */
#pragma once
#include "tools/hdprobe/probe.h"

/* options_parse - Returns -1 to go on; else the exit status: 0 after --help
 * and --version, 3 after wrong usage, which has been explained. */
int options_parse(int argc, char **argv, struct options *ret_opt);
void options_clear(struct options *opt);

/* options_target - HOST, HOST:PORT, [V6]:PORT or V6.
 * @text      taken apart in place
 * @ret_port  unchanged when there is none
 * Returns 0; -EINVAL. */
int options_target(char *text, const char **ret_host, const char **ret_port);
