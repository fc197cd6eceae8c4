/* SPDX-License-Identifier: MIT */
/* t/records/forgery.c - records that no honest peer sends, see talk.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/tls/records.h"
#include "t/records/ends.h"
#include "t/records/forge.h"
#include "t/records/talk.h"

#define STEPS_MAX 24 /* OpenSSL ends after 32 empty records in a row */
#define ALERTS_MAX 4 /* and after 5 warnings; ours counts them among the 32 */

struct step {
	uint8_t inner[FORGE_INNER_MAX_BYTES]; /* content, type, padding */
	size_t n;
	uint8_t head[3]; /* in place of 23, 3, 3 when head[0] != 0 */
	uint8_t len_bytes[2];
	uint16_t flip; /* this byte behind the head is changed */
	uint32_t arrives; /* so many bytes of what was sent until now */
	uint8_t junk; /* lies behind them */
	bool update; /* a KeyUpdate: then the next key */
};

struct said {
	uint8_t held; /* bytes of a KeyUpdate that is not whole */
	uint8_t alerts;
};

/* ---- choosing: both servers get the same ---- */

static void inner(struct step *s, uint8_t type, const void *p, size_t n,
		  size_t padding)
{
	memcpy(s->inner, p, n);
	s->inner[n] = type;
	memset(s->inner + n + 1, 0, padding);
	s->n = n + 1 + padding;
}

/* OpenSSL opens a record whose padding takes it above 2^14 + 1 bytes; 5.4
 * forbids it, and t/unit/records_wrong.c tests it. A record that passes what
 * its head may say is refused by both. */
static size_t padding_both_take(size_t n, size_t padding)
{
	if (n > FORGE_PLAIN_MAX_BYTES)
		return 0;
	if (n + padding > FORGE_PLAIN_MAX_BYTES &&
	    n + padding <= FORGE_PLAIN_MAX_BYTES + 256 - FORGE_TAG_BYTES - 1)
		return FORGE_PLAIN_MAX_BYTES - n;
	return padding;
}

static void data(struct dice *d, struct step *s)
{
	static const uint16_t totals[] = { 16384, 16385, 16386, 16400, 16623,
					   16624, 16625, 16626, 17000 };
	static uint8_t p[FORGE_INNER_MAX_BYTES];
	size_t n = dice_size(d, 16500), padding = 0;

	memset(p, (int)(1 + dice(d, 255)), n);
	if (dice(d, 3) == 0)
		padding = dice_size(d, 3000);
	if (dice(d, 4) == 0) { /* a record of about the largest size */
		size_t total = totals[dice(d, HD_ARRAY_N(totals))];

		n = dice(d, 2) ? total - 1 : HD_MIN(n, total - 1);
		padding = total - 1 - n;
	}
	inner(s, HD_RECORD_DATA, p, n, padding_both_take(n, padding));
}

static void alert(struct dice *d, struct step *s, struct said *said)
{
	static const uint8_t codes[] = { 0, 10, 20, 40, 90, 100, 112, 255 };
	uint8_t p[3] = { (uint8_t)(1 + dice(d, 2)),
			 codes[dice(d, sizeof(codes))] };
	size_t n = dice(d, 6);

	/* fatal, behind a user_canceled: SSL_get_error() looks for the latest
	 * warning and does not see the close_notify. TLS 1.3 has no levels. */
	if (p[1] == HD_ALERT_CLOSE_NOTIFY && said->alerts > 0)
		p[0] = 1;
	said->alerts++;
	inner(s, HD_RECORD_ALERT, p,
	      n < 4    ? 2
	      : n == 4 ? 1
		       : 3,
	      dice(d, 3) == 0 ? dice_size(d, 300) : 0);
}

static void handshake(struct dice *d, struct step *s)
{
	static const struct {
		uint8_t p[12], n;
		bool good;
	} messages[] = {
		{ { 24, 0, 0, 1, 0 }, 5, true },
		{ { 24, 0, 0, 1, 1 }, 5, true },
		{ { 24, 0, 0, 1, 0 }, 5, true },
		{ { 24, 0, 0, 1, 1 }, 5, true },
		{ { 24, 0, 0, 1, 2 }, 5, false },
		{ { 24, 0, 0, 1, 0, 24, 0, 0, 1, 0 }, 10, false },
		{ { 24, 0, 0, 1, 0, 0 }, 6, false },
		{ { 24, 0, 0, 2, 0, 0 }, 6, false },
		{ { 24, 0, 1, 0, 0 }, 5, false },
		{ { 4, 0, 0, 1, 0 }, 5, false },
		{ { 11, 0, 0, 4, 0, 0, 0, 0 }, 8, false },
		{ { 20, 0, 0, 2, 0, 0 }, 6, false },
	};
	uint32_t i = dice(d, HD_ARRAY_N(messages));

	inner(s, HD_RECORD_HANDSHAKE, messages[i].p, messages[i].n,
	      dice(d, 3) == 0 ? dice_size(d, 300) : 0);
	s->update = messages[i].good;
}

