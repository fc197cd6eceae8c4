/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_derp.c - from the HTTP request to the login. The first
 * three share one connection, which then is client 0. */
#include "tools/hdprobe/probe.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HEX_KEY_BYTES (2 * HD_KEY_BYTES + 1)

static const char *key_text(const struct hd_key *key, char buf[HEX_KEY_BYTES])
{
	return sodium_bin2hex(buf, HEX_KEY_BYTES, key->b, HD_KEY_BYTES);
}

static const struct {
	int status;
	const char *remedy;
} upgrade_refusals[] = {
	{ 400, "TLS is expected here: leave out --plain" },
	{ 404, "/derp is not served: load the module derp; behind a proxy, "
	       "pass /derp on" },
	{ 426, "the Upgrade header got lost: a proxy must pass Upgrade and "
	       "Connection on" },
	{ 502, "the proxy does not reach the relay" },
	{ 503, "the relay drains, or the proxy does not reach it" },
};

static void upgrade_refused(struct result *r, const struct httpc_head *head)
{
	const char *remedy = "this does not look like a relay: check host and "
			     "port";

	for (size_t i = 0; i < HD_ARRAY_N(upgrade_refusals); i++)
		if (upgrade_refusals[i].status == head->status)
			remedy = upgrade_refusals[i].remedy;
	result_bad(r, V_FAIL, remedy, "answer %d instead of 101", head->status);
}

static void no_http(struct result *r, int code, const char *detail)
{
	result_bad(
		r, V_FAIL,
		code == -EBADMSG ? "this is not a relay: check host and port"
		: code == -ETIMEDOUT
			? "something listens but does not answer: is this "
			  "the relay's port? without TLS, is --plain missing?"
			: "it hung up on our request: check host and port, "
			  "and the relay's log",
		"%s", detail);
}

static bool hex_key(const char *hex, struct hd_key *ret_key)
{
	size_t n = 0;

	return strlen(hex) == 2 * HD_KEY_BYTES &&
	       sodium_hex2bin(ret_key->b, HD_KEY_BYTES, hex, strlen(hex), NULL,
			      &n, NULL) == 0 &&
	       n == HD_KEY_BYTES;
}

static void upgrade_headers(struct probe *p, struct result *r,
			    const struct httpc_head *head)
{
	char version[16] = "", key[HEX_KEY_BYTES + 1] = "";

	httpc_header(head, "Derp-Version", version, sizeof(version));
	httpc_header(head, "Derp-Public-Key", key, sizeof(key));
	if (atoi(version) != DERP_VERSION)
		result_bad(r, V_FAIL,
			   "clients speak version 2: update the relay",
			   "Derp-Version is \"%s\", not 2", version);
	else if (!hex_key(key, &p->server_key))
		result_bad(r, V_FAIL,
			   "the relay, or a proxy, garbles its answer",
			   "Derp-Public-Key is \"%s\", not 64 hex digits", key);
	else
		result_ok(r, "101, Derp-Version %s, Derp-Public-Key %s",
			  version, key);
}

static void check_upgrade(struct probe *p, struct result *r)
{
	struct httpc_head head;
	struct hd_error err;
	int rc = probe_upgrade(p, &p->conn[0], &head, &err);

	/* 404: one that serves other protocols only */
	p->no_relay = rc < 0 || (head.status != 101 && head.status != 404);
	if (rc < 0)
		no_http(r, rc, err.text);
	else if (head.status != 101)
		upgrade_refused(r, &head);
	else
		upgrade_headers(p, r, &head);
}

/* The key is shown in up to three places; a client that trusts one of them
 * must find the holder of it. */
static void compare_keys(struct probe *p, struct result *r)
{
	const struct hd_key *key = &p->peer[0]->login.server;
	char hex[HEX_KEY_BYTES], other[HEX_KEY_BYTES];

	if (memcmp(key, &p->server_key, sizeof(*key)) != 0)
		result_bad(r, V_FAIL,
			   "two relays answer under one name, or a proxy "
			   "mixes them up",
			   "ServerKey %s, but Derp-Public-Key %s",
			   key_text(key, hex), key_text(&p->server_key, other));
	else if (p->have_meta_key &&
		 memcmp(key, &p->meta_key, sizeof(*key)) != 0)
		result_bad(r, V_FAIL,
			   "clients cannot log in: restart the relay; if "
			   "several share this name, give each its own",
			   "ServerKey %s, but the meta certificate has %s",
			   key_text(key, hex), key_text(&p->meta_key, other));
	else
		result_ok(r, "%s, the same%s", key_text(key, hex),
			  p->have_meta_key
				  ? " in the answer and the meta certificate"
				  : " in the answer");
}

