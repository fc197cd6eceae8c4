/* SPDX-License-Identifier: MIT */
/* t/lib/modules/live_udp.c - the UDP socket of the module live. */
#include <errno.h>
#include <hyper-derp/module.h>
#include <hyper-derp/worker.h>
#include <stddef.h>
#include <string.h>
#include "t/lib/modules/live.h"

/* Without fn is as from a module built before fn came. */
static void refuse_without(struct hd_module *mod, struct hd_worker *w,
			   const struct hd_udp_options *udp)
{
	const struct hd_udp_options no_bind = { .fn = udp->fn };
	struct hd_udp *got = NULL;

	hd_assert(hd_udp_open(mod, w, &no_bind, &got, NULL) == -EINVAL);
	hd_assert(hd_udp_open_sized(mod, w, udp,
				    offsetof(struct hd_udp_options, fn), &got,
				    NULL) == -EINVAL);
	hd_assert(got == NULL);
}

/* One that begins with r: the socket is closed and opened before the answer. */
static void on_datagrams(struct hd_module *mod, struct hd_udp *udp, void *arg,
			 struct hd_datagram *v, unsigned n)
{
	struct live_worker *lw = arg;
	struct hd_worker *w = hd_udp_worker(udp);
	char text[16];

	hd_assert(hd_module_worker_data(mod, w) == lw && udp == lw->udp);
	live_build_text(text);
	lw->datagrams += n;
	for (unsigned i = 0; i < n; i++) {
		if (v[i].data[0] == 'r') {
			hd_udp_close(&lw->udp);
			hd_assert(live_udp_open(mod, w, NULL) == 0);
		}
		hd_udp_send(lw->udp, &v[i].from, &v[i].to, text, strlen(text));
	}
}

int live_udp_open(struct hd_module *mod, struct hd_worker *w,
		  struct hd_error *err)
{
	const struct live_conf *conf = hd_module_worker_conf(mod, w);
	struct live_worker *lw = hd_module_worker_data(mod, w);
	const struct hd_udp_options udp = { .bind = conf->udp,
					    .fn = on_datagrams,
					    .arg = lw };

	refuse_without(mod, w, &udp);
	return hd_udp_open(mod, w, &udp, &lw->udp, err);
}
