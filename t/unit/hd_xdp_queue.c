/* SPDX-License-Identifier: MIT */
/* t/unit/hd_xdp_queue.c - frames of a queue of modules/hd_xdp, with rings whose
 * other end is this test instead of the kernel: none is lost, none is in two
 * places, and what the kernel takes late is not waited for longer than that. */
#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "modules/hd_xdp/queue.h"
#include "t/unit/unit.h"

struct ring { /* the kernel's end */
	uint32_t producer, consumer, flags;
	uint64_t v[2 * HXP_FILL]; /* room for descriptors, too */
};

static struct ring fill, done, rx, tx;
static struct hxp_queue *q;
static struct hxp_worker worker;
static struct hxp_numbers numbers;
static struct hd_carrier_options carrier;
static const struct hxp_way way = { .head = { .n = 42 },
				    .ifindex = 7,
				    .mtu = 1500 };
struct hxp hxp;

/* ---- what queue.c calls ---- */

static unsigned delivered, kicks, takes; /* of each kick */
static uint32_t timer_ms;

int xsk_socket__fd(const struct xsk_socket *xsk)
{
	(void)xsk;
	return 3;
}

static void complete(unsigned n)
{
	for (; n > 0 && tx.consumer != tx.producer; n--) {
		const struct xdp_desc *d = (const void *)tx.v;

		d += tx.consumer++ % HXP_RING;
		done.v[done.producer++ % HXP_RING] = d->addr;
	}
}

ssize_t sendto(int fd, const void *p, size_t n, int flags,
	       const struct sockaddr *to, socklen_t len)
{
	(void)fd, (void)p, (void)n, (void)flags, (void)to, (void)len;
	kicks++;
	complete(takes);
	errno = EAGAIN;
	return tx.consumer == tx.producer ? 0 : -1;
}

int hd_carrier_open_sized(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_carrier_options *options, size_t size,
			  struct hd_carrier **ret)
{
	(void)mod, (void)w;
	assert_int_equal(size, sizeof(carrier));
	carrier = *options;
	*ret = (struct hd_carrier *)&carrier;
	return 0;
}

void hd_carrier_close(struct hd_carrier **c)
{
	*c = NULL;
}

void hd_carrier_deliver(struct hd_carrier *c, struct hd_datagram *v, unsigned n)
{
	(void)c, (void)v;
	delivered += n;
}

void *hd_module_worker_data(struct hd_module *mod, struct hd_worker *w)
{
	(void)mod, (void)w;
	return &worker;
}

void *hd_metrics(struct hd_module *mod, struct hd_worker *w)
{
	(void)mod, (void)w;
	return &numbers;
}

void hd_timer_set(struct hd_timer *timer, uint32_t delay_ms)
{
	(void)timer;
	timer_ms = delay_ms;
}

const struct hxp_way *hxp_ways_find(struct hxp_ways *ways,
				    const struct hxp_pair *pair,
				    uint64_t now_ms)
{
	(void)ways, (void)pair, (void)now_ms;
	return &way;
}

void hxp_ways_ask(struct hxp_ways *ways, struct hd_module *mod,
		  struct hd_worker *w)
{
	(void)ways, (void)mod, (void)w;
}

uint64_t hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return 0;
}

unsigned hd_workers(void)
{
	return 1;
}

unsigned hd_worker_index(const struct hd_worker *w)
{
	(void)w;
	return 0;
}

void hxp_queue_hide(const struct hxp_queue *queue)
{
	(void)queue;
}

bool hd_log_on(enum hd_log_level level)
{
	(void)level;
	return false;
}

bool hd_log_allow(struct hd_log_site *site)
{
	(void)site;
	return false;
}

void hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

void hd_assert_fail(const char *what, const char *file, int line)
{
	_fail(file, line);
	print_error("%s\n", what);
	abort();
}

/* ---- a queue ---- */

static struct xsk_ring_prod prod_of(struct ring *r, uint32_t size)
{
	*r = (struct ring){ .flags = XDP_RING_NEED_WAKEUP };
	return (struct xsk_ring_prod){ .cached_cons = size,
				       .mask = size - 1,
				       .size = size,
				       .producer = &r->producer,
				       .consumer = &r->consumer,
				       .ring = r->v,
				       .flags = &r->flags };
}

static struct xsk_ring_cons cons_of(struct ring *r, uint32_t size)
{
	*r = (struct ring){ .flags = 0 };
	return (struct xsk_ring_cons){ .mask = size - 1,
				       .size = size,
				       .producer = &r->producer,
				       .consumer = &r->consumer,
				       .ring = r->v,
				       .flags = &r->flags };
}

