/* SPDX-License-Identifier: MIT */
/* t/unit/mesh_list.c - members of a file, and of answers of DNS. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "t/unit/mesh_help.h"

/* Returns what reading a file with this text does. */
static int read_text(const char *text, struct mesh_list **ret, char *error)
{
	char path[] = "/tmp/hd-mesh-XXXXXX";
	struct hd_error err = { "" };
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	*ret = NULL;
	r = mesh_list_read(path, ret, &err);
	unlink(path);
	snprintf(error, sizeof(err.text), "%s", err.text);
	return r;
}

static void a_file_has_a_line_for_each(void **state)
{
	struct mesh_list *list;
	char error[512];

	(void)state;
	assert_int_equal(read_text("# ours\n\n"
				   "a.example\n"
				   "  b.example:8443\tdial=10.0.0.3 "
				   "ca_file=/ca.pem pin=sha256-raw:0\r\n"
				   "127.0.0.1:80 tls=false\n",
				   &list, error),
			 0);
	assert_int_equal(list->n, 3);
	assert_string_equal(list->v[0].name, "a.example");
	assert_true(list->v[0].tls);
	assert_null(list->v[0].dial);
	assert_string_equal(list->v[1].dial, "10.0.0.3");
	assert_string_equal(list->v[1].ca_file, "/ca.pem");
	assert_string_equal(list->v[1].pin, "sha256-raw:0");
	assert_false(list->v[2].tls);
	mesh_list_put(mesh_list_get(list));
	mesh_list_put(list);
	assert_int_equal(read_text("# for now\nnone\n", &list, error), 0);
	assert_int_equal(list->n, 0);
	mesh_list_put(list);
}

static void a_wrong_line_is_named(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "a.example\na.example:0\n", ":2: `a.example:0`" },
		{ "\n\na.example port=1\n", ":3: `port=1` is not known" },
		{ "a.example tls=no\n", ":1: `tls=no`" },
		{ "a.example tls=false pin=x\n", ":1: a.example: ca_file and" },
		{ "a.example/b dial=c\n", ":1: a.example: both" },
		{ "", ":1: there is no member in it" },
		{ "# nobody\n\n", ":1: there is no member in it" },
		{ "a.example\nb.examp", ":2: it ends within this line" },
		{ "a.example\nnone\n", ":1: `none`, and members" },
		{ "#\nnone foo\n", ":2: `foo`: there must be nothing after" },
		{ "none tls=false\n", ":1: `tls=false`: there must be" },
	};
	struct mesh_list *list;
	char error[512];

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(cases); i++) {
		assert_int_equal(read_text(cases[i].text, &list, error),
				 -EINVAL);
		assert_non_null(strstr(error, cases[i].error));
		assert_null(list);
	}
}

static void there_is_an_end_to_it(void **state)
{
	char *text = calloc(MESH_MEMBERS_MAX + 1, 16), error[512];
	struct mesh_list *list;

	(void)state;
	for (unsigned i = 0; i <= MESH_MEMBERS_MAX; i++)
		sprintf(text + strlen(text), "h%u\n", i);
	assert_int_equal(read_text(text, &list, error), -ENOSPC);
	assert_non_null(strstr(error, ":257: more than 256 members"));
	free(text);
}

/* An answer to _a._tcp.x. SRV: RFC 1035, 4.1, and RFC 2782. */
#define HEAD "\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0"
#define QUESTION "\x02_a\x04_tcp\x01x\0\0\x21\0\x01"
#define SRV(len, port, target)                                                 \
	"\xc0\x0c\0\x21\0\x01\0\0\0\x3c\0" len "\0\x01\0\x02" port target
#define BOTH                                                                   \
	HEAD QUESTION SRV("\x0c", "\x01\xbb", "\x03one\xc0\x14")               \
		SRV("\x0c", "\x20\xfb", "\x03two\xc0\x14")

static void targets_of_srv(void **state)
{
	static const char answer[] = BOTH;
	struct mesh_list *list = mesh_list_new();
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(mesh_dns_take_srv(list, (const uint8_t *)answer,
					   sizeof(answer) - 1, &err),
			 0);
	assert_int_equal(list->n, 2);
	assert_string_equal(list->v[0].name, "one.x:443");
	assert_string_equal(list->v[1].name, "two.x:8443");
	mesh_list_put(list);
}

/* Cut, or with any byte another one: refused, or taken, and nothing else. */
static void wrong_answers_do_no_harm(void **state)
{
	static const char answer[] = BOTH;
	struct hd_error err;

	(void)state;
	for (size_t n = 0; n < sizeof(answer) - 1; n++) {
		struct mesh_list *list = mesh_list_new();
		uint8_t *p = malloc(n + 1);

		memcpy(p, answer, n);
		assert_true(mesh_dns_take_srv(list, p, n, &err) < 0 ||
			    list->n < 2);
		mesh_list_put(list);
		free(p);
	}
	for (size_t i = 0; i < 256 * (sizeof(answer) - 1); i++) {
		struct mesh_list *list = mesh_list_new();
		uint8_t p[sizeof(answer) - 1];

		memcpy(p, answer, sizeof(p));
		p[i / 256] = (uint8_t)i;
		mesh_dns_take_srv(list, p, sizeof(p), &err);
		mesh_list_put(list);
	}
}

static void names_of_dns(void **state)
{
	struct mesh_list *list = NULL;
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(mesh_dns_check("mesh.example.com:8443", &err), 0);
	assert_int_equal(mesh_dns_check("_derp-mesh._tcp.example.com", &err),
			 0);
	assert_int_equal(mesh_dns_check("a/b", &err), -EINVAL);
	assert_int_equal(mesh_dns_check("a:0", &err), -EINVAL);
	/* an address is one without DNS */
	assert_int_equal(mesh_dns_ask("127.0.0.1:8443", &list, &err), 0);
	assert_int_equal(list->n, 1);
	assert_string_equal(list->v[0].name, "127.0.0.1:8443");
	assert_string_equal(list->v[0].server, "127.0.0.1");
	mesh_list_put(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_has_a_line_for_each),
		cmocka_unit_test(a_wrong_line_is_named),
		cmocka_unit_test(there_is_an_end_to_it),
		cmocka_unit_test(targets_of_srv),
		cmocka_unit_test(wrong_answers_do_no_harm),
		cmocka_unit_test(names_of_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
