/* SPDX-License-Identifier: MIT */
/* modules/stun/late.c - answers wait in a ring, in the order of their time. */
#include "modules/stun/late.h"
#include <hyper-derp/stun.h>
#include <hyper-derp/timer.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 1024 }; /* 300 ms of 3,400 requests a second */

struct waiting {
	uint64_t due_ms;
	union hd_addr to, from;
	uint32_t len_bytes;
	uint8_t data[STUN_RESPONSE_MAX_BYTES];
};

struct stun_late {
	struct hd_worker *w;
	struct hd_udp *udp;
	struct hd_timer *timer;
	uint64_t *since_ms; /* of the drain's first request; 0: none yet */
	unsigned first, n;
	struct waiting v[WAITING_MAX];
};

static void arm(struct stun_late *late)
{
	uint64_t now = hd_now_ms(late->w), due = late->v[late->first].due_ms;

	hd_timer_set(late->timer, due > now ? (uint32_t)(due - now) : 1);
}

static void send_due(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct stun_late *late = arg;

	(void)mod;
	while (late->n > 0 && late->v[late->first].due_ms <= hd_now_ms(w)) {
		const struct waiting *a = &late->v[late->first];

		(void)hd_udp_send(late->udp, &a->to, &a->from, a->data,
				  a->len_bytes);
		late->first = (late->first + 1) % WAITING_MAX;
		late->n--;
	}
	if (late->n > 0)
		arm(late);
}

struct stun_late *stun_late_new(struct hd_module *mod, struct hd_worker *w,
				struct hd_udp *udp, uint64_t *since_ms)
{
	struct stun_late *late = calloc(1, sizeof(*late));

	if (late == NULL)
		return NULL;
	late->w = w;
	late->udp = udp;
	late->since_ms = since_ms;
	late->timer = hd_timer_new(mod, w, send_due, late);
	if (late->timer == NULL) {
		free(late);
		return NULL;
	}
	return late;
}

void stun_late_free(struct stun_late **late)
{
	if (*late == NULL)
		return;
	hd_timer_free(&(*late)->timer);
	free(*late);
	*late = NULL;
}

bool stun_late_put(struct stun_late *late, const struct hd_datagram *asked,
		   const void *data, size_t n)
{
	uint64_t now = hd_now_ms(late->w);
	struct waiting *a;

	if (*late->since_ms == 0)
		*late->since_ms = now;
	if (now - *late->since_ms < STUN_SILENT_MS || late->n == WAITING_MAX)
		return false;
	a = &late->v[(late->first + late->n++) % WAITING_MAX];
	a->due_ms = now + STUN_LATE_MS;
	a->to = asked->from;
	a->from = asked->to;
	a->len_bytes = (uint32_t)n;
	memcpy(a->data, data, n);
	if (late->n == 1)
		arm(late);
	return true;
}
