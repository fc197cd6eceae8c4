/* SPDX-License-Identifier: MIT */
/* tools/hdcat/room.c - whether what is offered fits: on the disk, and within
 * --max-size. It is asked before anything is written, so that no disk is filled
 * by what cannot be finished. */
#include "tools/hdcat/files.h"

#include <errno.h>
#include <sys/statvfs.h>

/* What an arrival will still bring. One that has its name already is most often
 * the same, and brings nothing. */
static uint64_t awaited(const struct arrival *a)
{
	if (a->state == ARRIVAL_WANTED && !a->whole)
		return a->o.size - a->had;
	if (a->state == ARRIVAL_GOING && a->fd >= 0)
		return a->o.size - a->sum->n;
	return 0;
}

static uint64_t promised(const struct hdcat *c)
{
	uint64_t sum = 0, one;

	for (const struct conn *k = c->conns; k != NULL; k = k->next) {
		if (k->in == NULL)
			continue;
		for (const struct arrival *a = k->in->first; a != NULL;
		     a = a->next) {
			one = awaited(a);
			sum = one > UINT64_MAX - sum ? UINT64_MAX : sum + one;
		}
	}
	return sum;
}

/* Of a file system that does not tell there is no end. */
static uint64_t free_bytes(int dir)
{
	struct statvfs v;

	if (fstatvfs(dir, &v) < 0 || v.f_blocks == 0)
		return UINT64_MAX;
	return (uint64_t)v.f_bavail * v.f_frsize;
}

static bool fits(uint64_t bytes, uint64_t before, uint64_t all)
{
	return before <= all && bytes <= all - before;
}

const char *room_for(const struct conn *k, uint64_t bytes)
{
	const struct hdcat *c = k->c;
	uint64_t before = promised(c);

	if (!fits(bytes, before, free_bytes(c->inbox.dir)))
		return "there is no room for it on the disk";
	if (c->max_size_bytes != 0 &&
	    (before > UINT64_MAX - c->taken_bytes ||
	     !fits(bytes, before + c->taken_bytes, c->max_size_bytes)))
		return "it is more than the receiver takes (--max-size)";
	return NULL;
}

int room_take(struct conn *k, uint64_t bytes)
{
	struct hdcat *c = k->c;

	if (c->max_size_bytes != 0 &&
	    !fits(bytes, c->taken_bytes, c->max_size_bytes))
		return -EFBIG;
	c->taken_bytes += bytes;
	k->in->bytes += bytes;
	return 0;
}
