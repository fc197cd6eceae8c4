/* SPDX-License-Identifier: MIT */
/* t/unit/snap.c - snapshots: what is written is read, what is broken is
 * refused. */
#include "core/base/snap_format.h"
#include "core/base/chunk.h"
#include "core/tls/ktls.h"
#include "core/tls/tls_conn.h"
#include "core/tls/tls_snap.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct thing {
	uint8_t small;
	uint32_t middle;
	uint64_t large;
	uint8_t bytes[5];
};

static const struct hd_snap_field fields[] = {
	HD_SNAP_NUMBER(struct thing, small, 1),
	HD_SNAP_NUMBER(struct thing, middle, 2),
	HD_SNAP_NUMBER(struct thing, large, 3),
	HD_SNAP_ARRAY(struct thing, bytes, 4),
};

static const struct thing thing = { 7, 1u << 31, UINT64_MAX, "four" };

static int read_thing(struct hd_snap_in in, struct thing *ret, bool *ret_whole)
{
	struct hd_snap_item item;
	uint64_t seen = 0;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = hd_snap_fill(&item, fields, HD_ARRAY_N(fields), ret, &seen);
		if (r < 0)
			return r;
	}
	*ret_whole = hd_snap_whole(fields, HD_ARRAY_N(fields), seen);
	return r;
}

static void a_struct_comes_back(void **state)
{
	struct hd_snap s = { 0 };
	struct thing got = { 0 };
	bool whole;

	(void)state;
	hd_snap_struct(&s, fields, HD_ARRAY_N(fields), &thing);
	assert_false(s.failed);
	assert_int_equal(
		read_thing((struct hd_snap_in){ s.v, s.n }, &got, &whole), 0);
	assert_true(whole);
	assert_int_equal(got.small, 7);
	assert_int_equal(got.middle, 1u << 31);
	assert_true(got.large == UINT64_MAX);
	assert_memory_equal(got.bytes, "four", 5);
	hd_snap_free(&s);
}

/* Cut off anywhere it is refused, or a field is missing; each read in memory of
 * just that size, for the sanitizer. */
static void what_is_cut_is_noticed(void **state)
{
	struct hd_snap s = { 0 };

	(void)state;
	hd_snap_struct(&s, fields, HD_ARRAY_N(fields), &thing);
	for (size_t n = 0; n < s.n; n++) {
		uint8_t *cut = malloc(n + 1);
		struct thing got = { 0 };
		bool whole = false;

		memcpy(cut, s.v, n);
		cut = realloc(cut, n > 0 ? n : 1);
		int r = read_thing((struct hd_snap_in){ cut, n }, &got, &whole);

		assert_true(r == -EBADMSG || !whole);
		free(cut);
	}
	hd_snap_free(&s);
}

static int read_one(unsigned tag, uint64_t value, unsigned times)
{
	struct hd_snap s = { 0 };
	struct thing got = { 0 };
	bool whole;

	while (times-- > 0)
		hd_snap_number(&s, tag, value);
	int r = read_thing((struct hd_snap_in){ s.v, s.n }, &got, &whole);

	hd_snap_free(&s);
	return r;
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	assert_int_equal(read_one(1, 255, 1), 0);
	assert_int_equal(read_one(1, 256, 1), -EBADMSG);
	assert_int_equal(read_one(2, (uint64_t)1 << 32, 1), -EBADMSG);
	assert_int_equal(read_one(2, 1, 2), -EBADMSG); /* twice */
	assert_int_equal(read_one(4, 1, 1), -EBADMSG); /* 8 bytes, not 5 */
}

static void unknown_ones_go_by_the_rule(void **state)
{
	struct hd_snap_item item = { .tag = 0x0777 };
	struct hd_error err;

	(void)state;
	assert_int_equal(hd_snap_unknown(&item, "a thing", &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "a thing"));
	assert_non_null(strstr(err.text, "0x0777"));
	item.tag |= HD_SNAP_SKIP;
	assert_int_equal(hd_snap_unknown(&item, "a thing", &err), 0);
}

