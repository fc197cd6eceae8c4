/* SPDX-License-Identifier: MIT */
/* modules/acme/upgrade.c - a new process takes over. All is in the state
 * folder, and the old process may have written there after this one has read
 * it: a certificate that has just come, an order that has gone on. So it is
 * read once more before anything is done. What was being asked is asked again.
 */
#include <hyper-derp/log.h>
#include "modules/acme/acme.h"

static void taken(struct hd_module *mod)
{
	(void)mod;
	acme_main.stale = true;
}

const struct hd_upgrade_def acme_upgrade = {
	.version = 1,
	.oldest = 1,
	.taken = taken,
};

void acme_read_again(void)
{
	struct acme_main *m = &acme_main;
	struct hd_main_timer *timer = hd_steal(&m->timer);
	struct hd_module *mod = m->mod;
	struct hd_error err = { "" };

	acme_free_all();
	m->mod = mod;
	m->timer = timer;
	if (acme_load_all(&err) < 0 || acme_serve_saved(&err) < 0)
		hd_log_error("acme: %s", err.text);
}
