/* SPDX-License-Identifier: MIT */
/* t/unit/conf_list.c - listeners, certificates, modules, flags and --dev. */
#include "t/unit/conf.h"
#include <errno.h>
#include <stdlib.h>

static void addr_is(const union hd_addr *addr, const char *want)
{
	char buf[HD_ADDR_TEXT_BYTES];

	assert_string_equal(hd_addr_text(addr, buf), want);
}

/* ---- listen ---- */

static void listeners_are_read(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("tls: {certificates: [{cert: a.pem, key: a.key}]}\n"
		     "listen:\n"
		     "  - {addr: \"[::]:443\", tls: true}\n"
		     "  - addr: 0.0.0.0:80\n"
		     "  - {name: metrics, addr: \"127.0.0.1:9340\"}\n"
		     "  - 192.0.2.1:0\n");

	(void)state;
	assert_int_equal(conf->n_listen, 4);
	addr_is(&conf->listen[0].addr, "[::]:443");
	assert_true(conf->listen[0].tls);
	assert_int_equal(conf->listen[0].line, 3);
	assert_string_equal(conf->listen[0].file, "text");
	addr_is(&conf->listen[1].addr, "0.0.0.0:80");
	assert_false(conf->listen[1].tls);
	assert_string_equal(conf->listen[2].name, "metrics");
	addr_is(&conf->listen[3].addr, "192.0.2.1:0");
}

static void proxies_of_listeners_are_read(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("listen:\n"
		     "  - {addr: \"[::]:1\", proxy_protocol: 192.0.2.7}\n"
		     "  - addr: \"[::]:2\"\n"
		     "    proxy_protocol: [10.0.0.0/8, \"2001:db8::/32\"]\n"
		     "  - \"[::]:3\"\n");

	(void)state;
	assert_int_equal(conf->listen[0].proxies.n, 1);
	assert_int_equal(conf->listen[0].proxies.v[0].bits, 128);
	assert_int_equal(conf->listen[1].proxies.n, 2);
	assert_int_equal(conf->listen[1].proxies.v[0].bits, 104);
	assert_int_equal(conf->listen[1].proxies.v[1].bits, 32);
	assert_int_equal(conf->listen[2].proxies.n, 0);
	assert_null(strstr(logged, "everybody"));
	refuse("listen:\n  - addr: \"[::]:1\"\n"
	       "    proxy_protocol: [10.0.0.1/8]\n",
	       "text:3: `proxy_protocol`: 10.0.0.1/8 has bits set after its "
	       "prefix");
}

static void port_is_the_short_form(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *plain = load("port: 8080");
	HD_AUTO(hd_conf_free)
	struct hd_conf *tls =
		load("port: 443\ntls_cert: c.pem\ntls_key: k.pem");

	(void)state;
	assert_int_equal(plain->n_listen, 1);
	addr_is(&plain->listen[0].addr, "[::]:8080");
	assert_false(plain->listen[0].tls);
	addr_is(&tls->listen[0].addr, "[::]:443");
	assert_true(tls->listen[0].tls);
	assert_int_equal(tls->n_certificates, 1);
	assert_string_equal(tls->certificates[0].cert, "c.pem");
	assert_string_equal(tls->certificates[0].key, "k.pem");
	assert_int_equal(tls->certificates[0].line, 2);
	assert_string_equal(logged, "");
}

static void wrong_listeners_are_refused(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "port: 1\nlisten: []",
		  "text:1: `port` and `listen` (text:2) are both set; add the "
		  "port to the list" },
		{ "listen: [{addr: 127.0.0.1}]",
		  "text:1: `addr: 127.0.0.1` is not an address with a port, as "
		  "in 0.0.0.0:3340 or \"[::]:3340\"" },
		{ "listen: [{addr: '1.2.3.4:65536'}]",
		  "text:1: `addr: 1.2.3.4:65536` is not an address with a "
		  "port, as in 0.0.0.0:3340 or \"[::]:3340\"" },
		{ "listen: [{name: x}]",
		  "text:1: an entry of `listen` needs `addr`" },
		{ "listen: [[]]", "text:1: an entry of `listen` must be a "
				  "mapping or one value" },
		{ "listen: {addr: '[::]:80'}",
		  "text:1: `listen` must be a list, as in "
		  "`listen: [{addr: \"[::]:443\", tls: true}, "
		  "{addr: \"[::]:80\", only: [captive_portal]}]`" },
		{ "listen:\n- '[::]:80'\n- '[::]:80'",
		  "text:3: this address is listened on already, by text:2" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++)
		refuse(cases[i].text, cases[i].want);
}

