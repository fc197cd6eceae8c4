/* SPDX-License-Identifier: MIT */
/* t/lib/modules/refuses.c - load() says no. */
#include <errno.h>
#include <hyper-derp/module.h>

static int refuses_load(struct hd_module *mod, struct hd_error *err)
{
	(void)mod;
	return hd_error_set(err, -EPERM, "not today");
}

HD_MODULE(refuses, .version = "1.0", .load = refuses_load);
