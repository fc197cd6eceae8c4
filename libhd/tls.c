/* SPDX-License-Identifier: MIT */
/* libhd/tls.c - TLS 1.3 to the relay. Whether its certificate is good is looked
 * at when the handshake is over: with a relay whose key we know it may be any,
 * since the relay proves its key on this very connection:
 * doc/reference/protocol-hd.md, "Which comes first". */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "libhd/inner.h"

#define READ_BYTES 16384 /* a TLS record */
#define BINDING_LABEL "EXPORTER-Channel-Binding"

/* ---- a socket BIO that never raises SIGPIPE in somebody's program ---- */

static int bio_write(BIO *b, const char *from, int n)
{
	struct libhd *h = BIO_get_data(b);
	ssize_t r = send(h->fd, from, (size_t)n, MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return (int)r;
}

static int bio_read(BIO *b, char *to, int n)
{
	struct libhd *h = BIO_get_data(b);
	ssize_t r = recv(h->fd, to, (size_t)n, 0);

	BIO_clear_retry_flags(b);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	return (int)r;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b, (void)num, (void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static int bio_init(struct libhd *h)
{
	h->bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "libhd");
	if (h->bio == NULL)
		return -ENOMEM;
	BIO_meth_set_write(h->bio, bio_write);
	BIO_meth_set_read(h->bio, bio_read);
	BIO_meth_set_ctrl(h->bio, bio_ctrl);
	return 0;
}

/* ---- of an endpoint ---- */

static int trust(struct libhd *h)
{
	errno = 0;
	if (SSL_CTX_load_verify_file(h->ssl_ctx, h->ca_file) == 1)
		return 0;
	return errno == ENOENT || errno == EACCES ? -errno : -EBADMSG;
}

/* Relays take ChaCha20 where it is a client's first. It is faster in software,
 * and datagrams have the same cipher. */
static const char *suites(void)
{
	return crypto_aead_aes256gcm_is_available()
		       ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
			 "TLS_CHACHA20_POLY1305_SHA256"
		       : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
			 "TLS_AES_256_GCM_SHA384";
}

int hdl_tls_init(struct libhd *h)
{
	static const unsigned char alpn[] = "\x08http/1.1";

	h->ssl_ctx = SSL_CTX_new(TLS_client_method());
	if (h->ssl_ctx == NULL)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(h->ssl_ctx, TLS1_3_VERSION);
	if (SSL_CTX_set_ciphersuites(h->ssl_ctx, suites()) != 1)
		return -ENOMEM;
	SSL_CTX_set_verify(h->ssl_ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(h->ssl_ctx, SSL_SESS_CACHE_OFF);
	/* else each record is two calls of recv(2), its head and the rest */
	SSL_CTX_set_read_ahead(h->ssl_ctx, 1);
	SSL_CTX_set_mode(h->ssl_ctx,
			 SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				 SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_alpn_protos(h->ssl_ctx, alpn, sizeof(alpn) - 1) != 0)
		return -ENOMEM;
	if (bio_init(h) < 0)
		return -ENOMEM;
	return h->ca_file != NULL && !h->insecure ? trust(h) : 0;
}

/* ---- of a connection ---- */

static bool is_address(const char *host)
{
	uint8_t to[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, to) == 1 ||
	       inet_pton(AF_INET6, host, to) == 1;
}

/* Whom the certificate has to name. */
static int name_set(struct libhd *h)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(h->ssl);

	if (is_address(h->relay->host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, h->relay->host);
	return SSL_set_tlsext_host_name(h->ssl, h->relay->host) == 1 &&
	       X509_VERIFY_PARAM_set1_host(param, h->relay->host, 0) == 1;
}

/* Those of the system are a hundred, of nearly a megabyte: they are read for a
 * handshake, and gone after it. */
static bool trust_begin(struct libhd *h)
{
	X509_STORE *store;

	if (h->ca_file != NULL || h->insecure)
		return true;
	store = X509_STORE_new();
	if (store == NULL)
		return false;
	/* without any nobody is trusted, which check() says */
	(void)X509_STORE_set_default_paths(store);
	SSL_set0_verify_cert_store(h->ssl, store);
	ERR_clear_error();
	return true;
}

static void trust_end(struct libhd *h)
{
	SSL_set0_verify_cert_store(h->ssl, NULL);
}

int hdl_tls_begin(struct libhd *h)
{
	BIO *b = BIO_new(h->bio);

	h->ssl = SSL_new(h->ssl_ctx);
	if (b == NULL || h->ssl == NULL || name_set(h) != 1 ||
	    !trust_begin(h)) {
		BIO_free(b);
		return -ENOMEM;
	}
	BIO_set_data(b, h);
	BIO_set_init(b, 1);
	SSL_set_bio(h->ssl, b, b);
	SSL_set_connect_state(h->ssl);
	return 0;
}

/* What went wrong is OpenSSL's last word; no errno is left in the queue, for
 * the program may use OpenSSL itself. */
static int tls_lost(struct libhd *h, const char *when)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	hdl_lost(h, 0, "%s: %s: %s", h->relay->host, when,
		 why != NULL ? why : "it hung up");
	ERR_clear_error();
	return -ECONNRESET;
}

/* OpenSSL wants to wait. Returns whether that is all. */
static bool wants(struct libhd *h, int r)
{
	int error = SSL_get_error(h->ssl, r);

	if (error == SSL_ERROR_WANT_READ)
		hdl_wait_for(h, EPOLLIN);
	else if (error == SSL_ERROR_WANT_WRITE)
		hdl_wait_for(h, EPOLLIN | EPOLLOUT);
	else
		return false;
	return true;
}

/* Returns 0, or negative errno: we do not want to speak with it. */
static int check(struct libhd *h)
{
	long why = SSL_get_verify_result(h->ssl);
	X509 *cert = SSL_get0_peer_certificate(h->ssl);

	h->verified = cert != NULL && why == X509_V_OK;
	if (!h->verified && !h->relay->has_wanted && !h->insecure) {
		hdl_lost(h, 0,
			 "%s: its certificate: %s; its key (hd1...) or a "
			 "file of CAs would vouch for it",
			 h->relay->host, X509_verify_cert_error_string(why));
		return -EACCES;
	}
	if (SSL_export_keying_material(h->ssl, h->binding, sizeof(h->binding),
				       BINDING_LABEL, sizeof(BINDING_LABEL) - 1,
				       NULL, 0, 0) == 1)
		return 0;
	return tls_lost(h, "the exporter");
}

int hdl_tls_shake(struct libhd *h)
{
	int r;

	ERR_clear_error();
	r = SSL_connect(h->ssl);
	if (r != 1)
		return wants(h, r) ? 0 : tls_lost(h, "TLS");
	trust_end(h);
	r = check(h);
	if (r < 0)
		return r;
	hdl_wait_for(h, EPOLLIN);
	return 1;
}

int hdl_tls_read(struct libhd *h)
{
	uint8_t *to = hdl_buf_room(&h->in, READ_BYTES);
	int r;

	if (to == NULL) {
		hdl_lost(h, 0, "out of memory");
		return -ENOMEM;
	}
	ERR_clear_error();
	r = SSL_read(h->ssl, to, READ_BYTES);
	if (r > 0) {
		hdl_buf_add(&h->in, (size_t)r);
		return r;
	}
	if (!wants(h, r))
		return tls_lost(h, "the connection has ended");
	if (h->in.n == 0)
		hdl_buf_take(&h->in, 0); /* gives its memory back */
	return 0;
}

void hdl_tls_write(struct libhd *h)
{
	while (h->out.n > 0 && !h->broken) {
		int r;

		ERR_clear_error();
		r = SSL_write(h->ssl, hdl_buf_front(&h->out),
			      (int)HD_MIN(h->out.n, (size_t)INT32_MAX));
		if (r <= 0) {
			h->broken = !wants(h, r);
			return;
		}
		hdl_buf_take(&h->out, (size_t)r);
	}
	hdl_wait_for(h, EPOLLIN);
}

void hdl_tls_flush(struct libhd *h)
{
	ERR_clear_error();
	hdl_tls_write(h);
	if (h->broken)
		tls_lost(h, "the connection has ended");
}
