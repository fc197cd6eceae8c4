/* SPDX-License-Identifier: MIT */
/* core/base/log_format.h - a record becomes a line. Pure: no state, any
 * thread. */
#pragma once
#include "core/base/log.h"

struct hd_log_record { /* as it stands in the buffer, the text behind it */
	uint64_t time_ms; /* since the epoch */
	uint16_t len_bytes;
	uint8_t level;
};

enum hd_log_style {
	HD_LOG_STYLE_TEXT,
	HD_LOG_STYLE_JSON,
	HD_LOG_STYLE_JOURNAL
};

/* Room for the longest line: JSON may need six bytes for one. */
#define HD_LOG_OUT_MAX_BYTES (HD_LOG_LINE_MAX_BYTES * 6 + 128)

/* hd_log_line - the line with its newline. Control characters never get
 * through: what a peer sends must not forge a line.
 * Returns its length. */
size_t hd_log_line(char out[static HD_LOG_OUT_MAX_BYTES],
		   enum hd_log_style style, const struct hd_log_record *rec,
		   const char *text);
