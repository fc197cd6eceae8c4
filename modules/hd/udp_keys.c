/* SPDX-License-Identifier: MIT */
/* modules/hd/udp_keys.c - see udp_keys.h. A counter says which epoch, and so
 * which key: nothing is negotiated, and no key can be worked out from those
 * after it. Sources: HKDF-Expand of RFC 5869, 2.3, in one block; the nonce as
 * in RFC 8446, 5.3; the window as in RFC 4303, 3.4.3. */
#include "modules/hd/udp_keys.h"
#include <errno.h>

/* ---- keys ---- */

/* HKDF-Expand with SHA-256 of at most 32 bytes is one HMAC. */
static void expand(const uint8_t *secret, const char *info, uint8_t *to,
		   size_t n)
{
	uint8_t block[crypto_auth_hmacsha256_BYTES];
	const uint8_t one = 1;
	crypto_auth_hmacsha256_state mac;

	crypto_auth_hmacsha256_init(&mac, secret, HDP_UDP_SECRET_BYTES);
	crypto_auth_hmacsha256_update(&mac, (const uint8_t *)info,
				      strlen(info));
	crypto_auth_hmacsha256_update(&mac, &one, 1);
	crypto_auth_hmacsha256_final(&mac, block);
	memcpy(to, block, n);
	sodium_memzero(block, sizeof(block));
	sodium_memzero(&mac, sizeof(mac));
}

static void key_wipe(struct hdp_udp_key *key)
{
	enum hd_aead_suite suite = key->aead.suite;

	hd_aead_forget(&key->aead);
	sodium_memzero(key, sizeof(*key));
	key->aead.suite = suite;
}

/* In place of what was there. Of 32 bytes AES-128 has the first 16, which are
 * those that HKDF would give it. */
static void key_of(const uint8_t *secret, struct hdp_udp_key *ret)
{
	hd_aead_forget(&ret->aead);
	expand(secret, "HD/2 udp key", ret->aead.v, sizeof(ret->aead.v));
	expand(secret, "HD/2 udp iv", ret->iv, sizeof(ret->iv));
}

/* What was made of it does not move. */
static void key_move(struct hdp_udp_key *to, struct hdp_udp_key *from)
{
	key_wipe(to);
	hd_aead_forget(&from->aead);
	*to = *from;
	key_wipe(from);
}

/* secret of an epoch: it becomes the next one's */
static void ratchet(uint8_t secret[HDP_UDP_SECRET_BYTES])
{
	expand(secret, "HD/2 udp next", secret, HDP_UDP_SECRET_BYTES);
}

static uint64_t epoch_of(uint64_t counter)
{
	return counter >> HDP_UDP_EPOCH_BITS;
}

static uint64_t in_epoch(uint64_t counter)
{
	return counter & ((UINT64_C(1) << HDP_UDP_EPOCH_BITS) - 1);
}

bool hdp_udp_suite_known(uint64_t suite)
{
	return suite >= HD_AEAD_AES_128_GCM &&
	       suite <= HD_AEAD_CHACHA20_POLY1305;
}

void hdp_udp_tx_init(struct hdp_udp_tx *tx, struct hd_worker *w,
		     const struct hdp_udp_secret *secret)
{
	*tx = (struct hdp_udp_tx){ .worker = w,
				   .key.aead.suite = secret->suite };
	key_of(secret->v, &tx->key);
	memcpy(tx->next, secret->v, sizeof(tx->next));
	ratchet(tx->next);
}

void hdp_udp_rx_init(struct hdp_udp_rx *rx, struct hd_worker *w,
		     const struct hdp_udp_secret *secret)
{
	*rx = (struct hdp_udp_rx){ .worker = w,
				   .key.aead.suite = secret->suite };
	key_of(secret->v, &rx->key);
	memcpy(rx->next, secret->v, sizeof(rx->next));
	ratchet(rx->next);
}

void hdp_udp_tx_end(struct hdp_udp_tx *tx)
{
	key_wipe(&tx->key);
	sodium_memzero(tx, sizeof(*tx));
}

void hdp_udp_rx_end(struct hdp_udp_rx *rx)
{
	key_wipe(&rx->key);
	key_wipe(&rx->before);
	sodium_memzero(rx, sizeof(*rx));
}

void hdp_udp_rest(struct hdp_udp_tx *tx, struct hdp_udp_rx *rx)
{
	hd_aead_forget(&tx->key.aead);
	hd_aead_forget(&rx->key.aead);
	hd_aead_forget(&rx->before.aead);
}

