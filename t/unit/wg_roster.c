/* SPDX-License-Identifier: MIT */
/* t/unit/wg_roster.c - peers and links: the text that the predecessor wrote,
 * ours, what neither may hold, and changes taken back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "t/unit/wg_roster_help.h"

/* 32 bytes of 0x01, of 0x02, of 0x03 */
#define KEY1 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY2 "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define KEY3 "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="

/* What would be written, without the seal. */
static const char *printed(struct world *w)
{
	size_t n;
	FILE *f;

	free(w->text);
	f = open_memstream(&w->text, &n);
	wg_text_print(w->r, f);
	fclose(f);
	return w->text;
}

static void add(struct world *w, const char *name, const char *endpoint,
		const char *key)
{
	struct wg_entry_text t = { .name = name,
				   .endpoint = endpoint,
				   .pubkey = key };

	assert_int_equal(wg_change_add(&w->c, w->r, &t, &w->why), 0);
}

/* predecessor.md, h.3: the label stands only where a key does. */
static const char predecessors[] =
	"# wg-relay roster\n"
	"peer alice 192.0.2.1:51820 " KEY1 " my home\n"
	"peer bob 192.0.2.2:51820\n"
	"peer carol [2001:db8::1]:51820 " KEY2 "\n"
	"nic alice eth0\n"
	"link alice bob\n";

static void the_predecessors_file_is_read(void **state)
{
	struct world *w = *state;
	struct wg_entry *a, *b, *c;

	assert_int_equal(apply(w, predecessors), 0);
	a = wg_roster_find(w->r, "alice");
	b = wg_roster_find(w->r, "bob");
	c = wg_roster_find(w->r, "carol");
	assert_string_equal(a->label, "my home");
	assert_string_equal(a->nic, "eth0");
	assert_int_equal(a->key.b[31], 1);
	assert_int_equal(a->endpoint.in.sin_port, __builtin_bswap16(51820));
	assert_false(wg_entry_has_key(b));
	assert_int_equal(c->endpoint.sa.sa_family, AF_INET6);
	assert_non_null(wg_edge_find(b, a));
	assert_null(wg_edge_find(a, c));
	assert_int_equal(w->r->n_links, 1);
}

static void keys_only_and_labels_without_keys(void **state)
{
	static const char text[] = "peer a - " KEY1 "\n"
				   "peer b 192.0.2.2:1 - no key here\n"
				   "peer c - " KEY2 " phone\n"
				   "link a b\nlink c a\n";
	struct world *w = *state;

	assert_int_equal(apply(w, text), 0);
	assert_string_equal(printed(w), text);
	assert_null(wg_roster_find(w->r, "a")->label);
	assert_string_equal(wg_roster_find(w->r, "b")->label, "no key here");
	assert_false(wg_entry_has_endpoint(wg_roster_find(w->r, "c")));
}

static void order_does_not_matter(void **state)
{
	struct world *w = *state;

	assert_int_equal(apply(w, "link a b\r\n\n  nic a wlan0\t\n"
				  "peer b\t- " KEY2 "\npeer a - " KEY1),
			 0);
	assert_string_equal(printed(w), "peer b - " KEY2 "\npeer a - " KEY1
					"\nnic a wlan0\nlink a b\n");
}

static void applying_twice_changes_nothing(void **state)
{
	struct world *w = *state;
	size_t n;

	assert_int_equal(apply(w, predecessors), 0);
	n = w->c.n;
	assert_int_equal(apply(w, predecessors), 0);
	assert_int_equal(w->c.n, n);
}

