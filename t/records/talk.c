/* SPDX-License-Identifier: MIT */
/* t/records/talk.c - an honest conversation, see talk.h. */
#include "t/records/talk.h"
#include <errno.h>
#include <string.h>
#include "core/tls/tls_conn.h"
#include "t/records/ends.h"

#define WRITE_MAX_BYTES 70000

static const char *const suites[] = { "TLS_AES_128_GCM_SHA256",
				      "TLS_AES_256_GCM_SHA384",
				      "TLS_CHACHA20_POLY1305_SHA256", NULL };

struct talk {
	struct dice *d;
	struct ends *e;
	bool own, tls13;
	uint64_t sent[2], got[2]; /* up, down */
	unsigned barren; /* KeyUpdates of the client's without data */
};

/* What stands at an offset of a direction's stream. */
static uint8_t byte_at(uint64_t at, unsigned down)
{
	return (uint8_t)(at * 31 + (at >> 8) * 17 + (at >> 16) + down * 101);
}

static const uint8_t *make(struct talk *t, unsigned down, size_t n)
{
	static uint8_t buf[WRITE_MAX_BYTES];

	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(t->sent[down] + i, down);
	t->sent[down] += n;
	return buf;
}

static void check(struct talk *t, unsigned down, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		MUST(p[i] == byte_at(t->got[down] + i, down));
	t->got[down] += n;
	MUST(t->got[down] <= t->sent[down]);
}

static void check_up(struct talk *t)
{
	check(t, 0, t->e->got.p, t->e->got.n);
	t->e->got.n = 0;
}

/* ---- what either does ---- */

static void client_writes(struct talk *t, size_t n)
{
	if (n == 0)
		return;
	t->barren = 0;
	MUST(SSL_write(t->e->client, make(t, 0, n), (int)n) == (int)n);
	ends_flush(t->e);
}

static void client_reads(struct talk *t)
{
	static uint8_t buf[WRITE_MAX_BYTES];
	int n;

	while ((n = SSL_read(t->e->client, buf, sizeof(buf))) > 0)
		check(t, 1, buf, (size_t)n);
	MUST(SSL_get_error(t->e->client, n) == SSL_ERROR_WANT_READ);
	ends_flush(t->e);
}

static void server_writes(struct talk *t)
{
	struct hd_queue q = { 0 };
	uint32_t chunks = 1 + dice(t->d, 4);

	while (chunks-- > 0) {
		size_t n = dice_size(t->d, WRITE_MAX_BYTES);

		if (n > 0)
			ends_queue(t->e, &q, make(t, 1, n), n);
	}
	ends_send(t->e, &q);
}

static void client_updates(struct talk *t)
{
	int ask = dice(t->d, 2) ? SSL_KEY_UPDATE_REQUESTED
				: SSL_KEY_UPDATE_NOT_REQUESTED;

	if (!t->tls13 || t->barren == HD_RECORDS_EMPTY_MAX ||
	    SSL_get_key_update_type(t->e->client) >= 0)
		return;
	MUST(SSL_key_update(t->e->client, ask) == 1);
	t->barren++;
	if (dice(t->d, 2)) /* else with the next data */
		MUST(SSL_do_handshake(t->e->client) == 1);
	ends_flush(t->e);
}

/* As when its key has sealed 2^24 records. */
static void server_updates(struct talk *t)
{
	struct hd_chunk *c;
	int n;

	if (!hd_tls_is_own(t->e->server))
		return;
	c = hd_chunk_new(&t->e->pool, 64);
	MUST(c != NULL);
	c->head = 0;
	n = hd_records_update(t->e->server->records, &t->e->ciphers, c->data);
	MUST(n > 0);
	c->tail = (uint32_t)n;
	hd_queue_push(&t->e->wire, c);
	ends_flush(t->e);
}

static void burst(struct talk *t) /* past the record number's first byte */
{
	uint32_t n = 200 + dice(t->d, 200);

	while (n-- > 0) {
		struct hd_queue q = { 0 };

		client_writes(t, 1 + n % 3);
		ends_queue(t->e, &q, make(t, 1, 1 + n % 5), 1 + n % 5);
		ends_send(t->e, &q);
	}
}

/* A small record's head arrives in two parts, with junk behind the first. */
static void split_head(struct talk *t)
{
	ends_up(t->e, t->e->up.n, 0);
	client_writes(t, 1 + dice(t->d, 100));
	ends_up(t->e, 1 + dice(t->d, 5), dice(t->d, 2) ? 0 : 0xff);
	MUST(t->e->status == 0);
	check_up(t);
}

static size_t piece(struct talk *t, size_t have)
{
	return dice(t->d, 4) == 0 ? have : dice_size(t->d, have);
}

