/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_stun.c - a binding request, as Tailscale's clients send
 * it: derper answers no other. */
#include "tools/hdprobe/probe.h"

#include <errno.h>
#include <hyper-derp/stun.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOFTWARE "tailnode"
#define RETRY_MS 500 /* RFC 5389, 7.2.1: the first retransmission */

static int stun_socket(struct probe *p, struct hd_error *err)
{
	struct addrinfo *to = NULL;
	char host[64] = "";
	int fd, rc;

	getnameinfo(p->addr->ai_addr, p->addr->ai_addrlen, host, sizeof(host),
		    NULL, 0, NI_NUMERICHOST);
	rc = conn_resolve(host, p->opt.stun_port, p->addr->ai_family, &to, err);
	if (rc < 0)
		return rc;
	fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		rc = hd_error_set(err, -errno, "%m");
	freeaddrinfo(to);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Returns 0; -ETIMEDOUT; -EBADMSG an answer, but a wrong one; -errno. */
static int stun_receive(int fd, int wait_ms, const uint8_t *txid,
			union hd_addr *ret_mapped, struct hd_error *err)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct stun_message m;
	uint8_t in[1500];
	ssize_t n;

	if (poll(&pfd, 1, wait_ms) <= 0)
		return hd_error_set(err, -ETIMEDOUT, "no answer in time");
	n = recv(fd, in, sizeof(in), 0);
	if (n < 0)
		return hd_error_set(err, -errno, "%m");
	if (stun_parse(in, (size_t)n, &m) < 0)
		return hd_error_set(err, -EBADMSG, "%zd bytes, not STUN", n);
	if (m.type != STUN_BINDING_SUCCESS ||
	    memcmp(m.txid, txid, STUN_TXID_BYTES) != 0)
		return hd_error_set(err, -EBADMSG, "an answer of type 0x%04x",
				    m.type);
	if (m.mapped.sa.sa_family == AF_UNSPEC)
		return hd_error_set(err, -EBADMSG, "no XOR-MAPPED-ADDRESS");
	*ret_mapped = m.mapped;
	return 0;
}

/* UDP gets lost: ask again until the time is up. */
static int stun_ask(int fd, int timeout_ms, union hd_addr *ret_mapped,
		    struct hd_error *err)
{
	int64_t until_us = now_us() + (int64_t)timeout_ms * 1000;
	uint8_t txid[STUN_TXID_BYTES], out[64];
	int rc = -ETIMEDOUT;
	size_t n;

	randombytes_buf(txid, sizeof(txid));
	n = stun_request_put(out, txid, SOFTWARE);
	while (rc == -ETIMEDOUT && now_us() < until_us) {
		int left_ms = (int)((until_us - now_us()) / 1000) + 1;

		if (send(fd, out, n, 0) < 0)
			return hd_error_set(err, -errno, "%m");
		rc = stun_receive(fd, HD_MIN(left_ms, RETRY_MS), txid,
				  ret_mapped, err);
	}
	return rc;
}

static void stun_failed(struct result *r, const char *port, int code,
			const char *detail)
{
	const char *remedy =
		code == -EBADMSG
			? "something else answers there: choose another "
			  "--stun-port"
		: code == -ECONNREFUSED
			? "nothing listens there: load the module stun "
			  "(derper: "
			  "-stun), or give --stun-port or --no-stun"
			: "let UDP to this port in; is STUN on? (the module "
			  "stun; derper: -stun); else give --stun-port or "
			  "--no-stun";

	result_bad(r, V_FAIL, remedy, "UDP port %s: %s", port, detail);
}

static void mapped_text(const union hd_addr *a, socklen_t len, char *buf,
			size_t size)
{
	char host[64] = "?", port[16] = "?";

	getnameinfo(&a->sa, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(buf, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		       port);
}

static void stun_answered(struct probe *p, struct result *r,
			  const union hd_addr *mapped, double ms)
{
	bool v6 = mapped->sa.sa_family == AF_INET6;
	char text[96];

	mapped_text(mapped, v6 ? sizeof(mapped->in6) : sizeof(mapped->in), text,
		    sizeof(text));
	if (mapped->sa.sa_family != p->addr->ai_family)
		result_bad(r, V_FAIL,
			   "IPv4 clients must get an IPv4 address: update "
			   "the relay",
			   "it sees us as %s, the wrong kind of address", text);
	else
		result_ok(r, "it sees us as %s, %.1f ms", text, ms);
	r->data = json_pack("{s:s, s:f}", "mapped", text, "ms", ms);
}

static void check_stun(struct probe *p, struct result *r)
{
	int64_t start = now_us();
	union hd_addr mapped;
	struct hd_error err;
	int fd, rc;

	if (p->opt.stun_port == NULL) {
		result_skip(r, "--no-stun");
		return;
	}
	rc = fd = stun_socket(p, &err);
	if (rc >= 0)
		rc = stun_ask(fd, p->opt.timeout_ms, &mapped, &err);
	if (rc < 0)
		stun_failed(r, p->opt.stun_port, rc, err.text);
	else
		stun_answered(p, r, &mapped, (double)(now_us() - start) / 1e3);
	if (fd >= 0)
		close(fd);
}

const struct check stun_checks[] = {
	{ "stun", FACT_TCP, 0, false, check_stun },
	{ 0 },
};