static void items_stand_in_items(void **state)
{
	struct hd_snap s = { 0 }, more = { 0 };
	struct hd_snap_item item, inner;
	uint64_t v;
	char *text = NULL;

	(void)state;
	size_t at = hd_snap_begin(&s, 9);

	hd_snap_number(&s, 1, 42);
	hd_snap_text(&s, 2, "hello");
	hd_snap_text(&s, 3, NULL);
	hd_snap_end(&s, at);
	hd_snap_number(&more, 5, 1);
	hd_snap_append(&s, &more);
	struct hd_snap_in in = { s.v, s.n };

	assert_int_equal(hd_snap_next(&in, &item), 1);
	assert_int_equal(item.tag, 9);
	assert_int_equal(hd_snap_next(&item.in, &inner), 1);
	assert_int_equal(hd_snap_to_number(&inner, &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(hd_snap_next(&item.in, &inner), 1);
	assert_int_equal(hd_snap_to_text(&inner, &text), 0);
	assert_string_equal(text, "hello");
	assert_int_equal(hd_snap_next(&item.in, &inner), 0);
	assert_int_equal(hd_snap_next(&in, &item), 1);
	assert_int_equal(hd_snap_next(&in, &item), 0);
	free(text);
	hd_snap_free(&s);
	hd_snap_free(&more);
}

static void a_fixed_one_does_not_grow(void **state)
{
	uint8_t room[3 * (HD_SNAP_HEAD_BYTES + 8) - 1];
	struct hd_snap s = { .v = room, .size = sizeof(room), .fixed = true };

	(void)state;
	hd_snap_number(&s, 1, 1);
	hd_snap_number(&s, 1, 1);
	assert_false(s.failed);
	hd_snap_number(&s, 1, 1);
	assert_true(s.failed);
	assert_int_equal(s.n, 2 * (HD_SNAP_HEAD_BYTES + 8));
	hd_snap_free(&s);
}

/* ---- TLS ---- */

static struct hd_tls *tls_like_in_use(void)
{
	struct hd_tls *t = hd_tls_new_adopted();
	struct hd_records *r = t->records;

	r->suite = hd_tls_suite_at(0);
	r->rx.seq = 12;
	r->tx.seq = ((uint64_t)1 << 40) + 3;
	memset(r->rx.key, 0x11, sizeof(r->rx.key));
	memset(r->tx.key, 0x22, sizeof(r->tx.key));
	memset(r->tx.iv, 0x33, sizeof(r->tx.iv));
	memset(r->tx.secret, 0x44, sizeof(r->tx.secret));
	memcpy(r->message, "\x18\0\0", 3);
	r->message_bytes = 3;
	r->owes_update = true;
	r->ended = -EPIPE;
	t->ready = true;
	t->server_name = strdup("relay.example");
	return t;
}

static int copy_secret(const struct hd_tls *from, struct hd_tls *to, int flip)
{
	uint8_t room[HD_TLS_SECRET_BYTES];
	struct hd_snap s = { .v = room, .size = sizeof(room), .fixed = true };
	struct hd_snap_item item;
	struct hd_error err;
	uint64_t stream = 0;

	hd_tls_pack_secret(from, 77, &s);
	assert_false(s.failed);
	struct hd_snap_in in = { s.v, s.n };

	assert_int_equal(hd_snap_next(&in, &item), 1);
	assert_int_equal(hd_tls_secret_of(item.in, &stream), 0);
	assert_int_equal(stream, 77);
	if (flip >= 0) /* an item's length or tag is another one */
		room[flip] ^= 0x10;
	return hd_tls_unpack_secret(to, item.in, &err);
}

static void keys_and_numbers_go_on(void **state)
{
	struct hd_tls *a = tls_like_in_use(), *b = NULL;
	struct hd_chunk_pool pool = { 0 };
	struct hd_snap s = { 0 };
	struct hd_snap_item item;
	struct hd_error err;

	(void)state;
	a->partial = hd_chunk_new(&pool, 7);
	memcpy(a->partial->data + a->partial->tail, "\x17\x03\x03\0\x20qq", 7);
	a->partial->tail += 7;
	assert_null(hd_tls_stays(a));
	hd_tls_pack(a, &s);
	struct hd_snap_in in = { s.v, s.n };

	assert_int_equal(hd_snap_next(&in, &item), 1);
	assert_int_equal(hd_tls_unpack(item.in, &pool, &b, &err), 0);
	assert_int_equal(copy_secret(a, b, -1), 0);
	assert_memory_equal(a->records, b->records, sizeof(*a->records));
	assert_true(hd_tls_is_own(b));
	assert_string_equal(hd_tls_server_name(b), "relay.example");
	assert_int_equal(hd_tls_partial_bytes(b), 7);
	hd_snap_free(&s);
	hd_tls_free(&a);
	hd_tls_free(&b);
	hd_chunk_pool_free(&pool);
}

static void broken_keys_are_refused(void **state)
{
	(void)state;
	/* the first item's tag, reserved bits, length; the suite's number */
	const int at[] = { 8, 10, 12, 24, 24 + 8 };

	for (unsigned i = 0; i < HD_ARRAY_N(at); i++) {
		struct hd_tls *a = tls_like_in_use();
		struct hd_tls *b = hd_tls_new_adopted();

		assert_true(copy_secret(a, b, at[i]) < 0);
		hd_tls_free(&a);
		hd_tls_free(&b);
	}
}

static int kernel_of_another_version(uint64_t kernel, bool partial)
{
	struct hd_chunk_pool pool = { 0 };
	struct hd_tls *t = NULL;
	struct hd_snap s = { 0 };
	struct hd_error err;
	int r;

	hd_snap_number(&s, HD_SNAP_TLS_KERNEL, kernel);
	if (partial)
		hd_snap_bytes(&s, HD_SNAP_TLS_PARTIAL, "\x17\x03\x03", 3);
	r = hd_tls_unpack((struct hd_snap_in){ s.v, s.n }, &pool, &t, &err);
	if (r == 0 && hd_tls_kernel(t) != kernel)
		r = -ENOMSG;
	/* a socket whose records are nobody's */
	if (r == 0 && hd_tls_fits(t, 0))
		r = -ENOMSG;
	hd_tls_free(&t);
	hd_snap_free(&s);
	hd_chunk_pool_free(&pool);
	return r;
}

static void what_is_the_kernels_goes_with_its_socket(void **state)
{
	struct hd_tls *t = tls_like_in_use();

	(void)state;
	assert_true(hd_tls_fits(t, 0));
	t->kernel = HD_KTLS_TX;
	assert_null(hd_tls_stays(t));
	assert_false(hd_tls_fits(t, 0));
	hd_tls_free(&t);
	assert_int_equal(kernel_of_another_version(1, false), 0);
	assert_int_equal(kernel_of_another_version(1, true), 0);
	assert_int_equal(kernel_of_another_version(3, false), 0);
	assert_int_equal(kernel_of_another_version(0, false), -EBADMSG);
	assert_int_equal(kernel_of_another_version(4, false), -EBADMSG);
	assert_int_equal(kernel_of_another_version(2, true), -EBADMSG);
}

static void what_is_openssls_stays(void **state)
{
	struct hd_tls *t = tls_like_in_use();

	(void)state;
	t->ready = false;
	assert_string_equal(hd_tls_stays(t), "TLS handshake");
	hd_tls_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_struct_comes_back),
		cmocka_unit_test(what_is_cut_is_noticed),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(unknown_ones_go_by_the_rule),
		cmocka_unit_test(items_stand_in_items),
		cmocka_unit_test(a_fixed_one_does_not_grow),
		cmocka_unit_test(keys_and_numbers_go_on),
		cmocka_unit_test(broken_keys_are_refused),
		cmocka_unit_test(what_is_openssls_stays),
		cmocka_unit_test(what_is_the_kernels_goes_with_its_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
