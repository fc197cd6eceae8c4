/* SPDX-License-Identifier: MIT */
/* core/base/snap_heads.c - what two versions of snapshots say of each other. */
#include "core/base/snap_format.h"
#include <errno.h>

int hd_snap_version_take(struct hd_snap_version *v,
			 const struct hd_snap_item *item)
{
	uint64_t *to;

	if (item->tag == HD_SNAP_VERSION)
		to = &v->format;
	else if (item->tag == HD_SNAP_OLDEST)
		to = &v->oldest;
	else
		return 0;
	if (*to != 0 || hd_snap_to_number(item, to) < 0 || *to == 0)
		return -EBADMSG;
	return 1;
}

/* Versions 1 to 4 did not say which others would understand them: none. */
bool hd_snap_version_fits(const struct hd_snap_version *theirs)
{
	uint64_t oldest = theirs->oldest != 0 ? theirs->oldest : theirs->format;

	return theirs->format >= hd_snap_format_oldest &&
	       hd_snap_format >= oldest;
}

/* Versions 1 to 4 read nothing but their own. */
bool hd_snap_version_reads(const struct hd_snap_version *theirs)
{
	return theirs->oldest != 0 ? hd_snap_version_fits(theirs)
				   : theirs->format == hd_snap_format;
}
