/* SPDX-License-Identifier: MIT */
/* t/unit/conf_compat.c - files that were written for the predecessor. */
#include "t/unit/conf.h"
#include <errno.h>

static const char *module_names(const struct hd_conf *conf)
{
	static char names[256];
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < conf->n_load_module; i++)
		len += (size_t)snprintf(
			names + len, sizeof(names) - len, "%s%s%s",
			i == 0 ? "" : " ", conf->load_module[i].name,
			conf->load_module[i].optional ? "?" : "");
	return names;
}

static void keys_ask_for_their_modules(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "mode: derp", "derp stun" },
		{ "metrics: {port: 9090}", "derp stun metrics?" },
		{ "metrics: {port: 0}", "derp stun" },
		{ "hd: {relay_key: abc}", "derp stun hd?" },
		{ "hd: {relay_key: ''}", "derp stun" },
		{ "hd: {relay_key: a}\nmetrics: {port: 1}",
		  "derp stun metrics? hd?" },
		{ "load_module: [derp]\nmetrics: {port: 1}", "derp" },
		{ "mode: wireguard", "wg" },
		{ "mode: wg", "wg" },
		{ "mode: wg\nload_module: [metrics, {name: wg}]",
		  "metrics wg" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		HD_AUTO(hd_conf_free)
		struct hd_conf *conf = load(cases[i].text);

		assert_string_equal(module_names(conf), cases[i].want);
	}
}

static void wireguard_mode_serves_no_tcp(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("mode: wireguard\nport: 3340\nwg_relay: {port: 51820}\n");

	(void)state;
	assert_int_equal(conf->n_listen, 0);
	assert_string_equal(logged,
			    "text:2: `port` has no effect in this mode\n");
	refuse("mode: wg\nload_module: [derp]",
	       "text:1: `mode: wg` needs wg in `load_module`");
	refuse("mode: turn", "text:1: `mode` must be derp, wireguard or wg");
}

struct stun_conf {
	union hd_addr listen;
};

static void the_stun_port_becomes_an_address(void **state)
{
	static const struct hd_option options[] = {
		{ .name = "listen",
		  .type = HD_OPTION_ADDR,
		  .offset = offsetof(struct stun_conf, listen),
		  .def = "[::]:3478" },
		HD_OPTION_END,
	};
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load("level2: {stun_port: 3479}");
	struct hd_error err;
	char buf[HD_ADDR_TEXT_BYTES];
	void *data;

	(void)state;
	assert_int_equal(0, hd_conf_section_fill(conf, "stun", options,
						 sizeof(struct stun_conf),
						 &data, &err));
	assert_string_equal(
		hd_addr_text(&((struct stun_conf *)data)->listen, buf),
		"[::]:3479");
	refuse("stun: {listen: '[::]:1'}\nlevel2: {stun_port: 1}",
	       "text:2: `level2.stun_port` is the old name of `stun.listen`, "
	       "which is set too; remove one of the two");
	refuse("stun: 5\nlevel2: {stun_port: 1}",
	       "text:2: `stun.listen` belongs to a section that is not a "
	       "mapping");
}

static void keys_without_effect_warn_once_each(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("port: 1\ntls_cert: a\ntls_key: b\n"
		     "einheit:\n  ctl_endpoint: ipc:///tmp/x\n"
		     "level2:\n  enabled: true\n  xdp_interface: \"\"\n"
		     "  turn:\n    realm: r\n");

	(void)state;
	assert_int_equal(conf->n_listen, 1);
	assert_string_equal(
		logged,
		"text:7: `level2.enabled` has no effect here: direct paths are "
		"the business of clients\n"
		"text:10: `level2.turn.realm` has no effect here: direct paths "
		"are the business of clients\n"
		"text:5: `einheit.ctl_endpoint` has no effect here: the "
		"control socket is a unix socket and needs no setting\n");
}

/* They were set per buffer ring; every other key of such a file counts. */
static void buffer_sizes_warn_once_each(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load("buf_ring_size: 512\nbuf_size: 4096\n"
				    "tls_cert: a\ntls_key: b\n");

	(void)state;
	assert_int_equal(conf->n_certificates, 1);
	assert_string_equal(logged,
			    "text:1: `buf_ring_size` has no effect here: "
			    "buffers are sized as they are needed\n"
			    "text:2: `buf_size` has no effect here: buffers "
			    "are sized as they are needed\n");
}

static void unknown_old_keys_are_refused(void **state)
{
	(void)state;
	refuse("level2: {turn: {}, enable: true}",
	       "text:1: unknown key `enable` in `level2`; did you mean "
	       "`enabled`?");
	refuse("level2:\n  turn:\n    realmm: x",
	       "text:3: unknown key `realmm` in `level2`; did you mean "
	       "`realm`?");
	refuse("einheit: 5", "text:1: `einheit` must be a mapping, as in "
			     "`einheit: {key: value}`");
}

