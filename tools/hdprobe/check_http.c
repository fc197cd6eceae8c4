/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_http.c - the plain pages beside DERP. */
#include "tools/hdprobe/probe.h"

#include <string.h>

/* Each request has a connection of its own, as clients' probes do. */
static int get(struct probe *p, const char *path, const char *headers,
	       struct httpc_head *ret_head, struct hd_error *err)
{
	struct conn *c = NULL;
	int rc = probe_dial(p, &c, err);

	if (rc == 0)
		rc = httpc_get(c, p->opt.name, path, headers, NULL, 0, err);
	if (rc == 0)
		rc = httpc_read_head(c, ret_head, err);
	conn_close(&c);
	return rc;
}

static void check_page(struct probe *p, struct result *r, const char *path,
		       const char *remedy)
{
	int64_t start = now_us();
	struct httpc_head head;
	struct hd_error err;
	char origin[64] = "";
	int rc = get(p, path, "", &head, &err);

	if (rc < 0)
		result_bad(r, V_FAIL, remedy, "%s: %s", path, err.text);
	else if (head.status == 503)
		result_bad(r, V_FAIL,
			   "the relay drains: wait, or start it "
			   "again",
			   "%s: 503", path);
	else if (head.status != 200)
		result_bad(r, V_FAIL, remedy, "%s: %d, not 200", path,
			   head.status);
	else if (!httpc_header(&head, "Access-Control-Allow-Origin", origin,
			       sizeof(origin)))
		result_bad(r, V_WARN,
			   "clients in a browser need it: update the relay, "
			   "or let the proxy pass it on",
			   "%s: no Access-Control-Allow-Origin", path);
	else
		result_ok(r, "%s: 200 in %.1f ms", path,
			  (double)(now_us() - start) / 1e3);
}

static void check_latency(struct probe *p, struct result *r)
{
	check_page(p, r, "/derp/latency-check",
		   "clients measure with it where STUN is blocked; a proxy "
		   "must pass all of /derp/ on");
}

static void check_probe(struct probe *p, struct result *r)
{
	check_page(p, r, "/derp/probe",
		   "clients in a browser measure with it; a proxy must pass "
		   "all of /derp/ on");
}

#define CHALLENGE "hdprobe-1.2:x"
#define CHALLENGE_LINE "X-Tailscale-Challenge: " CHALLENGE "\r\n"
#define CHALLENGE_PATH "/generate_204"

/* A portal cannot know the right answer. Returns "", or what is wrong. */
static const char *challenge_wrong(const struct httpc_head *head, char buf[200])
{
	char got[128] = "";

	buf[0] = '\0';
	if (head->status != 204)
		(void)snprintf(buf, 200, "%d, not 204", head->status);
	else if (!httpc_header(head, "X-Tailscale-Response", got,
			       sizeof(got)) ||
		 strcmp(got, "response " CHALLENGE) != 0)
		(void)snprintf(buf, 200, "X-Tailscale-Response is \"%s\"",
			       got);
	return buf;
}

/* Clients look for captive portals with it. */
static void check_generate_204(struct probe *p, struct result *r)
{
	const char *remedy = "clients take this for a captive portal; a proxy "
			     "must pass " CHALLENGE_PATH " on";
	struct httpc_head head;
	struct hd_error err;
	char wrong[200];
	int rc = get(p, CHALLENGE_PATH, CHALLENGE_LINE, &head, &err);

	if (rc < 0)
		result_bad(r, V_FAIL, remedy, "%s", err.text);
	else if (challenge_wrong(&head, wrong)[0] != '\0')
		result_bad(r, V_FAIL, remedy, "%s", wrong);
	else
		result_ok(r, "204, challenge answered");
}

bool probe_port_80(const struct probe *p)
{
	struct conn *c = probe_open(p, p->addr, 80);
	struct httpc_head head;
	struct hd_error err;
	char wrong[200];
	bool good = c != NULL &&
		    httpc_get(c, p->opt.name, CHALLENGE_PATH, CHALLENGE_LINE,
			      NULL, 0, &err) == 0 &&
		    httpc_read_head(c, &head, &err) == 0 &&
		    challenge_wrong(&head, wrong)[0] == '\0';

	conn_close(&c);
	return good;
}

const struct check http_checks[] = {
	{ "latency-check", FACT_UPGRADE, 0, false, check_latency },
	{ "probe", FACT_UPGRADE, 0, false, check_probe },
	{ "generate-204", FACT_UPGRADE, 0, false, check_generate_204 },
	{ 0 },
};
