/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/probe.c - runs the checks. A check runs when the facts that
 * it needs are established; else it is skipped, naming the one to blame. */
#include "tools/hdprobe/probe.h"

#include <arpa/inet.h>
#include <string.h>

static const struct check *const groups[] = {
	net_checks,  tls_checks, derp_checks, relay_checks,
	http_checks, ws_checks,	 stun_checks,  hd_checks,
};

int probe_dial(struct probe *p, struct conn **ret_conn, struct hd_error *err)
{
	int rc = conn_open(p->addr, p->opt.timeout_ms, ret_conn, err);

	if (rc == 0 && !p->opt.plain)
		rc = conn_start_tls(*ret_conn, p->ctx, p->opt.name, err);
	if (rc < 0)
		conn_close(ret_conn);
	return rc;
}

struct conn *probe_open(const struct probe *p, const struct addrinfo *at,
			uint16_t port)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr = { .any.ss_family = AF_UNSPEC };
	struct addrinfo to = *at;
	struct conn *c = NULL;
	struct hd_error err;

	memcpy(&addr, at->ai_addr, at->ai_addrlen);
	if (at->ai_family == AF_INET6)
		addr.in6.sin6_port = htons(port);
	else
		addr.in.sin_port = htons(port);
	to.ai_addr = (struct sockaddr *)&addr;
	if (conn_open(&to, p->opt.timeout_ms, &c, &err) < 0)
		conn_close(&c);
	return c;
}

int probe_upgrade(struct probe *p, struct conn **ret_conn,
		  struct httpc_head *ret_head, struct hd_error *err)
{
	int rc = probe_dial(p, ret_conn, err);

	if (rc == 0)
		rc = httpc_get(*ret_conn, p->opt.name, "/derp",
			       "Upgrade: DERP\r\nConnection: Upgrade\r\n", NULL,
			       0, err);
	return rc < 0 ? rc : httpc_read_head(*ret_conn, ret_head, err);
}

static const char *giver(unsigned fact)
{
	for (size_t g = 0; g < HD_ARRAY_N(groups); g++)
		for (const struct check *c = groups[g]; c->name; c++)
			if (c->gives & fact)
				return c->name;
	return "an earlier check";
}

/* The earliest missing fact: the later ones are its consequences. */
static unsigned lowest_bit(unsigned facts)
{
	return facts & -facts;
}

static unsigned needs(const struct probe *p, const struct check *c)
{
	if (p->opt.plain && (c->needs & FACT_TRANSPORT))
		return (c->needs & ~FACT_TRANSPORT) | FACT_TCP;
	return c->needs;
}

/* What only a relay with HD has, at one that has not. */
static bool is_nobodys(const struct probe *p, const struct check *c,
		       const struct result *r)
{
	return r->verdict == V_SKIP && (p->facts & FACT_HD) == 0 &&
	       ((c->needs | c->gives) & (FACT_HD | FACT_HD_LOGIN)) != 0;
}

static void run_check(struct probe *p, const struct check *c,
		      struct report *rep)
{
	unsigned missing = needs(p, c) & ~p->facts;
	struct result r = { .verdict = V_UNKNOWN };

	if (c->tls && p->opt.plain)
		result_skip(&r, "--plain");
	else if (missing != 0)
		result_skip(&r, "%s did not pass", giver(lowest_bit(missing)));
	else
		c->run(p, &r);
	if (r.verdict == V_OK || r.verdict == V_WARN)
		p->facts |= c->gives;
	if (p->opt.plain && (p->facts & FACT_TCP))
		p->facts |= FACT_TRANSPORT;
	if (!is_nobodys(p, c, &r))
		report_add(rep, c->name, &r);
}

void probe_run_until(struct probe *p, enum fact fact, struct report *rep)
{
	for (size_t g = 0; g < HD_ARRAY_N(groups); g++) {
		for (const struct check *c = groups[g]; c->name; c++) {
			run_check(p, c, rep);
			if (c->gives & fact)
				return;
		}
	}
}

void probe_run(struct probe *p, struct report *rep)
{
	probe_run_until(p, 0, rep);
}

bool probe_init(struct probe *p)
{
	p->ctx = SSL_CTX_new(TLS_client_method());
	if (p->ctx == NULL)
		return false;
	/* We judge the chain ourselves, to say what is wrong with it. */
	SSL_CTX_set_verify(p->ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_default_verify_paths(p->ctx);
	SSL_CTX_set_min_proto_version(p->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(p->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	return true;
}

void probe_clear(struct probe *p)
{
	for (int i = 0; i < 2; i++) {
		conn_close(&p->conn[i]);
		link_free(&p->peer[i]);
	}
	probe_hd_free(&p->hd);
	sk_X509_pop_free(p->chain, X509_free);
	X509_free(p->meta);
	SSL_CTX_free(p->ctx);
	if (p->addrs != NULL)
		freeaddrinfo(p->addrs);
}
