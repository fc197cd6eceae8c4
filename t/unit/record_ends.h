/* SPDX-License-Identifier: MIT */
/* t/unit/record_ends.h - the two ends of a connection and the wire between
 * them, for tests of core/tls/records.c. The keys are those of RFC 8448, 3. */
#pragma once
#include "core/tls/records.h"

extern const char server_key[], server_iv[], client_key[], client_iv[];
extern const char client_secret[];
extern const char client_data[]; /* a record of the trace, in hexadecimal */
#define DATA_BYTES 50            /* its plaintext: 00 01 .. 31 */

extern struct hd_cipher_cache cache;
extern uint8_t plain[65536]; /* what take() gave */
extern struct wire {
	uint8_t bytes[4 * HD_RECORD_MAX_BYTES];
	size_t n;
} wire;

size_t hex(const char *text, uint8_t *to, size_t size);
/* As after the handshake: what one seals the other opens. */
struct hd_records server(void);
struct hd_records client(void);
void send_as(struct hd_records *from, enum hd_record_type type,
	     const void *data, size_t n);
/* The last byte of inner is the type, or padding behind it. */
void send_inner(struct hd_records *from, const uint8_t *inner, size_t n);
int take(struct hd_records *r);
void assert_data(int n);
/* It ends in that alert, and stays so. */
void assert_refused(struct hd_records *r, enum hd_alert alert);
int fresh(void **state); /* nothing on the wire */
