/* SPDX-License-Identifier: MIT */
/* t/lib/modules/judge.h - a module that is asked who may log in, and says what
 * the test has told it by commands: at once, later, from any thread, or never.
 *
 *   NAME mode MODE        pass, deny, pend, here, task, mute, held, again
 *   NAME answer VERDICT   pass, deny, again: all tickets that it holds
 *   NAME seen             how often it was asked, how many tickets it holds */
#pragma once
#include <hyper-derp/control.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/module.h>
#include <hyper-derp/task.h>
#include <pthread.h>
#include <string.h>

enum { TICKETS_MAX = 64 };

static struct {
	pthread_mutex_t lock;
	char mode[16];
	unsigned asked, held;
	struct hd_ticket *tickets[TICKETS_MAX];
} judge = { .lock = PTHREAD_MUTEX_INITIALIZER, .mode = "pass" };

static void keep(struct hd_ticket *held)
{
	pthread_mutex_lock(&judge.lock);
	judge.tickets[judge.held++ % TICKETS_MAX] = held;
	pthread_mutex_unlock(&judge.lock);
}

static void answer_all(enum hd_verdict verdict)
{
	pthread_mutex_lock(&judge.lock);
	while (judge.held > 0)
		hd_admit_answer(&judge.tickets[--judge.held], verdict,
				verdict == HD_VERDICT_DENY ? "judged later"
							   : NULL);
	pthread_mutex_unlock(&judge.lock);
}

static void work(struct hd_module *mod, void *arg)
{
	struct hd_ticket *held = arg;

	(void)mod;
	hd_admit_answer(&held, HD_VERDICT_PASS, NULL);
}

static void no_work(void *arg)
{
	struct hd_ticket *held = arg;

	hd_admit_answer(&held, HD_VERDICT_DENY, "no task");
}

static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *who,
				struct hd_ticket *ticket)
{
	struct hd_ticket *held;
	char mode[16];

	(void)who;
	(void)w;
	pthread_mutex_lock(&judge.lock);
	judge.asked++;
	memcpy(mode, judge.mode, sizeof(mode));
	pthread_mutex_unlock(&judge.lock);
	if (strcmp(mode, "pass") == 0)
		return HD_VERDICT_PASS;
	if (strcmp(mode, "deny") == 0) {
		hd_admit_reason(ticket, "judged at once");
		return HD_VERDICT_DENY;
	}
	if (strcmp(mode, "mute") == 0)
		return HD_VERDICT_PENDING; /* nobody will answer */
	held = hd_admit_hold(ticket);
	if (held == NULL)
		return HD_VERDICT_DENY;
	if (strcmp(mode, "again") == 0)
		hd_admit_answer(&held, HD_VERDICT_PENDING, NULL);
	else if (strcmp(mode, "here") == 0) /* before the verdict is known */
		hd_admit_answer(&held, HD_VERDICT_PASS, NULL);
	else if (strcmp(mode, "task") != 0)
		keep(held);
	else
		hd_task(mod, NULL, work, NULL, held, no_work);
	/* held: an answer will come that nobody waits for */
	return strcmp(mode, "held") == 0 ? HD_VERDICT_PASS : HD_VERDICT_PENDING;
}

static void run_mode(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	pthread_mutex_lock(&judge.lock);
	strncpy(judge.mode, hd_call_arg(call, "mode"), sizeof(judge.mode) - 1);
	pthread_mutex_unlock(&judge.lock);
}

static void run_answer(struct hd_module *mod, struct hd_call *call)
{
	const char *verdict = hd_call_arg(call, "verdict");

	(void)mod;
	answer_all(strcmp(verdict, "pass") == 0	   ? HD_VERDICT_PASS
		   : strcmp(verdict, "again") == 0 ? HD_VERDICT_PENDING
						   : HD_VERDICT_DENY);
}

static void run_seen(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	pthread_mutex_lock(&judge.lock);
	hd_out_open(call, NULL, '{');
	hd_out_uint(call, "asked", judge.asked);
	hd_out_uint(call, "held", judge.held);
	hd_out_close(call);
	pthread_mutex_unlock(&judge.lock);
}

static int judge_load(struct hd_module *mod, const struct hd_command *commands,
		      struct hd_error *err)
{
	int r = hd_hook_admit(mod, on_admit, err);

	for (; r == 0 && commands->words != NULL; commands++)
		r = hd_command_add(mod, commands, err);
	return r;
}

/* An answer after it has gone: nobody waits for it. */
static void judge_unload(struct hd_module *mod)
{
	(void)mod;
	answer_all(HD_VERDICT_DENY);
}

#define JUDGE(name)                                                            \
	static const struct hd_command commands[] = {                          \
		{ .words = #name " mode", .args = "MODE", .help = "a mode",    \
		  .role = HD_ROLE_READ, .run = run_mode },                     \
		{ .words = #name " answer", .args = "VERDICT",                 \
		  .help = "all that it holds", .role = HD_ROLE_READ,           \
		  .run = run_answer },                                         \
		{ .words = #name " seen", .args = "", .help = "numbers",       \
		  .role = HD_ROLE_READ, .run = run_seen },                     \
		{ .words = NULL },                                             \
	};                                                                     \
	static int load(struct hd_module *mod, struct hd_error *err)           \
	{                                                                      \
		return judge_load(mod, commands, err);                         \
	}                                                                      \
	HD_MODULE(name, .version = "1.0", .licence = "MIT",                    \
		  .summary = "judges", .load = load, .unload = judge_unload)
