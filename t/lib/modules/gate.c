/* SPDX-License-Identifier: MIT */
/* t/lib/modules/gate.c - has every hook, and says in each what the test has
 * told it; keeps numbers in each peer. Who leaves is a line of the log.
 *
 *   gate set HOOK VERDICT  accept, admit, packet; the number of a verdict, also
 *                          of one that there is not
 *   gate seen              how often each hook was called
 *   gate data KEY [N]      the number in a peer's memory, which N is added to
 */
#include <hyper-derp/control.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/log.h>
#include <hyper-derp/module.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>

#define STATE_VERSION 0x4c495645 /* to be found in the file */

enum { ACCEPT, ADMIT, PACKET, LEAVE, HOOKS };

static const volatile char build[] = "BUILD=000000"; /* the test writes it */
static const char *const names[HOOKS] = { "accept", "admit", "packet",
					  "leave" };
/* atomics */
static int verdicts[HOOKS];
static unsigned seen[HOOKS];

struct gate_data { /* in each peer */
	uint64_t first; /* of zeroed memory */
	uint64_t n;
};

static enum hd_verdict say(unsigned hook)
{
	__atomic_add_fetch(&seen[hook], 1, __ATOMIC_RELAXED);
	return (enum hd_verdict)__atomic_load_n(&verdicts[hook],
						__ATOMIC_RELAXED);
}

static enum hd_verdict on_accept(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_arrival *who)
{
	char from[HD_ADDR_TEXT_BYTES], proxy[HD_ADDR_TEXT_BYTES] = "-";

	(void)mod;
	if (who->proxy != NULL)
		hd_addr_text(who->proxy, proxy);
	hd_log_write(HD_LOG_INFO,
		     "gate: arrived from=%s proxy=%s listener=%s tls=%d w=%u",
		     hd_addr_text(who->from, from), proxy,
		     who->listener != NULL ? who->listener : "-", who->tls,
		     hd_worker_index(w));
	return say(ACCEPT);
}

static const char *text_of(const char *text)
{
	return text != NULL ? text : "-";
}

static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *who,
				struct hd_ticket *ticket)
{
	struct gate_data *d = hd_peer_data(mod, who->peer);

	(void)w;
	hd_assert(d != NULL && d->first == d->n);
	d->first++;
	d->n++;
	hd_log_write(HD_LOG_INFO, "gate: asked team=%s header=%s.",
		     text_of(hd_login_query(who->peer, "team")),
		     text_of(hd_login_header(who->peer, "X-Team")));
	hd_admit_name(ticket, "somebody");
	hd_admit_reason(ticket, "the gate is shut");
	return say(ADMIT);
}

static enum hd_verdict on_packet(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_packet *packet)
{
	(void)mod;
	(void)w;
	(void)packet;
	return say(PACKET);
}

static void on_leave(struct hd_module *mod, struct hd_worker *w,
		     const struct hd_departure *who)
{
	const struct gate_data *d = hd_peer_data(mod, who->peer);
	char from[HD_ADDR_TEXT_BYTES];

	hd_assert(hd_module_worker_data(mod, w) != NULL);
	say(LEAVE);
	hd_assert(!who->admitted ||
		  hd_login_header(who->peer, "Host") == NULL);
	hd_log_write(HD_LOG_INFO,
		     "gate: left key=%s conn=%ju/%u from=%s proto=%s name=%s "
		     "tenant=%s admitted=%d stays=%d in=%ju/%ju out=%ju/%ju "
		     "drops=%ju data=%ju why=%s refusal=%s.",
		     hd_key_text(&who->login->key).s, (uintmax_t)who->conn,
		     hd_worker_index(w), hd_addr_text(who->from, from),
		     who->proto, who->name, who->tenant, who->admitted,
		     who->stays, (uintmax_t)who->packets_in,
		     (uintmax_t)who->bytes_in, (uintmax_t)who->packets_out,
		     (uintmax_t)who->bytes_out, (uintmax_t)who->drops,
		     d != NULL ? (uintmax_t)d->n : 0, who->why_text,
		     who->refusal);
}

/* ---- commands ---- */

static void run_set(struct hd_module *mod, struct hd_call *call)
{
	const char *hook = hd_call_arg(call, "hook");

	(void)mod;
	for (unsigned i = 0; i < HOOKS; i++)
		if (strcmp(names[i], hook) == 0)
			__atomic_store_n(&verdicts[i],
					 atoi(hd_call_arg(call, "verdict")),
					 __ATOMIC_RELAXED);
}

static void run_seen(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	hd_out_open(call, NULL, '{');
	for (unsigned i = 0; i < HOOKS; i++)
		hd_out_uint(call, names[i],
			    __atomic_load_n(&seen[i], __ATOMIC_RELAXED));
	hd_out_string(call, "build", (const char *)build);
	hd_out_close(call);
}

static void data_here(struct hd_module *mod, struct hd_call *call,
		      struct hd_worker *w)
{
	const char *n = hd_call_arg(call, "n");
	const struct hd_peer *p;
	struct gate_data *d;
	struct hd_key key;

	if (!hd_call_arg_key(call, "key", &key))
		return;
	p = hd_peer_find(w, 0, &key);
	if (p == NULL)
		return;
	d = hd_peer_data(mod, p);
	hd_assert(d != NULL);
	d->n += n != NULL ? (uint64_t)atoi(n) : 0;
	hd_out_uint(call, NULL, d->n);
}

static const struct hd_command commands[] = {
	{ .words = "gate set",
	  .args = "HOOK VERDICT",
	  .help = "a verdict",
	  .role = HD_ROLE_READ,
	  .run = run_set },
	{ .words = "gate seen",
	  .args = "",
	  .help = "numbers",
	  .role = HD_ROLE_READ,
	  .run = run_seen },
	{ .words = "gate data",
	  .args = "KEY [N]",
	  .help = "what a peer has",
	  .role = HD_ROLE_READ,
	  .each = data_here },
};

static int gate_load(struct hd_module *mod, struct hd_error *err)
{
	int r = hd_hook_accept(mod, on_accept, err);

	if (r == 0)
		r = hd_hook_admit(mod, on_admit, err);
	if (r == 0)
		r = hd_hook_packet(mod, on_packet, err);
	if (r == 0)
		r = hd_hook_leave(mod, on_leave, err);
	if (r == 0)
		r = hd_hook_peer_data(mod, sizeof(struct gate_data), err);
	for (size_t i = 0; r == 0 && i < HD_ARRAY_N(commands); i++)
		r = hd_command_add(mod, &commands[i], err);
	return r;
}

HD_MODULE(gate, .version = "1.0", .licence = "MIT", .summary = "has every hook",
	  .state_version = STATE_VERSION, .worker_size = 8, .load = gate_load);
