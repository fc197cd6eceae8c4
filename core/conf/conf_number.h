/* SPDX-License-Identifier: MIT */
/* core/conf/conf_number.h - numbers with units, addresses and keys, from and to
 * text. Pure functions. */
#pragma once
#include <hyper-derp/config.h>

#define HD_NUMBER_TEXT_BYTES 32

/* hd_number_parse - HD_OPTION_UINT 42; HD_OPTION_DURATION_MS 500ms, 10s, 5m,
 * 2h, 10 (s); HD_OPTION_SIZE_BYTES 4096, 256KiB, 1MiB, 2GiB. Whole numbers
 * only. Returns 0; -EINVAL another form; -ERANGE beyond 64 bits. */
int hd_number_parse(enum hd_option_type type, const char *text, uint64_t *ret);
/* hd_number_text - the shortest text that parses to v. Returns buf. */
const char *hd_number_text(enum hd_option_type type, uint64_t v,
			   char buf[HD_NUMBER_TEXT_BYTES]);
/* hd_number_form - what hd_number_parse() accepts, for messages. */
const char *hd_number_form(enum hd_option_type type);

/* hd_addr_parse - 192.0.2.1:443 or [2001:db8::1]:443; port 0 is any port.
 * Returns 0; -EINVAL. */
int hd_addr_parse(const char *text, union hd_addr *ret_addr);
/* hd_key_parse - 64 hexadecimal digits. Returns 0; -EINVAL. */
int hd_key_parse(const char *text, struct hd_key *ret_key);
