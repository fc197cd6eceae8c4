/* SPDX-License-Identifier: MIT */
/* tools/hdctl/program.h - other programs of ours, and what they print. */
#pragma once
#include <stdbool.h>

/* program_find - a program that stands beside hdctl, in ../sbin or in PATH.
 * @buf  4096 bytes
 * Returns buf; NULL: there is none. */
const char *program_find(const char *name, char buf[4096]);
/* program_output - what a program prints, up to 1 MiB, and how it ends.
 * @argv   argv[0] is its path; NULL at the end
 * @both   also what it writes to stderr; else that is thrown away
 * @ret_status  its exit status; -1: it did not start, or ended by a signal
 * Returns text for free(); NULL: no memory. */
char *program_output(char *const argv[], bool both, int *ret_status);
/* program_run - the same; it prints for itself. Returns the status. */
int program_run(char *const argv[]);
