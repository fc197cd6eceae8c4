/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/probe.h - what the checks share: the options, and what the
 * checks before them have found out. */
#pragma once
#include "tools/hdprobe/report.h"
#include "tools/lib/httpc.h"
#include "tools/lib/link.h"
#include <openssl/x509.h>

struct options {
	const char *host, *port; /* where to connect */
	const char *name; /* what the relay is called: --sni or host */
	int family, timeout_ms;
	const char *stun_port; /* NULL: no STUN */
	bool plain, insecure, json, quiet, derpmap, mesh;
	bool known_only; /* it may refuse us */
	bool any_port; /* none was named */
	const char *hd_credential; /* lets clients of HD in; NULL: none */
	const char *pin; /* the certificate must be this one; NULL: unknown */
	const char *map; /* --mesh: a DERP map's file; NULL: the arguments */
	char **targets; /* --mesh */
	int n_targets;
	const char *format; /* of the DERP map; NULL: JSON and YAML */
	const char *output; /* its file; NULL: stdout */
	int region_id; /* 0: not said */
	const char *region_code, *region_name;
	char *owned; /* what host and port point into */
};

enum fact { /* each is established by one check */
	    FACT_ADDRESS = 1 << 0,
	    FACT_TCP = 1 << 1,
	    FACT_TRANSPORT = 1 << 2, /* TLS, or TCP where --plain */
	    FACT_UPGRADE = 1 << 3,
	    FACT_SERVER_KEY = 1 << 4,
	    FACT_LOGIN = 1 << 5,
	    FACT_PAIR = 1 << 6, /* both clients work */
	    FACT_HD = 1 << 7, /* /hd is served */
	    FACT_HD_LOGIN = 1 << 8, /* and two clients of it work */
};

struct probe {
	struct options opt;
	unsigned facts; /* enum fact */
	struct addrinfo *addrs;
	const struct addrinfo *addr; /* the one that answers */
	SSL_CTX *ctx;
	STACK_OF(X509) * chain; /* as presented, without the meta certificate */
	X509 *meta;
	long verify; /* X509_V_* of the chain */
	bool have_meta_key;
	struct hd_key meta_key, server_key;
	struct conn *conn[2]; /* two clients, and */
	struct link *peer[2]; /* what they speak */
	bool no_relay; /* the answer for /derp was not a relay's */
	struct pair *hd; /* two clients of HD; NULL: none yet */
};

struct check {
	const char *name;
	unsigned needs; /* facts */
	unsigned gives;
	bool tls; /* makes sense over TLS only */
	void (*run)(struct probe *p, struct result *r);
};

/* The groups, in the order in which they run; each ends with a NULL name. */
extern const struct check net_checks[], tls_checks[], derp_checks[],
	relay_checks[], http_checks[], ws_checks[], stun_checks[], hd_checks[];

/* probe_init - false: OpenSSL is out of memory. */
bool probe_init(struct probe *p);
void probe_clear(struct probe *p);
/* probe_run - all checks. probe_run_until - those that come before a fact, and
 * the one that gives it. */
void probe_run(struct probe *p, struct report *rep);
void probe_run_until(struct probe *p, enum fact fact, struct report *rep);
/* probe_derpmap - print the DERP map's entry. Returns the exit status. */
int probe_derpmap(struct probe *p);

/* probe_dial - a new connection, TLS unless --plain; its deadline is set.
 * probe_upgrade - and the HTTP request for DERP on it; see ret_head->status.
 * The caller closes *ret_conn, also on failure. */
int probe_dial(struct probe *p, struct conn **ret_conn, struct hd_error *err);
int probe_upgrade(struct probe *p, struct conn **ret_conn,
		  struct httpc_head *ret_head, struct hd_error *err);

/* probe_open - a plain connection to another port of the same address.
 * Returns NULL: none. probe_port_80 - whether clients find out there, by plain
 * HTTP, that there is no captive portal. */
struct conn *probe_open(const struct probe *p, const struct addrinfo *at,
			uint16_t port);
bool probe_port_80(const struct probe *p);

/* probe_hd_free - the clients of HD; NULL is fine. */
void probe_hd_free(struct pair **pair);

/* probe_pin - of the certificate, as Tailscale's CertName wants it. */
#define PROBE_PIN_BYTES (sizeof("sha256-raw:") + 64)
bool probe_pin(const struct probe *p, char buf[PROBE_PIN_BYTES]);
/* probe_needs_pin - the relay made its certificate itself. */
bool probe_needs_pin(const struct probe *p);
