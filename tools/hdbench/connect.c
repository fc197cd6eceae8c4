/* SPDX-License-Identifier: MIT */
/* tools/hdbench/connect.c - a peer's way from a socket to a login. */
#include "tools/hdbench/behind.h"
#include "tools/hdbench/hd_peer.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SOURCES 200 /* addresses to connect from, on the loopback */
/* Connections from each. It has more ports, but before 6.16 the kernel looks
 * at every even one that is taken before it tries the odd ones. */
#define PER_SOURCE 20000

static int resolve(struct net *net, struct hd_error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct opts *o = net->opts;
	struct addrinfo *list;
	int r = getaddrinfo(o->host, o->port, &hints, &list);

	if (r != 0)
		return hd_error_set(err, -ENOENT, "%s:%s: %s", o->host, o->port,
				    gai_strerror(r));
	memcpy(&net->to, list->ai_addr, list->ai_addrlen);
	net->to_bytes = list->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

static int open_tls(struct net *net, struct hd_error *err)
{
	const struct opts *o = net->opts;

	if (o->is_plain)
		return 0;
	net->tls = tls13_client_ctx();
	if (net->tls == NULL)
		return hd_error_set(err, -ENOMEM, "TLS: out of memory");
	if (o->ca_file == NULL)
		return 0;
	SSL_CTX_set_verify(net->tls, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_locations(net->tls, o->ca_file, NULL) != 1)
		return hd_error_set(err, -EINVAL,
				    "--ca %s: no certificate in PEM form",
				    o->ca_file);
	return 0;
}

int net_open(struct net *net, const struct opts *opts, struct hd_error *err)
{
	int r;

	*net = (struct net){ .opts = opts };
	net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	net->rx = malloc(NET_RX_BYTES + TLS13_RECORD_MAX_BYTES);
	net->tx = malloc(NET_TX_BYTES);
	randombytes_buf(net->seed, sizeof(net->seed));
	net->plain = malloc(DERPC_OUT_BYTES + behind_bytes(opts) + 1);
	if (net->epoll_fd < 0 || net->rx == NULL || net->tx == NULL ||
	    net->plain == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = resolve(net, err);
	return r < 0 ? r : open_tls(net, err);
}

void net_close(struct net *net)
{
	SSL_CTX_free(net->tls);
	free(net->rx);
	free(net->tx);
	free(net->plain);
	close(net->epoll_fd);
}

static int fail(struct peer *p, int code, const char *what, const char *why)
{
	hd_error_set(&p->error, code, "%s: %s", what, why);
	peer_close(p);
	return code;
}

/* A source address has some 28,000 ports for one destination; the loopback has
 * more addresses. Returns 0, also when under way. */
static int connect_from(struct net *net, int fd)
{
	const struct sockaddr_in *to = (const struct sockaddr_in *)&net->to;
	bool is_loopback = to->sin_family == AF_INET &&
			   ntohl(to->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	int one = 1;

	if (is_loopback)
		net->source = HD_MAX(net->source, net->opened++ / PER_SOURCE);
	for (; net->source < SOURCES; net->source++) {
		struct sockaddr_in from = {
			.sin_family = AF_INET,
			.sin_addr = { htonl(INADDR_LOOPBACK + net->source) },
		};

		if (net->source > 0 &&
		    (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
				sizeof(one)) < 0 ||
		     bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0))
			return -errno;
		if (connect(fd, (struct sockaddr *)&net->to, net->to_bytes) ==
			    0 ||
		    errno == EINPROGRESS)
			return 0;
		if (errno != EADDRNOTAVAIL || !is_loopback)
			return -errno;
	}
	return -EADDRNOTAVAIL;
}

void net_seed_of(const struct net *net, uint32_t index, uint8_t ret[static 32])
{
	if (net->opts->identities > 0)
		index %= net->opts->identities;
	crypto_generichash(ret, sizeof(net->seed), (const uint8_t *)&index,
			   sizeof(index), net->seed, sizeof(net->seed));
}

static void make_keys(const struct net *net, struct peer *p)
{
	uint8_t seed[crypto_box_SEEDBYTES];

	if (net->opts->identities == 0) {
		derpc_keys_make(&p->keys);
		return;
	}
	net_seed_of(net, p->index, seed);
	crypto_box_seed_keypair(p->keys.pub.b, p->keys.secret, seed);
}

int peer_open(struct net *net, struct peer *p)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
				  .data.ptr = p };
	int one = 1, r;

	if (net->opts->is_hd)
		return hd_peer_open(net, p);
	make_keys(net, p);
	p->state = PEER_CONNECTING;
	p->hs = calloc(1, sizeof(*p->hs));
	p->fd = socket(net->to.ss_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->hs == NULL || p->fd < 0)
		return fail(p, -errno, "socket", strerror(errno));
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = connect_from(net, p->fd);
	if (r < 0)
		return fail(p, r, "connect", strerror(-r));
	if (epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, p->fd, &ev) < 0)
		return fail(p, -errno, "epoll", strerror(errno));
	return 0;
}

static bool is_ip(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) == 1 ||
	       inet_pton(AF_INET6, host, &a) == 1;
}

static int start_tls(struct net *net, struct peer *p)
{
	const struct opts *o = net->opts;
	const char *name = o->sni != NULL ? o->sni : o->host;
	SSL *ssl = SSL_new(net->tls);

	p->hs->ssl = ssl;
	if (ssl == NULL || SSL_set_fd(ssl, p->fd) != 1)
		return fail(p, -ENOMEM, "TLS", "out of memory");
	SSL_set_connect_state(ssl);
	SSL_set_app_data(ssl, &p->hs->secrets);
	if (is_ip(name)) /* RFC 6066: no address in SNI */
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	else if (SSL_set_tlsext_host_name(ssl, name) != 1 ||
		 SSL_set1_host(ssl, name) != 1)
		return fail(p, -EINVAL, "TLS", "bad server name");
	p->state = PEER_TLS;
	return 0;
}

