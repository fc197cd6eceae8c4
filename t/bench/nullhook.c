/* SPDX-License-Identifier: MIT */
/* t/bench/nullhook.c - a packet hook that does nothing: what does asking cost?
 * t/bench/run builds it. */
#include <hyper-derp/hook.h>
#include <hyper-derp/module.h>

static enum hd_verdict on_packet(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_packet *packet)
{
	(void)mod;
	(void)w;
	(void)packet;
	return HD_VERDICT_PASS;
}

static int nullhook_load(struct hd_module *mod, struct hd_error *err)
{
	return hd_hook_packet(mod, on_packet, err);
}

HD_MODULE(nullhook, .version = "1.0", .licence = "MIT",
	  .summary = "a packet hook that does nothing", .load = nullhook_load);
