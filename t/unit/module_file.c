/* SPDX-License-Identifier: MIT */
/* t/unit/module_file.c - files that are modules, and files that are not. */
#include "core/module/module_file.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *module_path(const char *name)
{
	static char path[PATH_MAX];
	char self[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0'; /* BUILD/t/unit/[.libs/]module_file */
	char *cut = strstr(self, "/t/unit/");
	assert_non_null(cut);
	*cut = '\0';
	snprintf(path, sizeof(path), "%s/t/lib/modules/.libs/%s.so", self,
		 name);
	return path;
}

static void names(void **state)
{
	char name[HD_MODULE_NAME_BYTES];

	(void)state;
	assert_int_equal(hd_module_name("derp", name), 0);
	assert_string_equal(name, "derp");
	assert_int_equal(hd_module_name("/opt/x/wg_2.so", name), 0);
	assert_string_equal(name, "wg_2");
	assert_int_equal(hd_module_name("derp.so", name), -EINVAL);
	assert_int_equal(hd_module_name("", name), -EINVAL);
	assert_int_equal(hd_module_name("/opt/x/", name), -EINVAL);
	assert_int_equal(hd_module_name("Derp", name), -EINVAL);
	assert_int_equal(hd_module_name("../derp", name), 0);
}

static void good_is_opened(void **state)
{
	struct hd_module_file file;
	struct hd_error err = { "" };
	int r = hd_module_file_open("good", module_path("good"), &file, &err);

	(void)state;
	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
	assert_string_equal(file.def.name, "good");
	assert_string_equal(file.def.version, "1.0");
	assert_string_equal(file.def.options[0].name, "number");
	hd_module_file_close(&file);
}

static void bad_ones_are_refused(void **state)
{
	static const struct {
		const char *name, *why, *remedy;
	} cases[] = {
		{ "wrong_abi", "built for ABI 3.0", "this relay's headers" },
		{ "newer_minor", "needs ABI 2.", "update the relay" },
		{ "undefined_symbol", "undefined symbol: hd_no_such_function",
		  "another version" },
		{ "no_symbol", "no symbol no_symbol_LTX_hd_module",
		  "not a module" },
		{ "wrong_name", "calls itself other", "named after" },
		{ "bad_table", "option far lies outside the 8 bytes",
		  "option table" },
	};
	struct hd_module_file file;
	struct hd_error err;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		err.text[0] = '\0';
		assert_true(hd_module_file_open(cases[i].name,
						module_path(cases[i].name),
						&file, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].why));
		assert_non_null(strstr(err.text, cases[i].remedy));
		assert_null(file.handle);
	}
}

static void write_file(const char *path, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

static void junk_is_refused(void **state)
{
	char path[] = "/tmp/hd-junk-XXXXXX";
	struct hd_module_file file;
	struct hd_error err;

	(void)state;
	close(mkstemp(path));
	assert_true(hd_module_file_open("junk", path, &file, &err) < 0);
	assert_non_null(strstr(err.text, "file too short"));
	char text[4096] = "this is a text";
	write_file(path, text, sizeof(text));
	assert_true(hd_module_file_open("junk", path, &file, &err) < 0);
	assert_non_null(strstr(err.text, "invalid ELF header"));
	assert_non_null(strstr(err.text, "not a module"));
	unlink(path);
	assert_true(hd_module_file_open("junk", path, &file, &err) == -ENOENT);
	assert_true(hd_module_file_open("junk", "/tmp", &file, &err) < 0);
	assert_non_null(strstr(err.text, "not a file"));
}

static void where_it_looked(void **state)
{
	const char *dirs[] = { "/nowhere/a", "/nowhere/b" };
	struct hd_list list = { dirs, 2 }, none = { NULL, 0 };
	struct hd_error err;
	char *path;

	(void)state;
	assert_int_equal(hd_module_find("derp9", &list, &path, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/a, /nowhere/b"));
	assert_non_null(strstr(err.text, "module_path"));
	assert_null(path);
	assert_int_equal(hd_module_find("derp9", &none, &path, &err), -ENOENT);
	assert_int_equal(hd_module_find("/nowhere/x.so", &none, &path, &err),
			 -ENOENT);
}

static void *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "r");
	static char data[1 << 20];

	assert_non_null(f);
	*ret_n = fread(data, 1, sizeof(data), f);
	fclose(f);
	return data;
}

/* cp(1) onto the file of a loaded module truncates it first; without a copy
 * the next look at its pages is a SIGBUS. */
static void overwritten_while_loaded(void **state)
{
	char dir[] = "/tmp/hd-mod-XXXXXX", path[64];
	struct hd_module_file file, again;
	struct hd_error err;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/good.so", dir);
	void *data = slurp(module_path("good"), &n);
	write_file(path, data, n);
	assert_int_equal(hd_module_file_open("good", path, &file, &err), 0);
	write_file(path, "", 0);
	assert_string_equal(file.def.name, "good");
	assert_string_equal(file.def.options[0].help, "a number");
	/* and the file itself is what counts for the next load */
	assert_true(hd_module_file_open("good", path, &again, &err) < 0);
	hd_module_file_close(&file);
	unlink(path);
	rmdir(dir);
}

static const struct hd_conf_cli no_flags = { .port = -1, .workers = -1 };

static void try_without_a_child(void **state)
{
	struct hd_error err;

	(void)state;
	assert_int_equal(
		hd_module_try(module_path("good"), &no_flags, NULL, &err), 0);
	assert_true(hd_module_try(module_path("wrong_abi"), &no_flags, NULL,
				  &err) < 0);
	assert_non_null(strstr(err.text, "wrong_abi.so: built for ABI"));
	assert_true(hd_module_try("good.so", &no_flags, NULL, &err) < 0);
	assert_non_null(strstr(err.text, "absolute path"));
}

static int try_child(const char *name, struct hd_error *err)
{
	const struct hd_trial t = { .path = (char *)module_path(name) };

	return hd_module_try_child(&t, err);
}

static void try_in_a_child(void **state)
{
	struct hd_error err;

	(void)state;
	assert_int_equal(try_child("good", &err), 0);
	assert_true(try_child("wrong_abi", &err) < 0);
	assert_non_null(strstr(err.text, "wrong_abi.so: built for ABI"));
	assert_true(try_child("crashes", &err) < 0);
	assert_non_null(strstr(err.text, "crashes while it is loaded"));
}

/* As the child of the last test it does what the daemon would do. */
static int child(const char *path)
{
	struct hd_error err;

	if (hd_module_try(path, &no_flags, NULL, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(good_is_opened),
		cmocka_unit_test(bad_ones_are_refused),
		cmocka_unit_test(junk_is_refused),
		cmocka_unit_test(where_it_looked),
		cmocka_unit_test(overwritten_while_loaded),
		cmocka_unit_test(try_without_a_child),
		cmocka_unit_test(try_in_a_child),
	};

	if (argc == 5 && strcmp(argv[1], "--try-module") == 0)
		return child(argv[2]);

	return cmocka_run_group_tests(tests, NULL, NULL);
}
