/* SPDX-License-Identifier: MIT */
/* t/unit/conf.c - what a configuration file means, and how a wrong one is
 * refused. */
#include "core/base/log.h"
#include "core/tls/ktls.h"
#include "core/tls/tls.h"
#include "t/unit/conf.h"
#include <errno.h>
#include <stdlib.h>

static void addr_is(const union hd_addr *addr, const char *want)
{
	char buf[HD_ADDR_TEXT_BYTES];

	assert_string_equal(hd_addr_text(addr, buf), want);
}

/* ---- defaults ---- */

static void an_empty_file_has_the_defaults(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load("");

	(void)state;
	assert_int_equal(conf->workers, 0);
	assert_int_equal(conf->pin_cores.n, 0);
	assert_int_equal(conf->event_backend, HD_BACKEND_AUTO);
	assert_false(conf->sqpoll);
	assert_false(conf->core_dumps);
	assert_int_equal(conf->sockbuf_bytes, 0);
	assert_int_equal(conf->max_accept_rate, 0);
	assert_int_equal(conf->peer_rate_limit, 0);
	assert_int_equal(conf->login_timeout_ms, 10000);
	assert_int_equal(conf->write_timeout_ms, 2000);
	assert_int_equal(conf->drain_time_ms, 30000);
	assert_int_equal(conf->output_limit_bytes, 262144);
	assert_int_equal(conf->output_packets, 32);
	assert_int_equal(conf->urgent_limit_bytes, 16384);
	assert_int_equal(conf->ktls, HD_KTLS_AUTO);
	assert_int_equal(conf->record_layer, HD_RECORDS_AUTO);
	assert_string_equal(conf->log_target, "stderr");
	assert_int_equal(conf->log_format, HD_LOG_TEXT);
	assert_int_equal(conf->log_level, HD_LOG_INFO);
	assert_string_equal(conf->state_dir, "/var/lib/hyper-derp");
	assert_null(conf->user);
	assert_null(conf->group);
	assert_int_equal(conf->module_path.n, 1);
	assert_string_equal(conf->module_path.v[0], HD_MODULE_DIR);
	assert_false(conf->dev);
}

static void the_default_listener_is_plain_and_says_so(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load("");

	(void)state;
	assert_int_equal(conf->n_listen, 1);
	addr_is(&conf->listen[0].addr, "[::]:3340");
	assert_false(conf->listen[0].tls);
	assert_null(conf->listen[0].name);
	assert_non_null(strstr(logged, "no listener has TLS"));
}

static void without_load_module_derp_and_stun_are_loaded(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load("");

	(void)state;
	assert_int_equal(conf->n_load_module, 2);
	assert_string_equal(conf->load_module[0].name, "derp");
	assert_string_equal(conf->load_module[1].name, "stun");
	assert_false(conf->load_module[0].optional);
}

static void empty_lists_are_legal(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("load_module: []\nlisten: []\nmodule_path: []\n");

	(void)state;
	assert_int_equal(conf->n_load_module, 0);
	assert_int_equal(conf->n_listen, 0);
	assert_int_equal(conf->module_path.n, 0);
}

/* ---- values ---- */

static void every_option_can_be_set(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("workers: 256\npin_cores: [0, 2]\nsqpoll: true\n"
		     "event_backend: epoll\nsockbuf: 1MiB\ncore_dumps: on\n"
		     "max_accept_rate: 1000000\nlogin_timeout: 5m\n"
		     "write_timeout: 500ms\ndrain_time: 1h\n"
		     "peer_rate_limit: 1250000\noutput_limit: 1MiB\n"
		     "urgent_limit: 4096\nstate_dir: /tmp/s\nuser: derp\n"
		     "group: relay\nmodule_path: [/a, /b]\n"
		     "tls: {ktls: off, record_layer: openssl}\n"
		     "log: {target: /var/log/d, format: json, level: debug}\n");

	(void)state;
	assert_int_equal(conf->workers, 256);
	assert_int_equal(conf->pin_cores.n, 2);
	assert_string_equal(conf->pin_cores.v[1], "2");
	assert_true(conf->sqpoll);
	assert_true(conf->core_dumps);
	assert_int_equal(conf->event_backend, HD_BACKEND_EPOLL);
	assert_int_equal(conf->sockbuf_bytes, 1048576);
	assert_int_equal(conf->max_accept_rate, 1000000);
	assert_int_equal(conf->login_timeout_ms, 300000);
	assert_int_equal(conf->write_timeout_ms, 500);
	assert_int_equal(conf->drain_time_ms, 3600000);
	assert_int_equal(conf->peer_rate_limit, 1250000);
	assert_int_equal(conf->output_limit_bytes, 1048576);
	assert_int_equal(conf->urgent_limit_bytes, 4096);
	assert_string_equal(conf->state_dir, "/tmp/s");
	assert_string_equal(conf->user, "derp");
	assert_string_equal(conf->group, "relay");
	assert_int_equal(conf->module_path.n, 2);
	assert_int_equal(conf->ktls, HD_KTLS_OFF);
	assert_int_equal(conf->record_layer, HD_RECORDS_OPENSSL);
	assert_string_equal(conf->log_target, "/var/log/d");
	assert_int_equal(conf->log_format, HD_LOG_JSON);
	assert_int_equal(conf->log_level, HD_LOG_DEBUG);
}

