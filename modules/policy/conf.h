/* SPDX-License-Identifier: MIT */
/* modules/policy/conf.h - the section `policy:`, as options.c and limits.c
 * have its options. */
#pragma once
#include <hyper-derp/config.h>

enum policy_action { POLICY_ALLOW, POLICY_DENY };

struct policy_limits_conf {
	uint64_t bytes_per_s, burst_bytes, packet_bytes, connections;
};

struct policy_limits_list { /* as HD_ENTRIES_OF(): one, or none */
	const struct policy_limits_conf *v;
	size_t n;
};

enum policy_role {
	POLICY_ROLE_OWN, /* what it logs in as: mesh with the mesh key */
	POLICY_ROLE_CLIENT,
	POLICY_ROLE_MESH,
	POLICY_ROLE_N
};

enum policy_then { POLICY_QUOTA_DENY, POLICY_QUOTA_SLOW };

struct policy_quota_conf {
	uint64_t bytes; /* in a month */
	uint64_t then; /* enum policy_then */
	uint64_t bytes_per_s;
};

struct policy_quota_list { /* one, or none */
	const struct policy_quota_conf *v;
	size_t n;
};

struct policy_tenant_conf {
	struct hd_place at;
	const char *name;
	struct policy_limits_list limits;
	struct policy_quota_list quota;
};

struct policy_rule_conf { /* every field that is set must match */
	struct hd_place at, at_keys, at_from, at_listener, at_server_name,
		at_app_name, at_url, at_tailscaled, at_tenant, at_limits,
		at_token, at_token_file, at_query, at_header, at_devices,
		at_devices_token_file, at_quota, at_role;
	const char *name;
	uint64_t action; /* enum policy_action */
	const char *keys; /* a file */
	struct hd_list from; /* prefixes */
	const char *listener, *server_name;
	const char *app_name; /* that the client gives itself */
	const char *token, *token_file; /* of Authorization: Bearer */
	const char *query, *header; /* "name=value", "Name: value" */
	const char *url; /* of an admission service */
	const char *tailscaled; /* the socket of one, which is asked instead */
	const char *devices; /* the URL of a list of them */
	const char *devices_token_file; /* of who asks for it */
	const char *devices_path, *devices_name_path, *devices_where;
	bool mesh; /* it matches who has the mesh key, and nobody else */
	const char *reason; /* of a denial */
	uint64_t role; /* enum policy_role, of those it allows */
	const char *tenant; /* of those it allows; NULL: none */
	struct policy_limits_list limits; /* the same, of each */
	struct policy_quota_list quota; /* of each */
};

struct policy_conf {
	HD_ENTRIES_OF(struct policy_rule_conf) rules;
	HD_ENTRIES_OF(struct policy_tenant_conf) tenants;
	uint64_t otherwise; /* enum policy_action */
	struct hd_place at_ask_timeout;
	/* of admission services */
	uint64_t ask_timeout_ms, allow_ttl_ms, deny_ttl_ms, stale_ttl_ms;
	uint64_t devices_every_ms, devices_timeout_ms;
	bool fail_open;
	bool accounting;
	uint64_t accounting_keys;
	uint64_t accounting_months; /* 0: all are kept */
	uint64_t metrics_keys; /* 0: none */
};

extern const struct hd_option policy_options[];
