/* SPDX-License-Identifier: MIT */
/* t/unit/ktls.c - a stream whose records the kernel makes, in a process that
 * has it from another one: without a socket, and what the kernel says of it. */
#include <errno.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "core/base/chunk.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_worker.h"
#include "core/tls/ktls.h"
#include "core/tls/tls_conn.h"
#include "core/tls/tls_snap.h"
#include "t/unit/unit.h"

enum { BYTES = 1000 };

static struct hd_worker *w;
static struct hd_stream stream;
static struct hd_account account;
static const struct hd_conf conf = { .write_timeout_ms = 2000 };

/* ---- whose records are they? ---- */

static bool has_tls, seals;

int getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	(void)fd;
	errno = ENOPROTOOPT;
	if (!has_tls)
		return -1;
	if (level == IPPROTO_TCP && name == TCP_ULP) {
		*n = sizeof("tls");
		memcpy(value, "tls", *n);
		return 0;
	}
	errno = EBUSY; /* as it says without a key */
	return name == TLS_TX && seals ? 0 : -1;
}

static bool fits(uint8_t kernel, bool tls_there, bool tls_seals)
{
	struct hd_tls *t = hd_tls_new_adopted();
	bool r;

	t->ready = true;
	t->kernel = kernel;
	has_tls = tls_there;
	seals = tls_seals;
	r = hd_tls_fits(t, 0);
	has_tls = seals = false;
	hd_tls_free(&t);
	return r;
}

static void a_socket_fits_its_connection(void **state)
{
	(void)state;
	assert_true(fits(0, false, false));
	assert_false(fits(0, true, true));
	assert_false(fits(HD_KTLS_TX, false, false));
	assert_false(fits(HD_KTLS_TX, true, false));
	assert_true(fits(HD_KTLS_TX, true, true));
	assert_false(fits(HD_KTLS_RX, false, false));
	assert_false(fits(HD_KTLS_RX, true, true));
	assert_true(fits(HD_KTLS_RX, true, false));
	assert_true(fits(HD_KTLS_TX | HD_KTLS_RX, true, true));
}

/* It has no such cipher: records stay ours, on a socket with its TLS. */
static void what_the_kernel_did_not_take_is_ours(void **state)
{
	(void)state;
	assert_true(fits(0, true, false));
}

/* ---- what a send has taken ---- */

/* With one send under way. */
static int setup(void **state)
{
	struct hd_chunk *c;

	(void)state;
	w = calloc(1, sizeof(*w));
	w->now_ms = 1000;
	w->conf = &conf;
	if (hd_streams_new(w) < 0)
		return -1;
	stream = (struct hd_stream){ .magic = HD_STREAM_MAGIC,
				     .worker = w,
				     .account = &account,
				     .fd = -1,
				     .output = HD_OUTPUT_SENDING,
				     .send_bytes = BYTES,
				     .tls = hd_tls_new_adopted() };
	stream.tls->ready = true;
	stream.tls->kernel = HD_KTLS_TX;
	c = hd_chunk_new(&w->streams->pool, BYTES);
	c->tail += BYTES;
	hd_queue_push(&stream.flight, c);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hd_queue_clear(&w->streams->pool, &stream.flight);
	free(stream.path);
	hd_tls_free(&stream.tls);
	hd_streams_free(w);
	free(w);
	return 0;
}

/* It came from another process, and tls: {ktls: off} is this one's. */
static void records_of_the_kernel_are_counted(void **state)
{
	(void)state;
	assert_int_equal(w->streams->ktls, 0);
	hd_stream_on_sent(&stream, BYTES);
	assert_int_equal(stream.tls->records->tx.seq, 1);
	assert_int_equal(stream.output, HD_OUTPUT_IDLE);
	assert_null(stream.flight.first);
}

static void without_room_it_waits_for_some(void **state)
{
	(void)state;
	hd_stream_on_sent(&stream, -EAGAIN);
	assert_int_equal(stream.output, HD_OUTPUT_BLOCKED);
	assert_false(stream.dirty);
}

static void interrupted_it_does_not(void **state)
{
	(void)state;
	hd_stream_on_sent(&stream, -EINTR);
	assert_int_equal(stream.output, HD_OUTPUT_IDLE);
	assert_true(stream.dirty);
	assert_int_equal(stream.flight.bytes, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_fits_its_connection),
		cmocka_unit_test(what_the_kernel_did_not_take_is_ours),
		cmocka_unit_test_setup_teardown(
			records_of_the_kernel_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(without_room_it_waits_for_some,
						setup, teardown),
		cmocka_unit_test_setup_teardown(interrupted_it_does_not, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
