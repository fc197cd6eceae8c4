/* SPDX-License-Identifier: MIT */
/* t/unit/containers.c - deadlines, slots, chunks, the table of keys. */
#include "t/unit/unit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/chunk.h"
#include "core/base/heap.h"
#include "core/base/slab.h"
#include "core/base/slots.h"
#include "core/relay/relay_table.h"

/* ---- heap ---- */

#define NODES 500

static void heap_gives_the_earliest(void **state)
{
	struct hd_heap h = { 0 };
	static struct hd_heap_node nodes[NODES];
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < NODES; i++)
		hd_heap_set(&h, &nodes[i], 1 + randombytes_uniform(1000));
	for (int i = 0; i < NODES; i += 3) /* move some, both ways */
		hd_heap_set(&h, &nodes[i], 1 + randombytes_uniform(1000));
	for (int i = 0; i < NODES; i += 5)
		hd_heap_remove(&h, &nodes[i]);
	for (int n = 0; n < NODES - NODES / 5; n++) {
		struct hd_heap_node *node = hd_heap_pop(&h, 1000);

		assert_non_null(node);
		assert_true(node->when_ms >= last);
		last = node->when_ms;
	}
	assert_null(hd_heap_pop(&h, UINT64_MAX));
	hd_heap_free(&h);
}

static void heap_waits_for_its_time(void **state)
{
	struct hd_heap h = { 0 };
	struct hd_heap_node node = { 0 };

	(void)state;
	assert_true(hd_heap_next_ms(&h) == UINT64_MAX);
	hd_heap_set(&h, &node, 100);
	assert_null(hd_heap_pop(&h, 99));
	assert_ptr_equal(hd_heap_pop(&h, 100), &node);
	hd_heap_remove(&h, &node); /* not in it: nothing happens */
	hd_heap_free(&h);
}

/* ---- slots ---- */

static void a_late_completion_finds_nobody(void **state)
{
	struct hd_slots t = { 0 };
	uint32_t slot, gen, slot2, gen2;
	int a, b;

	(void)state;
	assert_int_equal(hd_slots_add(&t, &a, &slot, &gen), 0);
	assert_ptr_equal(hd_slots_get(&t, slot, gen), &a);
	hd_slots_remove(&t, slot);
	assert_null(hd_slots_get(&t, slot, gen));
	assert_int_equal(hd_slots_add(&t, &b, &slot2, &gen2), 0);
	assert_int_equal(slot2, slot); /* reused, with a new generation */
	assert_null(hd_slots_get(&t, slot, gen));
	assert_ptr_equal(hd_slots_get(&t, slot2, gen2), &b);
	assert_null(hd_slots_get(&t, 12345, 0));
	hd_slots_free(&t);
}

/* ---- chunks ---- */

static void fill(struct hd_chunk *c, uint32_t n)
{
	c->tail += n;
}

static void a_queue_is_consumed_across_chunks(void **state)
{
	struct hd_chunk_pool pool = { 0 };
	struct hd_queue q = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct hd_chunk *c = hd_chunk_new(&pool, 100);

		fill(c, 100);
		hd_queue_push(&q, c);
	}
	assert_int_equal(q.bytes, 300);
	hd_queue_consume(&pool, &q, 150);
	assert_int_equal(q.bytes, 150);
	assert_int_equal(hd_chunk_len(q.first), 50);
	hd_queue_consume(&pool, &q, 150);
	assert_null(q.first);
	assert_null(q.last);
	assert_int_equal(pool.n_idle[0], 3);
	hd_chunk_pool_free(&pool);
}

static void a_chunk_holds_the_largest_frame(void **state)
{
	struct hd_chunk_pool pool = { 0 };
	static const size_t sizes[] = { 1, 2048, 2049, 16384, 65664, 300000 };

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(sizes); i++) {
		struct hd_chunk *c = hd_chunk_new(&pool, sizes[i]);

		assert_true(hd_chunk_room(c) >= sizes[i]);
		memset(c->data, 0, c->cap + HD_CHUNK_TAILROOM_BYTES);
		hd_chunk_put(&pool, &c);
		assert_null(c);
	}
	hd_chunk_pool_free(&pool);
}