static void tls_needs_a_certificate(void **state)
{
	static const char tls[] = "listen: [{addr: '[::]:443', tls: true}]\n";
	char good[256];
	HD_AUTO(hd_conf_free) struct hd_conf *bare = load(tls);
	HD_AUTO(hd_conf_free) struct hd_conf *plain = load("listen: '[::]:80'");
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(hd_conf_check_tls(bare, &err), -EINVAL);
	assert_string_equal(err.text,
			    "text:1: `tls: true` needs a certificate; set "
			    "`tls_cert` and `tls_key`, or `tls: {self_signed: "
			    "true}`, or load the module acme, which gets one");
	assert_int_equal(hd_conf_check_tls(plain, &err), 0);
	snprintf(good, sizeof(good), "%stls: {self_signed: true}", tls);
	HD_AUTO(hd_conf_free) struct hd_conf *own = load(good);

	assert_int_equal(hd_conf_check_tls(own, &err), 0);
}

static void an_unquoted_address_gets_a_hint(void **state)
{
	static const char text[] = "listen:\n- addr: [::]:443\n";
	struct hd_conf *conf = NULL;
	struct hd_error err;

	(void)state;
	assert_int_equal(-EINVAL, hd_conf_load_text(text, strlen(text),
						    &no_flags, &conf, &err));
	assert_non_null(strstr(err.text, "text:2: not YAML: "));
	assert_non_null(strstr(err.text, "needs quotes: \"[::]:443\""));
}

static void wrong_certificates_are_refused(void **state)
{
	(void)state;
	refuse("tls_cert: a", "text:1: `tls_cert` and `tls_key` go together; "
			      "`tls_key` is missing");
	refuse("tls_key: a", "text:1: `tls_cert` and `tls_key` go together; "
			     "`tls_cert` is missing");
	refuse("tls: {certificates: [{cert: a}]}",
	       "text:1: an entry of `certificates` needs `key`");
	refuse("tls_cert: a\ntls_key: b\ntls: {certificates: []}",
	       "text:3: `tls.certificates` and `tls_cert` (text:1) are both "
	       "set; move the latter into the list");
}

/* ---- load_module ---- */

static void modules_are_read(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("load_module:\n- derp\n- {name: wg, optional: true}\n"
		     "- /opt/example/chat.so\nchat: {colour: red}\n");

	(void)state;
	assert_int_equal(conf->n_load_module, 3);
	assert_string_equal(conf->load_module[1].name, "wg");
	assert_true(conf->load_module[1].optional);
	assert_int_equal(conf->load_module[1].line, 3);
	assert_string_equal(conf->load_module[2].name, "/opt/example/chat.so");
}

static void one_module_is_a_list_of_one(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("load_module: /opt/example/chat.so\nlisten: 0.0.0.0:80\n"
		     "chat: {colour: red}\n");

	(void)state;
	assert_int_equal(conf->n_load_module, 1);
	assert_string_equal(conf->load_module[0].name, "/opt/example/chat.so");
	assert_int_equal(conf->load_module[0].line, 1);
	assert_int_equal(conf->n_listen, 1);
	addr_is(&conf->listen[0].addr, "0.0.0.0:80");
}

static void wrong_modules_are_refused(void **state)
{
	(void)state;
	refuse("load_module: [../x]", "text:1: `../x` is neither a module's "
				      "name nor an absolute path");
	refuse("load_module: [{optional: true}]",
	       "text:1: an entry of `load_module` needs `name`");
	refuse("load_module:\n- derp\n- derp",
	       "text:3: module derp is loaded already, by text:2");
	refuse("load_module: {name: derp}",
	       "text:1: `load_module` must be a list, as in `load_module: "
	       "[first, second]`");
}

