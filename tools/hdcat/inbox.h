/* SPDX-License-Identifier: MIT */
/* tools/hdcat/inbox.h - the directory that files are received into. Nothing
 * outside of it is touched: names are walked one component at a time, and no
 * symbolic link is followed. Names have passed name_valid().
 *
 * What is ours and not finished yet, NAME.part or a directory, has the sticky
 * bit: what others have under such a name is left alone.
 *
 * All return 0 or negative errno. Context: they block as disks do. */
#pragma once
#include "tools/hdcat/record.h"
#include <sys/stat.h>

struct inbox {
	int dir;
	bool force; /* what is there may be replaced */
};

/* inbox_open - @path  a directory that is there. inbox_close - and it is -1. */
int inbox_open(struct inbox *in, const char *path);
void inbox_close(struct inbox *in);

/* inbox_find - what there is of a file that is offered.
 * @ret_fd     given: to read it from, or -1: nothing; a part is locked
 * @ret_whole  it is a file of that size under that name, not a part
 * -EEXIST something else has the name; -ENOTUNIQ something that is not ours
 * has the part's; -ENOTDIR, -ELOOP on the way to it; -EBUSY somebody writes
 * to the part; -ENAMETOOLONG. */
int inbox_find(const struct inbox *in, const struct offer *o, int *ret_fd,
	       bool *ret_whole);
/* inbox_part - NAME.part, empty or as it is, locked, and the directories that
 * lead to it. @ret_fd  given. As inbox_find(), or what open(2) says. */
int inbox_part(const struct inbox *in, const struct offer *o, int *ret_fd);
/* inbox_finish - the part fd becomes the file. -EEXIST something has the name;
 * -ENOTUNIQ something else has the part's by now.
 * inbox_whole - a file that was there, and is the same: finish it, if that was
 * broken off. inbox_drop - remove the part.
 * inbox_dir - a directory, when all that is in it is there. */
int inbox_finish(const struct inbox *in, const struct offer *o, int fd);
int inbox_whole(const struct inbox *in, const struct offer *o);
void inbox_drop(const struct inbox *in, const struct offer *o);
int inbox_dir(const struct inbox *in, const struct offer *o);
/* inbox_error - for people. */
const char *inbox_error(int r);
