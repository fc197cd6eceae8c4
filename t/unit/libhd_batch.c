/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_batch.c - datagrams in batches: each arrives as it was made, in
 * order, with the kernel's cutting and without it; and what it does not
 * take. */
#include "libhd/udp_batch.h"
#include "t/unit/unit.h"
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends { /* of a pair of sockets on loopback */
	int a, b;
	struct hdl_batch from, to;
	unsigned n; /* that have come */
	unsigned bad;
	const uint16_t *sizes;
};

static void ends_open(struct ends *e)
{
	struct sockaddr_in at[2] = { { .sin_family = AF_INET },
				     { .sin_family = AF_INET } };
	socklen_t n = sizeof(at[0]);
	int *fds[2] = { &e->a, &e->b };

	*e = (struct ends){ .a = -1 };
	for (unsigned i = 0; i < 2; i++) {
		at[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		assert_int_equal(bind(*fds[i], (void *)&at[i], n), 0);
		assert_int_equal(getsockname(*fds[i], (void *)&at[i], &n), 0);
	}
	assert_int_equal(connect(e->a, (void *)&at[1], n), 0);
	assert_int_equal(connect(e->b, (void *)&at[0], n), 0);
	hdl_batch_init(&e->from, e->a);
	hdl_batch_init(&e->to, e->b);
}

static void ends_close(struct ends *e)
{
	hdl_batch_free(&e->from);
	hdl_batch_free(&e->to);
	close(e->a);
	close(e->b);
}

static void put(struct ends *e, unsigned number, size_t n)
{
	uint8_t *p = hdl_batch_room(&e->from, e->a);

	assert_non_null(p);
	memset(p, (int)number, n);
	hdl_batch_add(&e->from, n);
}

static void take(void *arg, uint8_t *p, size_t n)
{
	struct ends *e = arg;

	e->bad += n != e->sizes[e->n] || (n > 0 && p[0] != (uint8_t)e->n) ||
		  (n > 0 && p[n - 1] != (uint8_t)e->n);
	e->n++;
}

static void read_all(struct ends *e, unsigned n)
{
	struct pollfd fd = { .fd = e->b, .events = POLLIN };

	while (e->n < n && poll(&fd, 1, 10000) == 1)
		while (hdl_batch_read(&e->to, e->b, take, e))
			;
	assert_int_equal(e->n, n);
	assert_int_equal(e->bad, 0);
}

static void all_sizes(bool gso)
{
	uint16_t sizes[300];
	struct ends e;

	ends_open(&e);
	e.from.gso &= gso;
	e.sizes = sizes;
	srand(1);
	for (unsigned i = 0; i < HD_ARRAY_N(sizes); i++) {
		/* mostly as long as the one before, as QUIC's are */
		sizes[i] = i > 0 && rand() % 4 != 0
				   ? sizes[i - 1]
				   : (uint16_t)(1 + rand() % HDP_UDP_MAX_BYTES);
		put(&e, i, sizes[i]);
		if (i % 40 == 39) {
			hdl_batch_flush(&e.from, e.a);
			read_all(&e, i + 1);
		}
	}
	hdl_batch_flush(&e.from, e.a);
	read_all(&e, HD_ARRAY_N(sizes));
	ends_close(&e);
}

static void with_the_kernels_help(void **state)
{
	(void)state;
	all_sizes(true);
}

static void without_it(void **state)
{
	(void)state;
	all_sizes(false);
}

static void a_full_batch_goes_by_itself(void **state)
{
	uint16_t sizes[2 * HDL_BATCH_DATAGRAMS];
	struct ends e;

	(void)state;
	ends_open(&e);
	e.sizes = sizes;
	for (unsigned i = 0; i < HD_ARRAY_N(sizes); i++) {
		sizes[i] = 100;
		put(&e, i, 100);
	}
	assert_in_range(e.from.n, 1, HDL_BATCH_DATAGRAMS);
	read_all(&e, HD_ARRAY_N(sizes) - e.from.n);
	hdl_batch_flush(&e.from, e.a);
	assert_int_equal(e.from.n, 0);
	read_all(&e, HD_ARRAY_N(sizes));
	ends_close(&e);
}

/* Nobody there: ICMP says so, and it is no reason to stop. */
static void nobody_there(void **state)
{
	struct ends e;

	(void)state;
	ends_open(&e);
	close(e.b);
	for (unsigned i = 0; i < 200; i++)
		put(&e, i, 1000);
	hdl_batch_flush(&e.from, e.a);
	assert_int_equal(e.from.n, 0);
	assert_false(e.from.blocked);
	e.b = dup(e.a);
	ends_close(&e);
}

static void memory_is_there_while_it_is_needed(void **state)
{
	const uint16_t size = 50;
	struct ends e;

	(void)state;
	ends_open(&e);
	e.sizes = &size;
	assert_false(hdl_batch_read(&e.to, e.b, take, &e));
	assert_null(e.to.in);
	assert_null(e.from.out);
	put(&e, 0, size);
	hdl_batch_flush(&e.from, e.a);
	read_all(&e, 1);
	assert_non_null(e.to.in);
	hdl_batch_free(&e.to);
	assert_null(e.to.in);
	ends_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_the_kernels_help),
		cmocka_unit_test(without_it),
		cmocka_unit_test(a_full_batch_goes_by_itself),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(memory_is_there_while_it_is_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