static void odd_one(struct dice *d, struct step *s)
{
	static const uint8_t types[] = { 20, 21, 22, 24, 25, 99, 255 };
	uint8_t p = (uint8_t)dice(d, 256);

	switch (dice(d, 4)) {
	case 0: /* an empty one */
		inner(s, HD_RECORD_DATA, &p, 0, dice(d, 3));
		break;
	case 1: /* nothing but padding */
		memset(s->inner, 0, 20);
		s->n = dice(d, 20);
		break;
	case 2:
		inner(s, types[dice(d, sizeof(types))], &p, dice(d, 2), 0);
		/* OpenSSL waits for a message's length, we know the type */
		if (s->inner[1] == HD_RECORD_HANDSHAKE && s->n == 2)
			s->inner[1] = HD_RECORD_DATA;
		break;
	default: /* a head that is wrong by itself */
		inner(s, HD_RECORD_DATA, "abc", 3, 0);
		s->head[0] = types[dice(d, sizeof(types))];
		s->head[1] = s->head[2] = 3;
	}
}

/* The next part of a KeyUpdate. */
static void part(struct dice *d, struct step *s, struct said *said)
{
	static const uint8_t message[HD_KEY_UPDATE_BYTES] = { 24, 0, 0, 1, 1 };
	uint8_t n = (uint8_t)(1 + dice(d, 4));

	n = (uint8_t)HD_MIN(n, HD_KEY_UPDATE_BYTES - said->held);
	inner(s, HD_RECORD_HANDSHAKE, message + said->held, n, dice(d, 3));
	said->held = (uint8_t)((said->held + n) % HD_KEY_UPDATE_BYTES);
	s->update = said->held == 0;
}

/* 5.1: no alert inside of a message; OpenSSL takes it there too. */
static bool may_alert(const struct said *said)
{
	return said->held == 0 && said->alerts < ALERTS_MAX;
}

static struct step choose(struct dice *d, struct said *said)
{
	struct step s = { .junk = (uint8_t)dice(d, 256) };
	uint32_t kind = dice(d, 16);

	if (kind == 0 || (said->held > 0 && dice(d, 8) != 7))
		part(d, &s, said);
	else if (kind < 9)
		data(d, &s);
	else if (kind < 12)
		handshake(d, &s);
	else if (kind < 13 && may_alert(said))
		alert(d, &s, said);
	else if (kind < 14)
		odd_one(d, &s);
	else
		inner(&s, HD_RECORD_DATA, "x", 1, dice_size(d, 40));
	s.arrives =
		dice(d, 3) == 0 ? UINT32_MAX : (uint32_t)dice_size(d, 34000);
	if (dice(d, 32) == 31)
		s.flip = (uint16_t)(1 + dice(d, 256));
	return s;
}

/* ---- one server ---- */

struct server {
	struct ends *e;
	struct forge up, down;
};

struct verdict { /* what it said */
	int status, alert; /* -1: none */
	unsigned updates;
	size_t data_bytes;
};

static struct server server_new(unsigned suite, bool own)
{
	static const char *const names[] = { "TLS_AES_128_GCM_SHA256",
					     "TLS_AES_256_GCM_SHA384",
					     "TLS_CHACHA20_POLY1305_SHA256" };
	struct server s = { .e = ends_new(names[suite], own) };

	ends_shake(s.e);
	MUST(hd_tls_is_own(s.e->server) == own);
	forge_init(&s.up, (uint16_t)(0x1301 + suite), s.e->secret[0]);
	forge_init(&s.down, (uint16_t)(0x1301 + suite), s.e->secret[1]);
	return s;
}

static void server_free(struct server *s)
{
	forge_free(&s->up);
	forge_free(&s->down);
	ends_free(&s->e);
}