static void check_server_key(struct probe *p, struct result *r)
{
	struct link *l = p->peer[0] = link_new();
	struct hd_error err;
	int rc;

	if (l == NULL) {
		result_bad(r, V_UNKNOWN, NULL, "out of memory");
		return;
	}
	link_use_conn(l, p->conn[0]);
	conn_deadline(p->conn[0], p->opt.timeout_ms);
	rc = link_start(l, NULL, &err);
	if (rc == 0)
		rc = link_login_until(l, DERPC_SERVER_INFO, &err);
	if (rc < 0)
		result_bad(r, V_FAIL,
			   "the relay must greet with its key: see its log",
			   "%s", err.text);
	else
		compare_keys(p, r);
}

/* What the module policy tells whom it could not ask anybody about: that is no
 * refusal of a stranger, for it refuses everybody.
 * Source: modules/policy/decide.c. */
#define CANNOT_ASK "the relay cannot ask who you are"

static bool cannot_ask(const struct link *l)
{
	return strncmp(l->health, CANNOT_ASK, strlen(CANNOT_ASK)) == 0;
}

static void refused(struct result *r, const struct link *l)
{
	if (cannot_ask(l))
		result_bad(r, V_FAIL,
			   "whom it asks who may log in (policy: url, "
			   "tailscaled, devices) does not answer: its log says "
			   "why",
			   "nobody new may log in; it says: %s", l->health);
	else
		result_skip(r, "the relay refuses a key that it does not know, "
			       "as --known-only says");
}

static void login_failed(struct result *r, int code, const char *detail,
			 const char *health)
{
	const char *remedy =
		code == -ECONNRESET
			? "the relay refuses this client: does it drain, or "
			  "admit known keys only (then --known-only)? see its "
			  "log"
			: "see the relay's log";

	result_bad(r, V_FAIL, remedy, "%s%s%s", detail,
		   health[0] != '\0' ? "; it says: " : "", health);
}

static void check_login(struct probe *p, struct result *r)
{
	struct hd_error err;
	int rc;

	conn_deadline(p->conn[0], p->opt.timeout_ms);
	rc = link_login(p->peer[0], &err);
	if (rc == -ECONNRESET && p->opt.known_only)
		refused(r, p->peer[0]);
	else if (rc < 0)
		login_failed(r, rc, err.text, p->peer[0]->health);
	else
		result_ok(r, "ServerInfo %s", p->peer[0]->login.server_json);
}

/* Real clients do it over TLS 1.3 with a meta certificate, and then always. */
static void check_fast_start(struct probe *p, struct result *r)
{
	struct conn *c = NULL;
	struct link *l = link_new();
	int64_t start = now_us();
	struct hd_error err = { "out of memory" };
	int rc = l == NULL ? -ENOMEM : probe_dial(p, &c, &err);

	if (rc == 0) {
		link_use_conn(l, c);
		rc = link_fast_start(l, p->opt.name, &p->server_key, &err);
	}
	if (rc == 0)
		rc = link_login(l, &err);
	if (rc == 0)
		result_ok(r, "logged in %.1f ms after the first SYN",
			  (double)(now_us() - start) / 1e3);
	else if (p->have_meta_key)
		result_bad(r, V_FAIL,
			   "clients that see a meta certificate cannot log "
			   "in: a proxy in front must not pass it on",
			   "%s", err.text);
	else
		result_skip(r,
			    "%s; without a meta certificate clients do "
			    "not use it",
			    err.text);
	conn_close(&c);
	link_free(&l);
}

const struct check derp_checks[] = {
	{ "upgrade", FACT_TRANSPORT, FACT_UPGRADE, false, check_upgrade },
	{ "server-key", FACT_UPGRADE, FACT_SERVER_KEY, false,
	  check_server_key },
	{ "login", FACT_SERVER_KEY, FACT_LOGIN, false, check_login },
	{ "fast-start", FACT_LOGIN, 0, false, check_fast_start },
	{ 0 },
};
