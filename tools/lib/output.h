/* SPDX-License-Identifier: MIT */
/* tools/lib/output.h - what has been printed must have arrived. */
#pragma once

/* output_end - flush stdout, at a program's end. A full disk is told on stderr;
 * a reader that has gone (| head) needs no message, and changes nothing.
 * @program  its name
 * @status   what it would exit with, of a success if that is 0
 * @failed   what it exits with instead of 0 when the output is not complete
 * Returns the exit status. */
int output_end(const char *program, int status, int failed);
