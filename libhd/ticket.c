/* SPDX-License-Identifier: MIT */
/* libhd/ticket.c - what one gives to another so that it finds us and is let
 * in: doc/reference/protocol-hd.md, "Tickets". */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "libhd/inner.h"
#include "modules/hd/bech32.h"

#define TICKET_PART "hdticket"
#define TICKET_VERSION 1
#define TICKET_LABEL "HD/2 ticket note" /* 16, as the others */
#define SECRET_BYTES 16
#define HEAD_BYTES (1 + 2 * LIBHD_KEY_BYTES + SECRET_BYTES)
#define TICKET_MAX_BYTES (HEAD_BYTES + HDL_HOST_BYTES + 8)
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

int libhd_ticket_new(const struct libhd *h, struct libhd_ticket *ret)
{
	bool v6 = strchr(h->host, ':') != NULL;

	if (!h->has_relay)
		return -ENOTCONN;
	memset(ret, 0, sizeof(*ret));
	ret->listener = h->id.key;
	ret->relay_key = h->relay;
	randombytes_buf(ret->secret, sizeof(ret->secret));
	(void)snprintf(ret->relay, sizeof(ret->relay), v6 ? "[%s]:%s" : "%s:%s",
		       h->host, h->port);
	return 0;
}

char *libhd_ticket_text(const struct libhd_ticket *t, char *ret)
{
	uint8_t v[TICKET_MAX_BYTES], *p = v;
	size_t n = strnlen(t->relay, sizeof(t->relay));

	*p++ = TICKET_VERSION;
	memcpy(p, t->listener.v, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	memcpy(p, t->relay_key.v, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	memcpy(p, t->secret, SECRET_BYTES);
	p += SECRET_BYTES;
	memcpy(p, t->relay, n);
	hdp_bech32_text(TICKET_PART, v, HEAD_BYTES + n, ret,
			LIBHD_TICKET_TEXT_BYTES);
	sodium_memzero(v, sizeof(v));
	return ret;
}

/* What a ticket has in it is printed, and looked up: no odd characters. */
static bool relay_is_plain(const char *relay)
{
	char host[HDL_HOST_BYTES], port[8];

	for (const char *p = relay; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return false;
	return hdl_relay_split(relay, host, port) == 0;
}

int libhd_ticket_parse(const char *text, struct libhd_ticket *ret)
{
	uint8_t v[TICKET_MAX_BYTES];
	const uint8_t *p = v + 1;
	int n = hdl_text_bytes(TICKET_PART, text, v, sizeof(v));

	if (n <= (int)HEAD_BYTES || v[0] != TICKET_VERSION ||
	    (size_t)n - HEAD_BYTES >= sizeof(ret->relay))
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->listener.v, p, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	memcpy(ret->relay_key.v, p, LIBHD_KEY_BYTES);
	p += LIBHD_KEY_BYTES;
	memcpy(ret->secret, p, SECRET_BYTES);
	p += SECRET_BYTES;
	memcpy(ret->relay, p, (size_t)n - HEAD_BYTES);
	sodium_memzero(v, sizeof(v));
	if (strlen(ret->relay) != (size_t)n - HEAD_BYTES ||
	    !relay_is_plain(ret->relay))
		return -EINVAL;
	return 0;
}

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