static void nonce_of(const struct hdp_udp_key *key, uint64_t counter,
		     uint8_t ret[sizeof(key->iv)])
{
	memcpy(ret, key->iv, sizeof(key->iv));
	for (unsigned i = 0; i < 8; i++)
		ret[sizeof(key->iv) - 1 - i] ^= (uint8_t)(counter >> 8 * i);
}

/* ---- out ---- */

static void tx_next(struct hdp_udp_tx *tx)
{
	tx->counter++;
	if (in_epoch(tx->counter) != 0)
		return;
	key_of(tx->next, &tx->key);
	ratchet(tx->next);
}

size_t hdp_udp_seal(struct hdp_udp_tx *tx, enum hdp_udp_type type,
		    uint32_t conn, const void *head, size_t head_bytes,
		    const void *tail, size_t tail_bytes,
		    uint8_t ret[HDP_UDP_MAX_BYTES])
{
	size_t n = head_bytes + tail_bytes;
	uint8_t nonce[sizeof(tx->key.iv)], *p;

	if (tx->counter == HDP_UDP_COUNTER_MAX || n == 0 ||
	    n > HDP_UDP_DATA_MAX_BYTES)
		return 0;
	tx_next(tx);
	p = hdp_udp_head_put(ret, type, conn, tx->counter);
	memcpy(p, head, head_bytes);
	if (tail_bytes > 0)
		memcpy(p + head_bytes, tail, tail_bytes);
	nonce_of(&tx->key, tx->counter, nonce);
	if (hd_aead_seal(tx->worker, &tx->key.aead, nonce, ret,
			 HDP_UDP_HEAD_BYTES, n) < 0)
		return 0;
	return HDP_UDP_FRAME_BYTES + n;
}

/* ---- in ---- */

/* The window is a ring of words, one more than it covers: those that the top
 * enters are cleared. */
static bool is_new(const struct hdp_udp_rx *rx, uint64_t counter)
{
	if (counter == 0 || counter + HDP_UDP_WINDOW <= rx->top)
		return false;
	return counter > rx->top ||
	       (rx->seen[counter / 64 % HDP_UDP_WINDOW_WORDS] &
		UINT64_C(1) << counter % 64) == 0;
}

static void note(struct hdp_udp_rx *rx, uint64_t counter)
{
	uint64_t word = counter / 64, top = rx->top / 64;

	for (unsigned i = 0; top < word && i < HDP_UDP_WINDOW_WORDS; i++)
		rx->seen[(word - i) % HDP_UDP_WINDOW_WORDS] = 0, top++;
	rx->seen[word % HDP_UDP_WINDOW_WORDS] |= UINT64_C(1) << counter % 64;
	if (counter > rx->top)
		rx->top = counter;
	if (rx->has_before && in_epoch(rx->top) > HDP_UDP_WINDOW) {
		key_wipe(&rx->before);
		rx->has_before = false;
	}
}

static bool opens(struct hdp_udp_rx *rx, struct hdp_udp_key *key,
		  uint64_t counter, uint8_t *p, size_t n)
{
	uint8_t nonce[sizeof(key->iv)];

	nonce_of(key, counter, nonce);
	return hd_aead_open(rx->worker, &key->aead, nonce, p,
			    HDP_UDP_HEAD_BYTES, n - HDP_UDP_FRAME_BYTES) == 0;
}

/* The first one of the next epoch: only if it is right does the key change. */
static bool opens_next(struct hdp_udp_rx *rx, uint64_t counter, uint8_t *p,
		       size_t n)
{
	struct hdp_udp_key next = { .aead.suite = rx->key.aead.suite };
	bool right;

	key_of(rx->next, &next);
	right = opens(rx, &next, counter, p, n);
	if (right) {
		key_move(&rx->before, &rx->key);
		rx->has_before = true;
		key_move(&rx->key, &next);
		ratchet(rx->next);
	}
	key_wipe(&next);
	return right;
}

int hdp_udp_open(struct hdp_udp_rx *rx, const struct hdp_udp_head *head,
		 uint8_t *p, size_t n)
{
	uint64_t epoch = epoch_of(head->counter), now = epoch_of(rx->top);
	bool right;

	if (!is_new(rx, head->counter))
		return -EALREADY;
	if (epoch > now + 1)
		return -ERANGE;
	if (epoch > now)
		right = opens_next(rx, head->counter, p, n);
	else
		right = opens(rx, epoch == now ? &rx->key : &rx->before,
			      head->counter, p, n);
	if (!right)
		return -EPERM;
	note(rx, head->counter);
	rx->opened++;
	return (int)(n - HDP_UDP_FRAME_BYTES);
}
