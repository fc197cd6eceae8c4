/* SPDX-License-Identifier: MIT */
/* core/relay/ticket.c - what a module says of a login, kept until the relay
 * takes it. Any thread that has the ticket. */
#include "core/relay/ticket.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/utf8.h"

void hd_admit_reason(struct hd_ticket *t, const char *text)
{
	size_t n = hd_utf8_prefix(text, strnlen(text, sizeof(t->reason) - 1));

	snprintf(t->reason, sizeof(t->reason), "%.*s", (int)n, text);
}

void hd_admit_name(struct hd_ticket *t, const char *name)
{
	hd_utf8_clean(name, t->label, sizeof(t->label));
}

void hd_admit_tenant(struct hd_ticket *t, const char *name)
{
	t->has_tenant = true;
	snprintf(t->tenant, sizeof(t->tenant), "%s",
		 hd_tenant_is_name(name) ? name : "");
}

void hd_admit_mesh(struct hd_ticket *t, bool mesh)
{
	t->has_mesh = true;
	t->mesh = mesh;
}

void hd_admit_limits(struct hd_ticket *t, enum hd_limits_of of,
		     const struct hd_limits *limits)
{
	if ((unsigned)of >= HD_LIMITS_N)
		return;
	t->has_limits[of] = true;
	t->limits[of] = *limits;
}

void hd_admit_wait(struct hd_ticket *t, uint32_t timeout_ms)
{
	t->wait_ms = timeout_ms;
}

struct hd_ticket *hd_admit_hold(struct hd_ticket *t)
{
	struct hd_ticket *held = malloc(sizeof(*held));

	if (held != NULL)
		*held = *t;
	return held;
}
