/* SPDX-License-Identifier: MIT */
/* t/unit/conf_file.c - files, includes, and how they add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/log.h"
#include "core/conf/conf.h"
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hd-conf.XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int load(struct hd_conf **ret_conf, struct hd_error *err)
{
	const struct hd_conf_cli cli = { .port = -1,
					 .workers = -1,
					 .config_path = path_of("main.yaml") };

	return hd_conf_load(&cli, ret_conf, err);
}

static struct hd_conf *loaded(void)
{
	struct hd_conf *conf = NULL;
	struct hd_error err = { "" };

	if (load(&conf, &err) < 0)
		fail_msg("%s", err.text);
	return conf;
}

/* @want  each %s is the folder */
static void refused(int code, const char *want)
{
	struct hd_conf *conf = NULL;
	struct hd_error err = { "" };
	char text[512], *p;

	assert_int_equal(code, load(&conf, &err));
	while ((p = strstr(err.text, dir)) != NULL) {
		snprintf(text, sizeof(text), "%.*sDIR%s", (int)(p - err.text),
			 err.text, p + strlen(dir));
		strcpy(err.text, text);
	}
	assert_string_equal(err.text, want);
}

static void lists_are_appended_in_file_order(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;

	(void)state;
	mkdir(path_of("d"), 0700);
	put("main.yaml", "include: d/*.yaml\nload_module: [derp]\n");
	put("d/20.yaml", "load_module: [metrics]\nworkers: 2\n");
	put("d/10.yaml", "load_module: [stun]\nlog: {format: json}\n");
	put("d/30.yml", "load_module: [wrong]\n");
	conf = loaded();
	assert_int_equal(conf->n_load_module, 3);
	assert_string_equal(conf->load_module[0].name, "derp");
	assert_string_equal(conf->load_module[1].name, "stun");
	assert_string_equal(conf->load_module[2].name, "metrics");
	assert_int_equal(conf->load_module[2].line, 1);
	assert_non_null(strstr(conf->load_module[2].file, "/d/20.yaml"));
	assert_int_equal(conf->workers, 2);
	assert_int_equal(conf->log_format, HD_LOG_JSON);
}

static void sections_of_several_files_are_one(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;

	(void)state;
	put("main.yaml", "include: [a.yaml, b.yaml]\nlog:\nport: 1\n");
	put("a.yaml", "log: {format: json}\n"
		      "tls: {certificates: [{cert: a, key: a}]}\n");
	put("b.yaml", "log: {level: error}\n"
		      "tls: {certificates: [{cert: b, key: b}]}\n");
	conf = loaded();
	assert_int_equal(conf->log_format, HD_LOG_JSON);
	assert_int_equal(conf->log_level, 0);
	assert_int_equal(conf->n_certificates, 2);
	assert_string_equal(conf->certificates[1].cert, "b");
}

static void the_default_list_gives_way_to_any_file(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;

	(void)state;
	put("main.yaml", "include: a.yaml\n");
	put("a.yaml", "load_module: []\n");
	conf = loaded();
	assert_int_equal(conf->n_load_module, 0);
}

static void other_keys_are_set_once(void **state)
{
	(void)state;
	put("main.yaml", "include: a.yaml\nlog:\n  level: info\n");
	put("a.yaml", "\nlog: {level: warn}\n");
	refused(-EINVAL, "DIR/a.yaml:2: `level` is set already, at "
			 "DIR/main.yaml:3; remove one of the two");
	put("a.yaml", "log: text\n");
	refused(-EINVAL, "DIR/a.yaml:1: `log` is set already, at "
			 "DIR/main.yaml:2; remove one of the two");
}

static void includes_may_nest_but_not_for_ever(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;

	(void)state;
	mkdir(path_of("d"), 0700);
	put("main.yaml", "include: d/a.yaml\n");
	put("d/a.yaml", "include: b.yaml\n");
	put("d/b.yaml", "workers: 3\n");
	conf = loaded();
	assert_int_equal(conf->workers, 3);
	put("d/b.yaml", "\ninclude: ../main.yaml\n");
	refused(-EINVAL, "DIR/d/b.yaml:2: DIR/d/../main.yaml includes itself");
	put("main.yaml", "include: main.yaml\n");
	refused(-EINVAL, "DIR/main.yaml:1: DIR/main.yaml includes itself");
}

