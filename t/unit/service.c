/* SPDX-License-Identifier: MIT */
/* t/unit/service.c - protocols that listeners may speak: whose names and ALPN
 * clash, who finds them when, and what is refused in a definition or in the
 * configuration. */
#include <errno.h>
#include <string.h>
#include "core/base/module_id.h"
#include "core/module/module_def.h"
#include "core/stream/service.h"
#include "t/unit/unit.h"

static size_t all_data(struct hd_module *mod, struct hd_stream *s, void *state,
		       uint8_t *p, size_t n)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)p;
	return n;
}

static const struct hd_proto proto = { .name = "p", .data = all_data };

static const struct hd_service mqtt[] = {
	{ .name = "mqtt", .proto = &proto, .alpn = { "mqtt", "mqtt/5" } },
	{ .name = "mqtts", .proto = &proto, .tls_only = true },
	HD_SERVICE_END,
};
static const struct hd_service same_name[] = {
	{ .name = "mqtts", .proto = &proto },
	HD_SERVICE_END,
};
static const struct hd_service same_alpn[] = {
	{ .name = "other", .proto = &proto, .alpn = { "x", "mqtt/5" } },
	HD_SERVICE_END,
};
static const struct hd_module_def broker_def = { .services = mqtt };
static const struct hd_module_def name_def = { .services = same_name };
static const struct hd_module_def alpn_def = { .services = same_alpn };
static struct hd_module broker = { .def = &broker_def, .name = "broker" };
static struct hd_module name_mod = { .def = &name_def, .name = "name" };
static struct hd_module alpn_mod = { .def = &alpn_def, .name = "alpn" };

static int reset(void **state)
{
	(void)state;
	hd_service_kind.publish();
	hd_service_kind.withdraw(&broker);
	hd_service_kind.withdraw(&name_mod);
	hd_service_kind.withdraw(&alpn_mod);
	hd_service_kind.reclaim();
	return 0;
}

static void found_when_published(void **state)
{
	struct hd_error err;

	(void)state;
	hd_service_kind.draft();
	assert_int_equal(hd_services_add(&broker, &err), 0);
	assert_null(hd_service_find("mqtt"));
	hd_service_kind.publish();
	const struct hd_service_entry *e = hd_service_find("mqtts");

	assert_non_null(e);
	assert_ptr_equal(e->link.mod, &broker);
	assert_ptr_equal(hd_service_next(hd_service_next(NULL)), e);
	hd_service_kind.withdraw(&broker);
	assert_null(hd_service_find("mqtts"));
	assert_null(hd_service_next(e)); /* who stands there goes on */
}

static void clashes_are_refused(void **state)
{
	struct hd_error err;

	(void)state;
	hd_service_kind.draft();
	assert_int_equal(hd_services_add(&broker, &err), 0);
	assert_int_equal(hd_services_add(&name_mod, &err), -EEXIST);
	assert_non_null(strstr(err.text, "mqtts is taken by module broker"));
	hd_service_kind.publish();
	assert_int_equal(hd_services_add(&alpn_mod, &err), -EEXIST);
	assert_non_null(strstr(err.text, "mqtt/5 is taken by module broker"));
	hd_service_kind.withdraw(&broker);
	assert_int_equal(hd_services_add(&alpn_mod, &err), 0);
}

static int check(const char *protocol, bool tls, struct hd_error *err)
{
	struct hd_listen_conf l = { .protocol = protocol,
				    .tls = tls,
				    .file = "x.yaml",
				    .line = 7 };
	const struct hd_conf conf = { .listen = &l, .n_listen = 1 };

	return hd_services_check(&conf, err);
}

static void listeners_name_what_there_is(void **state)
{
	struct hd_error err;

	(void)state;
	assert_int_equal(check(NULL, false, &err), 0);
	assert_int_equal(check("mqtt", false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "x.yaml:7: `protocol: mqtt`"));
	assert_non_null(strstr(err.text, "there are: none"));
	assert_int_equal(hd_services_add(&broker, &err), 0);
	assert_int_equal(check("mqtt", false, &err), 0);
	assert_int_equal(check("mqtts", true, &err), 0);
	assert_int_equal(check("mqtts", false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "add `tls: true`"));
	assert_int_equal(check("irc", true, &err), -EINVAL);
	assert_non_null(strstr(err.text, "there are: mqtt, mqtts"));
}

/* Whether the table is one that a module may have. */
static bool fits(const char *name, const struct hd_proto *p,
		 const char *token, const char *second)
{
	const struct hd_service table[] = {
		{ .name = name, .proto = p, .alpn = { token, second } },
		HD_SERVICE_END,
	};
	const struct hd_module_def def = { .magic = HD_MODULE_MAGIC,
					   .abi_major = HD_ABI_MAJOR,
					   .abi_minor = HD_ABI_MINOR,
					   .size = sizeof(def),
					   .name = "m",
					   .services = table };
	struct hd_module_def ret;
	struct hd_error err;

	return hd_module_def_check(&def, "m", &ret, &err) == 0;
}

static void tables_are_checked(void **state)
{
	static const struct hd_proto no_data = { .name = "p" };
	char long_token[257];

	(void)state;
	memset(long_token, 'x', 256);
	long_token[256] = '\0';
	assert_true(fits("a-1", &proto, "x", NULL));
	assert_true(fits("a", &proto, NULL, NULL));
	assert_false(fits("", &proto, NULL, NULL));
	assert_false(fits("http", &proto, NULL, NULL));
	assert_false(fits("A b", &proto, NULL, NULL));
	assert_false(fits("a", NULL, NULL, NULL));
	assert_false(fits("a", &no_data, NULL, NULL));
	assert_false(fits("a", &proto, "", NULL));
	assert_false(fits("a", &proto, NULL, "x"));
	assert_false(fits("a", &proto, "http/1.1", NULL));
	assert_false(fits("a", &proto, long_token, NULL));
	assert_true(fits("a", &proto, long_token + 1, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(found_when_published, reset),
		cmocka_unit_test_teardown(clashes_are_refused, reset),
		cmocka_unit_test_teardown(listeners_name_what_there_is, reset),
		cmocka_unit_test(tables_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
