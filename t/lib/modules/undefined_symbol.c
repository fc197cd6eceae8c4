/* SPDX-License-Identifier: MIT */
/* t/lib/modules/undefined_symbol.c - calls what the relay does not export. */
#include <hyper-derp/module.h>

extern int hd_no_such_function(void);

static int undefined_symbol_load(struct hd_module *mod, struct hd_error *err)
{
	(void)mod;
	(void)err;
	return hd_no_such_function();
}

HD_MODULE(undefined_symbol, .version = "1.0", .load = undefined_symbol_load);