/* ---- table ---- */

static struct hd_key key_of(uint32_t i)
{
	struct hd_key k = { { 1 } };

	memcpy(k.b + 4, &i, sizeof(i));
	return k;
}

static void the_table_keeps_what_is_in_it(void **state)
{
	enum { N = 5000 };
	struct hd_relay_table t = { 0 };
	static struct hd_entry *e[N];

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		struct hd_key k = key_of(i);

		e[i] = hd_relay_table_add(&t, hd_key_hash(0, &k), 0, &k);
		assert_non_null(e[i]);
	}
	for (uint32_t i = 0; i < N; i += 2) {
		hd_relay_table_take(&t, e[i]);
		hd_entry_free(&e[i]);
	}
	for (uint32_t i = 0; i < N; i++) {
		struct hd_key k = key_of(i);

		assert_ptr_equal(
			hd_relay_table_find(&t, hd_key_hash(0, &k), 0, &k),
			e[i]);
		assert_null(hd_relay_table_find(&t, hd_key_hash(1, &k), 1, &k));
	}
	assert_int_equal(t.n, N / 2);
	hd_relay_table_free(&t);
}

static void a_set_has_a_key_once(void **state)
{
	struct hd_keyset set = { 0 };
	struct hd_gauge sum = { 0 };

	(void)state;
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 1000; i++) {
			struct hd_key k = key_of(i);

			assert_int_equal(hd_keyset_add(&set, &k, &sum),
					 round == 0);
		}
	assert_int_equal(set.n, 1000);
	hd_keyset_free(&set, &sum);
	assert_int_equal(sum.n, 0);
}

/* ---- slab ---- */

static void a_slab_gives_zeros_again(void **state)
{
	static struct hd_slab slab = HD_SLAB(100, true);
	static const uint8_t zeros[100];
	uint8_t *a = hd_slab_alloc(&slab), *first = a;

	(void)state;
	assert_memory_equal(a, zeros, sizeof(zeros));
	memset(a, 7, sizeof(zeros));
	hd_slab_free(&slab, (void **)&a);
	assert_null(a);
	a = hd_slab_alloc(&slab);
	assert_ptr_equal(a, first);
	assert_memory_equal(a, zeros, sizeof(zeros));
}

/* What was in it is gone at once, not when it is given again; all but where the
 * list of free ones is. */
static void a_slab_wipes_what_comes_back(void **state)
{
	static struct hd_slab slab = HD_SLAB(100, true);
	static const uint8_t zeros[100];
	uint8_t *a = hd_slab_alloc(&slab), *was = a;

	(void)state;
	memset(a, 7, sizeof(zeros));
	hd_slab_free(&slab, (void **)&a);
	assert_memory_equal(was + sizeof(void *), zeros,
			    sizeof(zeros) - sizeof(void *));
}

static struct hd_key numbered(uint32_t n)
{
	struct hd_key key = { { 1 } };

	memcpy(key.b + 1, &n, sizeof(n));
	return key;
}

static void a_set_forgets_a_key(void **state)
{
	enum { N = 1000 };
	struct hd_keyset set = { 0 };
	struct hd_gauge sum = { 0 };

	(void)state;
	hd_keyset_remove(&set, &(struct hd_key){ { 7 } }); /* an empty one */
	for (uint32_t i = 0; i < N; i++)
		hd_keyset_add(&set, &(struct hd_key[]){ numbered(i) }[0], &sum);
	for (uint32_t i = 0; i < N; i += 2)
		hd_keyset_remove(&set, &(struct hd_key[]){ numbered(i) }[0]);
	assert_int_equal(set.n, N / 2);
	for (uint32_t i = 0; i < N; i++) {
		struct hd_key key = numbered(i);

		assert_int_equal(hd_keyset_has(&set, &key), i % 2);
	}
	hd_keyset_free(&set, &sum);
	assert_int_equal(sum.n, 0);
}