static int up(void **state)
{
	static struct hxp_port port = { .ifindex = 7, .n_queues = 1 };

	(void)state;
	q = calloc(1, sizeof(*q));
	q->port = &port;
	q->area = calloc(1, HXP_AREA_BYTES);
	q->fill = prod_of(&fill, HXP_FILL);
	q->tx = prod_of(&tx, HXP_RING);
	q->done = cons_of(&done, HXP_RING);
	q->rx = cons_of(&rx, HXP_RING);
	hxp_queue_give_frames(q);
	port.queues[0] = q;
	hxp = (struct hxp){ .n_ports = 1 };
	hxp.ports[0] = port;
	worker = (struct hxp_worker){ 0 };
	memset(&numbers, 0, sizeof(numbers));
	delivered = kicks = takes = timer_ms = 0;
	hxp_queues_begin(NULL, NULL);
	assert_ptr_equal(worker.queues, q);
	return 0;
}

static int down(void **state)
{
	(void)state;
	free(q->area);
	free(q);
	return 0;
}

/* The kernel fills n frames; it has not yet said that it has taken them. */
static void come(unsigned n, uint32_t *taken)
{
	struct xdp_desc *d = (void *)rx.v;

	for (; n > 0; n--) {
		uint64_t at = fill.v[(*taken)++ % HXP_FILL];

		d[rx.producer++ % HXP_RING] =
			(struct xdp_desc){ .addr = at + 256, .len = 60 };
	}
}

static void all_are_there_once(void)
{
	uint8_t seen[2 * HXP_RING] = { 0 };

	for (uint32_t i = fill.consumer; i != fill.producer; i++)
		seen[fill.v[i % HXP_FILL] / HXP_FRAME_BYTES]++;
	for (unsigned i = 0; i < q->n_free; i++)
		seen[q->free[i] / HXP_FRAME_BYTES]++;
	for (uint32_t i = done.consumer; i != done.producer; i++)
		seen[done.v[i % HXP_RING] / HXP_FRAME_BYTES]++;
	for (uint32_t i = tx.consumer; i != tx.producer; i++)
		seen[((struct xdp_desc *)tx.v)[i % HXP_RING].addr /
		     HXP_FRAME_BYTES]++;
	for (size_t i = 0; i < HD_ARRAY_N(seen); i++)
		assert_int_equal(seen[i], 1);
}

static bool send_one(void)
{
	static const union hd_addr to = { .in.sin_family = AF_INET };

	return carrier.send(NULL, carrier.arg, &to, &to, (const uint8_t *)"hi",
			    2);
}

/* ---- tests ---- */

/* The interrupt that fills the ring is itself held up. */
static void frames_come_back_before_the_kernel_says_so(void **state)
{
	uint32_t taken = 0;

	(void)state;
	for (unsigned turn = 0; turn < 10; turn++) {
		come(HXP_RING, &taken);
		while (carrier.run(NULL, carrier.arg))
			;
		assert_int_equal(rx.consumer, rx.producer);
		fill.consumer = taken;
		all_are_there_once();
	}
	assert_int_equal(numbers.received_bad.n, 10 * HXP_RING);
}

static void full_ends_with_the_driver(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HXP_RING; i++)
		assert_true(send_one());
	carrier.flush(NULL, carrier.arg);
	assert_false(send_one()); /* by the socket */
	assert_int_equal(numbers.full.n, 1);
	takes = 32;
	carrier.flush(NULL, carrier.arg);
	assert_int_equal(tx.consumer, tx.producer); /* all have gone */
	assert_true(send_one());
	carrier.flush(NULL, carrier.arg);
	all_are_there_once();
	assert_int_equal(q->n_free, HXP_RING);
}

static void what_waits_is_tried_again_soon(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_true(send_one());
	carrier.flush(NULL, carrier.arg);
	assert_in_range(timer_ms, 1, 10);
	assert_in_range(kicks, 1, 2); /* a driver without room is let alone */
	assert_int_equal(hxp_queues_tick(&worker), 1000);
	takes = 32;
	hxp_queues_tick(&worker);
	assert_int_equal(tx.consumer, tx.producer);
	all_are_there_once();
}

static void nothing_to_send_enters_no_kernel(void **state)
{
	(void)state;
	carrier.flush(NULL, carrier.arg);
	hxp_queues_tick(&worker);
	assert_int_equal(kicks, 0);
	assert_int_equal(timer_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			frames_come_back_before_the_kernel_says_so, up, down),
		cmocka_unit_test_setup_teardown(full_ends_with_the_driver, up,
						down),
		cmocka_unit_test_setup_teardown(what_waits_is_tried_again_soon,
						up, down),
		cmocka_unit_test_setup_teardown(
			nothing_to_send_enters_no_kernel, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
