/* SPDX-License-Identifier: MIT */
/* hyper-derp/config.h - options are a table. The core parses, checks,
 * documents and completes from it. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* type              in the struct            in the file
 * HD_BOOL           bool                     true, false
 * HD_UINT           uint64_t                 42
 * HD_DURATION_MS    uint64_t, milliseconds   500ms, 10s, 5m, 2h; 10 is seconds
 * HD_SIZE_BYTES     uint64_t, bytes          4096, 256KiB, 1MiB
 * HD_STRING         const char *             text, NULL when unset
 * HD_PATH           const char *             text, NULL when unset
 * HD_ADDR           union hd_addr            0.0.0.0:80, [::]:443
 * HD_KEY            struct hd_key            64 hexadecimal digits
 * HD_SECRET_FILE    struct hd_secret         path of a file that holds it
 * HD_CHOICE         uint64_t, index          one of .choices
 * HD_LIST           struct hd_list           a sequence of strings; with
 *                                            .choices also of mappings with
 *                                            these keys: each comes as their
 *                                            values in that order, a tab
 *                                            behind each */
enum hd_type {
	HD_BOOL,
	HD_UINT,
	HD_DURATION_MS,
	HD_SIZE_BYTES,
	HD_STRING,
	HD_PATH,
	HD_ADDR,
	HD_KEY,
	HD_SECRET_FILE,
	HD_CHOICE,
	HD_LIST,
};

struct hd_option { /* a table ends with an entry whose name is NULL */
	const char *name; /* "write_timeout" */
	enum hd_type type;
	uint32_t offset;  /* offsetof(struct x_conf, write_timeout_ms) */
	const char *def;  /* as it stands in the file: "2s"; NULL = unset */
	int64_t min, max; /* both 0: no range */
	const char *unit, *help;
	const char *const *choices; /* HD_CHOICE, HD_LIST: NULL at the end */
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