static void null_is_unset(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("workers:\ntls_cert: ~\ntls_key: \"\"\nlisten: null\n"
		     "tls:\nload_module:\n");

	(void)state;
	assert_int_equal(conf->workers, 0);
	assert_int_equal(conf->n_certificates, 0);
	assert_int_equal(conf->n_listen, 1);
	assert_int_equal(conf->n_load_module, 2);
}

static void pin_cores_may_be_one_text(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load("pin_cores: '0,2,1023'");

	(void)state;
	assert_int_equal(conf->pin_cores.n, 3);
	assert_string_equal(conf->pin_cores.v[0], "0");
	assert_string_equal(conf->pin_cores.v[2], "1023");
}

static void wrong_values_are_explained(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "\nworkers: 257",
		  "text:2: `workers: 257` is out of range: 0 to 256 threads" },
		{ "workers: 33x",
		  "text:1: `workers: 33x` is not a whole number" },
		{ "workers: -1",
		  "text:1: `workers: -1` is not a whole number" },
		{ "workers: 99999999999999999999",
		  "text:1: `workers: 99999999999999999999` is out of range: 0 "
		  "to 256 threads" },
		{ "peer_rate_limit: 18446744073709551616",
		  "text:1: `peer_rate_limit: 18446744073709551616` is not a "
		  "number below 2^64" },
		{ "workers: [1]", "text:1: `workers` must be one value" },
		{ "module_path: {a: b}",
		  "text:1: `module_path` must be a list" },
		{ "module_path: [[a]]",
		  "text:1: an entry of `module_path` must be a text" },
		{ "sqpoll: maybe",
		  "text:1: `sqpoll: maybe` is not true or false" },
		{ "write_timeout: 2 s",
		  "text:1: `write_timeout: 2 s` is not a time, as in 500ms, "
		  "10s, 5m or 2h" },
		{ "write_timeout: 99ms",
		  "text:1: `write_timeout: 99ms` is out of range: 100ms to "
		  "10m" },
		{ "login_timeout: 20000000000h",
		  "text:1: `login_timeout: 20000000000h` is out of range: 1s "
		  "to "
		  "10m" },
		{ "output_limit: 64KiB",
		  "text:1: `output_limit: 64KiB` is out of range: 128KiB to "
		  "64MiB" },
		{ "output_limit: 1MB",
		  "text:1: `output_limit: 1MB` is not a size, as in 4096, "
		  "256KiB or 1MiB" },
		{ "log_level: dbug",
		  "text:1: `level: dbug` is not one of error, warn, notice, "
		  "info, debug; did you mean `debug`?" },
		{ "event_backend: kqueue",
		  "text:1: `event_backend: kqueue` is not one of auto, "
		  "io_uring, epoll" },
		{ "pin_cores: [1024]",
		  "text:1: `pin_cores`: `1024` is no CPU number, 0 to 1023" },
		{ "pin_cores: '1,'",
		  "text:1: `pin_cores`: `` is no CPU number, 0 to 1023" },
		{ "tls: on", "text:1: `tls` must be a mapping, as in "
			     "`tls: {key: value}`" },
		{ "port: 0", "text:1: `port: 0` is out of range: 1 to 65535" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++)
		refuse(cases[i].text, cases[i].want);
}

/* ---- keys ---- */