static void play(struct server *s, const struct step *step)
{
	static uint8_t record[FORGE_RECORD_MAX_BYTES];
	size_t n = forge_seal(&s->up, step->inner, step->n, record);

	if (step->head[0] != 0)
		memcpy(record, step->head, sizeof(step->head));
	if (step->flip != 0)
		record[FORGE_HEAD_BYTES +
		       (step->flip - 1u) % (n - FORGE_HEAD_BYTES)] ^= 0x10;
	if (step->update)
		forge_update(&s->up);
	pipe_put(&s->e->up, record, n);
	ends_up(s->e, step->arrives, step->junk);
}

/* A server that is well answers with a byte; then all its records are read. */
static struct verdict verdict(struct server *s)
{
	static uint8_t content[FORGE_INNER_MAX_BYTES];
	struct verdict v = { .status = s->e->status, .alert = -1 };
	const uint8_t *p;
	size_t left;

	if (v.status == 0) {
		struct hd_queue q = { 0 };

		ends_queue(s->e, &q, (const uint8_t *)"!", 1);
		ends_send(s->e, &q);
	}
	p = s->e->down.p;
	left = s->e->down.n;
	while (left > 0) {
		size_t len = FORGE_HEAD_BYTES + ((size_t)p[3] << 8 | p[4]);
		uint8_t type;
		int n = forge_open(&s->down, p, len, content, &type);

		MUST(len <= left && n >= 0);
		if (type == HD_RECORD_ALERT)
			v.alert = content[1];
		else if (type == HD_RECORD_HANDSHAKE)
			forge_update(&s->down), v.updates++;
		else
			v.data_bytes += (size_t)n;
		p += len;
		left -= len;
	}
	return v;
}

/* An alert of a wrong length is unexpected_message for OpenSSL, a KeyUpdate of
 * a wrong length illegal_parameter. RFC 8446, 6.2 has decode_error for both. */
static bool same_alert(int ours, int openssl)
{
	return ours == openssl || (ours == HD_ALERT_DECODE_ERROR &&
				   (openssl == HD_ALERT_UNEXPECTED_MESSAGE ||
				    openssl == HD_ALERT_ILLEGAL_PARAMETER));
}

static bool same_bytes(const struct pipe_bytes *a, const struct pipe_bytes *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void note(const struct step *s, const struct ends *ours,
		 const struct ends *theirs)
{
	size_t n = s->n;

	while (n > 0 && s->inner[n - 1] == 0)
		n--;
	snprintf(ends_note, sizeof(ends_note),
		 "type %d, begins %02x%02x%02x%02x, %zu bytes, %zu with "
		 "padding, head "
		 "%d, flip %u: ours %d, OpenSSL %d",
		 n > 0 ? s->inner[n - 1] : -1, s->inner[0], s->inner[1],
		 s->inner[2], s->inner[3], n, s->n, s->head[0], s->flip,
		 ours->status, theirs->status);
}

void forgery(struct dice *d)
{
	unsigned suite = dice(d, 3);
	struct server ours = server_new(suite, true);
	struct server theirs = server_new(suite, false);
	struct verdict a, b;
	struct said said = { 0 };

	for (uint32_t n = dice(d, STEPS_MAX); n > 0; n--) {
		struct step step = choose(d, &said);

		play(&ours, &step);
		play(&theirs, &step);
		note(&step, ours.e, theirs.e);
		if (ours.e->status != 0 || theirs.e->status != 0)
			break; /* one may see it earlier, at a record's head */
	}
	/* SSL_write() fails in the middle of a message; ours does not */
	while (said.held > 0 && ours.e->status == 0 && theirs.e->status == 0) {
		struct step step = { .arrives = UINT32_MAX };

		part(d, &step, &said);
		play(&ours, &step);
		play(&theirs, &step);
	}
	ends_up(ours.e, ours.e->up.n, 0);
	ends_up(theirs.e, theirs.e->up.n, 0);
	MUST(ours.e->status == theirs.e->status);
	MUST(same_bytes(&ours.e->got, &theirs.e->got));
	a = verdict(&ours);
	b = verdict(&theirs);
	MUST(a.status == b.status && a.data_bytes == b.data_bytes);
	/* OpenSSL answers each at once; ours all of them before its next data
	 */
	MUST(a.status != 0 || (a.updates > 0) == (b.updates > 0));
	MUST(same_alert(a.alert, b.alert));
	server_free(&ours);
	server_free(&theirs);
}
