/* SPDX-License-Identifier: MIT */
/* libhd/ticket.c - what one gives to another so that it finds us and is let
 * in: doc/reference/protocol-hd.md, "Tickets". */
#include <errno.h>
#include <string.h>
#include "libhd/inner.h"
#include "modules/hd/bech32.h"

#define TICKET_PART "hdticket"
#define TICKET_LABEL "HD/2 ticket note" /* 16, as the others */
#define SECRET_BYTES 16
#define ONE_RELAY 1 /* versions */
#define RELAYS 2
#define ONE_HEAD_BYTES (1 + 2 * LIBHD_KEY_BYTES + SECRET_BYTES)
#define HEAD_BYTES (1 + LIBHD_KEY_BYTES + SECRET_BYTES)
#define RELAY_HEAD_BYTES 3 /* flags, length of its name */
#define RELAY_HAS_KEY 1
#define TICKET_MAX_BYTES                                                       \
	(HEAD_BYTES + LIBHD_RELAYS_MAX * (RELAY_HEAD_BYTES + LIBHD_KEY_BYTES + \
					  LIBHD_RELAY_TEXT_BYTES))
#define CHECKSUM_CHARS 6

_Static_assert(sizeof(TICKET_PART) + 1 + (8 * TICKET_MAX_BYTES + 4) / 5 +
			       CHECKSUM_CHARS <=
		       LIBHD_TICKET_TEXT_BYTES,
	       "the longest fits");

int hdl_text_bytes(const char *part, const char *text, uint8_t *v, size_t size)
{
	size_t chars = strlen(text), rest = strlen(part) + 1 + CHECKSUM_CHARS;
	size_t n;

	if (chars < rest)
		return -EINVAL;
	n = (chars - rest) * 5 / 8;
	if (n > size || hdp_bech32_bytes(part, text, v, n) < 0)
		return -EINVAL;
	return (int)n;
}

static void relay_give(const struct hdl_relay *r, struct libhd_relay *ret)
{
	const struct libhd_key *key = hdl_relay_known(r);

	hdl_relay_text(r, ret->name);
	ret->has_key = key != NULL;
	if (key != NULL)
		ret->key = *key;
}

int libhd_ticket_new(const struct libhd *h, struct libhd_ticket *ret)
{
	bool reached = false;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < h->n_relays; i++) {
		reached |= h->relays[i].has_key || h->relays[i].has_first_key;
		relay_give(&h->relays[i], &ret->relays[i]);
	}
	if (!reached)
		return -ENOTCONN;
	ret->n_relays = h->n_relays;
	ret->listener = h->id.key;
	randombytes_buf(ret->secret, sizeof(ret->secret));
	return 0;
}

/* ---- as bytes ---- */

static uint8_t *put(uint8_t *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return to + n;
}

/* As the first version had it: who knows no other reads it, too. */
static uint8_t *one_put(uint8_t *p, const struct libhd_ticket *t)
{
	*p++ = ONE_RELAY;
	p = put(p, t->listener.v, LIBHD_KEY_BYTES);
	p = put(p, t->relays[0].key.v, LIBHD_KEY_BYTES);
	p = put(p, t->secret, SECRET_BYTES);
	return put(p, t->relays[0].name, strlen(t->relays[0].name));
}

static uint8_t *relay_put(uint8_t *p, const struct libhd_relay *r)
{
	size_t n = strnlen(r->name, sizeof(r->name) - 1);

	*p++ = r->has_key ? RELAY_HAS_KEY : 0;
	*p++ = (uint8_t)(n >> 8);
	*p++ = (uint8_t)n;
	if (r->has_key)
		p = put(p, r->key.v, LIBHD_KEY_BYTES);
	return put(p, r->name, n);
}

char *libhd_ticket_text(const struct libhd_ticket *t, char *ret)
{
	uint8_t v[TICKET_MAX_BYTES], *p = v;

	if (t->n_relays == 1 && t->relays[0].has_key) {
		p = one_put(p, t);
	} else {
		*p++ = RELAYS;
		p = put(p, t->listener.v, LIBHD_KEY_BYTES);
		p = put(p, t->secret, SECRET_BYTES);
		for (unsigned i = 0; i < t->n_relays; i++)
			p = relay_put(p, &t->relays[i]);
	}
	hdp_bech32_text(TICKET_PART, v, (size_t)(p - v), ret,
			LIBHD_TICKET_TEXT_BYTES);
	sodium_memzero(v, sizeof(v));
	return ret;
}

