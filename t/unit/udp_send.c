/* SPDX-License-Identifier: MIT */
/* t/unit/udp_send.c - what a turn sends to some addresses by turns: one send to
 * each, as far as sizes allow; each datagram arrives as it was given, in order;
 * and what the kernel does not cut. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/lines.h"
#include "core/net/udp_private.h"
#include "t/unit/unit.h"

#define RECEIVERS 3
#define SIZE 200

struct ends {
	struct hd_worker *w;
	struct hd_udp_socket s;
	struct hd_udp udp;
	int fds[RECEIVERS];
	union hd_addr at[RECEIVERS];
};

static int bound(union hd_addr *at)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof(at->in);

	*at = (union hd_addr){ .in.sin_family = AF_INET };
	at->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &at->sa, n), 0);
	assert_int_equal(getsockname(fd, &at->sa, &n), 0);
	return fd;
}

static void ends_open(struct ends *e)
{
	union hd_addr mine;

	*e = (struct ends){ .s.large = true };
	e->w = hd_alloc_lines(sizeof(*e->w));
	assert_non_null(e->w);
	assert_int_equal(hd_udps_new(e->w), 0);
	e->s.worker = e->w;
	e->s.fd = bound(&mine);
	e->s.addr = mine;
	assert_int_equal(hd_udp_buffers(&e->s), 0);
	e->udp.socket = &e->s;
	for (unsigned i = 0; i < RECEIVERS; i++)
		e->fds[i] = bound(&e->at[i]);
}

static void ends_close(struct ends *e)
{
	for (unsigned i = 0; i < RECEIVERS; i++)
		close(e->fds[i]);
	hd_udp_buffers_free(&e->s);
	close(e->s.fd);
	hd_udps_free(e->w);
	free(e->w);
}

static void put(struct ends *e, unsigned to, uint8_t number, size_t n)
{
	uint8_t data[SIZE];

	memset(data, number, sizeof(data));
	assert_int_equal(hd_udp_send(&e->udp, &e->at[to], NULL, data, n), 0);
}

static ssize_t get(const struct ends *e, unsigned at, uint8_t *p, size_t n)
{
	struct pollfd fd = { .fd = e->fds[at], .events = POLLIN };

	assert_int_equal(poll(&fd, 1, 10000), 1);
	return recv(e->fds[at], p, n, 0);
}

static void got(const struct ends *e, unsigned at, uint8_t number, size_t n)
{
	uint8_t data[65536];

	assert_int_equal(get(e, at, data, sizeof(data)), n);
	assert_true(n == 0 || (data[0] == number && data[n - 1] == number));
}

/* ---- tests ---- */

/* Five datagrams to each by turns. */
static uint32_t sends(struct ends *e)
{
	for (uint8_t k = 0; k < 5; k++)
		for (unsigned i = 0; i < RECEIVERS; i++)
			put(e, i, k, SIZE);
	return e->s.n_out;
}

/* Two addresses may share a place where the latest send is looked for, as the
 * kernel chooses ports: then there are more sends, and other ports are
 * tried. */
static void ends_apart(struct ends *e)
{
	for (unsigned i = 0; i < 20; i++) {
		ends_open(e);
		if (!e->s.gso || sends(e) == RECEIVERS)
			return;
		hd_udp_flush(&e->s);
		ends_close(e);
	}
	fail_msg("each address has many sends");
}

/* The same, with nothing under way. */
static void ends_empty(struct ends *e)
{
	ends_apart(e);
	hd_udp_flush(&e->s);
	for (uint8_t k = 0; e->s.gso && k < 5; k++)
		for (unsigned i = 0; i < RECEIVERS; i++)
			got(e, i, k, SIZE);
}

static void each_address_has_one_send(void **state)
{
	const int on = 1;
	struct ends e;
	uint8_t all[65536];

	(void)state;
	ends_apart(&e);
	if (!e.s.gso)
		skip();
	for (unsigned i = 0; i < RECEIVERS; i++)
		setsockopt(e.fds[i], SOL_UDP, UDP_GRO, &on, sizeof(on));
	hd_udp_flush(&e.s);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		assert_int_equal(get(&e, i, all, sizeof(all)), 5 * SIZE);
		for (unsigned k = 0; k < 5 * SIZE; k++)
			assert_int_equal(all[k], k / SIZE);
	}
	ends_close(&e);
}

static size_t size_of(unsigned to, unsigned k)
{
	static const size_t sizes[] = { SIZE, SIZE, 150, SIZE, 0, 1, 170, 170 };

	return sizes[(k * (to + 1) + to) % HD_ARRAY_N(sizes)];
}

