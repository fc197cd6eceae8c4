/* SPDX-License-Identifier: MIT */
/* core/tls/records.h - TLS 1.3's record layer after the handshake: RFC 8446, 5
 * and what the other end may send then: data, alerts, KeyUpdate; a server also
 * tickets, which are passed over. No sockets, no buffers: bytes in, bytes out.
 * Context: the connection's worker. */
#pragma once
#include "core/tls/cipher_cache.h"

#define HD_RECORD_HEAD_BYTES 5
#define HD_RECORD_PLAIN_MAX_BYTES 16384
/* 5.2: ciphertext is at most 256 bytes longer. */
#define HD_RECORD_MAX_BYTES                                                    \
	(HD_RECORD_HEAD_BYTES + HD_RECORD_PLAIN_MAX_BYTES + 256)
/* A sealed record is this much longer than its plaintext: head before it,
 * content type and tag behind it. */
#define HD_RECORD_BEHIND_BYTES (1 + HD_TLS_TAG_BYTES)
/* KeyUpdate before so many records under one key: RFC 8446, 5.5 allows
 * 2^24.5 full ones for AES-GCM. */
#define HD_RECORD_KEY_LIMIT ((uint64_t)1 << 24)

enum hd_record_type { /* RFC 8446, B.1 */
		      HD_RECORD_CCS = 20,
		      HD_RECORD_ALERT = 21,
		      HD_RECORD_HANDSHAKE = 22,
		      HD_RECORD_DATA = 23,
};

enum hd_alert { /* RFC 8446, 6 */
		HD_ALERT_CLOSE_NOTIFY = 0,
		HD_ALERT_UNEXPECTED_MESSAGE = 10,
		HD_ALERT_BAD_RECORD_MAC = 20,
		HD_ALERT_RECORD_OVERFLOW = 22,
		HD_ALERT_ILLEGAL_PARAMETER = 47,
		HD_ALERT_DECODE_ERROR = 50,
		HD_ALERT_INTERNAL_ERROR = 80,
		HD_ALERT_USER_CANCELED = 90,
};

/* So many records in a row without a byte of data are taken: a KeyUpdate of 27
 * bytes costs as much as opening 16 KiB. OpenSSL's limit, and about Go's. */
#define HD_RECORDS_EMPTY_MAX 32

#define HD_KEY_UPDATE_BYTES 5 /* the whole handshake message */

struct hd_records { /* no pointer but the suite and ciphers in use */
	const struct hd_tls_suite *suite;
	struct hd_tls_keys rx, tx;
	struct hd_cipher *rx_cipher, *tx_cipher; /* NULL: not in the cache */
	uint8_t message[HD_KEY_UPDATE_BYTES]; /* one that is split */
	uint8_t message_bytes; /* not 0: more of it must come next */
	bool is_client; /* of this end */
	uint32_t ticket_left; /* bytes of a ticket that are passed over */
	uint8_t empty_records; /* records since the last one with data */
	uint8_t alert; /* enum hd_alert to send after -EPROTO */
	bool owes_update; /* KeyUpdate is due before our next data */
	int8_t ended; /* -EPIPE, -ECONNRESET: what follows is ignored */
};

/* hd_records_open - take whole records off the front of in.
 * @in        n bytes
 * @ret_used  bytes of whole records that were taken
 * @out       at least HD_RECORD_MAX_BYTES, else the largest record would never
 *            fit; as many records as surely fit are opened
 * Returns the plaintext bytes. 0: more input is needed. -EPIPE close_notify;
 * -ECONNRESET a fatal alert; -EPROTO send r->alert and close. An error is
 * returned only when no plaintext comes before it. */
int hd_records_open(struct hd_records *r, struct hd_cipher_cache *cache,
		    const uint8_t *in, size_t n, size_t *ret_used, uint8_t *out,
		    size_t size);

/* hd_records_seal - make a record in place.
 * @record  head, then n bytes of plaintext, then HD_RECORD_BEHIND_BYTES free
 * @n       0..HD_RECORD_PLAIN_MAX_BYTES
 * Returns the record's length; -EPROTO; -ENOMEM. */
int hd_records_seal(struct hd_records *r, struct hd_cipher_cache *cache,
		    enum hd_record_type type, uint8_t *record, size_t n);
/* hd_records_update_due - a KeyUpdate must be sent before more data.
 * hd_records_update - seal it; from then on the new key is used.
 * @record  HD_RECORD_HEAD_BYTES + HD_KEY_UPDATE_BYTES +
 *          HD_RECORD_BEHIND_BYTES
 * hd_records_alert - the same for an alert of two bytes. */
bool hd_records_update_due(const struct hd_records *r);
int hd_records_update(struct hd_records *r, struct hd_cipher_cache *cache,
		      uint8_t *record);
int hd_records_alert(struct hd_records *r, struct hd_cipher_cache *cache,
		     enum hd_alert alert, uint8_t *record);

/* hd_records_uncache - out of the cache; the next record makes its cipher anew.
 */
void hd_records_uncache(struct hd_records *r);

/* hd_records_inner - what a record that was opened elsewhere (by the kernel)
 * carries, unless data. Returns as hd_records_open(), 0: go on. */
int hd_records_inner(struct hd_records *r, enum hd_record_type type,
		     const uint8_t *p, size_t n);
