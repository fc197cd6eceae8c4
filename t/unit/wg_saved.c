/* SPDX-License-Identifier: MIT */
/* t/unit/wg_saved.c - wg.state is whole or not taken: every damage is noticed,
 * and the copy before stands in. */
#include <hyper-derp/state_file.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"

enum { DAMAGES = 2000 };

static uint64_t dice = 20260811; /* a seed: the same damages each time */

static uint64_t roll(uint64_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice % below;
}

static int begin(void **state)
{
	(void)state;
	net_pair(2);
	net_tunnel(1, &a_at, 2, &b_at, 10);
	return 0;
}

static int end(void **state)
{
	(void)state;
	net_stop();
	return 0;
}

static void write_state(void)
{
	struct wg_saved *s = wg_save_all(net.e);

	assert_int_equal(wg_saved_write(s, NULL), 0);
	wg_saved_free(&s);
}

static int read_state(struct hd_error *err)
{
	struct wg_saved *s = NULL;
	int r = wg_saved_read(&s, err);

	assert_int_equal(r == 0, s != NULL);
	wg_saved_free(&s);
	return r;
}

static void forget_copy(void)
{
	free(net.disk_before.v);
	net.disk_before = (struct net_disk){ 0 };
}

static void what_is_written_is_read(void **state)
{
	struct hd_error err = { "" };
	struct wg_saved *s = NULL, *now;

	(void)state;
	assert_int_equal(read_state(&err), -ENOENT);
	write_state();
	assert_int_equal(wg_saved_read(&s, &err), 0);
	now = wg_save_all(net.e);
	assert_int_equal(s->n, now->n);
	/* all but the time of day */
	assert_memory_equal(s->v + 16, now->v + 16, s->n - 16);
	wg_saved_free(&now);
	wg_saved_free(&s);
}

static void cut_off_anywhere_it_is_noticed(void **state)
{
	struct hd_error err = { "" };
	size_t n;

	(void)state;
	write_state();
	n = net.disk.n;
	for (net.disk.n = 0; net.disk.n < n; net.disk.n++) {
		assert_int_equal(read_state(&err), -EBADMSG);
		assert_memory_equal(err.text, "/state/wg.state: ", 17);
	}
	assert_int_equal(read_state(&err), 0);
}

/* Some bytes overwritten, a stretch zeroed, a stretch moved, bytes added. */
static void damage(uint8_t *v, size_t n)
{
	size_t at = roll(n), len = 1 + roll(HD_MIN(n - at, 64));

	switch (roll(4)) {
	case 0:
		v[at] ^= (uint8_t)(1 << roll(8));
		break;
	case 1:
		memset(v + at, 0, len);
		break;
	case 2:
		memmove(v + at, v + roll(n - len + 1), len);
		break;
	default:
		for (size_t i = 0; i < len; i++)
			v[at + i] = (uint8_t)roll(256);
	}
}

static void every_damage_is_noticed(void **state)
{
	struct hd_error err = { "" };
	uint8_t *good;
	size_t n;
	unsigned noticed = 0, done = 0;

	(void)state;
	write_state();
	n = net.disk.n;
	good = malloc(n);
	memcpy(good, net.disk.v, n);
	while (done < DAMAGES) {
		memcpy(net.disk.v, good, n);
		damage(net.disk.v, n);
		if (memcmp(net.disk.v, good, n) == 0)
			continue; /* it wrote what was there */
		done++;
		noticed += read_state(&err) == -EBADMSG;
	}
	free(good);
	assert_int_equal(noticed, DAMAGES);
}

static void the_copy_before_stands_in(void **state)
{
	struct hd_error err = { "" };
	size_t n;

	(void)state;
	write_state();
	n = net.disk.n;
	write_state();
	net.disk.v[100] ^= 1;
	assert_int_equal(read_state(&err), 0);
	/* what is damaged does not push the copy out */
	write_state();
	assert_int_equal(net.disk_before.n, n);
	net.disk.v[100] ^= 1;
	assert_int_equal(read_state(&err), 0);
	net.disk_before.v[100] ^= 1;
	assert_int_equal(read_state(&err), -EBADMSG);
	assert_memory_equal(err.text, "/state/wg.state: ", 17);
	write_state();
	assert_int_equal(read_state(&err), 0);
	forget_copy();
	net.disk.v[100] ^= 1;
	assert_int_equal(read_state(&err), -EBADMSG);
}

static void an_earlier_relays_file_is_taken_once(void **state)
{
	struct hd_error err = { "" };
	struct wg_saved *s = wg_save_all(net.e);

	(void)state;
	memcpy(s->v, WG_STATE_MAGIC_UNSEALED, 8);
	assert_int_equal(
		hd_state_file_write(WG_STATE_FILE, s->v, s->n, NULL), 0);
	wg_saved_free(&s);
	assert_int_equal(wg_saved_read(&s, &err), 0);
	net_restart();
	wg_restore(net.e, s);
	wg_saved_free(&s);
	assert_true(net_at(1, &a_at) && net_at(2, &b_at));
	write_state(); /* sealed from now on */
	net.disk.v[100] ^= 1;
	forget_copy();
	assert_int_equal(read_state(&err), -EBADMSG);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(what_is_written_is_read),
		T(cut_off_anywhere_it_is_noticed),
		T(every_damage_is_noticed),
		T(the_copy_before_stands_in),
		T(an_earlier_relays_file_is_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
