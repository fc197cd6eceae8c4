/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/derpmap.c - --derpmap: look at the relay as far as its key, and
 * for STUN, then print its entry. Remarks go to stderr: stdout is a file's
 * content. */
#include "tools/lib/derpmap.h"
#include "tools/hdprobe/probe.h"

#include <errno.h>
#include <stdlib.h>

/* Where the relay's name is no address of the relay, clients must be told
 * one; and where it is an address, not to ask DNS for the other kind. */
static void set_addresses(const struct probe *p, struct derpmap_node *node,
			  char text[INET6_ADDRSTRLEN])
{
	bool v4 = p->addr->ai_family == AF_INET;

	if (!conn_is_ip(p->opt.host))
		return;
	getnameinfo(p->addr->ai_addr, p->addr->ai_addrlen, text,
		    INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST);
	node->ipv4 = v4 ? text : "none";
	node->ipv6 = v4 ? "none" : text;
}

static void remarks(const struct probe *p, const struct report *rep,
		    const struct derpmap_node *node)
{
	derpmap_warn("hdprobe", node, p->opt.plain);
	if (rep->worst <= V_SKIP)
		return;
	fprintf(stderr, "hdprobe: %s%s\n",
		rep->worst > V_WARN ? "clients will not connect with this: "
				    : "",
		rep->first_bad);
	if (rep->first_remedy[0] != '\0')
		fprintf(stderr, "hdprobe: %s\n", rep->first_remedy);
}

/* Clients measure how far a relay is by STUN, but reach one without it: its
 * entry is of use. */
static void look_for_stun(struct probe *p, struct report *rep)
{
	struct result r = { .verdict = V_UNKNOWN };

	stun_checks[0].run(p, &r);
	if (r.verdict == V_FAIL)
		r.verdict = V_WARN;
	report_add(rep, stun_checks[0].name, &r);
}

static int print_all(const char *format, const struct derpmap_node *node,
		     struct hd_error *err)
{
	int rc;

	if (format != NULL)
		return derpmap_print(stdout, format, node, err);
	puts("// Tailscale: into the tailnet policy file");
	rc = derpmap_print(stdout, "json", node, err);
	if (rc < 0)
		return rc;
	puts("\n# Headscale: a file of its own, named in derp.paths");
	return derpmap_print(stdout, "yaml", node, err);
}

/* A file is replaced by what works only. */
static int put(const struct probe *p, const struct report *rep,
	       const struct derpmap_node *node, struct hd_error *err)
{
	const struct options *opt = &p->opt;

	if (opt->output == NULL)
		return print_all(opt->format, node, err);
	if (rep->worst > V_WARN)
		return hd_error_set(err, -ENOTCONN, "%s is left as it was",
				    opt->output);
	return derpmap_save(opt->output, opt->format, node, err);
}

static void print_entry(struct probe *p, struct report *rep)
{
	char ip[INET6_ADDRSTRLEN], pin[PROBE_PIN_BYTES] = "";
	struct derpmap_node node = {
		.region_id = p->opt.region_id != 0 ? p->opt.region_id : 900,
		.region_code = p->opt.region_code,
		.region_name = p->opt.region_name,
		.host = p->opt.name,
		.stun_port = p->opt.stun_port ? atoi(p->opt.stun_port) : -1,
		.derp_port = atoi(p->opt.port),
		.cert_name = pin,
		.can_port_80 = probe_port_80(p),
	};
	struct hd_error err;

	if (!probe_needs_pin(p) || !probe_pin(p, pin))
		pin[0] = '\0';
	set_addresses(p, &node, ip);
	remarks(p, rep, &node);
	if (put(p, rep, &node, &err) < 0) {
		fprintf(stderr, "hdprobe: %s\n", err.text);
		rep->worst = HD_MAX(rep->worst, V_UNKNOWN);
	}
}

static void failed(const struct probe *p, const struct report *rep)
{
	fprintf(stderr, "hdprobe: %s\n", rep->first_bad);
	if (rep->first_remedy[0] != '\0')
		fprintf(stderr, "hdprobe: %s\n", rep->first_remedy);
	if (p->opt.output != NULL)
		fprintf(stderr, "hdprobe: %s is left as it was\n",
			p->opt.output);
}

int probe_derpmap(struct probe *p)
{
	struct report rep;
	int status;

	report_init(&rep, stderr, p->opt.host, false, true);
	probe_run_until(p, FACT_SERVER_KEY, &rep);
	if (p->facts & FACT_TRANSPORT) {
		look_for_stun(p, &rep);
		print_entry(p, &rep);
	} else {
		failed(p, &rep);
	}
	status = report_status(&rep);
	report_clear(&rep);
	return status;
}
