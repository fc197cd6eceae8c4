/* SPDX-License-Identifier: MIT */
/* modules/hd/rule.h - a rule of redirect.h, as it stands in the configuration.
 */
#pragma once
#include <hyper-derp/config.h>

struct hdp_redirect_rule { /* all that it names must match */
	struct hd_place at;
	struct hd_list keys, names, tenants;
	struct hd_list to; /* HOST[:PORT]; none: they stay here */
	bool everybody;
};
