/* SPDX-License-Identifier: MIT */
/* hyper-derp/log.h - a sentence, then key=value. Keys as 8 hexadecimal
 * digits; no payload, no secret. Whoever ends an operation logs; leaves only
 * return. Any thread. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hd_log_level { /* error: act now; warn: degraded; notice: life cycle */
		    HD_LOG_ERROR,
		    HD_LOG_WARN,
		    HD_LOG_NOTICE,
		    HD_LOG_INFO, /* peers */
		    HD_LOG_DEBUG,
};

/* hd_log_on - whether this level is logged.
 * hd_log_write - one line, without a limit: for what the operator asked for.
 * Else the macros below. */
HD_API bool hd_log_on(enum hd_log_level level);
HD_API void hd_log_write(enum hd_log_level level, const char *fmt, ...)
	HD_PRINTF(2, 3);

struct hd_log_site { /* one per call site, shared by all threads: atomics */
	uint64_t window_s;
	uint32_t count, suppressed;
};
/* hd_log_allow - at most 5 lines a second per call site, then one line that
 * says how many more there were. */
HD_API bool hd_log_allow(struct hd_log_site *site);

/* hd_log, hd_log_error, hd_log_warn, hd_log_notice, hd_log_info, hd_log_debug -
 * a line, limited per call site: hd_log_warn("no answer: key=%s", text). %m is
 * errno's text. */
#define hd_log(level, ...)                                                     \
	do {                                                                   \
		static struct hd_log_site hd_site_;                            \
		if (hd_log_on(level) && hd_log_allow(&hd_site_))               \
			hd_log_write(level, __VA_ARGS__);                      \
	} while (0)
#define hd_log_error(...) hd_log(HD_LOG_ERROR, __VA_ARGS__)
#define hd_log_warn(...) hd_log(HD_LOG_WARN, __VA_ARGS__)
#define hd_log_notice(...) hd_log(HD_LOG_NOTICE, __VA_ARGS__)
#define hd_log_info(...) hd_log(HD_LOG_INFO, __VA_ARGS__)
#define hd_log_debug(...) hd_log(HD_LOG_DEBUG, __VA_ARGS__)

/* hd_key_text - the first 4 bytes of a key as 8 hexadecimal digits. */
struct hd_key_text {
	char s[9];
};
HD_API struct hd_key_text hd_key_text(const struct hd_key *key);

#ifdef __cplusplus
}
#endif