static void one_step(struct talk *t)
{
	struct ends *e = t->e;

	switch (dice(t->d, 16)) {
	case 0:
	case 1:
	case 2:
		client_writes(t, dice_size(t->d, WRITE_MAX_BYTES));
		break;
	case 3:
	case 4:
	case 5:
		server_writes(t);
		break;
	case 6:
	case 7:
		client_updates(t);
		break;
	case 8:
		server_updates(t);
		break;
	case 9:
	case 10:
	case 11:
	case 12:
		ends_up(e, piece(t, e->up.n), (uint8_t)dice(t->d, 256));
		MUST(e->status == 0);
		check_up(t);
		break;
	case 13:
	case 14:
		ends_down(e, piece(t, e->down.n));
		client_reads(t);
		break;
	default:
		if (dice(t->d, 4) == 0)
			burst(t);
		else if (dice(t->d, 2) == 0)
			split_head(t);
		else
			hd_tls_uncache(e->server);
	}
}

/* ---- beginning and end ---- */

static size_t random_padding(SSL *ssl, int type, size_t len, void *arg)
{
	struct talk *t = arg;

	(void)ssl;
	(void)type;
	return len >= 16384 ? 0
			    : dice_bits(t->d) % (16384 - len) /
				      (1 + dice(t->d, 200));
}

static void pad(struct talk *t)
{
	uint32_t how = dice(t->d, 4);

	if (how == 1)
		SSL_set_block_padding(t->e->client, 16384);
	else if (how == 2)
		SSL_set_block_padding(t->e->client, 1 + dice(t->d, 1000));
	else if (how == 3)
		SSL_set_record_padding_callback(t->e->client, random_padding);
	SSL_set_record_padding_callback_arg(t->e->client, t);
}

static void settle(struct talk *t)
{
	struct hd_queue q = { 0 };

	client_writes(t, 1);
	ends_up(t->e, t->e->up.n, 0xff);
	check_up(t);
	ends_queue(t->e, &q, make(t, 1, 1), 1); /* an owed KeyUpdate goes too */
	ends_send(t->e, &q);
	ends_down(t->e, t->e->down.n);
	client_reads(t);
	ends_up(t->e, t->e->up.n, 0xff);
	MUST(t->e->status == 0);
	MUST(t->got[0] == t->sent[0] && t->got[1] == t->sent[1]);
}

static int client_error(struct ends *e)
{
	uint8_t byte;
	int n;

	ends_down(e, e->down.n);
	n = SSL_read(e->client, &byte, 1);
	MUST(n <= 0);
	return SSL_get_error(e->client, n);
}

static void client_says_goodbye(struct talk *t)
{
	MUST(SSL_shutdown(t->e->client) == 0);
	ends_flush(t->e);
	pipe_put(&t->e->up, "junk behind it", 14);
	ends_up(t->e, t->e->up.n, 0);
	MUST(t->e->status == -EPIPE && t->e->got.n == 0);
	ends_close_notify(t->e);
	MUST(client_error(t->e) == SSL_ERROR_ZERO_RETURN);
}

static void server_says_goodbye(struct talk *t)
{
	ends_close_notify(t->e);
	MUST(client_error(t->e) == SSL_ERROR_ZERO_RETURN);
	client_writes(t, 100); /* a half-closed connection still reads */
	if (!t->tls13 || !t->own)
		return; /* OpenSSL gives out nothing more */
	ends_up(t->e, t->e->up.n, 0);
	check_up(t);
	MUST(t->e->status == 0 && t->got[0] == t->sent[0]);
}

static void a_bit_is_changed(struct talk *t)
{
	SSL_write(t->e->client, "lost", 4);
	ends_flush(t->e);
	t->e->up.p[5 + dice(t->d, (uint32_t)t->e->up.n - 5)] ^=
		(uint8_t)(1u << dice(t->d, 8));
	ends_up(t->e, t->e->up.n, 0);
	MUST(t->e->status == -EPROTO && t->e->got.n == 0);
	MUST(t->e->down.n > 0);
	MUST(client_error(t->e) == SSL_ERROR_SSL);
	ends_close_notify(t->e);
	MUST(!t->own || t->e->down.n == 0); /* nothing behind an alert */
}

void talk(struct dice *d)
{
	static void (*const endings[])(struct talk *) = { client_says_goodbye,
							  server_says_goodbye,
							  a_bit_is_changed };
	const char *suite = suites[dice(d, HD_ARRAY_N(suites))];
	struct talk t = { .d = d, .tls13 = suite != NULL };
	uint32_t steps;

	t.own = dice(d, 4) != 0;
	t.e = ends_new(suite, t.own);
	t.own &= t.tls13;
	if (dice(d, 16) == 1) { /* records of 512 bytes are OpenSSL's */
		SSL_set_tlsext_max_fragment_length(
			t.e->client, TLSEXT_max_fragment_length_512);
		t.own = false;
	}
	ends_shake(t.e);
	MUST(hd_tls_is_own(t.e->server) == t.own);
	if (t.tls13)
		pad(&t);
	for (steps = dice(d, 100); steps > 0; steps--)
		one_step(&t);
	settle(&t);
	endings[dice(d, HD_ARRAY_N(endings))](&t);
	ends_free(&t.e);
}
