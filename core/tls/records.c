/* SPDX-License-Identifier: MIT */
/* core/tls/records.c - TLS 1.3's record layer over an AEAD. */
#include <errno.h>
#include <string.h>
#include "core/tls/records.h"

#define HANDSHAKE_NEW_TICKET 4
#define HANDSHAKE_KEY_UPDATE 24
#define HANDSHAKE_HEAD_BYTES 4
/* RFC 8446, 4.6.1: all fields as long as they can be. */
#define TICKET_MAX_BYTES (4 + 4 + (1 + 255) + (2 + 65535) + (2 + 65534))
#define ALERT_BYTES 2
#define ALERT_WARNING 1
#define ALERT_FATAL 2

static int refuse(struct hd_records *r, enum hd_alert alert)
{
	r->alert = (uint8_t)alert;
	return -EPROTO;
}

/* ---- AEAD: RFC 8446, 5.2 and 5.3 ---- */

static void make_nonce(const struct hd_tls_keys *k,
		       uint8_t nonce[HD_TLS_IV_BYTES])
{
	memcpy(nonce, k->iv, HD_TLS_IV_BYTES);
	for (int i = 0; i < 8; i++)
		nonce[HD_TLS_IV_BYTES - 1 - i] ^= (uint8_t)(k->seq >> (8 * i));
}

/* Whoever looks at out afterwards finds a whole record or none. */
static int aead_open(struct hd_records *r, const struct hd_cipher *c,
		     const uint8_t *record, size_t n, uint8_t *out)
{
	uint8_t nonce[HD_TLS_IV_BYTES];

	make_nonce(&r->rx, nonce);
	if (c->aead->open(c->key, nonce, record, HD_AEAD_HEAD_BYTES, n, out) <
	    0) {
		explicit_bzero(out, n);
		return -EBADMSG;
	}
	r->rx.seq++;
	return 0;
}

static int aead_seal(struct hd_records *r, const struct hd_cipher *c,
		     uint8_t *record, size_t n)
{
	uint8_t nonce[HD_TLS_IV_BYTES];

	make_nonce(&r->tx, nonce);
	if (c->aead->seal(c->key, nonce, record, HD_AEAD_HEAD_BYTES, n) < 0)
		return -EPROTO;
	r->tx.seq++;
	return 0;
}

void hd_records_uncache(struct hd_records *r)
{
	hd_cipher_put(&r->rx_cipher);
	hd_cipher_put(&r->tx_cipher);
}

static int update_keys(struct hd_records *r, struct hd_tls_keys *k,
		       struct hd_cipher **cipher)
{
	hd_cipher_put(cipher); /* of the old key */
	return hd_tls_keys_update(k, r->suite);
}

/* ---- what the other end may send after the handshake ---- */

static int on_alert(struct hd_records *r, const uint8_t *p, size_t n)
{
	if (n == 0) /* 5.4 */
		return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
	if (n != ALERT_BYTES)
		return refuse(r, HD_ALERT_DECODE_ERROR);
	if (p[1] == HD_ALERT_USER_CANCELED)
		return 0; /* 6.1: close_notify follows */
	r->ended = p[1] == HD_ALERT_CLOSE_NOTIFY ? -EPIPE : -ECONNRESET;
	return r->ended;
}

static const uint8_t update_head[] = { HANDSHAKE_KEY_UPDATE, 0, 0, 1 };

/* 4.6.3. The message ends its record: what follows has the new key (5.1). */
static int on_key_update(struct hd_records *r)
{
	uint8_t request = r->message[sizeof(update_head)];

	if (request > 1)
		return refuse(r, HD_ALERT_ILLEGAL_PARAMETER);
	r->message_bytes = 0;
	r->owes_update |= request == 1;
	if (update_keys(r, &r->rx, &r->rx_cipher) < 0)
		return refuse(r, HD_ALERT_INTERNAL_ERROR);
	return 0;
}

