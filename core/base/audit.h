/* SPDX-License-Identifier: MIT */
/* core/base/audit.h - the audit log: what operators and rules did, a JSON
 * object a line. hd_audit(), in hyper-derp/event.h, adds one. */
#pragma once
#include <hyper-derp/event.h>
#include "core/base/log.h"

#define HD_AUDIT_BUFFER_BYTES (256 * 1024) /* of lines that may wait */
#define HD_AUDIT_LINE_MAX_BYTES (32 * 1024)

/* hd_audit_open - start the thread that writes. Main thread, as the user that
 * the relay stays: the file (0640) will be opened again.
 * @path  NULL: there is no audit log, and hd_audit() does nothing
 * Returns 0, or negative with the remedy in err. */
int hd_audit_open(const char *path, struct hd_error *err);
/* hd_audit_close - write what is there, within a second. What could not be
 * written is counted, and the log says so. */
void hd_audit_close(void);
/* hd_audit_reopen - the file was renamed: make a new one now. A file that is
 * renamed or removed without it is noticed at the next line. */
void hd_audit_reopen(void);
/* hd_logs_reopen - this one and the log. */
void hd_logs_reopen(void);
/* hd_audit_file - its path; NULL: there is none. Main thread.
 * hd_audit_lost - lines that never came into it, since the start. Any. */
const char *hd_audit_file(void);
uint64_t hd_audit_lost(void);
