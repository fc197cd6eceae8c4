/* SPDX-License-Identifier: MIT */
/* core/base/log.h - where log lines go. Before hd_log_open() and after
 * hd_log_close() they are written to stderr at once, so that a failing start
 * and a unit test say what they have to say. */
#pragma once
#include <hyper-derp/log.h>

enum hd_log_format { HD_LOG_TEXT, HD_LOG_JSON };

#define HD_LOG_BUFFER_BYTES (256 * 1024)
#define HD_LOG_LINE_MAX_BYTES 1024

/* hd_log_open - start the thread that writes. Main thread, once, after the
 * signals are blocked.
 * @target  "stderr" or the path of a file, which is created (0640)
 * Returns 0, or negative with the remedy in err. */
int hd_log_open(const char *target, enum hd_log_format format,
		enum hd_log_level level, struct hd_error *err);
/* hd_log_close - write what is there, within a second; then stderr again. */
void hd_log_close(void);
/* hd_log_reopen - the file was renamed: close it and make a new one. Lines
 * before the call are in the old file, lines after it in the new one. */
void hd_log_reopen(void);
void hd_log_level_set(enum hd_log_level level);
/* hd_log_lost - lines dropped since the start because the target was slow. */
uint64_t hd_log_lost(void);

/* hd_log_level_parse - "error" … "debug". Returns -EINVAL: no such level. */
int hd_log_level_parse(const char *text);
const char *hd_log_level_text(enum hd_log_level level);
