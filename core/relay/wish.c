/* SPDX-License-Identifier: MIT */
/* core/relay/wish.c - a module wishes for a link, another one makes it: in the
 * worker where the link is to live. */
#include <hyper-derp/hook.h>
#include <errno.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/hooks.h"
#include "core/loop/worker.h"
#include "core/relay/tenant.h"

/* FNV-1a: any spread will do, but it must stay over a reload. */
unsigned hd_link_worker(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h % hd_workers();
}

static void wish_free(struct hd_link_wish *wish)
{
	if (wish == NULL)
		return;
	free((char *)wish->name);
	free((char *)wish->dial);
	free((char *)wish->ca_file);
	hd_tenant_drop(hd_realm_tenant(wish->realm));
	free(wish);
}

static bool copy(const char **ret, const char *text)
{
	*ret = text != NULL ? strdup(text) : NULL;
	return text == NULL || *ret != NULL;
}

static struct hd_link_wish *wish_copy(const struct hd_link_wish *from)
{
	struct hd_link_wish *wish = calloc(1, sizeof(*wish));

	if (wish == NULL)
		return NULL;
	wish->key = from->key;
	wish->realm = from->realm;
	hd_tenant_hold_again(hd_realm_tenant(wish->realm));
	wish->gone = from->gone;
	wish->unused = from->unused;
	if (copy(&wish->name, from->name) && copy(&wish->dial, from->dial) &&
	    copy(&wish->ca_file, from->ca_file))
		return wish;
	wish_free(wish);
	return NULL;
}

static void take_here(struct hd_worker *w, void *arg, void *unused)
{
	struct hd_link_wish *wish = arg;

	(void)unused;
	for (const struct hd_hook *h = w->hooks->wish.v; h->wish != NULL; h++) {
		struct hd_account *before = hd_meter_enter(
			&w->meter, hd_account_of(w, h->mod));

		h->wish(h->mod, w, wish);
		hd_meter_leave(&w->meter, before);
	}
	wish_free(wish);
}

int hd_link_wish(const struct hd_link_wish *from)
{
	struct hd_link_wish *wish;
	int r;

	if (hd_workers() == 0)
		return -ESHUTDOWN;
	wish = wish_copy(from);
	if (wish == NULL)
		return -ENOMEM;
	r = hd_worker_post(hd_worker_at(hd_link_worker(wish->name)), take_here,
			   wish, NULL);
	if (r < 0)
		wish_free(wish);
	return r;
}
