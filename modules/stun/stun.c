/* SPDX-License-Identifier: MIT */
/* modules/stun/stun.c - tells a client its own address, over UDP.
 *
 * A client chooses its home relay by the time this takes and stays as long as
 * it answers. So it answers while the relay serves; while it drains see late.h.
 */
#include <hyper-derp/config.h>
#include <hyper-derp/control.h>
#include <hyper-derp/datagram.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <hyper-derp/stun.h>
#include <hyper-derp/worker.h>
#include "modules/stun/late.h"

struct stun_conf {
	union hd_addr listen;
};

struct stun_worker { /* zeroed by the core; one thread only */
	struct hd_udp *udp;
	struct stun_late *late; /* NULL: it has not drained yet */
	/* of the drain's first request; 0: none yet. New code goes on from it:
	 * a reload is no reason to be silent once more */
	uint64_t silent_ms;
};

static const struct hd_option options[] = {
	{ .name = "listen",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct stun_conf, listen),
	  .def = "[::]:3478",
	  .help = "UDP address to answer STUN binding requests on." },
	HD_OPTION_END,
};

enum stun_end { /* of a datagram */
		STUN_END_IPV4, /* answered */
		STUN_END_IPV6,
		STUN_END_GARBAGE,
		STUN_END_NOT_A_REQUEST,
		STUN_END_UNKNOWN_ATTRIBUTE,
		STUN_END_NOT_SERVING,
		STUN_END_SEND_FAILED,
		STUN_END_N
};

struct stun_numbers {
	struct hd_counter ends[STUN_END_N];
};

#define ANSWERED(end, family)                                                  \
	HD_METRIC(struct stun_numbers, ends[end],                              \
		  "hyper_derp_stun_answers_total", "family=\"" family "\"",    \
		  "STUN binding requests answered")
#define IGNORED(end, reason)                                                   \
	HD_METRIC(struct stun_numbers, ends[end],                              \
		  "hyper_derp_stun_ignored_total", "reason=\"" reason "\"",    \
		  "Datagrams to the STUN port that got no answer")

static const struct hd_metric metrics[] = {
	ANSWERED(STUN_END_IPV4, "ipv4"),
	ANSWERED(STUN_END_IPV6, "ipv6"),
	IGNORED(STUN_END_GARBAGE, "garbage"),
	IGNORED(STUN_END_NOT_A_REQUEST, "not_a_request"),
	IGNORED(STUN_END_UNKNOWN_ATTRIBUTE, "unknown_attribute"),
	IGNORED(STUN_END_NOT_SERVING, "not_serving"),
	IGNORED(STUN_END_SEND_FAILED, "send_failed"),
	HD_METRIC_END,
};

/* RFC 5389 answers an unknown required attribute with error 420. As derper, we
 * say nothing instead: nobody who measures latency sends one, and an error
 * would be one more thing to make a relay say to a forged address.
 * Returns what is wrong, or by which family it is to be answered. */
static enum stun_end judge(const struct hd_datagram *dg,
			   struct stun_message *msg)
{
	if (stun_parse(dg->data, dg->len_bytes, msg) < 0)
		return STUN_END_GARBAGE;
	if (msg->type != STUN_BINDING_REQUEST)
		return STUN_END_NOT_A_REQUEST;
	if (msg->unknown != 0)
		return STUN_END_UNKNOWN_ATTRIBUTE;
	return dg->from.sa.sa_family == AF_INET ? STUN_END_IPV4 : STUN_END_IPV6;
}

/* @late  NULL: at once */
static enum stun_end answer(struct hd_udp *udp, struct stun_late *late,
			    const struct hd_datagram *dg)
{
	uint8_t out[STUN_RESPONSE_MAX_BYTES];
	struct stun_message msg;
	enum stun_end end = judge(dg, &msg);
	size_t n;

	if (end != STUN_END_IPV4 && end != STUN_END_IPV6)
		return end;
	n = stun_response_put(out, msg.txid, &dg->from);
	if (late != NULL)
		return stun_late_put(late, dg, out, n) ? end
						       : STUN_END_NOT_SERVING;
	if (hd_udp_send(udp, &dg->from, &dg->to, out, n) < 0)
		return STUN_END_SEND_FAILED;
	return end;
}

static void on_datagrams(struct hd_module *mod, struct hd_udp *udp, void *arg,
			 struct hd_datagram *v, unsigned n)
{
	struct hd_worker *w = hd_udp_worker(udp);
	struct stun_worker *sw = hd_module_worker_data(mod, w);
	struct stun_numbers *numbers = hd_metrics(mod, w);
	bool serving = hd_worker_serving(w);

	(void)arg;
	if (!serving && sw->late == NULL)
		sw->late = stun_late_new(mod, w, udp, &sw->silent_ms);
	if (!serving && sw->late == NULL) { /* out of memory */
		hd_count(&numbers->ends[STUN_END_NOT_SERVING], n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		enum stun_end end =
			answer(udp, serving ? NULL : sw->late, &v[i]);

		hd_count(&numbers->ends[end], 1);
	}
}

static void stun_serving(struct hd_module *mod, struct hd_worker *w, bool on)
{
	struct stun_worker *sw = hd_module_worker_data(mod, w);

	if (!on)
		return;
	stun_late_free(&sw->late);
	sw->silent_ms = 0;
}

static int stun_start(struct hd_module *mod, struct hd_worker *w,
		      struct hd_error *err)
{
	const struct stun_conf *conf = hd_module_worker_conf(mod, w);
	struct stun_worker *sw = hd_module_worker_data(mod, w);
	const struct hd_udp_options udp = { .bind = conf->listen,
					    .fn = on_datagrams };

	return hd_udp_open(mod, w, &udp, &sw->udp, err);
}

static void stun_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct stun_worker *sw = hd_module_worker_data(mod, w);

	stun_late_free(&sw->late);
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
	  .state_version = 1, .flags = HD_MODULE_UPGRADES,
	  .options = options, .metrics = metrics,
	  .metrics_size = sizeof(struct stun_numbers),
	  .conf_size = sizeof(struct stun_conf),
	  .worker_size = sizeof(struct stun_worker), .load = stun_load,
	  .start = stun_start, .serving = stun_serving, .stop = stun_stop);
