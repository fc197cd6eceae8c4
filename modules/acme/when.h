/* SPDX-License-Identifier: MIT */
/* modules/acme/when.h - when something is tried again, and when a certificate
 * is due. Pure. All times are seconds since the epoch. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* acme_back_off_s - how long to wait after so many failures in a row: twice as
 * long each time, 6 h at most, and up to a quarter more by chance, so that not
 * all relays of the world ask together.
 * @first_s   after the first one
 * @asked_s   Retry-After: not sooner; a day at most
 * @chance    0 .. UINT32_MAX */
int64_t acme_back_off_s(unsigned failures, int64_t first_s, int64_t asked_s,
			uint32_t chance);

/* acme_is_hasty - whether a certificate of that life is renewed so soon after
 * the one before it that something must be wrong. */
bool acme_is_hasty(int64_t since_s, int64_t life_s);

/* acme_due_s - when a certificate is renewed without renewal information: two
 * thirds through its life, half for those of less than ten days, and up to a
 * twentieth of its life sooner by chance. */
int64_t acme_due_s(int64_t not_before_s, int64_t not_after_s, uint32_t chance);

/* acme_within_s - in a window that the CA suggests (RFC 9773, 4.2). */
int64_t acme_within_s(int64_t start_s, int64_t end_s, uint32_t chance);

/* acme_retry_after_s - seconds, or a date (RFC 9110, 10.2.3), from now.
 * Returns 0 for what is neither or in the past. */
int64_t acme_retry_after_s(const char *value, int64_t now_s);
/* acme_time_s - RFC 3339: 2026-01-02T03:04:05Z, +01:00, .678; 0: it is none. */
int64_t acme_time_s(const char *text);
