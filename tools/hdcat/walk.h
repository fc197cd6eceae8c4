/* SPDX-License-Identifier: MIT */
/* tools/hdcat/walk.h - what is to be sent: files, and directories behind what
 * is in them. Links are left out, but for those of the command line. */
#pragma once
#include "tools/hdcat/hdcat.h"

struct item {
	char *path;
	size_t name_at; /* what it is called: path + name_at */
	uint64_t size; /* as it was then: for the progress */
	bool is_dir;
	bool named; /* on the command line: it may be a link */
	bool over; /* it is there, or will not be */
};

struct items {
	struct item *v;
	size_t n, room;
	uint64_t bytes;
	unsigned failed; /* could not be read */
};

/* walk - @ret  zeroed; release with items_free(), also after a failure
 * Returns 0; -1, having said why and set c->status. */
int walk(struct hdcat *c, char **words, unsigned n, struct items *ret);
void items_free(struct items *items);
