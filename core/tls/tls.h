/* SPDX-License-Identifier: MIT */
/* core/tls/tls.h - the TLS seam. Behind it a connection is OpenSSL's or ours;
 * the stream never knows. Two halves: the store (certificates and contexts, one
 * per configuration, shared by all workers) and the connection. */
#pragma once
#include <hyper-derp/base.h>
#include <openssl/ssl.h>
#include "core/base/cert_files.h"
#include "core/base/kind.h"

/* ---- store: core/tls/tls_store.c, core/tls/tls_self.c; main thread ---- */

struct hd_tls_store;

/* hd_tls_store_new - read and check the certificates and keys of v: dates, that
 * key and certificate match, permissions. Certificates are chosen by SNI
 * (exact, then wildcard; the first one answers everything else). TLS 1.2 and
 * 1.3, no tickets, no renegotiation, ALPN http/1.1 or what struct hd_alpn says,
 * server preference AES-128 first, ChaCha20 for clients that put it first.
 * Chains get every certificate of hd_tls_chain_append() behind them, as far as
 * it was called before. RSA and ECDSA certificates for the same names are both
 * offered. A connection holds a reference until its handshake is over.
 * Returns 0, or negative with "failed to open certificate PATH: …" in err. */
int hd_tls_store_new(const struct hd_cert_files *v, size_t n,
		     struct hd_tls_store **ret, struct hd_error *err);
/* hd_tls_store_own - of one certificate, with nothing behind it. */
int hd_tls_store_own(const char *cert, const char *key,
		     struct hd_tls_store **ret, struct hd_error *err);
/* hd_tls_store_file - what stood in a file that it was made of, as PEM. Returns
 * 0; -ENOENT it was made of no such file; -ENOMEM. */
int hd_tls_store_file(const struct hd_tls_store *store, const char *path,
		      BIO *to);
struct hd_tls_store *hd_tls_store_get(struct hd_tls_store *store);
void hd_tls_store_put(struct hd_tls_store **store); /* any thread */
/* hd_tls_store_ctx - what SSL_new() takes; the server name may lead to another
 * context, which is set up in the same way. */
SSL_CTX *hd_tls_store_ctx(struct hd_tls_store *store);
/* hd_tls_chain_free - what a module appended; NULL: all. */
void hd_tls_chain_free(const struct hd_module *mod);
extern const struct hd_kind hd_tls_chain_kind;
/* hd_tls_chain_changed - whether it has since the last store was made:
 * hd_tls_chain_seen(). hd_tls_chain_add - what modules append, at the end of
 * this chain; returns 0; -ENOMEM. */
bool hd_tls_chain_changed(void);
void hd_tls_chain_seen(void);
int hd_tls_chain_add(STACK_OF(X509) * chain);

/* hd_tls_self_signed - make dir/NAME.crt and dir/NAME.key (0600, ECDSA P-256,
 * 10 years, subject alternative names: every name, and addresses as IP) unless
 * they are there, belong together, have the names and are still valid for a
 * month. NAME is the first of names. The folder must exist. Main thread.
 * Returns 0; negative errno. */
int hd_tls_self_signed(const char *dir, const char *const *names, size_t n,
		       char cert_path[static 256], char key_path[static 256],
		       struct hd_error *err);

/* hd_tls_self_signed_host - dir/self-signed.crt and .key, for the names of this
 * machine. What is there is kept for as long as it is valid, whatever the
 * machine is called now: clients have its pin. Both belong to the owner of dir.
 * Returns 1 a new one; 0 what was there; negative errno. */
int hd_tls_self_signed_host(const char *dir, char cert_path[static 256],
			    char key_path[static 256], struct hd_error *err);

/* hd_tls_self_signed_check - whether what is there can be served: a new one in
 * its place would have another pin.
 * Returns 0, also where there is none yet; -EIO it cannot; -ENAMETOOLONG. */
int hd_tls_self_signed_check(const char *dir, struct hd_error *err);

/* Whose records: ours where we can, or OpenSSL's. */
enum hd_record_layer { HD_RECORDS_AUTO, HD_RECORDS_OWN, HD_RECORDS_OPENSSL };

/* ---- connection: core/tls/tls.c; the stream's worker ----
 *
 * OpenSSL shakes hands. A TLS 1.3 connection with one of three suites then
 * becomes plain data (records.h) and its SSL object is freed; everything
 * else stays on SSL_read and SSL_write (core/tls/tls_ssl.c). All of it works on
 * memory: the stream receives and sends. */

