/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/numbers.c - what the thread has counted, for metrics: the
 * first worker shows it. Context: a worker. */
#include "modules/mesh_nats/mesh_nats.h"

static void show_count(struct hd_counter *c, const uint64_t *n, uint64_t *shown)
{
	uint64_t now = __atomic_load_n(n, __ATOMIC_RELAXED);

	hd_count(c, now - *shown);
	*shown = now;
}

void dir_numbers_show(struct hd_module *mod, struct hd_worker *w)
{
	struct dir_worker *dw = hd_module_worker_data(mod, w);
	struct dir_numbers *n = hd_metrics(mod, w);

	if (hd_worker_index(w) != 0)
		return;
	show_count(&n->puts, &dir.puts, &dw->shown[0]);
	show_count(&n->deletes, &dir.deletes, &dw->shown[1]);
	show_count(&n->failures, &dir.failures, &dw->shown[2]);
	if (pthread_mutex_trylock(&dir.lock) != 0)
		return; /* the next time */
	hd_gauge_set(&n->connected, dir.ready);
	hd_gauge_set(&n->away, dir.conf != NULL && !dir.ready);
	hd_gauge_set(&n->keys, dir.n_here);
	hd_gauge_set(&n->published, dir.n_published);
	hd_gauge_set(&n->elsewhere, dir.n_elsewhere);
	hd_gauge_set(&n->relays, dir.n_relays);
	pthread_mutex_unlock(&dir.lock);
}
