/* SPDX-License-Identifier: MIT */
/* t/lib/modules/live_udp.c - the UDP socket of the module live. */
#include <errno.h>
#include <stddef.h>
#include "t/lib/modules/live.h"

/* Without fn is as from a module built before fn came. */
static void refuse_without(struct hd_module *mod, struct hd_worker *w,
			   const struct hd_udp_options *udp)
{
	const struct hd_udp_options no_bind = { .fn = udp->fn };
	struct hd_udp *got = NULL;

	hd_assert(hd_udp_open(mod, w, &no_bind, &got, NULL) == -EINVAL);
	hd_assert(hd_udp_open_sized(mod, w, udp,
				    offsetof(struct hd_udp_options, fn), &got,
				    NULL) == -EINVAL);
	hd_assert(got == NULL);
}

int live_udp_open(struct hd_module *mod, struct hd_worker *w,
		  const struct hd_udp_options *udp, struct hd_udp **ret_udp,
		  struct hd_error *err)
{
	refuse_without(mod, w, udp);
	return hd_udp_open(mod, w, udp, ret_udp, err);
}