struct hd_chunk_pool;
struct hd_cipher_cache;
struct hd_queue;

/* What the client offers by ALPN, as on the wire. Source: RFC 7301, 3.1. */
struct hd_alpn_list {
	const uint8_t *v;
	size_t n;
};
#define HD_ALPN_HTTP "http/1.1"

enum hd_alpn_answer {
	HD_ALPN_CHOSEN,
	HD_ALPN_IGNORED, /* as if it had offered nothing */
	HD_ALPN_REFUSED, /* no_application_protocol (120) */
};

struct hd_alpn { /* who chooses, and what came of it; for a handshake */
	/* choose - @ret  the chosen entry of the list, from hd_alpn_find() */
	enum hd_alpn_answer (*choose)(void *arg,
				      const struct hd_alpn_list *list,
				      const uint8_t **ret);
	void *arg;
	char chosen[256]; /* when the handshake is done; "": nothing */
};

/* hd_alpn_find - where the list has this name; NULL: nowhere. */
const uint8_t *hd_alpn_find(const struct hd_alpn_list *list, const char *name);

struct hd_tls_env { /* the worker's, lent for a call */
	struct hd_chunk_pool *pool;
	struct hd_cipher_cache *ciphers;
	struct hd_queue *wire; /* what has to be sent is appended here */
	struct hd_alpn *alpn; /* NULL: http/1.1 or nothing */
};

/* ---- our end is the client's: core/tls/tls_client.c, tls_trust.c ---- */

#define HD_TLS_PIN_BYTES 32 /* SHA-256 of the certificate, DER */

/* What the server must be, and why it was not. Whoever dials has it, until the
 * handshake is over. TLS 1.3 only. */
struct hd_tls_peer {
	const char *server_name; /* SNI; NULL: none */
	const char *cert_name; /* a name, or an address */
	const char *ca_file; /* for the text: NULL: the system's */
	const uint8_t (*pins)[HD_TLS_PIN_BYTES]; /* one of them, if any */
	unsigned n_pins;
	bool pin_only; /* neither CA nor name count */
	const uint8_t *alpn; /* as on the wire */
	unsigned alpn_len_bytes;
	/* what came of it */
	int error; /* 0; -EKEYREJECTED; -EPROTO */
	char text[400];
};

/* hd_tls_trust - a context with the CAs of a PEM file, NULL: of the system. It
 * is kept for the next one until the file changes. Reads files: not in a
 * worker. hd_tls_trust_nobody - without any, for pins; any thread.
 * @ret  given: SSL_CTX_free()
 * Returns 0; -ENOENT; -ENOMEM. */
int hd_tls_trust(const char *ca_file, SSL_CTX **ret, struct hd_error *err);
int hd_tls_trust_nobody(SSL_CTX **ret, struct hd_error *err);

/* hd_tls_new_client - the client's end of a fresh connection; the first
 * hd_tls_handshake() begins without input.
 * @peer  borrowed until the handshake is over or the connection freed
 * Returns NULL when out of memory. */
struct hd_tls *hd_tls_new_client(SSL_CTX *ctx, struct hd_tls_peer *peer,
				 bool own);
/* hd_tls_speaks_first - a step without input is due. */
bool hd_tls_speaks_first(const struct hd_tls *tls);
/* hd_tls_peer_ask - what of it goes into the handshake. Returns 0; -ENOMEM. */
int hd_tls_peer_ask(struct hd_tls_peer *peer, SSL *ssl);
/* hd_tls_on_verify - for SSL_CTX_set_cert_verify_callback(). */
int hd_tls_on_verify(X509_STORE_CTX *chain, void *unused);

/* The buffer that hd_tls_input() is given: a read behind a partial record. */
#define HD_TLS_PARTIAL_BYTES (5 + 16384 + 256)

/* hd_tls_new - the server's end of a fresh connection.
 * @own  use our record layer where it can
 * Returns NULL when out of memory. */
struct hd_tls *hd_tls_new(struct hd_tls_store *store, bool own);
void hd_tls_free(struct hd_tls **tls);

/* hd_tls_take_partial - before a receive: move the front of a record that was
 * cut off to buf. Returns its bytes, hd_tls_partial_bytes(), less than
 * HD_TLS_PARTIAL_BYTES. hd_tls_input - that and what was received behind it.
 * Borrowed until the next hd_tls_open() returns 0 or less. */
size_t hd_tls_take_partial(struct hd_tls *tls, struct hd_chunk_pool *pool,
			   uint8_t *buf);
