/* SPDX-License-Identifier: MIT */
/* core/base/descriptors.h - who may still open a descriptor when few are left:
 * an operator, Prometheus and a reload, while clients wait. Any thread. */
#pragma once
#include <hyper-derp/base.h>

enum hd_fds { /* who asks; each but the first has some for itself */
	      HD_FDS_PUBLIC, /* connections of clients */
	      HD_FDS_NAMED, /* of listeners that a module has for itself:
			       metrics */
	      HD_FDS_OPERATOR, /* of the control socket */
	      HD_FDS_READER, /* there, of who may only read */
	      HD_FDS_DIALLED, /* connections that modules open */
	      HD_FDS_ONWARD, /* those that a client makes them open: as a
				client's */
	      HD_FDS_N,
};

/* What the limit leaves to whom. */
struct hd_fds_plan {
	unsigned pool; /* whoever comes first */
	unsigned own[HD_FDS_N];
	unsigned rest; /* for what is not counted: files, modules, helpers */
};

/* hd_fds_plan - @limit of open files, @used of them already. Pure. */
void hd_fds_plan(uint64_t limit, uint64_t used, unsigned workers,
		 struct hd_fds_plan *ret);
/* hd_fds_begin - from now on the limit counts. Main thread, once workers and
 * modules have opened theirs and before anybody connects. */
void hd_fds_begin(unsigned workers);
/* hd_fds_take - returns whether one may be opened; hd_fds_give() it back. */
bool hd_fds_take(enum hd_fds who);
/* hd_fds_inherit - one that another process had open: it is there, so none is
 * refused; there may be fewer than none left then. */
void hd_fds_inherit(enum hd_fds who);
void hd_fds_give(enum hd_fds who);
/* hd_fds_open - how many there are, of all that the limit allows; where /proc
 * cannot be read, or no descriptor is left to read it: all of them. */
uint64_t hd_fds_open(void);