static int on_update_bytes(struct hd_records *r, const uint8_t *p, size_t n)
{
	size_t take = HD_MIN(n, (size_t)HD_KEY_UPDATE_BYTES - r->message_bytes);
	size_t known;

	if (n == 0 || (r->message_bytes == 0 && p[0] != HANDSHAKE_KEY_UPDATE))
		return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
	memcpy(r->message + r->message_bytes, p, take);
	r->message_bytes += (uint8_t)take;
	known = HD_MIN((size_t)r->message_bytes, sizeof(update_head));
	if (memcmp(r->message, update_head, known) != 0)
		return refuse(r, HD_ALERT_DECODE_ERROR);
	if (take < n)
		return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
	return r->message_bytes < HD_KEY_UPDATE_BYTES ? 0 : on_key_update(r);
}

/* We resume nothing: a ticket is passed over, in as many records as it comes.
 * message_bytes stays that of its head meanwhile. Returns the bytes it took. */
static int on_ticket_bytes(struct hd_records *r, const uint8_t *p, size_t n)
{
	size_t used = 0, take;

	while (r->message_bytes < HANDSHAKE_HEAD_BYTES && used < n) {
		r->message[r->message_bytes++] = p[used++];
		if (r->message_bytes == HANDSHAKE_HEAD_BYTES)
			r->ticket_left = (uint32_t)r->message[1] << 16 |
					 (uint32_t)r->message[2] << 8 |
					 r->message[3];
	}
	if (r->ticket_left > TICKET_MAX_BYTES)
		return refuse(r, HD_ALERT_DECODE_ERROR);
	take = HD_MIN(n - used, (size_t)r->ticket_left);
	r->ticket_left -= (uint32_t)take;
	if (r->message_bytes == HANDSHAKE_HEAD_BYTES && r->ticket_left == 0)
		r->message_bytes = 0;
	return (int)(used + take);
}

static bool is_ticket(const struct hd_records *r, const uint8_t *p)
{
	uint8_t type = r->message_bytes > 0 ? r->message[0] : p[0];

	return r->is_client && type == HANDSHAKE_NEW_TICKET;
}

/* A record has whole messages, or parts of them: 5.1. */
static int on_handshake(struct hd_records *r, const uint8_t *p, size_t n)
{
	bool any = n > 0;

	while (n > 0 && is_ticket(r, p)) {
		int used = on_ticket_bytes(r, p, n);

		if (used < 0)
			return used;
		p += used;
		n -= (size_t)used;
	}
	return any && n == 0 ? 0 : on_update_bytes(r, p, n);
}

int hd_records_inner(struct hd_records *r, enum hd_record_type type,
		     const uint8_t *p, size_t n)
{
	if (type == HD_RECORD_HANDSHAKE)
		return on_handshake(r, p, n);
	if (r->message_bytes > 0) /* 5.1: nothing comes between its parts */
		return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
	if (type == HD_RECORD_ALERT)
		return on_alert(r, p, n);
	return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
}

/* ---- opening ---- */

/* The whole record's length once its head is there. Returns 0: not yet. */
static int record_bytes(struct hd_records *r, const uint8_t *p, size_t n)
{
	size_t len;

	if (n < HD_RECORD_HEAD_BYTES)
		return 0;
	/* A ChangeCipherSpec may only come before the client's Finished, and
	 * then everything is protected: 5. */
	if (p[0] != HD_RECORD_DATA)
		return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
	len = (size_t)p[3] << 8 | p[4];
	if (len > HD_RECORD_PLAIN_MAX_BYTES + 256)
		return refuse(r, HD_ALERT_RECORD_OVERFLOW);
	if (len < HD_TLS_TAG_BYTES + 1)
		return refuse(r, HD_ALERT_BAD_RECORD_MAC);
	return (int)(HD_RECORD_HEAD_BYTES + len);
}

/* Takes the padding off. Returns the plaintext bytes without the type. The
 * limit holds for all of the inner plaintext, padding and type too: 5.4. */
static int strip_padding(struct hd_records *r, const uint8_t *p, size_t n,
			 enum hd_record_type *ret_type)
{
	if (n > HD_RECORD_PLAIN_MAX_BYTES + 1)
		return refuse(r, HD_ALERT_RECORD_OVERFLOW);
	while (n > 0 && p[n - 1] == 0)
		n--;
	if (n == 0) /* 5.4 */
		return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
	*ret_type = p[n - 1];
	return (int)(n - 1);
}

