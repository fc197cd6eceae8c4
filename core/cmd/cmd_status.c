/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_status.c - the relay on one page. */
#include <hyper-derp/worker.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include "core/base/audit.h"
#include "core/base/version.h"
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/loop/hooks.h"
#include "core/loop/worker.h"
#include "core/module/module.h"
#include "core/relay/relay_worker.h"
#include "core/tls/aead.h"

/* Of a counter or a gauge: where it is in struct hd_stats. */
static uint64_t sum_at(size_t offset)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < hd_workers(); i++) {
		const char *stats = (const char *)&hd_worker_at(i)->stats;

		n += hd_counter_read((const void *)(stats + offset));
	}
	return n;
}

#define AT(field) offsetof(struct hd_stats, field)

static uint64_t dropped(enum hd_drop why)
{
	static const size_t each = sizeof(struct hd_counter[2]);

	return sum_at(AT(drops) + why * each) +
	       sum_at(AT(drops) + why * each + each / 2);
}

static void put_drops(struct hd_call *c)
{
	hd_out_open(c, "drops", '{');
	for (unsigned i = 0; i < HD_DROP_N; i++)
		hd_out_uint(c, hd_drop_text(i), dropped(i));
	hd_out_close(c);
}

static uint64_t slowest_move_us(void)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		most = HD_MAX(most,
			      __atomic_load_n(
				      &hd_worker_at(i)->relay->slowest_move_us,
				      __ATOMIC_RELAXED));
	return most;
}

static uint64_t mean_move_us(uint64_t moves)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		ns += hd_counter_read(&hd_worker_at(i)->stats.move_time.sum_ns);
	return moves > 0 ? ns / moves / 1000 : 0;
}

static void put_moves(struct hd_call *c)
{
	uint64_t n = sum_at(AT(moves));

	hd_out_open(c, "moves", '{');
	hd_out_uint(c, "done", n);
	hd_out_uint(c, "mean_us", mean_move_us(n));
	hd_out_uint(c, "max_us", slowest_move_us());
	hd_out_uint(c, "over_200_us", sum_at(AT(slow_moves)));
	hd_out_close(c);
}

static void put_listener(struct hd_call *c, const struct hd_listener *l)
{
	char addr[HD_ADDR_TEXT_BYTES];

	hd_out_open(c, NULL, '{');
	hd_out_string(c, "addr", hd_addr_text(&l->addr, addr));
	hd_out_bool(c, "tls", l->tls);
	hd_out_string(c, "name", l->name);
	hd_out_string(c, "protocol",
		      l->protocol != NULL ? l->protocol : "http");
	hd_out_bool(c, "proxy_protocol", l->proxies.n > 0);
	hd_cmd_put_only(c, l);
	hd_out_close(c);
}

static void put_counts(struct hd_call *c)
{
	static const struct {
		const char *name;
		size_t at;
	} numbers[] = {
		{ "peers", AT(peers) },
		{ "streams", AT(streams) },
		{ "accepts", AT(accepts) },
		{ "logins", AT(logins) },
		{ "logins_denied", AT(logins_denied) },
		{ "packets_in", AT(packets_in) },
		{ "packets_out", AT(packets_out) },
		{ "bytes_in", AT(recv_bytes) },
		{ "bytes_out", AT(send_bytes) },
		{ "tls_handshakes", AT(tls_ok) },
		{ "tls_failures", AT(tls_failed) },
	};

	for (unsigned i = 0; i < HD_ARRAY_N(numbers); i++)
		hd_out_uint(c, numbers[i].name, sum_at(numbers[i].at));
	put_drops(c);
	put_moves(c);
}

static void put_listeners(struct hd_call *c)
{
	size_t n;
	const struct hd_listener *v = hd_daemon_ops->listeners(&n);
	const struct hd_listener *l = hd_listens_first();

	hd_out_open(c, "listeners", '[');
	for (size_t i = 0; i < n; i++)
		put_listener(c, &v[i]);
	for (; l != NULL; l = l->next)
		put_listener(c, l);
	hd_out_close(c);
}

static void put_modules(struct hd_call *c)
{
	const struct hd_hooks *hooks = hd_modules_hooks();

	hd_out_open(c, "modules", '[');
	for (unsigned i = 0; i < hd_modules_n(); i++)
		hd_out_string(c, NULL, hd_modules_at(i)->name);
	hd_out_close(c);
	/* state "locked": nobody logs in until they are loaded */
	hd_out_open(c, "lost_modules", '[');
	for (unsigned i = 0; i < hooks->n_lost; i++)
		hd_out_string(c, NULL, hooks->lost[i]);
	hd_out_close(c);
}

/* Wherever hdctl is: the file, not how it was called at the start. */
static void put_config(struct hd_call *c, const char *path)
{
	char whole[PATH_MAX];

	if (path == NULL)
		path = "built in (--dev)";
	else if (realpath(path, whole) != NULL)
		path = whole;
	hd_out_string(c, "config", path);
}

static void run_status(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "version", hd_version);
	hd_out_string(c, "commit", hd_commit);
	hd_out_uint(c, "pid", (uint64_t)getpid());
	hd_out_string(c, "state", hd_daemon_ops->state());
	hd_out_double(c, "uptime_s", (double)hd_daemon_ops->uptime_ms() / 1000);
	put_config(c, hd_daemon_ops->conf()->path);
	hd_out_uint(c, "workers", hd_workers());
	hd_out_string(c, "backend", hd_worker_at(0)->ring_ops->name);
	hd_out_string(c, "crypto", hd_aead_about());
	put_modules(c);
	put_listeners(c);
	put_counts(c);
	hd_out_uint(c, "log_lines_lost", hd_log_lost());
	hd_out_string(c, "audit_file", hd_audit_file());
	hd_out_uint(c, "audit_lines_lost", hd_audit_lost());
	hd_out_uint(c, "events_lost", hd_events_lost());
	hd_out_uint(c, "control_clients", hd_clients_n());
	hd_out_close(c);
}

const struct hd_command hd_cmd_status[] = {
	{ .words = "status",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "the relay on one page",
	  .run = run_status },
	{ .words = NULL },
};
