/* SPDX-License-Identifier: MIT */
/* core/relay/audited.c - lines of the audit log, so many a second. */
#include "core/relay/audited.h"
#include <hyper-derp/event.h>
#include <stdatomic.h>
#include <time.h>
#include "core/base/json_text.h"
#include "core/relay/peer.h"
#include "core/relay/tenant.h"
#include "core/stream/stream_life.h"

enum { PER_SECOND = 20 };

static atomic_uint_least64_t window_s, more;
static atomic_uint count;

/* Returns whether there is room in this second. */
static bool may_write(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	uint64_t now = (uint64_t)ts.tv_sec + 1; /* 0: never used */

	if (atomic_exchange(&window_s, now) != now)
		atomic_store(&count, 0);
	if (atomic_fetch_add(&count, 1) < PER_SECOND)
		return true;
	atomic_fetch_add(&more, 1);
	return false;
}

static void put_who(struct hd_json *j, const struct hd_stream *s)
{
	const struct hd_peer *p = hd_peer_of(s);
	const char *tenant = hd_tenant_name(p->tenant);
	const char *name = hd_peer_label(p);
	char addr[HD_ADDR_TEXT_BYTES];

	hd_json_key(j, "key", &p->login.key);
	hd_json_string(j, "addr", hd_addr_text(&s->addr, addr));
	hd_json_string(j, "proto", s->proto->name);
	if (name[0] != '\0')
		hd_json_string(j, "name", name);
	if (tenant[0] != '\0')
		hd_json_string(j, "tenant", tenant);
}

void hd_peer_audit(const struct hd_stream *s, const char *what,
		   const char *reason)
{
	struct hd_json j = { 0 };
	uint64_t untold;

	if (!may_write())
		return;
	untold = atomic_exchange(&more, 0);
	hd_json_open(&j, NULL, '{');
	put_who(&j, s);
	hd_json_string(&j, "why", reason);
	if (untold > 0)
		hd_json_uint(&j, "more", untold);
	hd_json_close(&j);
	hd_json_put(&j, "", 1);
	hd_audit(what, j.error == 0 ? j.text : NULL);
	hd_json_free(&j);
}