/* What a ticket has in it is printed, and looked up: no odd characters. */
static int name_take(struct libhd_relay *r, const uint8_t *p, size_t n)
{
	char host[HDL_HOST_BYTES], port[8];

	if (n >= sizeof(r->name))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f)
			return -EINVAL;
	memcpy(r->name, p, n);
	return hdl_relay_split(r->name, host, port);
}

static int one_take(struct libhd_ticket *t, const uint8_t *p, size_t n)
{
	if (n < ONE_HEAD_BYTES)
		return -EINVAL;
	p++;
	memcpy(t->listener.v, p, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	memcpy(t->relays[0].key.v, p, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	memcpy(t->secret, p, SECRET_BYTES);
	p += SECRET_BYTES;
	t->n_relays = 1;
	t->relays[0].has_key = true;
	return name_take(&t->relays[0], p, n - ONE_HEAD_BYTES);
}

/* Returns the bytes used; -EINVAL. */
static int relay_take(struct libhd_relay *r, const uint8_t *p, size_t n)
{
	size_t head = RELAY_HEAD_BYTES, name;

	if (n < head || (p[0] & ~RELAY_HAS_KEY) != 0)
		return -EINVAL;
	r->has_key = p[0] == RELAY_HAS_KEY;
	head += r->has_key ? LIBHD_KEY_BYTES : 0;
	name = (size_t)p[1] << 8 | p[2];
	if (n < head + name)
		return -EINVAL;
	if (r->has_key)
		memcpy(r->key.v, p + RELAY_HEAD_BYTES, LIBHD_KEY_BYTES);
	return name_take(r, p + head, name) < 0 ? -EINVAL : (int)(head + name);
}

static int relays_take(struct libhd_ticket *t, const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;

	if (n <= HEAD_BYTES)
		return -EINVAL;
	p++;
	memcpy(t->listener.v, p, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	memcpy(t->secret, p, SECRET_BYTES);
	p += SECRET_BYTES;
	while (p < end) {
		int used = -EINVAL;

		if (t->n_relays < LIBHD_RELAYS_MAX)
			used = relay_take(&t->relays[t->n_relays++], p,
					  (size_t)(end - p));
		if (used < 0)
			return used;
		p += used;
	}
	/* that is the first version's: a ticket has one text */
	return t->n_relays == 1 && t->relays[0].has_key ? -EINVAL : 0;
}

int libhd_ticket_parse(const char *text, struct libhd_ticket *ret)
{
	uint8_t v[TICKET_MAX_BYTES];
	int n = hdl_text_bytes(TICKET_PART, text, v, sizeof(v)), r = -EINVAL;

	memset(ret, 0, sizeof(*ret));
	if (n > 0 && v[0] == ONE_RELAY)
		r = one_take(ret, v, (size_t)n);
	else if (n > 0 && v[0] == RELAYS)
		r = relays_take(ret, v, (size_t)n);
	sodium_memzero(v, sizeof(v));
	return r;
}

/* ---- who has one ---- */

void libhd_ticket_note(const struct libhd_ticket *t,
		       const struct libhd_key *from,
		       uint8_t ret[LIBHD_TICKET_NOTE_BYTES])
{
	crypto_auth_hmacsha256_state mac;

	crypto_auth_hmacsha256_init(&mac, t->secret, sizeof(t->secret));
	crypto_auth_hmacsha256_update(&mac, (const uint8_t *)TICKET_LABEL,
				      HDP_LABEL_BYTES);
	crypto_auth_hmacsha256_update(&mac, t->listener.v,
				      sizeof(t->listener.v));
	crypto_auth_hmacsha256_update(&mac, from->v, sizeof(from->v));
	crypto_auth_hmacsha256_final(&mac, ret);
}

bool libhd_ticket_admits(const struct libhd_ticket *t,
			 const struct libhd_key *from, const void *note,
			 size_t len_bytes)
{
	uint8_t mac[LIBHD_TICKET_NOTE_BYTES];

	if (len_bytes != sizeof(mac))
		return false;
	libhd_ticket_note(t, from, mac);
	return sodium_memcmp(mac, note, sizeof(mac)) == 0;
}
