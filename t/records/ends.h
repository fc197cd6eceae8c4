/* SPDX-License-Identifier: MIT */
/* t/records/ends.h - two ends of a connection in memory: the daemon's TLS seam
 * (tls.h) as server, OpenSSL's SSL object as client. What is on its way
 * lies in two pipes; the test carries it over, in pieces as it likes.
 * Whatever must not happen aborts: fit for fuzzers. */
#pragma once
#include "core/base/chunk.h"
#include "core/tls/cipher_cache.h"
#include "core/tls/tls.h"

#define MUST(ok)                                                               \
	do {                                                                   \
		if (!(ok))                                                     \
			ends_broken(__FILE__, __LINE__, #ok);                  \
	} while (0)
_Noreturn void ends_broken(const char *file, int line, const char *what);
extern uint64_t ends_round; /* printed then */
extern char ends_note[200];

struct pipe_bytes {
	uint8_t *p;
	size_t n, cap;
};
void pipe_put(struct pipe_bytes *pipe, const void *p, size_t n);
void pipe_take(struct pipe_bytes *pipe, size_t n); /* off the front */

struct ends {
	SSL *client;
	struct hd_tls *server;
	struct hd_chunk_pool pool;
	struct hd_cipher_cache ciphers;
	struct hd_queue wire;
	struct pipe_bytes up, down; /* to the server, to the client */
	struct pipe_bytes got; /* what the server opened */
	bool shaken;
	int status; /* of hd_tls_open(): 0, or how it ended */
	char secret[2][97]; /* client's, server's; hexadecimal */
};

/* ends_set_up - certificate and contexts, once. */
void ends_set_up(void);
void ends_tear_down(void);
/* ends_client_ctx - to change how clients behave. */
SSL_CTX *ends_client_ctx(void);

/* ends_new - before the handshake.
 * @suites  TLS 1.3's by name; NULL: TLS 1.2
 * @own     use our record layer */
struct ends *ends_new(const char *suites, bool own);
void ends_free(struct ends **e);
void ends_shake(struct ends *e); /* until both are through */
/* ends_receive - n bytes reach the server, as stream_rx.c has it. Behind
 * them lies junk. */
void ends_receive(struct ends *e, const uint8_t *p, size_t n, uint8_t junk);
void ends_up(struct ends *e, size_t n, uint8_t junk); /* from the pipe */
void ends_down(struct ends *e, size_t n); /* to the client */
void ends_flush(struct ends *e); /* wire queue and the client's BIO to pipes */
/* ends_send - the server seals: chunks of data, queued by ends_queue(). */
void ends_queue(struct ends *e, struct hd_queue *q, const uint8_t *p, size_t n);
void ends_send(struct ends *e, struct hd_queue *q);
void ends_close_notify(struct ends *e);