static void unknown_keys_name_the_nearest(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "# hello\n\nwrokers: 4",
		  "text:3: unknown key `wrokers`; did you mean `workers`?" },
		{ "write_timout: 4s",
		  "text:1: unknown key `write_timout`; did you mean "
		  "`write_timeout`?" },
		{ "metric: {port: 1}",
		  "text:1: unknown key `metric`; did you mean `metrics`?" },
		{ "frobnicate: true",
		  "text:1: unknown key `frobnicate`; hyper-derp.yaml(5) lists "
		  "them all" },
		{ "frobnicate:",
		  "text:1: unknown key `frobnicate`; hyper-derp.yaml(5) lists "
		  "them all" },
		{ "frobnicate: {a: 1}",
		  "text:1: unknown key `frobnicate`; hyper-derp.yaml(5) lists "
		  "them all; for the section of a module, put its path into "
		  "load_module or its folder into module_path" },
		{ "log:\n  levle: info",
		  "text:2: unknown key `levle` in `log`; did you mean "
		  "`level`?" },
		{ "\"\\e[2J\": 1",
		  "text:1: unknown key `?[2J`; hyper-derp.yaml(5) lists them "
		  "all" },
		{ "log: {colour: red}",
		  "text:1: unknown key `colour` in `log`; known: target, "
		  "format, level" },
		{ "tls: {certificate: []}",
		  "text:1: unknown key `certificate` in `tls`; did you mean "
		  "`certificates`?" },
		{ "listen:\n- adr: '[::]:80'",
		  "text:2: unknown key `adr` in `listen`; did you mean "
		  "`addr`?" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++)
		refuse(cases[i].text, cases[i].want);
}

static void a_key_set_twice_names_both_places(void **state)
{
	(void)state;
	refuse("workers: 1\n\nworkers: 2",
	       "text:3: `workers` is set already, at text:1; remove one of the "
	       "two");
	refuse("load_module: [a]\nload_module: [b]",
	       "text:2: `load_module` is set already, at text:1; remove one of "
	       "the two");
	refuse("log: {level: info}\nlog_level: warn",
	       "text:2: `log_level` is the old name of `log.level`, which is "
	       "set too; remove one of the two");
}

/* ---- hostile files ---- */

static void hostile_yaml_is_refused(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a: &a [1]\nb: *a",
		  "text:2: aliases are not supported; write the value out" },
		{ "a: 1\n---\nb: 2",
		  "text:2: a second document; only one is read" },
		{ "- a", "text:1: expected lines of `key: value`" },
		{ "? [a]\n: b", "text:1: a key must be a word" },
		{ "a: \"x\\0y\"", "text:1: a text contains a NUL byte" },
		{ "a: [[[[[[[[[[[[[[[[[[[[", "text:1: nested too deeply" },
		{ "workers: 1\n\tport: 2",
		  "text:2: not YAML: found a tab character that violates "
		  "indentation; indent with blanks, not with tabs" },
		{ "a: 1\nb: \xff\xfe",
		  "text:2: not YAML: invalid leading UTF-8 octet" },
		{ "include: /etc/passwd", "a text cannot include files" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++)
		refuse(cases[i].text, cases[i].want);
}

static void a_huge_file_is_refused(void **state)
{
	size_t n = (1u << 20) + 2;
	char *text = malloc(n);

	(void)state;
	memset(text, '#', n);
	text[n - 1] = '\0';
	refuse(text, "text: larger than 1 MiB");
	free(text);
}

static void many_keys_are_refused(void **state)
{
	char *text = calloc(1, 65536);

	(void)state;
	for (int i = 0, at = 0; i < 2000; i++)
		at += snprintf(text + at, 65536 - (size_t)at, "k%d: 1\n", i);
	refuse(text, "text:1025: too many keys in one mapping");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_the_defaults),
		cmocka_unit_test(the_default_listener_is_plain_and_says_so),
		cmocka_unit_test(without_load_module_derp_and_stun_are_loaded),
		cmocka_unit_test(empty_lists_are_legal),
		cmocka_unit_test(every_option_can_be_set),
		cmocka_unit_test(null_is_unset),
		cmocka_unit_test(pin_cores_may_be_one_text),
		cmocka_unit_test(wrong_values_are_explained),
		cmocka_unit_test(unknown_keys_name_the_nearest),
		cmocka_unit_test(a_key_set_twice_names_both_places),
		cmocka_unit_test(hostile_yaml_is_refused),
		cmocka_unit_test(a_huge_file_is_refused),
		cmocka_unit_test(many_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
