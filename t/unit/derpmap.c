/* SPDX-License-Identifier: MIT */
/* t/unit/derpmap.c - the DERP map's entry in its three forms. The expected
 * texts follow tailscale's tailcfg.DERPMap and Headscale's derp.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/lib/derpmap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct derpmap_node named = {
	.region_id = 901,
	.region_code = "fra",
	.region_name = "Frankfurt: \"one\"",
	.host = "derp.example.com",
	.derp_port = 443,
	.stun_port = 3478,
	.can_port_80 = true,
};

static const struct derpmap_node pinned = {
	.region_id = 900,
	.region_code = "hd",
	.region_name = "Hyper-DERP",
	.host = "192.0.2.7",
	.ipv4 = "192.0.2.7",
	.ipv6 = "none",
	.cert_name = "sha256-raw:00ff",
	.derp_port = 3340,
	.stun_port = -1,
};

static void check(const char *format, const struct derpmap_node *node,
		  const char *want)
{
	struct hd_error err = { "" };
	char *got = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&got, &n);

	assert_non_null(f);
	assert_int_equal(derpmap_print(f, format, node, &err), 0);
	fclose(f);
	assert_string_equal(got, want);
	free(got);
}

static void json_is_part_of_a_policy(void **state)
{
	(void)state;
	check("json", &named,
	      "{\n"
	      "  \"derpMap\": {\n"
	      "    \"Regions\": {\n"
	      "      \"901\": {\n"
	      "        \"RegionID\": 901,\n"
	      "        \"RegionCode\": \"fra\",\n"
	      "        \"RegionName\": \"Frankfurt: \\\"one\\\"\",\n"
	      "        \"Nodes\": [\n"
	      "          {\n"
	      "            \"Name\": \"901a\",\n"
	      "            \"RegionID\": 901,\n"
	      "            \"HostName\": \"derp.example.com\",\n"
	      "            \"DERPPort\": 443,\n"
	      "            \"STUNPort\": 3478,\n"
	      "            \"CanPort80\": true\n"
	      "          }\n"
	      "        ]\n"
	      "      }\n"
	      "    }\n"
	      "  }\n"
	      "}\n");
}

static void tailcat_gets_a_whole_map(void **state)
{
	(void)state;
	check("tailcat", &pinned,
	      "{\n"
	      "  \"Regions\": {\n"
	      "    \"900\": {\n"
	      "      \"RegionID\": 900,\n"
	      "      \"RegionCode\": \"hd\",\n"
	      "      \"RegionName\": \"Hyper-DERP\",\n"
	      "      \"Nodes\": [\n"
	      "        {\n"
	      "          \"Name\": \"900a\",\n"
	      "          \"RegionID\": 900,\n"
	      "          \"HostName\": \"192.0.2.7\",\n"
	      "          \"IPv4\": \"192.0.2.7\",\n"
	      "          \"IPv6\": \"none\",\n"
	      "          \"DERPPort\": 3340,\n"
	      "          \"STUNPort\": -1,\n"
	      "          \"CertName\": \"sha256-raw:00ff\"\n"
	      "        }\n"
	      "      ]\n"
	      "    }\n"
	      "  }\n"
	      "}\n");
}

static void yaml_has_lower_case_names(void **state)
{
	(void)state;
	check("yaml", &pinned,
	      "regions:\n"
	      "  900:\n"
	      "    regionid: 900\n"
	      "    regioncode: \"hd\"\n"
	      "    regionname: \"Hyper-DERP\"\n"
	      "    nodes:\n"
	      "    - name: \"900a\"\n"
	      "      regionid: 900\n"
	      "      hostname: \"192.0.2.7\"\n"
	      "      ipv4: \"192.0.2.7\"\n"
	      "      ipv6: \"none\"\n"
	      "      derpport: 3340\n"
	      "      stunport: -1\n"
	      "      certname: \"sha256-raw:00ff\"\n");
}

static void port_80_is_in_yaml_too(void **state)
{
	(void)state;
	check("yaml", &named,
	      "regions:\n"
	      "  901:\n"
	      "    regionid: 901\n"
	      "    regioncode: \"fra\"\n"
	      "    regionname: \"Frankfurt: \\\"one\\\"\"\n"
	      "    nodes:\n"
	      "    - name: \"901a\"\n"
	      "      regionid: 901\n"
	      "      hostname: \"derp.example.com\"\n"
	      "      derpport: 443\n"
	      "      stunport: 3478\n"
	      "      canport80: true\n");
}

/* All of the file, into buf. */
static void read_file(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
	fclose(f);
}

static void a_file_is_replaced_by_a_whole_one(void **state)
{
	char dir[] = "/tmp/hd-derpmap-XXXXXX", path[64], text[1000];
	struct hd_error err = { "" };
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/map", dir);
	assert_int_equal(derpmap_save(path, "tailcat", &named, &err), 0);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(derpmap_save(path, "toml", &named, &err), -EINVAL);
	assert_non_null(strstr(err.text, "left as it was"));
	read_file(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"RegionID\": 901"));
	assert_int_equal(derpmap_save(path, "tailcat", &pinned, &err), 0);
	read_file(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"RegionID\": 900"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	unlink(path);
	assert_int_equal(rmdir(dir), 0); /* nothing else is left in it */
}

static void a_device_stays_one(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(derpmap_save("/dev/null", "json", &named, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "not a regular file"));
}

static void unknown_format_names_the_known(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(derpmap_print(stdout, "toml", &named, &err), -EINVAL);
	assert_non_null(strstr(err.text, "json, yaml and tailcat"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_part_of_a_policy),
		cmocka_unit_test(tailcat_gets_a_whole_map),
		cmocka_unit_test(yaml_has_lower_case_names),
		cmocka_unit_test(port_80_is_in_yaml_too),
		cmocka_unit_test(a_file_is_replaced_by_a_whole_one),
		cmocka_unit_test(a_device_stays_one),
		cmocka_unit_test(unknown_format_names_the_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
