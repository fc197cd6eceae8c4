/* SPDX-License-Identifier: MIT */
/* t/unit/pack.c - what modules pack comes back by its name, and what is broken
 * is refused. */
#include "core/base/pack.h"
#include "core/base/snap_format.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct box { /* a snapshot that a module packs into */
	struct hd_snap s;
	struct hd_pack_fds fds;
	struct hd_pack p;
};

static void box_open(struct box *b)
{
	*b = (struct box){ .fds.lock = PTHREAD_MUTEX_INITIALIZER };
	b->p = (struct hd_pack){ .to = &b->s, .fds = &b->fds };
}

static struct hd_unpack box_read(struct box *b, struct hd_unpack_fds *fds)
{
	hd_pack_end(&b->p);
	assert_false(b->s.failed);
	return hd_unpack_of((struct hd_snap_in){ b->s.v, b->s.n }, 3, fds);
}

static void box_free(struct box *b)
{
	hd_snap_free(&b->s);
	free(b->fds.v);
}

static void all_kinds_come_back(void **state)
{
	struct box b;
	char text[8];
	uint8_t bytes[3];
	uint64_t n = 0;

	(void)state;
	box_open(&b);
	hd_pack_text(&b.p, "text", "hello");
	hd_pack_number(&b.p, "number", UINT64_MAX);
	hd_pack_text(&b.p, "no text", NULL);
	hd_pack_bytes(&b.p, "bytes", "\0a\0", 3);
	hd_pack_bytes(&b.p, "empty", NULL, 0);
	struct hd_unpack u = box_read(&b, NULL);

	assert_int_equal(u.version, 3);
	assert_int_equal(hd_unpack_number(&u, "number", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(hd_unpack_text(&u, "text", text, sizeof(text)), 0);
	assert_string_equal(text, "hello");
	assert_int_equal(hd_unpack_bytes(&u, "bytes", bytes, 3), 0);
	assert_memory_equal(bytes, "\0a\0", 3);
	assert_int_equal(hd_unpack_bytes(&u, "empty", NULL, 0), 0);
	assert_int_equal(hd_unpack_number(&u, "numbe", &n), -ENOENT);
	assert_int_equal(hd_unpack_number(&u, "numbers", &n), -ENOENT);
	assert_int_equal(hd_unpack_text(&u, "no text", text, 8), -ENOENT);
	box_free(&b);
}

static void what_is_something_else_is_refused(void **state)
{
	struct box b;
	char text[5];
	uint64_t n = 0;
	struct hd_unpack u, group;

	(void)state;
	box_open(&b);
	hd_pack_text(&b.p, "text", "hello");
	hd_pack_bytes(&b.p, "nul", "a\0b", 3);
	hd_pack_open(&b.p, "group");
	hd_pack_close(&b.p);
	u = box_read(&b, NULL);
	assert_int_equal(hd_unpack_number(&u, "text", &n), -EBADMSG);
	assert_int_equal(hd_unpack_number(&u, "group", &n), -EBADMSG);
	assert_int_equal(hd_unpack_group(&u, "text", &group), -EBADMSG);
	assert_int_equal(hd_unpack_fd(&u, "text"), -EBADMSG);
	assert_int_equal(hd_unpack_text(&u, "text", text, 5), -ENOSPC);
	assert_int_equal(hd_unpack_text(&u, "nul", text, 5), -EBADMSG);
	box_free(&b);
}

static void groups_stand_in_groups(void **state)
{
	struct box b;
	struct hd_unpack u, all, one, inner;
	uint64_t n = 0, sum = 0;

	(void)state;
	box_open(&b);
	for (unsigned i = 1; i <= 3; i++) {
		hd_pack_open(&b.p, "one");
		hd_pack_open(&b.p, "inner");
		hd_pack_number(&b.p, "n", i);
		hd_pack_close(&b.p);
		hd_pack_close(&b.p);
		hd_pack_number(&b.p, "between", i);
	}
	u = all = box_read(&b, NULL);
	while (hd_unpack_next(&all, "one", &one)) {
		assert_int_equal(hd_unpack_group(&one, "inner", &inner), 0);
		assert_int_equal(inner.version, 3);
		assert_int_equal(hd_unpack_number(&inner, "n", &n), 0);
		sum = 10 * sum + n;
	}
	assert_int_equal(sum, 123);
	assert_int_equal(hd_unpack_number(&u, "between", &n), 0);
	assert_int_equal(n, 1);
	box_free(&b);
}

static void a_descriptor_is_given_once(void **state)
{
	struct box b;
	int v[] = { 70, 80 };
	struct hd_unpack_fds fds = { v, 2, NULL };

	(void)state;
	box_open(&b);
	hd_pack_fd(&b.p, "first", 7);
	hd_pack_fd(&b.p, "second", 8);
	assert_int_equal(b.fds.n, 2);
	assert_int_equal(b.fds.v[1], 8);
	struct hd_unpack u = box_read(&b, &fds);

	assert_int_equal(hd_unpack_fd(&u, "second"), 80);
	assert_int_equal(hd_unpack_fd(&u, "second"), -ENOENT);
	assert_int_equal(hd_unpack_fd(&u, "third"), -ENOENT);
	assert_int_equal(v[0], 70);
	fds.n = 0;
	assert_int_equal(hd_unpack_fd(&u, "first"), -EBADMSG);
	box_free(&b);
}

static bool contains(const struct hd_snap *s, const char *text)
{
	return memmem(s->v, s->n, text, strlen(text)) != NULL;
}

static void a_secret_is_sealed(void **state)
{
	uint8_t key[HD_PACK_KEY_BYTES], other[HD_PACK_KEY_BYTES], got[11];
	struct hd_unpack_fds fds = { .key = key };
	struct hd_unpack u;
	struct box b;

	(void)state;
	hd_pack_key_new(key);
	hd_pack_key_new(other);
	box_open(&b);
	b.fds.key = key;
	hd_pack_secret(&b.p, "first", "a secret of", 11);
	hd_pack_secret(&b.p, "again", "a secret of", 11);
	hd_pack_bytes(&b.p, "no secret", "everybody's", 11);
	u = box_read(&b, &fds);
	assert_false(contains(&b.s, "secret of"));
	assert_int_equal(hd_unpack_secret(&u, "again", got, 11), 0);
	assert_memory_equal(got, "a secret of", 11);
	assert_int_equal(hd_unpack_secret(&u, "first", got, 11), 0);
	assert_memory_equal(got, "a secret of", 11);
	assert_int_equal(hd_unpack_secret(&u, "first", got, 10), -EBADMSG);
	assert_int_equal(hd_unpack_secret(&u, "second", got, 11), -ENOENT);
	assert_int_equal(hd_unpack_secret(&u, "no secret", got, 11), -EBADMSG);
	fds.key = other;
	assert_int_equal(hd_unpack_secret(&u, "first", got, 11), -EBADMSG);
	fds.key = NULL;
	assert_int_equal(hd_unpack_secret(&u, "first", got, 11), -EBADMSG);
	box_free(&b);
}

/* Of one text two secrets are two texts, and without a key there is none. */
static void no_nonce_is_used_twice(void **state)
{
	uint8_t key[HD_PACK_KEY_BYTES];
	const void *first, *second;
	struct hd_unpack u;
	struct box b;
	size_t n, m;

	(void)state;
	hd_pack_key_new(key);
	box_open(&b);
	b.fds.key = key;
	hd_pack_secret(&b.p, "a", "text", 4);
	hd_pack_secret(&b.p, "b", "text", 4);
	u = box_read(&b, NULL);
	assert_int_equal(hd_unpack_view(&u, "a", &first, &n), 0);
	assert_int_equal(hd_unpack_view(&u, "b", &second, &m), 0);
	assert_int_equal(n, m);
	assert_memory_not_equal(first, second, n);
	b.fds.key = NULL;
	hd_pack_secret(&b.p, "c", "text", 4);
	assert_true(b.s.failed);
	box_free(&b);
}

/* What has gone ahead is compared with what there is later. */
static void the_same_secret_is_sealed_alike(void **state)
{
	static const char *const texts[] = { "text", "text", "next" };
	uint8_t key[HD_PACK_KEY_BYTES];
	struct box b[3];

	(void)state;
	hd_pack_key_new(key);
	for (unsigned i = 0; i < 3; i++) {
		box_open(&b[i]);
		b[i].fds.key = key;
		hd_pack_secret(&b[i].p, "a", texts[i], 4);
		assert_int_equal(b[i].s.n, b[0].s.n);
	}
	assert_memory_equal(b[0].s.v, b[1].s.v, b[0].s.n);
	assert_memory_not_equal(b[0].s.v, b[2].s.v, b[0].s.n);
	for (unsigned i = 0; i < 3; i++)
		box_free(&b[i]);
}

/* Cut off anywhere, in memory of just that size, for the sanitizer. */
static void what_is_cut_is_noticed(void **state)
{
	struct box b;
	uint64_t n = 0;

	(void)state;
	box_open(&b);
	hd_pack_open(&b.p, "group");
	hd_pack_number(&b.p, "n", 5);
	hd_pack_close(&b.p);
	hd_pack_number(&b.p, "last", 6);
	box_read(&b, NULL);
	for (size_t size = 0; size < b.s.n; size++) {
		uint8_t *cut = malloc(size + 1);

		memcpy(cut, b.s.v, size);
		cut = realloc(cut, size > 0 ? size : 1);
		struct hd_unpack u =
			hd_unpack_of((struct hd_snap_in){ cut, size }, 1, NULL);

		assert_true(hd_unpack_number(&u, "last", &n) < 0);
		free(cut);
	}
	box_free(&b);
}

/* A name's length that is more than there is. */
static void a_broken_name_is_passed_over(void **state)
{
	struct box b;
	uint64_t n = 0;

	(void)state;
	box_open(&b);
	hd_pack_number(&b.p, "n", 5);
	b.s.v[HD_SNAP_HEAD_BYTES] = 200;
	struct hd_unpack u = box_read(&b, NULL);

	assert_int_equal(hd_unpack_number(&u, "n", &n), -ENOENT);
	box_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_come_back),
		cmocka_unit_test(what_is_something_else_is_refused),
		cmocka_unit_test(groups_stand_in_groups),
		cmocka_unit_test(a_descriptor_is_given_once),
		cmocka_unit_test(a_secret_is_sealed),
		cmocka_unit_test(the_same_secret_is_sealed_alike),
		cmocka_unit_test(no_nonce_is_used_twice),
		cmocka_unit_test(what_is_cut_is_noticed),
		cmocka_unit_test(a_broken_name_is_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