/* ---- flags ---- */

static void flags_override_the_file(void **state)
{
	const struct hd_conf_cli cli = {
		.port = 1234,
		.workers = 3,
		.log_level = "error",
		.module_path = "/m",
		.state_dir = "/s",
		.event_backend = "epoll",
	};
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load_with(
		&cli, "workers: 1\nlog_level: debug\nmodule_path: [/a, /b]\n"
		      "listen: ['127.0.0.1:1', '127.0.0.1:2']\n");

	(void)state;
	assert_int_equal(conf->workers, 3);
	assert_int_equal(conf->log_level, HD_LOG_ERROR);
	assert_int_equal(conf->module_path.n, 1);
	assert_string_equal(conf->module_path.v[0], "/m");
	assert_string_equal(conf->state_dir, "/s");
	assert_int_equal(conf->event_backend, HD_BACKEND_EPOLL);
	addr_is(&conf->listen[0].addr, "127.0.0.1:1234");
	addr_is(&conf->listen[1].addr, "127.0.0.1:2");
}

static void wrong_flags_are_named(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	struct hd_conf_cli cli = no_flags;

	(void)state;
	cli.workers = 999;
	refuse_with(&cli, "",
		    "--workers: `workers: 999` is out of range: 0 "
		    "to 256 threads");
	cli = no_flags;
	cli.port = 70000;
	refuse_with(&cli, "", "--port 70000 is outside 1-65535");
	cli.port = 1;
	conf = load_with(&cli, "listen: []");
	assert_string_equal(logged, "--port 1 has no effect: there is no "
				    "listener\n");
	cli = no_flags;
	cli.log_level = "loud";
	refuse_with(&cli, "log: []",
		    "text:1: `log` must be a mapping, as in "
		    "`log: {key: value}`");
}

/* ---- --dev ---- */

static void dev_fills_what_is_unset(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;

	(void)state;
	setenv("XDG_STATE_HOME", "/x/state", 1);
	conf = load_with(&dev_flags, "");
	assert_true(conf->dev);
	assert_int_equal(conf->n_listen, 1);
	addr_is(&conf->listen[0].addr, "127.0.0.1:3340");
	assert_true(conf->listen[0].tls);
	assert_int_equal(conf->n_certificates, 0);
	assert_string_equal(conf->state_dir, "/x/state/hyper-derp-dev");
	hd_conf_free(&conf);

	unsetenv("XDG_STATE_HOME");
	setenv("HOME", "/home/me", 1);
	conf = load_with(&dev_flags, "port: 1\nlog_level: warn\n");
	addr_is(&conf->listen[0].addr, "[::]:1");
	assert_true(conf->listen[0].tls);
	assert_string_equal(conf->state_dir,
			    "/home/me/.local/state/hyper-derp-dev");
	hd_conf_free(&conf);

	conf = load_with(&dev_flags, "listen: ['[::1]:2']\nstate_dir: /s\n");
	addr_is(&conf->listen[0].addr, "[::1]:2");
	assert_false(conf->listen[0].tls);
	assert_string_equal(conf->state_dir, "/s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_are_read),
		cmocka_unit_test(proxies_of_listeners_are_read),
		cmocka_unit_test(port_is_the_short_form),
		cmocka_unit_test(wrong_listeners_are_refused),
		cmocka_unit_test(tls_needs_a_certificate),
		cmocka_unit_test(an_unquoted_address_gets_a_hint),
		cmocka_unit_test(wrong_certificates_are_refused),
		cmocka_unit_test(modules_are_read),
		cmocka_unit_test(one_module_is_a_list_of_one),
		cmocka_unit_test(wrong_modules_are_refused),
		cmocka_unit_test(flags_override_the_file),
		cmocka_unit_test(wrong_flags_are_named),
		cmocka_unit_test(dev_fills_what_is_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