static void deep_and_many_includes_are_refused(void **state)
{
	char name[32], text[8192] = "include:\n";

	(void)state;
	put("main.yaml", "include: 0.yaml\n");
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "%d.yaml", i);
		snprintf(text, sizeof(text), "include: %d.yaml\n", i + 1);
		put(name, text);
	}
	refused(-EINVAL, "DIR/7.yaml:1: includes nested too deeply");
	strcpy(text, "include:\n");
	put("a.yaml", "");
	for (int i = 0; i < 300; i++)
		strcat(text, "- a.yaml\n");
	put("main.yaml", text);
	refused(-EINVAL, "DIR/main.yaml:257: more than 256 files");
}

static void missing_files_are_named(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;

	(void)state;
	refused(-ENOENT, "cannot read the configuration DIR/main.yaml: No such "
			 "file or directory");
	put("main.yaml", "workers: 1\ninclude: a.yaml\n");
	refused(-EINVAL, "DIR/main.yaml:2: `include: a.yaml`: there is no such "
			 "file");
	put("main.yaml", "include: [{a: b}]\n");
	refused(-EINVAL, "DIR/main.yaml:1: `include` must be a path, a pattern "
			 "or a list of them");
	put("main.yaml", "include: nothing/*.yaml\n");
	conf = loaded();
	assert_int_equal(conf->n_load_module, 2);
}

static void only_regular_files_are_read(void **state)
{
	(void)state;
	mkdir(path_of("main.yaml"), 0700);
	refused(-EISDIR, "cannot read the configuration DIR/main.yaml: Is a "
			 "directory");
	rmdir(path_of("main.yaml"));
	mkfifo(path_of("main.yaml"), 0600);
	refused(-EINVAL, "cannot read the configuration DIR/main.yaml: Invalid "
			 "argument");
}

static void without_a_file_there_is_a_remedy(void **state)
{
	const struct hd_conf_cli cli = { .port = -1, .workers = -1 };
	struct hd_conf *conf = NULL;
	struct hd_error err = { "" };

	(void)state;
	if (access(HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml", F_OK) == 0)
		skip();
	assert_int_equal(-ENOENT, hd_conf_load(&cli, &conf, &err));
	assert_non_null(strstr(err.text, "--config FILE, or try --dev"));
}

static void assert_modules(const char *want)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = loaded();
	char names[256] = "";

	for (size_t i = 0; i < conf->n_load_module; i++) {
		strcat(names, i > 0 ? " " : "");
		strcat(names, conf->load_module[i].name);
	}
	assert_string_equal(names, want);
}

static void what_is_enabled_comes_on_top(void **state)
{
	(void)state;
	mkdir(path_of("modules-enabled"), 0755);
	put("modules-enabled/wg.yaml", "load_module: [wg]\n");
	put("main.yaml", "port: 1\n");
	assert_modules("derp stun wg");
	put("main.yaml", "load_module: [derp]\n");
	assert_modules("derp wg");
	put("main.yaml", "load_module: [wg, derp]\n");
	assert_modules("wg derp");
	put("main.yaml", "include: []\n");
	assert_modules("derp stun");
	put("main.yaml", "include: x/*.yaml\n");
	assert_modules("derp stun");
	put("main.yaml", "load_module: [wg, wg]\n");
	refused(-EINVAL, "DIR/main.yaml:1: module wg is loaded already, by "
			 "DIR/main.yaml:1");
}

/* Who may write there may run code as the relay. */
static void what_anybody_can_enable_is_not(void **state)
{
	(void)state;
	mkdir(path_of("modules-enabled"), 0755);
	put("modules-enabled/wg.yaml", "load_module: [wg]\n");
	put("main.yaml", "load_module: [derp]\n");
	assert_int_equal(0, chmod(path_of("modules-enabled"), 0777));
	assert_modules("derp");
	put("main.yaml", "load_module: [derp]\ninclude: modules-enabled/*\n");
	assert_modules("derp wg");
	if (geteuid() != 0)
		return;
	put("main.yaml", "load_module: [derp]\n");
	assert_int_equal(0, chmod(path_of("modules-enabled"), 0755));
	assert_int_equal(0, chown(path_of("modules-enabled"), 12345, 0));
	assert_modules("derp");
	assert_int_equal(0, chown(path_of("main.yaml"), 12345, 0));
	assert_modules("derp wg");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lists_are_appended_in_file_order),
		TEST(sections_of_several_files_are_one),
		TEST(the_default_list_gives_way_to_any_file),
		TEST(other_keys_are_set_once),
		TEST(includes_may_nest_but_not_for_ever),
		TEST(deep_and_many_includes_are_refused),
		TEST(missing_files_are_named),
		TEST(only_regular_files_are_read),
		TEST(without_a_file_there_is_a_remedy),
		TEST(what_is_enabled_comes_on_top),
		TEST(what_anybody_can_enable_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