/* Opens one whole record. Returns bytes of data, or as hd_records_open(). */
static int open_one(struct hd_records *r, struct hd_cipher_cache *cache,
		    const uint8_t *record, size_t len, uint8_t *out)
{
	size_t n = len - HD_RECORD_HEAD_BYTES - HD_TLS_TAG_BYTES;
	const struct hd_cipher *c = hd_cipher_get(cache, r->suite, false,
						  r->rx.key, &r->rx_cipher);
	enum hd_record_type type;
	int bytes;

	if (c == NULL)
		return refuse(r, HD_ALERT_INTERNAL_ERROR);
	if (aead_open(r, c, record, n, out) < 0)
		return refuse(r, HD_ALERT_BAD_RECORD_MAC);
	bytes = strip_padding(r, out, n, &type);
	if (bytes < 0)
		return bytes;
	if (type == HD_RECORD_DATA && bytes > 0)
		r->empty_records = 0;
	else if (++r->empty_records > HD_RECORDS_EMPTY_MAX)
		return refuse(r, HD_ALERT_UNEXPECTED_MESSAGE);
	if (type == HD_RECORD_DATA && r->message_bytes == 0)
		return bytes;
	return hd_records_inner(r, type, out, (size_t)bytes);
}

int hd_records_open(struct hd_records *r, struct hd_cipher_cache *cache,
		    const uint8_t *in, size_t n, size_t *ret_used, uint8_t *out,
		    size_t size)
{
	size_t used = 0, got = 0;
	int bytes = 0;

	if (r->alert != 0)
		bytes = -EPROTO; /* found behind data that was given out */
	else
		bytes = r->ended;
	while (bytes >= 0) {
		int len = record_bytes(r, in + used, n - used);

		if (len < 0)
			bytes = len;
		if (len <= 0 || (size_t)len > n - used ||
		    (size_t)len > size - got)
			break;
		bytes = open_one(r, cache, in + used, (size_t)len, out + got);
		used += (size_t)len;
		if (bytes > 0)
			got += (size_t)bytes;
	}
	*ret_used = used;
	return got > 0 || bytes >= 0 ? (int)got : bytes;
}

/* ---- sealing ---- */

int hd_records_seal(struct hd_records *r, struct hd_cipher_cache *cache,
		    enum hd_record_type type, uint8_t *record, size_t n)
{
	const struct hd_cipher *c = hd_cipher_get(cache, r->suite, true,
						  r->tx.key, &r->tx_cipher);
	size_t len = n + HD_RECORD_BEHIND_BYTES;

	hd_assert(n <= HD_RECORD_PLAIN_MAX_BYTES);
	if (c == NULL)
		return -ENOMEM;
	record[0] = HD_RECORD_DATA;
	record[1] = record[2] = 3; /* 5.1: TLS 1.2's number, for ever */
	record[3] = (uint8_t)(len >> 8);
	record[4] = (uint8_t)len;
	record[HD_RECORD_HEAD_BYTES + n] = (uint8_t)type;
	if (aead_seal(r, c, record, n + 1) < 0)
		return -EPROTO;
	return (int)(HD_RECORD_HEAD_BYTES + len);
}

bool hd_records_update_due(const struct hd_records *r)
{
	return r->owes_update || r->tx.seq >= HD_RECORD_KEY_LIMIT - 1;
}

int hd_records_update(struct hd_records *r, struct hd_cipher_cache *cache,
		      uint8_t *record)
{
	static const uint8_t message[HD_KEY_UPDATE_BYTES] = {
		HANDSHAKE_KEY_UPDATE, 0, 0, 1, 0 /* update_not_requested */
	};
	int len;

	memcpy(record + HD_RECORD_HEAD_BYTES, message, sizeof(message));
	len = hd_records_seal(r, cache, HD_RECORD_HANDSHAKE, record,
			      sizeof(message));
	if (len < 0 || update_keys(r, &r->tx, &r->tx_cipher) < 0)
		return -EPROTO;
	r->owes_update = false;
	return len;
}

int hd_records_alert(struct hd_records *r, struct hd_cipher_cache *cache,
		     enum hd_alert alert, uint8_t *record)
{
	uint8_t *p = record + HD_RECORD_HEAD_BYTES;

	p[0] = alert == HD_ALERT_CLOSE_NOTIFY ? ALERT_WARNING : ALERT_FATAL;
	p[1] = (uint8_t)alert;
	return hd_records_seal(r, cache, HD_RECORD_ALERT, record, ALERT_BYTES);
}
