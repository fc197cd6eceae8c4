/* SPDX-License-Identifier: MIT */
/* modules/wg/yaml.h - peers and links that stand in the configuration. */
#pragma once
#include "modules/wg/state.h"

extern const char *const wg_yaml_peer_keys[], *const wg_yaml_link_keys[];

/* wg_yaml_plan - Returns 0; -EINVAL with what is wrong; -ENOMEM. */
int wg_yaml_plan(const struct wg_conf *conf, struct wg_plan **ret,
		 struct hd_error *err);