static void bad_lines_are_named(void **state)
{
	static const struct {
		const char *text, *where, *code;
	} bad[] = {
		{ "peer a\n", "roster:1: ", "bad_args" },
		{ "\npeer a - -\n", "roster:2: ", "missing_arg" },
		{ "peer a -\n", "roster:1: ", "missing_arg" },
		{ "peer a 192.0.2.1\n", "roster:1: ", "bad_args" },
		{ "peer a 192.0.2.1:0\n", "roster:1: ", "bad_args" },
		{ "peer a 192.0.2.1:65536\n", "roster:1: ", "bad_args" },
		{ "peer a 2001:db8::1:5\n", "roster:1: ", "bad_args" },
		{ "peer a example.com:5\n", "roster:1: ", "bad_args" },
		{ "peer a 192.0.2.1:5 home\n", "roster:1: ", "invalid_key" },
		{ "peer a - AQEB\n", "roster:1: ", "invalid_key" },
		{ "peer a - AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		  "roster:1: ", "invalid_key" },
		{ "peer -a 192.0.2.1:5\n", "roster:1: ", "bad_args" },
		{ "peer a#b 192.0.2.1:5\n", "roster:1: ", "bad_args" },
		{ "peer a - " KEY1 "\npeer b - " KEY1 "\n",
		  "roster:2: ", "wg_key_duplicate" },
		{ "peer a - " KEY1 "\npeer a - " KEY2 "\n",
		  "roster:2: ", "wg_peer_add_failed" },
		{ "peer a 192.0.2.1:5\npeer b 192.0.2.1:5\n",
		  "roster:2: ", "wg_endpoint_duplicate" },
		{ "peer a - " KEY1 "\nlink a b\n",
		  "roster:2: ", "wg_peer_unknown" },
		{ "peer a - " KEY1 "\nlink a a\n",
		  "roster:2: ", "wg_link_self" },
		{ "peer a - " KEY1 "\nlink a\n", "roster:2: ", "bad_args" },
		{ "peer a - " KEY1 "\nnic a eth0/1\n",
		  "roster:2: ", "wg_peer_nic_failed" },
		{ "peers a - " KEY1 "\n", "roster:1: ", "bad_args" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < HD_ARRAY_N(bad); i++) {
		assert_int_not_equal(apply(w, bad[i].text), 0);
		assert_memory_equal(w->why.err.text, bad[i].where,
				    strlen(bad[i].where));
		assert_string_equal(w->why.code, bad[i].code);
		wg_changes_undo(&w->c, w->r);
		assert_int_equal(w->r->n_peers, 0);
	}
}

static void a_zero_byte_is_no_text(void **state)
{
	static const char text[] = "# x\npeer a\0 - " KEY1 "\n";
	struct world *w = *state;

	assert_int_equal(wg_text_apply(&w->c, w->r, "roster", text,
				       sizeof(text) - 1, &w->why),
			 -EINVAL);
	assert_memory_equal(w->why.err.text, "roster:2: ", 10);
}

/* Nothing that gets in may break a line on its way out. */
static void what_would_corrupt_the_file_is_refused(void **state)
{
	static const char *const names[] = { "",    "a b",  "a\tb",	"a\nb",
					     "a\r", "#a",   "a#",	"-",
					     "--x", "\x7f", "a\xc2\x85" };
	static const char *const labels[] = { "a\nb", " a", "a ", "a\x01" };
	struct world *w = *state;
	char longer[WG_LABEL_MAX_BYTES + 2];

	for (size_t i = 0; i < HD_ARRAY_N(names); i++)
		assert_int_equal(wg_name_check(names[i], &w->why), -EINVAL);
	for (size_t i = 0; i < HD_ARRAY_N(labels); i++)
		assert_int_equal(wg_label_check(labels[i], &w->why), -EINVAL);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(wg_label_check(longer, &w->why), -EINVAL);
	longer[WG_LABEL_MAX_BYTES] = '\0';
	assert_int_equal(wg_label_check(longer, &w->why), 0);
	longer[WG_NAME_MAX_BYTES + 1] = '\0';
	assert_int_equal(wg_name_check(longer, &w->why), -EINVAL);
	assert_int_equal(wg_name_check("b\xc3\xbcro.1@home", &w->why), 0);
}

static void mapped_addresses_are_ipv4(void **state)
{
	struct world *w = *state;
	union hd_addr a, b;

	assert_int_equal(wg_addr_parse("[::ffff:192.0.2.1]:5", &a, &w->why), 0);
	assert_int_equal(wg_addr_parse("192.0.2.1:5", &b, &w->why), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void the_configuration_wins(void **state)
{
	static const struct wg_entry_text conf = { .name = "alice",
						   .endpoint = "192.0.2.9:9",
						   .fixed = true };
	struct world *w = *state;
	struct wg_entry_text text = { .name = "alice", .label = "x" };

	assert_int_equal(wg_roster_add(w->r, &conf, NULL, &w->why), 0);
	assert_int_equal(apply(w, predecessors), 0);
	assert_false(wg_entry_has_key(wg_roster_find(w->r, "alice")));
	assert_string_equal(printed(w),
			    "nic alice eth0\n"
			    "peer bob 192.0.2.2:51820\n"
			    "peer carol [2001:db8::1]:51820 " KEY2 "\n"
			    "link alice bob\n");
	assert_int_equal(wg_change_update(&w->c, w->r, &text, &w->why), -EPERM);
	assert_string_equal(w->why.code, "wg_peer_fixed");
	assert_int_equal(wg_change_remove(&w->c, w->r, "alice", &w->why),
			 -EPERM);
}

static void links_of_the_configuration_stay(void **state)
{
	struct world *w = *state;

	add(w, "a", NULL, KEY1);
	add(w, "b", NULL, KEY2);
	assert_int_equal(wg_roster_link(w->r, "a", "b", true, &w->why), 0);
	assert_int_equal(wg_change_unlink(&w->c, w->r, "b", "a", &w->why),
			 -EPERM);
	assert_string_equal(w->why.code, "wg_link_fixed");
	assert_int_equal(wg_change_remove(&w->c, w->r, "b", &w->why), -EPERM);
	assert_string_equal(printed(w),
			    "peer a - " KEY1 "\npeer b - " KEY2 "\n");
}

static void links_have_the_predecessors_codes(void **state)
{
	struct world *w = *state;

	add(w, "a", NULL, KEY1);
	add(w, "b", NULL, KEY2);
	add(w, "c", NULL, KEY3);
	assert_int_equal(wg_change_link(&w->c, w->r, "a", "b", &w->why), 0);
	assert_int_equal(wg_change_link(&w->c, w->r, "a", "c", &w->why), 0);
	assert_int_equal(wg_change_link(&w->c, w->r, "b", "a", &w->why),
			 -EEXIST);
	assert_string_equal(w->why.code, "wg_link_duplicate");
	assert_int_equal(wg_change_link(&w->c, w->r, "b", "b", &w->why),
			 -EINVAL);
	assert_string_equal(w->why.code, "wg_link_self");
	assert_int_equal(wg_change_link(&w->c, w->r, "b", "x", &w->why),
			 -ENOENT);
	assert_string_equal(w->why.code, "wg_peer_unknown");
	assert_int_equal(wg_change_unlink(&w->c, w->r, "b", "c", &w->why),
			 -ENOENT);
	assert_string_equal(w->why.code, "wg_link_unknown");
	assert_int_equal(wg_change_unlink(&w->c, w->r, "b", "a", &w->why), 0);
	assert_int_equal(w->r->n_links, 1);
}

static void updates_change_what_is_given(void **state)
{
	struct world *w = *state;
	struct wg_entry_text t = { .name = "a", .endpoint = "192.0.2.1:7" };

	add(w, "a", NULL, KEY1);
	add(w, "b", NULL, KEY2);
	assert_int_equal(wg_change_update(&w->c, w->r, &t, &w->why), 0);
	t = (struct wg_entry_text){ .name = "a", .label = "one two" };
	assert_int_equal(wg_change_update(&w->c, w->r, &t, &w->why), 0);
	t = (struct wg_entry_text){ .name = "a", .pubkey = KEY2 };
	assert_int_equal(wg_change_update(&w->c, w->r, &t, &w->why), -EEXIST);
	t = (struct wg_entry_text){ .name = "a", .pubkey = "-", .label = "-" };
	assert_int_equal(wg_change_update(&w->c, w->r, &t, &w->why), 0);
	assert_string_equal(printed(w),
			    "peer a 192.0.2.1:7\npeer b - " KEY2 "\n");
	t = (struct wg_entry_text){ .name = "b", .pubkey = "-" };
	assert_int_equal(wg_change_update(&w->c, w->r, &t, &w->why), -EINVAL);
	t = (struct wg_entry_text){
		.name = "a", .endpoint = "-", .pubkey = KEY1, .label = "bad "
	};
	assert_int_equal(wg_change_update(&w->c, w->r, &t, &w->why), -EINVAL);
	assert_null(wg_roster_by_key(w->r, &(struct hd_key){ { 1 } }));
}

static void changes_can_be_taken_back(void **state)
{
	struct wg_changes later = { 0 };
	struct world *w = *state;
	struct wg_entry_text t = {
		.name = "alice", .pubkey = KEY3, .label = "new", .nic = "-"
	};
	char *before;

	assert_int_equal(apply(w, predecessors), 0);
	assert_int_equal(wg_change_link(&w->c, w->r, "carol", "alice", &w->why),
			 0);
	before = strdup(printed(w));
	assert_int_equal(wg_change_update(&later, w->r, &t, &w->why), 0);
	assert_int_equal(
		wg_change_unlink(&later, w->r, "alice", "bob", &w->why), 0);
	assert_int_equal(wg_change_link(&later, w->r, "carol", "bob", &w->why),
			 0);
	assert_int_equal(wg_change_remove(&later, w->r, "carol", &w->why), 0);
	assert_string_equal(printed(w), "peer alice 192.0.2.1:51820 " KEY3
					" new\npeer bob 192.0.2.2:51820\n");
	wg_changes_undo(&later, w->r);
	/* carol is the last of them, as she was */
	assert_string_equal(printed(w), before);
	assert_int_equal(w->r->n_links, 2);
	free(before);
}

static void a_hundred_thousand(void **state)
{
	struct world *w = *state;
	char name[16], key[WG_KEY_TEXT_BYTES];
	struct hd_key k = { { 0 } };
	enum { N = 100000 };

	for (unsigned i = 1; i <= N; i++) {
		memcpy(k.b, &i, sizeof(i));
		snprintf(name, sizeof(name), "p%u", i);
		add(w, name, NULL, wg_key_text(&k, key));
		if (i > 1)
			assert_int_equal(wg_change_link(&w->c, w->r, "p1", name,
							&w->why),
					 0);
	}
	assert_int_equal(w->r->n_links, N - 1);
	assert_ptr_equal(wg_roster_by_key(w->r, &k),
			 wg_roster_find(w->r, "p100000"));
	assert_int_equal(wg_change_remove(&w->c, w->r, "p1", &w->why), 0);
	assert_int_equal(w->r->n_links, 0);
}

#define ROSTER_TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROSTER_TEST(the_predecessors_file_is_read),
		ROSTER_TEST(keys_only_and_labels_without_keys),
		ROSTER_TEST(order_does_not_matter),
		ROSTER_TEST(applying_twice_changes_nothing),
		ROSTER_TEST(bad_lines_are_named),
		ROSTER_TEST(a_zero_byte_is_no_text),
		ROSTER_TEST(what_would_corrupt_the_file_is_refused),
		ROSTER_TEST(mapped_addresses_are_ipv4),
		ROSTER_TEST(the_configuration_wins),
		ROSTER_TEST(links_of_the_configuration_stay),
		ROSTER_TEST(links_have_the_predecessors_codes),
		ROSTER_TEST(updates_change_what_is_given),
		ROSTER_TEST(changes_can_be_taken_back),
		ROSTER_TEST(a_hundred_thousand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