static void a_set_is_bounded(void **state)
{
	struct hd_keyset set = { 0 };
	struct hd_gauge sum = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 3 * HD_KEYSET_MAX; i++) {
		struct hd_key key = numbered(i);

		assert_int_equal(hd_keyset_add(&set, &key, &sum),
				 i < HD_KEYSET_MAX ? 1 : HD_KEYSET_INSTEAD);
		assert_int_equal(hd_keyset_add(&set, &key, &sum), 0);
		assert_true(hd_keyset_has(&set, &key));
	}
	assert_int_equal(set.n, HD_KEYSET_MAX);
	assert_int_equal(set.size, HD_KEYSET_MAX / 3 * 4);
	hd_keyset_free(&set, &sum);
	assert_int_equal(sum.n, 0);
}

/* Some large ones use the worker's share up; then small ones are had still, and
 * a key goes for another beyond that. */
static void the_sum_of_sets_is_bounded(void **state)
{
	enum { LARGE = 40 };
	static struct hd_keyset large[LARGE];
	struct hd_keyset small = { 0 };
	struct hd_gauge sum = { 0 };
	int r = 0;

	(void)state;
	for (unsigned k = 0; k < LARGE; k++)
		for (uint32_t i = 0; i < HD_KEYSET_MAX; i++) {
			struct hd_key key = numbered(i);

			r = hd_keyset_add(&large[k], &key, &sum);
			assert_true(r == 1 || r == HD_KEYSET_INSTEAD);
		}
	assert_int_equal(r, HD_KEYSET_INSTEAD);
	assert_in_range(sum.n, HD_KEYSETS_BYTES / 2,
			HD_KEYSETS_BYTES + LARGE * 64 * HD_KEY_BYTES);
	for (uint32_t i = 0; i < 100; i++) {
		struct hd_key key = numbered(i);

		assert_int_equal(hd_keyset_try(&small, &key, &sum),
				 i < 48 ? 1 : -ENOSPC);
	}
	for (unsigned k = 0; k < LARGE; k++)
		hd_keyset_free(&large[k], &sum);
	hd_keyset_free(&small, &sum);
	assert_int_equal(sum.n, 0);
}

static void a_set_is_gone_through(void **state)
{
	enum { N = 1000 };
	struct hd_keyset set = { 0 };
	uint32_t at = 0, looks = UINT32_MAX;
	struct hd_key key;
	struct hd_gauge sum = { 0 };
	unsigned n = 0;

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		hd_keyset_add(&set, &(struct hd_key[]){ numbered(i) }[0], &sum);
	while (hd_keyset_next(&set, &at, &looks, &key)) {
		hd_keyset_remove(&set, &key); /* another may stand there now */
		n++;
	}
	assert_int_equal(n, N);
	hd_keyset_add(&set, &key, &sum);
	at = looks = 0;
	assert_false(hd_keyset_next(&set, &at, &looks, &key));
	hd_keyset_free(&set, &sum);
	assert_int_equal(sum.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heap_gives_the_earliest),
		cmocka_unit_test(heap_waits_for_its_time),
		cmocka_unit_test(a_late_completion_finds_nobody),
		cmocka_unit_test(a_queue_is_consumed_across_chunks),
		cmocka_unit_test(a_chunk_holds_the_largest_frame),
		cmocka_unit_test(the_table_keeps_what_is_in_it),
		cmocka_unit_test(a_set_has_a_key_once),
		cmocka_unit_test(a_set_forgets_a_key),
		cmocka_unit_test(a_set_is_bounded),
		cmocka_unit_test(the_sum_of_sets_is_bounded),
		cmocka_unit_test(a_set_is_gone_through),
		cmocka_unit_test(a_slab_gives_zeros_again),
		cmocka_unit_test(a_slab_wipes_what_comes_back),
	};

	if (sodium_init() < 0)
		return 1;
	hd_key_hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
