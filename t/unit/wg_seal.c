/* SPDX-License-Identifier: MIT */
/* t/unit/wg_seal.c - the roster's file is whole or refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "t/unit/wg_roster_help.h"

static const char peers[] =
	"peer alice 192.0.2.1:51820 "
	"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= my home\n"
	"peer bob 192.0.2.2:51820\n"
	"peer carol [2001:db8::1]:51820\n"
	"nic alice eth0\n"
	"link alice bob\n";

static char *sealed(struct world *w, size_t *ret_n)
{
	free(w->text);
	assert_int_equal(wg_seal_print(w->r, &w->text, ret_n), 0);
	return w->text;
}

static int check(struct world *w, const char *text, size_t n)
{
	return wg_seal_check("/state/wg-roster", text, n, &w->why);
}

static void what_is_written_is_sealed(void **state)
{
	struct world *w = *state;
	size_t n;
	char *text = sealed(w, &n);

	assert_int_equal(check(w, text, n), 1);
	assert_non_null(strstr(text, "\n# end lines=1 sha256="));
	assert_int_equal(apply(w, text), 0);
	assert_int_equal(w->r->n_peers, 0);
	assert_int_equal(apply(w, peers), 0);
	text = sealed(w, &n);
	assert_int_equal(check(w, text, n), 1);
	assert_non_null(strstr(text, "\n# end lines=6 sha256="));
}

static void cut_off_anywhere_it_is_refused(void **state)
{
	struct world *w = *state;
	size_t n, first = strlen(WG_SEAL_FIRST);
	char *text;

	assert_int_equal(apply(w, peers), 0);
	text = sealed(w, &n);
	assert_int_equal(check(w, text, 0), -EBADMSG);
	for (size_t i = first; i < n; i++) {
		assert_int_equal(check(w, text, i), -EBADMSG);
		assert_memory_equal(w->why.err.text, "/state/wg-roster:", 17);
	}
	assert_non_null(strstr(w->why.err.text, ":7: the roster is cut off"));
	assert_non_null(strstr(w->why.err.text,
			       "cp -p /state/wg-roster.before "
			       "/state/wg-roster"));
}

static void every_changed_byte_is_noticed(void **state)
{
	struct world *w = *state;
	size_t n, first = strlen(WG_SEAL_FIRST);
	char *text;

	assert_int_equal(apply(w, peers), 0);
	text = sealed(w, &n);
	for (size_t i = first; i < n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			assert_int_equal(check(w, text, n), -EBADMSG);
			text[i] ^= (char)(1 << bit);
		}
	assert_int_equal(check(w, text, n), 1);
}

static void without_its_first_line_it_is_taken(void **state)
{
	struct world *w = *state;
	size_t n, first = strlen(WG_SEAL_FIRST);
	char *text;

	assert_int_equal(check(w, peers, strlen(peers)), 0);
	assert_int_equal(apply(w, peers), 0);
	text = sealed(w, &n);
	assert_int_equal(check(w, text + first, n - first), 0);
	/* of an import there is no name, and no copy */
	assert_int_equal(wg_seal_check(NULL, text, n - 1, &w->why), -EBADMSG);
	assert_memory_equal(w->why.err.text, "line 7: ", 8);
	assert_null(strstr(w->why.err.text, "before"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, world_up, world_down)
	const struct CMUnitTest tests[] = {
		T(what_is_written_is_sealed),
		T(cut_off_anywhere_it_is_refused),
		T(every_changed_byte_is_noticed),
		T(without_its_first_line_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
