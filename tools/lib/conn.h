/* SPDX-License-Identifier: MIT */
/* tools/lib/conn.h - a client's TCP connection, TLS or not, one step after
 * the other. Every call ends at the connection's deadline at the latest, so
 * that a peer that drips bytes cannot hold us. */
#pragma once
#include <hyper-derp/base.h>
#include <netdb.h>
#include <openssl/ssl.h>

#define CONN_BUF_BYTES 16384

struct conn {
	int fd;
	SSL *ssl; /* NULL: plain */
	int64_t deadline_us;
	size_t head, tail; /* unread: buf[head..tail) */
	uint8_t buf[CONN_BUF_BYTES];
};

/* now_us - monotonic. */
int64_t now_us(void);

/* conn_resolve - @family AF_UNSPEC, AF_INET or AF_INET6
 * @ret_list  release with freeaddrinfo()
 * Returns 0; -ENOENT no such name or no address of the family; -EAGAIN the
 * resolver did not answer. */
int conn_resolve(const char *host, const char *port, int family,
		 struct addrinfo **ret_list, struct hd_error *err);

/* conn_open - TCP to one address. Returns 0; -ETIMEDOUT; -errno of connect. */
int conn_open(const struct addrinfo *to, int timeout_ms, struct conn **ret_conn,
	      struct hd_error *err);
/* conn_start_tls - handshake; verifies nothing: SSL_get_verify_result().
 * @name  the server name asked for; an IP address is not sent, as RFC 6066
 *        wants it
 * Returns 0; -ETIMEDOUT; -EPROTO not TLS, or an alert; -ECONNRESET. */
int conn_start_tls(struct conn *c, SSL_CTX *ctx, const char *name,
		   struct hd_error *err);
void conn_close(struct conn **c);

/* conn_deadline - all calls from now on share timeout_ms. */
void conn_deadline(struct conn *c, int timeout_ms);

/* conn_fill - wait until at least one byte is unread.
 * conn_take - move up to n unread bytes out; never waits. Returns how many.
 * conn_read - exactly n bytes. conn_write - all of them.
 * Return 0; -ETIMEDOUT; -ECONNRESET the peer closed; other -errno. */
int conn_fill(struct conn *c, struct hd_error *err);
size_t conn_take(struct conn *c, void *buf, size_t n);
int conn_read(struct conn *c, void *buf, size_t n, struct hd_error *err);
int conn_write(struct conn *c, const void *buf, size_t n, struct hd_error *err);

/* conn_is_ip - an address, no name. */
bool conn_is_ip(const char *host);
