/* SPDX-License-Identifier: MIT */
/* core/conf/compat_flags.h - command lines that were written for Hyper-DERP's
 * predecessor. Main thread. */
#pragma once
#include "core/conf/conf_value.h"

struct hd_old_flag {
	const char *name; /* without "--" */
	bool takes_value;
	const char *key; /* of the file: "metrics.port"; NULL: none */
	const char *value; /* where it takes none */
	const char *ignored; /* no effect here: what to know instead */
};

extern const struct hd_old_flag hd_old_flags[]; /* name NULL at the end */

/* hd_compat_flags - the flags of @cli->old become keys of the tree, in place of
 * what the file has; hd_compat_apply() comes after it. A flag without effect
 * warns once.
 * Returns 0; -EINVAL; -ENOMEM. */
int hd_compat_flags(struct hd_conf_private *priv, const struct hd_conf_cli *cli,
		    struct hd_error *err);
