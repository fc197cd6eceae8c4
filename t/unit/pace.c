/* SPDX-License-Identifier: MIT */
/* t/unit/pace.c - a busy worker's turns are held apart, an idle one's are not;
 * and what either backend does of it. */
#include "core/loop/pace.h"
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/conf/conf.h"
#include "core/loop/ring.h"
#include "core/loop/tag.h"
#include "t/unit/unit.h"

#define MOST_NS 250000
#define MS_NS 1000000

/* A pace that has looked at time 0, and this thread has worked for some
 * milliseconds since. Returns how many nanoseconds. */
static uint64_t work(struct hd_pace *p)
{
	uint64_t from = hd_clock_thread_ns();

	*p = (struct hd_pace){ .cpu_ns = from };
	while (hd_clock_thread_ns() - from < 20 * MS_NS)
		;
	return hd_clock_thread_ns() - from;
}

/* Works, and looks when `passed` percent of the time that took have passed.
 * Again, if the thread was charged for more between the two: a machine that
 * is itself a guest counts what its host took. */
static void work_and_look(struct hd_pace *p, unsigned passed)
{
	uint64_t from, used;

	do {
		used = work(p);
		from = p->cpu_ns;
		hd_pace_look(p, used * passed / 100, MOST_NS);
	} while (p->cpu_ns - from > used + used / 50);
}

static void busy_turns_are_held_apart(void **state)
{
	struct hd_pace p;
	uint64_t used = work(&p);

	(void)state;
	hd_pace_look(&p, used, MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 100000), MOST_NS - 100000);
	assert_int_equal(hd_pace_hold_ns(&p, MOST_NS), 0);
	assert_int_equal(hd_pace_hold_ns(&p, 5 * MS_NS), 0);
}

static void the_more_the_busier(void **state)
{
	struct hd_pace p;

	(void)state;
	work_and_look(&p, 114);
	assert_in_range(hd_pace_hold_ns(&p, 0), MOST_NS * 2 / 5,
			MOST_NS * 3 / 5);
}

static void a_quarter_idle_takes_the_first(void **state)
{
	struct hd_pace p;

	(void)state;
	work_and_look(&p, 133);
	assert_int_equal(hd_pace_hold_ns(&p, 0), 0);
}

static void idle_again_within_milliseconds(void **state)
{
	struct hd_pace p;
	uint64_t used = work(&p);

	(void)state;
	hd_pace_look(&p, used, MOST_NS);
	hd_pace_look(&p, used + 2 * MS_NS, MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), MOST_NS);
	hd_pace_look(&p, used + 100 * MS_NS, MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), 0);
}

static void off(void **state)
{
	struct hd_pace p;
	uint64_t used = work(&p);

	(void)state;
	hd_pace_look(&p, used, 0);
	assert_int_equal(hd_pace_hold_ns(&p, 0), 0);
}

/* A thread that has not worked, and `rate` datagrams a second for 10 ms. */
static uint64_t hold_of(uint64_t rate, uint64_t most_ns)
{
	struct hd_pace p = { .cpu_ns = hd_clock_thread_ns() };

	p.datagrams = rate / 100;
	hd_pace_look(&p, 10 * MS_NS, most_ns);
	return hd_pace_hold_ns(&p, 0);
}

static void many_datagrams_gather(void **state)
{
	(void)state;
	assert_int_equal(hold_of(19900, MOST_NS), 0);
	assert_int_equal(hold_of(20000, 2 * MOST_NS), 75000);
	assert_int_equal(hold_of(40000, 2 * MOST_NS), 75000);
	assert_int_equal(hold_of(95000, 2 * MOST_NS), 162500);
	assert_int_equal(hold_of(150000, 2 * MOST_NS), 250000);
	assert_int_equal(hold_of(900000, 2 * MOST_NS), 250000);
}

static void no_longer_than_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(hold_of(150000, 120000), 120000);
	assert_int_equal(hold_of(100000, 0), 0);
}

static void datagrams_are_those_since_the_last_look(void **state)
{
	struct hd_pace p = { .cpu_ns = hd_clock_thread_ns(),
			     .datagrams = 1500 };

	(void)state;
	hd_pace_look(&p, 10 * MS_NS, MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), MOST_NS);
	p.datagrams++;
	hd_pace_look(&p, 110 * MS_NS, MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), 0);
}

/* Whatever the rate: the first that comes after a turn without any. */
static void a_lone_datagram_does_not_wait(void **state)
{
	struct hd_pace p = { .cpu_ns = hd_clock_thread_ns(),
			     .datagrams = 1500 };

	(void)state;
	hd_pace_look(&p, 10 * MS_NS, MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), 0);
	p.datagrams++;
	assert_int_equal(hd_pace_hold_ns(&p, 0), MOST_NS);
	assert_int_equal(hd_pace_hold_ns(&p, 0), 0);
}

/* ---- waiting ---- */

static unsigned events(const struct hd_ring_ops *ops, struct hd_ring *ring)
{
	struct hd_ring_event e;
	unsigned n = 0;

	while (ops->next(ring, &e))
		n++;
	return n;
}

static void kick(int fd)
{
	assert_int_equal(write(fd, &(uint64_t){ 1 }, 8), 8);
}

static void holds(const struct hd_ring_ops *ops)
{
	const uint64_t hold_ns = 30 * MS_NS;
	const struct hd_conf conf = { 0 };
	struct hd_ring *ring = NULL;
	struct hd_error err = { "" };
	int fds[] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };

	if (ops->open(&conf, &ring, &err) < 0) {
		print_message("%s: %s\n", ops->name, err.text);
		skip();
	}
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(ops->watch(ring, fds[i],
					    HD_READY_IN | HD_READY_OUT,
					    hd_tag(HD_OP_WAKE, i, 0)),
				 0);
	ops->wait(ring, 0, 0);
	events(ops, ring); /* both can be written to */

	kick(fds[0]);
	uint64_t from = hd_clock_ns();

	ops->wait(ring, 60000, hold_ns);
	assert_true(hd_clock_ns() - from >= hold_ns);
	assert_int_equal(events(ops, ring), 1);
	kick(fds[1]);
	ops->wait(ring, 60000, 0); /* does not wait for more */
	assert_int_equal(events(ops, ring), 1);
	close(fds[0]);
	close(fds[1]);
	ops->close(&ring);
}

static void epoll_lets_events_gather(void **state)
{
	(void)state;
	holds(&hd_ring_epoll);
}

static void io_uring_lets_events_gather(void **state)
{
	(void)state;
#ifdef HAVE_LIBURING
	holds(&hd_ring_uring);
#else
	print_message("built without liburing\n");
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_turns_are_held_apart),
		cmocka_unit_test(the_more_the_busier),
		cmocka_unit_test(a_quarter_idle_takes_the_first),
		cmocka_unit_test(idle_again_within_milliseconds),
		cmocka_unit_test(off),
		cmocka_unit_test(many_datagrams_gather),
		cmocka_unit_test(no_longer_than_is_allowed),
		cmocka_unit_test(datagrams_are_those_since_the_last_look),
		cmocka_unit_test(a_lone_datagram_does_not_wait),
		cmocka_unit_test(epoll_lets_events_gather),
		cmocka_unit_test(io_uring_lets_events_gather),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