size_t hd_tls_partial_bytes(const struct hd_tls *tls);
void hd_tls_input(struct hd_tls *tls, const uint8_t *in, size_t n);

/* hd_tls_handshake - one step.
 * Returns 1 done (more input may be left for hd_tls_open()); 0 needs more
 * input; -EPROTO failed, an alert may be in the wire queue. */
int hd_tls_handshake(struct hd_tls *tls, const struct hd_tls_env *env);
bool hd_tls_got_http(const struct hd_tls *tls); /* why it failed */

/* hd_tls_open - plaintext of as many records as fit.
 * @size  at least HD_TLS_PARTIAL_BYTES
 * Returns the bytes; 0: all input is used up; -EPIPE: the peer said goodbye;
 * -ECONNRESET: it sent a fatal alert; -EPROTO, our alert is in the queue. */
int hd_tls_open(struct hd_tls *tls, const struct hd_tls_env *env, uint8_t *out,
		size_t size);
/* hd_tls_seal - takes the queue of plaintext: it becomes records. Returns 0;
 * -ENOMEM; -EPROTO. */
int hd_tls_seal(struct hd_tls *tls, const struct hd_tls_env *env,
		struct hd_queue *plain);
void hd_tls_close_notify(struct hd_tls *tls, const struct hd_tls_env *env);
const char *hd_tls_server_name(const struct hd_tls *tls);

/* ---- keying material for protocols above: core/tls/exporter.c ---- */

/* hd_tls_suite_of - the number of its suite. Returns it; -EAGAIN the handshake
 * is not done; -EPROTONOSUPPORT it is not TLS 1.3, or none of ours. */
int hd_tls_suite_of(const struct hd_tls *tls);
/* hd_tls_export - of RFC 8446, 7.5.
 * @context  may be empty
 * Returns 0; -EAGAIN the handshake is not done; -EPROTONOSUPPORT it is not
 * TLS 1.3; -ESTALE after hd_tls_forget(); -EINVAL too long; -EPROTO.
 * hd_tls_forget - the secret that it comes from is wiped. OpenSSL keeps its own
 * with its records. */
int hd_tls_export(struct hd_tls *tls, const char *label, const void *context,
		  size_t context_bytes, uint8_t *out, size_t out_bytes);
void hd_tls_forget(struct hd_tls *tls);

/* hd_tls_uncache - before it moves to another worker: out of this one's cache.
 */
void hd_tls_uncache(struct hd_tls *tls);
/* hd_tls_is_own - whether it is on our record layer. */
bool hd_tls_is_own(const struct hd_tls *tls);

/* ---- in the kernel: core/tls/tls_kernel.c ---- */

/* hd_tls_to_kernel - records are the kernel's from now on, in the directions
 * that this connection may hand over now: nothing sealed may be waiting to be
 * sent. Does nothing where it cannot.
 * @directions  HD_KTLS_ bits
 * Returns the directions that are the kernel's. */
unsigned hd_tls_to_kernel(struct hd_tls *tls, int fd, unsigned directions);
/* hd_tls_kernel - those directions. */
unsigned hd_tls_kernel(const struct hd_tls *tls);
/* hd_tls_kernel_recv - plaintext; alerts and KeyUpdate are handled inside.
 * Returns as recv(2) with negative errno; -EINTR: call again, a record was not
 * data; -EPIPE and -EPROTO as hd_tls_open();
 * -EKEYEXPIRED a KeyUpdate that this kernel cannot follow. */
int hd_tls_kernel_recv(struct hd_tls *tls, int fd, uint8_t *buf, size_t size);
/* hd_tls_kernel_sending - before more is sent; sends KeyUpdate when it is due.
 * Returns 0; -EKEYEXPIRED; -EAGAIN; -errno.
 * hd_tls_kernel_sent - a send has taken n bytes, of whatever connection. */
int hd_tls_kernel_sending(struct hd_tls *tls, int fd);
void hd_tls_kernel_sent(struct hd_tls *tls, size_t n);
/* hd_tls_kernel_alert - close_notify, or what -EPROTO asked for. */
void hd_tls_kernel_alert(struct hd_tls *tls, int fd);

/* hd_tls_on_alpn - for SSL_CTX_set_alpn_select_cb(): the env's choice. */
int hd_tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *unused);
/* hd_tls_on_keylog - for SSL_CTX_set_keylog_callback(): the secrets. */
void hd_tls_on_keylog(const SSL *ssl, const char *line);
