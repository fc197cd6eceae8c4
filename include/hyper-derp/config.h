/* SPDX-License-Identifier: MIT */
/* hyper-derp/config.h - options are a table. The core parses, checks,
 * documents and completes from it. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* type              in the struct            in the file
 * HD_OPTION_BOOL           bool                     true, false
 * HD_OPTION_UINT           uint64_t                 42
 * HD_OPTION_DURATION_MS    uint64_t, milliseconds   500ms, 10s, 5m, 2h; 10 is
 * seconds HD_OPTION_SIZE_BYTES     uint64_t, bytes          4096, 256KiB, 1MiB
 * HD_OPTION_STRING         const char *             text, NULL when unset
 * HD_OPTION_PATH           const char *             text, NULL when unset
 * HD_OPTION_ADDR           union hd_addr            0.0.0.0:80, [::]:443
 * HD_OPTION_KEY            struct hd_key            64 hexadecimal digits
 * HD_OPTION_SECRET_FILE    struct hd_secret         path of a file that holds
 * it HD_OPTION_CHOICE         uint64_t, index          one of .choices
 * HD_OPTION_LIST           struct hd_list           a sequence of strings; with
 *                                            .choices also of mappings with
 *                                            these keys: each comes as their
 *                                            values in that order, a tab
 *                                            behind each */
enum hd_option_type {
	HD_OPTION_BOOL,
	HD_OPTION_UINT,
	HD_OPTION_DURATION_MS,
	HD_OPTION_SIZE_BYTES,
	HD_OPTION_STRING,
	HD_OPTION_PATH,
	HD_OPTION_ADDR,
	HD_OPTION_KEY,
	HD_OPTION_SECRET_FILE,
	HD_OPTION_CHOICE,
	HD_OPTION_LIST,
};

struct hd_option { /* a table ends with an entry whose name is NULL */
	const char *name; /* "write_timeout" */
	enum hd_option_type type;
	uint32_t offset;  /* offsetof(struct x_conf, write_timeout_ms) */
	const char *def;  /* as it stands in the file: "2s"; NULL = unset */
	int64_t min, max; /* both 0: no range */
	const char *unit, *help;
	const char *const *
		choices; /* HD_OPTION_CHOICE, HD_OPTION_LIST: NULL at the end */
	bool live;                  /* may change while running */
};
#define HD_OPTION_END                                                          \
	{                                                                      \
		.name = NULL                                                   \
	}

struct hd_list {
	const char *const *v;
	size_t n;
};

struct hd_secret { /* wiped when replaced, never in a core dump */
	const uint8_t *v;
	size_t n;
};

#ifdef __cplusplus
}
#endif
