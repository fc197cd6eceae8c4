/* SPDX-License-Identifier: MIT */
/* t/unit/fake_timer.c - a clock that a test turns on, and one timer that it
 * lets ring: fake.worker.now_ms, fake_timer_ring(). */
#include "t/unit/fake_core.h"

#include <hyper-derp/timer.h>
#include <hyper-derp/worker.h>
#include <hyper-derp/base.h>

struct hd_timer {
	hd_timer_fn *fn;
	void *arg;
	uint64_t due_ms; /* 0: not set */
	bool used;
};

static struct hd_timer timer;

uint64_t hd_now_ms(const struct hd_worker *w)
{
	return w->now_ms;
}

struct hd_timer *hd_timer_new(struct hd_module *mod, struct hd_worker *w,
			      hd_timer_fn *fn, void *arg)
{
	hd_assert(mod == &fake.module && w == &fake.worker && !timer.used);
	timer = (struct hd_timer){ fn, arg, 0, true };
	return &timer;
}

void hd_timer_set(struct hd_timer *t, uint32_t delay_ms)
{
	t->due_ms = delay_ms != 0 ? fake.worker.now_ms + delay_ms : 0;
}

void hd_timer_free(struct hd_timer **t)
{
	if (*t != NULL)
		**t = (struct hd_timer){ 0 };
	*t = NULL;
}

bool fake_timer_ring(void)
{
	if (timer.due_ms == 0 || timer.due_ms > fake.worker.now_ms)
		return false;
	timer.due_ms = 0;
	timer.fn(&fake.module, &fake.worker, timer.arg);
	return true;
}