static int start_login(struct net *net, struct peer *p)
{
	const struct opts *o = net->opts;
	struct peer_handshake *hs = p->hs;
	struct derpc_conf conf = {
		.host = o->host,
		.self = &p->keys,
		.server = o->is_fast && hs->has_meta ? &hs->meta : NULL,
		.upgrade = o->is_fast ? DERPC_UPGRADE_FAST : DERPC_UPGRADE_101,
	};
	int r = derpc_start(&hs->login, &conf, &p->error);

	p->state = PEER_LOGIN;
	if (r < 0)
		peer_close(p);
	return r;
}

static int on_connected(struct net *net, struct peer *p)
{
	socklen_t n = sizeof(int);
	int code = 0;

	(void)getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &code, &n);
	if (code != 0)
		return fail(p, -code, "connect", strerror(code));
	return net->tls != NULL ? start_tls(net, p) : start_login(net, p);
}

static const char *tls_reason(SSL *ssl)
{
	unsigned long code = ERR_peek_last_error();
	long v = SSL_get_verify_result(ssl);

	if (v != X509_V_OK)
		return X509_verify_cert_error_string(v);
	if (code == 0 || ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
	    ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return "no TLS 1.3 on this port; if it is plain: --plain";
	return ERR_reason_error_string(code) != NULL
		       ? ERR_reason_error_string(code)
		       : "protocol error";
}

/* From here on OpenSSL is out of it: read_ahead is off, so all that comes
 * after the handshake is still in the socket. */
static int take_over(struct net *net, struct peer *p)
{
	struct peer_handshake *hs = p->hs;
	uint16_t suite =
		SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(hs->ssl));

	hs->has_meta = derpc_meta_key(hs->ssl, &hs->meta) == 0;
	if (tls13_half_start(&p->in, suite, hs->secrets.server, false) < 0 ||
	    tls13_half_start(&p->out, suite, hs->secrets.client, true) < 0)
		return fail(p, -EOPNOTSUPP, "TLS", "no keys");
	SSL_free(hs->ssl);
	hs->ssl = NULL;
	return start_login(net, p);
}

static int on_tls(struct net *net, struct peer *p)
{
	int r, why;

	ERR_clear_error();
	r = SSL_connect(p->hs->ssl);
	if (r == 1)
		return take_over(net, p);
	why = SSL_get_error(p->hs->ssl, r);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return 0;
	return fail(p, -EPROTO, "TLS", tls_reason(p->hs->ssl));
}

/* Adds --behind once ClientInfo is on its way. Returns the bytes. */
static size_t add_behind(struct net *net, struct peer *p, uint8_t *out)
{
	struct derpc *l = &p->hs->login;

	if (p->hs->is_info_sent ||
	    (!l->is_server_known && l->state != DERPC_SERVER_INFO))
		return 0;
	p->hs->is_info_sent = true;
	behind_put(net->opts, p, out);
	return behind_bytes(net->opts);
}

/* With --behind in two writes: the relay may find the login alone. */
static int send_cut(struct net *net, struct peer *p, const uint8_t *data,
		    size_t n)
{
	size_t cut = net->opts->behind > 0 ? behind_cut(p, n) : 0;
	ssize_t sent = cut > 0 ? send(p->fd, data, cut, MSG_NOSIGNAL) : 0;

	if (sent < 0 && errno != EAGAIN)
		return fail(p, -errno, "send", strerror(errno));
	sent = HD_MAX(sent, 0);
	return peer_write(p, data + sent, n - (size_t)sent);
}

static int login_send(struct net *net, struct peer *p)
{
	const uint8_t *out;
	size_t n = derpc_out(&p->hs->login, &out);

	if (n == 0)
		return peer_flush(p);
	memcpy(net->plain, out, n);
	n += add_behind(net, p, net->plain + n);
	return send_cut(net, p, net->tx, peer_seal(p, net->tx, net->plain, n));
}

/* Returns 1 when nothing more is awaited, 0, -EBADMSG. */
static int login_done(struct net *net, struct peer *p)
{
	struct peer_handshake *hs = p->hs;

	if (net->opts->behind > 0 && hs->behind_odd)
		return fail(p, -EBADMSG, "behind the login",
			    "packets are lost or in another order");
	return hs->login.state == DERPC_DONE &&
	       hs->behind_back >= net->opts->behind;
}

static int on_login(struct net *net, struct peer *p)
{
	ssize_t n = 1;
	int done = 0;

	while (n > 0 && done == 0) {
		if (login_send(net, p) < 0)
			return -EPIPE;
		n = peer_read(net, p, behind_on_frame, p);
		done = n < 0 ? (int)n : login_done(net, p);
	}
	if (done <= 0)
		return done;
	free(p->hs);
	p->hs = NULL;
	p->state = PEER_UP;
	return 0;
}

enum peer_state peer_advance(struct net *net, struct peer *p)
{
	int (*const steps[])(struct net *, struct peer *) = {
		[PEER_CONNECTING] = on_connected,
		[PEER_TLS] = on_tls,
		[PEER_LOGIN] = on_login,
	};
	enum peer_state before;

	if (p->hd != NULL)
		return hd_peer_advance(net, p);
	do {
		before = p->state;
		if (before >= PEER_UP || steps[before](net, p) < 0)
			break;
	} while (p->state != before);
	return p->state;
}