static int finish(const char *text, struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(text);

	logged[0] = '\0';
	err->text[0] = '\0';
	return hd_conf_finish(conf, err);
}

static void what_kept_peers_out_stops_the_start(void **state)
{
	static const char *const off[] = {
		"hd: {enrollment: {max_peers: 0, allowed_keys: []}}",
		"hd: {relay_policy: {forbid_direct: false}}",
		"hd: {denylist_path: ''}",
		"hd: {denylist_path: }",
		"hd: {federation: {accept_from: []}, fleet_controller: {}}",
	};
	struct hd_error err;

	(void)state;
	refuse("hd:\n  denylist_path: /etc/deny",
	       "text:2: `hd.denylist_path` keeps peers out, and has no effect "
	       "here: write the keys' addresses into a file of keys of "
	       "`policy.rules`, with `action: deny`; then remove the key");
	refuse("hd: {enrollment: {allowed_keys: [ck_x]}}",
	       "text:1: `hd.enrollment.allowed_keys` keeps peers out, and has "
	       "no effect here: write the keys' addresses into a file of keys "
	       "of `policy.rules`, with `default: deny`; then remove the key");
	assert_int_equal(-EINVAL, finish("policy: {default: deny}", &err));
	assert_string_equal(err.text,
			    "text:1: `policy` keeps peers out, and the module "
			    "policy that would do it is not loaded; load it or "
			    "remove the key");
	assert_int_equal(-EINVAL,
			 finish("load_module:\n"
				"- derp\n"
				"- {name: policy, optional: true}\n"
				"policy: {}\n",
				&err));
	assert_string_equal(err.text,
			    "text:3: the module policy, which says who may log "
			    "in, is not loaded, so everybody could; install "
			    "or load it, or take it out of `load_module`");
	assert_int_equal(-EINVAL, finish("load_module: [{name: /opt/policy.so, "
					 "optional: true}]",
					 &err));
	assert_int_equal(0, finish("load_module: [{name: policy2, "
				   "optional: true}]",
				   &err));
	assert_int_equal(0, finish("load_module: [derp, policy]", &err));
	for (size_t i = 0; i < HD_ARRAY_N(off); i++) {
		assert_int_equal(0, finish(off[i], &err));
		assert_string_equal(logged,
				    "text:1: the section `hd` has no effect: "
				    "that module is not loaded\n");
	}
}

static void hd_s_old_keys_warn(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load("hd:\n  relay_key: abc\n"
				    "  enroll_mode: auto\n"
				    "  federation: {fleet_id: home}\n");

	(void)state;
	assert_non_null(conf);
	assert_string_equal(
		logged,
		"text:2: `hd.relay_key` has no effect here: HD, version 2, has "
		"no key that all share, and older clients do not speak it; "
		"`hd.enroll` says who may enrol\n"
		"text:3: `hd.enroll_mode` has no effect here: `hd.enroll` says "
		"who may enrol\n"
		"text:4: `hd.federation.fleet_id` has no effect here: there "
		"are no fleets in this version\n"
		"no listener has TLS: DERP clients want it; set tls_cert and "
		"tls_key\n");
	refuse("hd: {enrollment: {max_peer: 5}}",
	       "text:1: unknown key `max_peer` in `hd.enrollment`; did you "
	       "mean `max_peers`?");
}

static void wg_relay_is_the_section_wg(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load("mode: wg\nwg_relay:\n  port: 51820\n"
		     "  xdp_bpf_obj_path: /usr/lib/x.o\n"
		     "  peers: [{name: a, endpoint: '1.2.3.4:5'}]\n");
	struct hd_error err;

	(void)state;
	assert_string_equal(logged,
			    "text:4: `wg_relay.xdp_bpf_obj_path` has no effect "
			    "here: the program is part of the module\n");
	logged[0] = '\0';
	assert_int_equal(0, hd_conf_finish(conf, &err));
	assert_string_equal(logged, "text:2: the section `wg` has no effect: "
				    "that module is not loaded\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_ask_for_their_modules),
		cmocka_unit_test(wireguard_mode_serves_no_tcp),
		cmocka_unit_test(the_stun_port_becomes_an_address),
		cmocka_unit_test(keys_without_effect_warn_once_each),
		cmocka_unit_test(buffer_sizes_warn_once_each),
		cmocka_unit_test(unknown_old_keys_are_refused),
		cmocka_unit_test(what_kept_peers_out_stops_the_start),
		cmocka_unit_test(hd_s_old_keys_warn),
		cmocka_unit_test(wg_relay_is_the_section_wg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
