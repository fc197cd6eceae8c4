/* SPDX-License-Identifier: MIT */
/* modules/stun/stun.c - tells a client its own address, over UDP.
 *
 * A client chooses its home relay by the time this takes and stays as long as
 * it answers. So it answers only while the relay serves. */
#include <hyper-derp/config.h>
#include <hyper-derp/control.h>
#include <hyper-derp/datagram.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <hyper-derp/stun.h>
#include <hyper-derp/worker.h>

struct stun_conf {
	union hd_addr listen;
};

struct stun_worker { /* zeroed by the core; one thread only */
	struct hd_module *self;
	struct hd_udp *udp;
};

static const struct hd_option options[] = {
	{ .name = "listen",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct stun_conf, listen),
	  .def = "[::]:3478",
	  .help = "UDP address to answer STUN binding requests on." },
	HD_OPTION_END,
};

enum stun_metric {
	STUN_M_IPV4,
	STUN_M_IPV6,
	STUN_M_GARBAGE,
	STUN_M_NOT_A_REQUEST,
	STUN_M_UNKNOWN_ATTRIBUTE,
	STUN_M_NOT_SERVING,
	STUN_M_SEND_FAILED,
	STUN_M_N
};

#define COUNTER(name, labels, help)                                            \
	{                                                                      \
		(name), (labels), (help), HD_METRIC_COUNTER                    \
	}
#define ANSWERS "hyper_derp_stun_answers_total"
#define ANSWERS_HELP "STUN binding requests answered"
#define IGNORED "hyper_derp_stun_ignored_total"
#define IGNORED_HELP "Datagrams to the STUN port that got no answer"

static const struct hd_metric metrics[] = {
	[STUN_M_IPV4] = COUNTER(ANSWERS, "family=\"ipv4\"", ANSWERS_HELP),
	[STUN_M_IPV6] = COUNTER(ANSWERS, "family=\"ipv6\"", ANSWERS_HELP),
	[STUN_M_GARBAGE] = COUNTER(IGNORED, "reason=\"garbage\"", IGNORED_HELP),
	[STUN_M_NOT_A_REQUEST] =
		COUNTER(IGNORED, "reason=\"not_a_request\"", IGNORED_HELP),
	[STUN_M_UNKNOWN_ATTRIBUTE] =
		COUNTER(IGNORED, "reason=\"unknown_attribute\"", IGNORED_HELP),
	[STUN_M_NOT_SERVING] =
		COUNTER(IGNORED, "reason=\"not_serving\"", IGNORED_HELP),
	[STUN_M_SEND_FAILED] =
		COUNTER(IGNORED, "reason=\"send_failed\"", IGNORED_HELP),
	{ .name = NULL },
};

/* RFC 5389 answers an unknown required attribute with error 420. As derper, we
 * say nothing instead: nobody who measures latency sends one, and an error
 * would be one more thing to make a relay say to a forged address. */
static enum stun_metric answer(struct hd_udp *udp, const struct hd_datagram *dg)
{
	uint8_t out[STUN_RESPONSE_MAX_BYTES];
	struct stun_message msg;
	size_t n;

	if (stun_parse(dg->data, dg->len_bytes, &msg) < 0)
		return STUN_M_GARBAGE;
	if (msg.type != STUN_BINDING_REQUEST)
		return STUN_M_NOT_A_REQUEST;
	if (msg.unknown != 0)
		return STUN_M_UNKNOWN_ATTRIBUTE;
	n = stun_response_put(out, msg.txid, &dg->from);
	if (hd_udp_send(udp, &dg->from, &dg->to, out, n) < 0)
		return STUN_M_SEND_FAILED;
	return dg->from.sa.sa_family == AF_INET ? STUN_M_IPV4 : STUN_M_IPV6;
}

static void on_datagrams(struct hd_udp *udp, void *arg, struct hd_datagram *v,
			 unsigned n)
{
	struct stun_worker *sw = arg;
	struct hd_worker *w = hd_udp_worker(udp);
	uint64_t *m = hd_metrics(sw->self, w);

	if (!hd_worker_serving(w)) {
		hd_count(m, STUN_M_NOT_SERVING, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		hd_count(m, answer(udp, &v[i]), 1);
}

static int stun_start(struct hd_module *mod, struct hd_worker *w,
		      struct hd_error *err)
{
	const struct stun_conf *conf = hd_module_worker_conf(mod, w);
	struct stun_worker *sw = hd_module_worker_data(mod, w);

	sw->self = mod;
	return hd_udp_open(mod, w, &conf->listen, 0, on_datagrams, sw, &sw->udp,
			   err);
}

static void stun_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct stun_worker *sw = hd_module_worker_data(mod, w);

	hd_udp_close(&sw->udp);
}

static void run_info(struct hd_module *mod, struct hd_call *call)
{
	const struct stun_conf *conf = hd_module_conf(mod);
	char addr[HD_ADDR_TEXT_BYTES];

	hd_out_open(call, NULL, '{');
	hd_out_string(call, "addr", hd_addr_text(&conf->listen, addr));
	hd_out_uint(call, "port", ntohs(conf->listen.in.sin_port));
	hd_out_close(call);
}

static const struct hd_command info_command = {
	.words = "stun info",
	.help = "where STUN is answered",
	.run = run_info,
};

static int stun_load(struct hd_module *mod, struct hd_error *err)
{
	return hd_command_add(mod, &info_command, err);
}

HD_MODULE(stun, .version = "1.0", .licence = "MIT",
	  .summary = "tells clients their address (STUN binding requests)",
	  .state_version = 1, .options = options, .metrics = metrics,
	  .conf_size = sizeof(struct stun_conf),
	  .worker_size = sizeof(struct stun_worker), .load = stun_load,
	  .start = stun_start, .stop = stun_stop);
