/* SPDX-License-Identifier: MIT */
/* tools/hdctl/names.h - what a module may be called. */
#pragma once
#include <stdbool.h>
#include <string.h>

enum { MODULE_NAME_MAX_BYTES = 32 };

/* It stands in identifiers of C, in paths and in the configuration. */
static inline bool is_module_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n <= MODULE_NAME_MAX_BYTES && name[n] == '\0' &&
	       name[0] >= 'a' && name[0] <= 'z';
}
