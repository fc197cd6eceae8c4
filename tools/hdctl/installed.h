/* SPDX-License-Identifier: MIT */
/* tools/hdctl/installed.h - which modules there are. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* installed - whether a relay with this configuration finds the module: in one
 * of the folders of module_path, or built in. */
bool installed(const json_t *conf, const char *name);
