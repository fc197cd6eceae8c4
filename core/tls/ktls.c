/* SPDX-License-Identifier: MIT */
/* core/tls/ktls.c - TLS records by the kernel: the socket calls, and what this
 * kernel can do. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/tls/ktls.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define SUITE_CHACHA 0x1303
#define SALT_BYTES 4 /* of an AES-GCM nonce; the kernel calls the rest iv */

union crypto_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes128;
	struct tls12_crypto_info_aes_gcm_256 aes256;
	struct tls12_crypto_info_chacha20_poly1305 chacha;
};

static void put_seq(uint8_t to[8], uint64_t seq)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(seq >> (56 - 8 * i));
}

/* Returns the length that the kernel expects for the suite. */
static socklen_t fill(union crypto_info *c, const struct hd_tls_suite *suite,
		      const struct hd_tls_keys *k)
{
	c->info.version = TLS_1_3_VERSION;
	if (suite->id == SUITE_CHACHA) {
		c->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(c->chacha.key, k->key, sizeof(c->chacha.key));
		memcpy(c->chacha.iv, k->iv, sizeof(c->chacha.iv));
		put_seq(c->chacha.rec_seq, k->seq);
		return sizeof(c->chacha);
	}
	if (suite->key_bytes == sizeof(c->aes128.key)) {
		c->info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(c->aes128.key, k->key, sizeof(c->aes128.key));
		memcpy(c->aes128.salt, k->iv, SALT_BYTES);
		memcpy(c->aes128.iv, k->iv + SALT_BYTES, sizeof(c->aes128.iv));
		put_seq(c->aes128.rec_seq, k->seq);
		return sizeof(c->aes128);
	}
	c->info.cipher_type = TLS_CIPHER_AES_GCM_256;
	memcpy(c->aes256.key, k->key, sizeof(c->aes256.key));
	memcpy(c->aes256.salt, k->iv, SALT_BYTES);
	memcpy(c->aes256.iv, k->iv + SALT_BYTES, sizeof(c->aes256.iv));
	put_seq(c->aes256.rec_seq, k->seq);
	return sizeof(c->aes256);
}

int hd_ktls_set(int fd, unsigned direction, const struct hd_tls_suite *suite,
		const struct hd_tls_keys *keys)
{
	union crypto_info c = { 0 };
	socklen_t len = fill(&c, suite, keys);
	int r;

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 &&
	    errno != EEXIST) /* it is there from the other direction */
		return -errno;
	r = setsockopt(fd, SOL_TLS, direction == HD_KTLS_TX ? TLS_TX : TLS_RX,
		       &c, len);
	r = r < 0 ? -errno : 0;
	explicit_bzero(&c, sizeof(c));
	return r;
}

bool hd_ktls_is_on(int fd)
{
	char name[16] = ""; /* TCP_ULP_NAME_MAX */
	socklen_t n = sizeof(name) - 1;

	return getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &n) == 0 &&
	       strcmp(name, "tls") == 0;
}

bool hd_ktls_seals(int fd)
{
	struct tls_crypto_info head; /* nothing secret */
	socklen_t n = sizeof(head);

	return getsockopt(fd, SOL_TLS, TLS_TX, &head, &n) == 0;
}

/* A record that does not open is left as the socket's error, too, which would
 * fail the next send: that of our alert. */
static int recv_failed(int fd)
{
	int e = errno, left;
	socklen_t len = sizeof(left);

	if (e == EBADMSG)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &left, &len);
	return -e;
}

int hd_ktls_recv(int fd, uint8_t *buf, size_t size,
		 enum hd_record_type *ret_type)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(1)];
	struct iovec iov = { buf, size };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	if (n < 0)
		return recv_failed(fd);
	*ret_type = HD_RECORD_DATA;
	if (c != NULL && c->cmsg_level == SOL_TLS &&
	    c->cmsg_type == TLS_GET_RECORD_TYPE)
		*ret_type = *CMSG_DATA(c);
	return (int)n;
}

int hd_ktls_send(int fd, enum hd_record_type type, const uint8_t *p, size_t n)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(1)] = { 0 };
	struct iovec iov = { (void *)p, n };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_TLS;
	c->cmsg_type = TLS_SET_RECORD_TYPE;
	c->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(c) = (uint8_t)type;
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

bool hd_ktls_has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) != 0;
}

/* ---- what this kernel can do ---- */

static pthread_once_t probed = PTHREAD_ONCE_INIT;
static unsigned has, rekeys; /* HD_KTLS_ bits */
static int why; /* it has none of both: -errno */

/* A connected pair on the loopback. Returns 0; -errno. */
static int connect_pair(int pair[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	pair[1] = -1;
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l < 0 || pair[0] < 0 ||
	    bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0 ||
	    connect(pair[0], (struct sockaddr *)&a, len) < 0)
		r = -errno;
	else
		pair[1] = accept(l, NULL, NULL);
	if (l >= 0)
		close(l);
	return r;
}

static int probe_direction(int fd, unsigned direction)
{
	const struct hd_tls_suite *suite = hd_tls_suite_find(0x1301);
	struct hd_tls_keys keys = { .key = { 1 } };
	int r = suite == NULL ? -ENOTSUP :
				hd_ktls_set(fd, direction, suite, &keys);

	if (r < 0)
		return r;
	has |= direction;
	keys.key[0] = 2;
	if (hd_ktls_set(fd, direction, suite, &keys) == 0)
		rekeys |= direction;
	return 0;
}

static void probe(void)
{
	int pair[2], r = connect_pair(pair);

	if (r == 0)
		r = probe_direction(pair[0], HD_KTLS_TX);
	if (r == 0)
		r = probe_direction(pair[1], HD_KTLS_RX);
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	why = r;
}

bool hd_ktls_rekeys(unsigned direction)
{
	pthread_once(&probed, probe);
	return (rekeys & direction) != 0;
}

static const char *text(unsigned directions)
{
	static const char *const texts[] = { "none", "send", "receive",
					     "send and receive" };

	return texts[directions & 3];
}

unsigned hd_ktls_directions(enum hd_ktls want)
{
	unsigned use;

	if (want == HD_KTLS_OFF)
		return 0;
	pthread_once(&probed, probe);
	use = want == HD_KTLS_ON ? has : has & rekeys;
	if (use != 0) {
		hd_log_notice("kTLS enabled: directions=%s rekey=%s", text(use),
			      text(rekeys));
	} else if (has != 0) {
		hd_log_notice("kTLS not available: this kernel cannot rekey a "
			      "connection (6.14 can); tls: {ktls: on} uses it "
			      "all the same, our own record layer serves");
	} else {
		errno = -why;
		hd_log_write(want == HD_KTLS_ON ? HD_LOG_WARN : HD_LOG_NOTICE,
			     "kTLS not available: %m (modprobe tls); our own "
			     "record layer serves");
	}
	return use;
}
