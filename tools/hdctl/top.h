/* SPDX-License-Identifier: MIT */
/* tools/hdctl/top.h - what top knows (top.c), and how it looks (top_draw.c). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct top_sample { /* the relay at a moment */
	double at_s;
	json_t *status, *peers, *pairs;
};

/* top_rate - of a number between two samples, per second. */
double top_rate(const struct top_sample *a, const struct top_sample *b,
		const json_t *from, const json_t *to, const char *name);

/* ---- top_draw.c ---- */

/* The orders that a key chooses; TOP_RATE is the first. */
enum { TOP_RATE };
/* top_order_of - by its key, or by a name or a column of it: --sort.
 * Return -1: there is none. top_order_next - step 1, -1.
 * top_order_names - "rate, in, ...". */
int top_order_by_key(int key);
int top_order_by_name(const char *name);
int top_order_next(int order, int step);
const char *top_order_names(char *buf, size_t size);
/* top_sort - rows of b; rates are members of it. */
void top_sort(struct top_sample *b, int order);
/* top_print - everything. top_draw - a page of the terminal. */
void top_print(FILE *out, const struct top_sample *a,
	       const struct top_sample *b);
void top_draw(const struct top_sample *a, const struct top_sample *b,
	      int order);
