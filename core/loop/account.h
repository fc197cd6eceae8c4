/* SPDX-License-Identifier: MIT */
/* core/loop/account.h - what a module costs and carries: numbers of it in each
 * worker, for `module status`. Context: the worker; the main thread reads
 * along.
 *
 * CPU time is sampled: in one turn of 64, by chance, a clock is read around
 * the calls into modules, and what it shows counts 64 times. In all others a
 * call costs one branch. */
#pragma once
#include <hyper-derp/metric.h>

enum hd_account_number {
	HD_ACCOUNT_PEERS, /* now */
	HD_ACCOUNT_PACKETS_IN,
	HD_ACCOUNT_PACKETS_OUT,
	HD_ACCOUNT_BYTES_IN,
	HD_ACCOUNT_BYTES_OUT,
	HD_ACCOUNT_REQUESTS, /* HTTP, answered or upgraded by its routes */
	HD_ACCOUNT_DENIED, /* packets and logins, by its hooks */
	HD_ACCOUNT_ERRORS, /* connections that broke; datagrams not sent */
	HD_ACCOUNT_CPU_NS,
	HD_ACCOUNT_N
};

struct hd_account {
	struct hd_counter v[HD_ACCOUNT_N];
};

struct hd_meter { /* of a worker */
	bool on; /* this turn is measured */
	uint8_t turns_left; /* until the next that is */
	uint32_t chance;
	struct hd_account *now; /* whose code runs; NULL: the core's */
	uint64_t since_ns;
};

static inline void hd_account_add(struct hd_account *account,
				  enum hd_account_number i, uint64_t n)
{
	hd_count(&account->v[i], n);
}

/* hd_meter_begin, hd_meter_end - of a turn that is measured. hd_meter_switch -
 * other code runs from now on; returns whose ran. */
void hd_meter_begin(struct hd_meter *m);
void hd_meter_end(struct hd_meter *m);
struct hd_account *hd_meter_switch(struct hd_meter *m, struct hd_account *to);

/* hd_meter_turn - a turn begins. */
static inline void hd_meter_turn(struct hd_meter *m)
{
	if (__builtin_expect(m->on, 0))
		hd_meter_end(m);
	if (__builtin_expect(m->turns_left-- == 0, 0))
		hd_meter_begin(m);
}

/* hd_meter_enter, hd_meter_leave - around a call into a module. */
static inline struct hd_account *hd_meter_enter(struct hd_meter *m,
						struct hd_account *account)
{
	return __builtin_expect(m->on, 0) ? hd_meter_switch(m, account) : NULL;
}

static inline void hd_meter_leave(struct hd_meter *m, struct hd_account *before)
{
	if (__builtin_expect(m->on, 0))
		hd_meter_switch(m, before);
}