/* By turns, and now and then all to one. */
static void all_arrive(struct ends *e, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < RECEIVERS; i++)
			put(e, (i * k) % RECEIVERS, (uint8_t)k,
			    size_of(i, k));
	hd_udp_flush(&e->s);
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < RECEIVERS; i++)
			got(e, (i * k) % RECEIVERS, (uint8_t)k, size_of(i, k));
}

static void all_sizes_arrive_in_order(void **state)
{
	struct ends e;

	(void)state;
	ends_open(&e);
	for (unsigned n = 1; n < 60; n++)
		all_arrive(&e, n);
	all_arrive(&e, 110); /* more than wait at a time */
	ends_close(&e);
}

static void without_cutting(void **state)
{
	struct ends e;

	(void)state;
	ends_open(&e);
	e.s.gso = false;
	all_arrive(&e, 50);
	ends_close(&e);
}

/* Without checksums the kernel cuts nothing. */
static void what_is_not_cut_goes_one_by_one(void **state)
{
	const int on = 1;
	struct ends e;

	(void)state;
	ends_open(&e);
	setsockopt(e.s.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on));
	all_arrive(&e, 50);
	ends_close(&e);
}

/* Turns are held apart for those that a module has many of, HD's and
 * WireGuard's, and not for answers of STUN, which a stranger may ask for. */
static void those_of_who_has_many_count(void **state)
{
	struct ends e;

	(void)state;
	ends_open(&e);
	put(&e, 0, 1, SIZE);
	assert_int_equal(e.w->pace.datagrams, 0);
	e.udp.large = true;
	put(&e, 0, 2, SIZE);
	assert_int_equal(e.w->pace.datagrams, 1);
	hd_udp_flush(&e.s);
	ends_close(&e);
}

/* ---- a carrier ---- */

static unsigned offered, flushed;
static uint8_t carried[8];

static int watch(struct hd_ring *ring, int fd, int32_t bits, uint64_t tag)
{
	(void)ring, (void)fd, (void)bits, (void)tag;
	return 0;
}

static void unwatch(struct hd_ring *ring, int fd, uint64_t tag)
{
	(void)ring, (void)fd, (void)tag;
}

static bool run(struct hd_module *mod, void *arg)
{
	(void)mod, (void)arg;
	return false;
}

/* Takes what is for the first receiver. */
static bool carry(struct hd_module *mod, void *arg, const union hd_addr *to,
		  const union hd_addr *from, const uint8_t *data,
		  size_t len_bytes)
{
	const struct ends *e = arg;

	(void)mod;
	assert_null(from);
	assert_int_equal(len_bytes, SIZE);
	assert_int_equal(data[SIZE - 1], data[0]);
	carried[offered++] = data[0];
	return to->in.sin_port == e->at[0].in.sin_port;
}

static void flush(struct hd_module *mod, void *arg)
{
	(void)mod, (void)arg;
	flushed++;
}

/* Offered is what is alone for its address; the socket has the rest, each once.
 */
static void a_carrier_has_lone_ones(void **state)
{
	const struct hd_ring_ops ring = { .watch = watch, .unwatch = unwatch };
	struct hd_carrier_options o = { .run = run,
					.send = carry,
					.flush = flush };
	struct hd_carrier *c = NULL;
	struct ends e;

	(void)state;
	ends_empty(&e);
	if (!e.s.gso) {
		ends_close(&e);
		skip(); /* Linux 4.18 */
	}
	e.w->ring_ops = &ring;
	o.arg = &e;
	assert_int_equal(hd_carrier_open(NULL, e.w, &o, &c), -EINVAL);
	o.bind = e.s.addr;
	assert_int_equal(hd_carrier_open(NULL, e.w, &o, &c), 0);
	put(&e, 0, 1, SIZE);
	put(&e, 1, 2, SIZE);
	put(&e, 2, 3, SIZE);
	put(&e, 1, 4, SIZE);
	hd_udps_flush(e.w);
	assert_int_equal(offered, 2);
	assert_memory_equal(carried, "\1\3", 2);
	assert_int_equal(flushed, 1);
	got(&e, 1, 2, SIZE);
	got(&e, 1, 4, SIZE);
	got(&e, 2, 3, SIZE);
	put(&e, 1, 5, SIZE);
	put(&e, 1, 6, SIZE);
	hd_udps_flush(e.w); /* nothing is offered */
	assert_int_equal(flushed, 1);
	hd_carrier_close(&c);
	assert_null(c);
	put(&e, 0, 7, SIZE);
	hd_udps_flush(e.w);
	got(&e, 0, 7, SIZE); /* the first of it that comes there */
	ends_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_has_one_send),
		cmocka_unit_test(all_sizes_arrive_in_order),
		cmocka_unit_test(without_cutting),
		cmocka_unit_test(what_is_not_cut_goes_one_by_one),
		cmocka_unit_test(those_of_who_has_many_count),
		cmocka_unit_test(a_carrier_has_lone_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
