/* SPDX-License-Identifier: MIT */
/* tools/hdctl/print.h - answers for people. What a value means is told by the
 * name of its member: bytes_in is a size, seconds a time. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* print_answer - @columns  "key addr", of an array of objects; NULL: all. Of
 * none they are all that is printed. */
void print_answer(FILE *out, const json_t *data, const char *columns);
/* print_table - an array of objects. print_table_fit - in lines of width at
 * most, and the first so many rows; @columns  the weightiest first: those that
 * do not fit are left out. */
void print_table(FILE *out, const json_t *rows, const char *columns);
void print_table_fit(FILE *out, const json_t *rows, const char *columns,
		     size_t width, size_t most);
/* print_sort - an array of objects by a member, the largest first; text in the
 * order of letters. "bytes" is the sum of bytes_in and bytes_out.
 * Returns whether one has such a member, or there is none. */
bool print_sort(json_t *data, const char *by);
/* print_csv - an array of objects as a file for spreadsheets: the members of
 * the first one, in their order. @columns  the first line where there is no
 * row. Returns whether it is one. */
bool print_csv(FILE *out, const json_t *rows, const char *columns);
/* print_cell - one value as print_answer() has it. Returns buf. */
#define PRINT_CELL_BYTES 512
const char *print_cell(const char *name, const json_t *v,
		       char buf[PRINT_CELL_BYTES]);
/* print_size - 1.5M. Returns buf. */
const char *print_size(double n, char buf[32]);
