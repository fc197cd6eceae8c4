/* SPDX-License-Identifier: MIT */
/* modules/derp/adopted.c - a client that the relay's process before this one
 * had: `hdctl upgrade`. */
#include "modules/derp/derp.h"

void derp_count_client(struct derp_numbers *numbers, const struct derp_state *d)
{
	hd_gauge_add(&numbers->clients, 1);
	hd_gauge_add(&numbers->clients_not_ideal, d->not_ideal);
	hd_gauge_add(&numbers->mesh_peers, d->mesh);
}

/* Its timer is the core's, and goes on. */
void derp_adopted(struct hd_module *mod, struct hd_stream *s, void *state,
		  struct hd_peer *peer)
{
	struct derp_numbers *numbers = derp_metrics(mod, s);
	struct derp_state *d = state;

	d->peer = peer;
	derp_count_client(numbers, d);
	hd_gauge_add(&numbers->clients_home, d->preferred);
}
