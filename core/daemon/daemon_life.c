/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_life.c - signals, and what the daemon is doing because of
 * them.
 *
 *            USR2, QUIT           drain_time            all gone, or too long
 *   SERVING -----------> WARNING -----------> CLOSING -----------> DRAINED
 *    |  ^                   |  ^--another time--' |                    |
 *    |  `------undrain------+---------------------+--------------------'
 *    `-------- TERM, INT ---+---------------------+--------------------+-> STOP
 *                                                   QUIT asked for it -'
 *
 * WARNING: logins are refused, STUN is silent, peers have read why. CLOSING:
 * peers have read when, and are closed then, staggered. DRAINED: up, and
 * refusing logins. QUIT is what a stop of the service sends: the machine may be
 * going down, so its drain is brief, whatever drain_time says. TERM is what a
 * restart sends: peers come back at once, since any wait would be an outage. */
#include "core/daemon/daemon.h"
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "core/base/audit.h"
#include "core/base/clock.h"
#include "core/base/notify.h"
#include "core/cmd/cmd.h"
#include "core/daemon/serve.h"
#include "core/daemon/trial.h"
#include "core/daemon/upgrade.h"
#include "core/loop/mainloop.h"
#include "core/module/hook.h"

enum {
	LOOK_MS = 50, /* how often CLOSING counts streams */
	/* From Restarting to the first close. A tailscaled stays with a relay
	 * of which it has heard within 8 s (netcheck's PreferredDERPFrameTime):
	 * one that carries no traffic then finds its next home at once. */
	QUIET_MS = 9000,
};

static const struct pace {
	uint64_t warn_ms; /* at most */
	uint32_t spread_ms; /* over which peers are closed */
	uint32_t extra_ms; /* for the last ones to take their goodbye */
} at_ease = { UINT64_MAX, 10000, 3000 },
  brief = { QUIET_MS, 4000, 1000 }; /* 15 s with the second that an end takes */

enum state { SERVING, WARNING, CLOSING, DRAINED, STOP };

struct life {
	struct hd_daemon *d;
	enum state state;
	bool exit_after; /* QUIT, --exit */
	const struct pace *pace; /* of the drain */
	uint64_t closes_ms; /* the first peer */
	uint64_t until_ms; /* WARNING, CLOSING: no longer than this */
	uint64_t since_ms;
};

static struct life life = { .state = STOP }; /* not serving yet, or no more */

static int reload(struct life *l, struct hd_error *err)
{
	hd_notify("RELOADING=1\nMONOTONIC_USEC=%ju", (uintmax_t)hd_clock_us());
	int r = hd_daemon_reload(l->d, err);

	if (r < 0)
		hd_log_write(HD_LOG_ERROR,
			     "reload refused, nothing has changed: %s",
			     err->text);
	else
		hd_log_write(HD_LOG_NOTICE, "configuration reloaded");
	hd_event("reload", r < 0 ? "{\"ok\":false}" : "{\"ok\":true}");
	hd_notify("READY=1");
	return r;
}

static uint64_t ms_until(uint64_t at_ms)
{
	uint64_t now = hd_clock_ms();

	return at_ms > now ? at_ms - now : 0;
}

/* @wait_ms  from now until the first peer is closed */
static void set_time(struct life *l, uint64_t wait_ms)
{
	l->closes_ms = hd_clock_ms() + wait_ms;
	l->until_ms = l->closes_ms - HD_MIN(wait_ms, (uint64_t)QUIET_MS);
}

static void begin_warning(struct life *l, uint64_t wait_ms)
{
	unsigned streams = hd_serve_streams();

	if (streams == 0)
		wait_ms = 0; /* nobody is to be told */
	l->state = WARNING;
	set_time(l, wait_ms);
	hd_log_write(HD_LOG_NOTICE,
		     "drain begins: streams=%u drain_time_ms=%ju then=%s",
		     streams, (uintmax_t)wait_ms,
		     l->exit_after ? "exit" : "stay");
	hd_notify("STATUS=draining");
	hd_event("drain", "{\"state\":\"warning\"}");
	hd_serve_logins(false, "this relay is about to stop; clients "
				  "will be moved to another one");
}

/* Who was told to reconnect, and is not closed yet, is served on. */
static void change_time(struct life *l, uint64_t wait_ms)
{
	if (l->state == CLOSING)
		hd_serve_drain_keep();
	l->state = WARNING;
	l->pace = &at_ease;
	set_time(l, wait_ms);
	hd_log_write(HD_LOG_NOTICE, "drain changed: drain_time_ms=%ju then=%s",
		     (uintmax_t)wait_ms, l->exit_after ? "exit" : "stay");
	hd_event("drain", "{\"state\":\"warning\"}");
}

static void undrain(struct life *l)
{
	hd_serve_drain_keep();
	hd_serve_logins(true, NULL);
	l->state = SERVING;
	l->exit_after = false;
	hd_log_write(HD_LOG_NOTICE, "drain taken back: streams=%u",
		     hd_serve_streams());
	hd_notify("STATUS=serving");
	hd_event("drain", "{\"state\":\"serving\"}");
}

static void on_hup(struct life *l)
{
	struct hd_error err = { "" };

	reload(l, &err); /* which logs it */
}

static void on_usr1(struct life *l)
{
	(void)l;
	hd_logs_reopen();
	hd_log_write(HD_LOG_NOTICE, "log reopened");
}

static void on_usr2(struct life *l)
{
	if (l->state != SERVING)
		return;
	l->pace = &at_ease;
	begin_warning(l, l->d->conf->drain_time_ms);
}

static void hurry(struct life *l, uint64_t wait_ms)
{
	if (l->closes_ms > hd_clock_ms() + wait_ms)
		set_time(l, wait_ms);
}

static void on_quit(struct life *l)
{
	uint64_t wait_ms = HD_MIN(l->d->conf->drain_time_ms, brief.warn_ms);

	l->exit_after = true;
	if (l->state != CLOSING)
		l->pace = &brief;
	if (l->state == SERVING)
		begin_warning(l, wait_ms);
	else if (l->state == WARNING)
		hurry(l, wait_ms);
	else if (l->state == DRAINED)
		l->state = STOP;
}

static void on_term(struct life *l)
{
	l->state = STOP;
}

static const struct {
	int number;
	const char *name;
	void (*on)(struct life *l);
} signals[] = {
	{ SIGHUP, "HUP", on_hup },    { SIGUSR1, "USR1", on_usr1 },
	{ SIGUSR2, "USR2", on_usr2 }, { SIGQUIT, "QUIT", on_quit },
	{ SIGTERM, "TERM", on_term }, { SIGINT, "INT", on_term },
};

int hd_signals_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < HD_ARRAY_N(signals); i++)
		sigaddset(&set, signals[i].number);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_signal(struct life *l, int number)
{
	for (unsigned i = 0; i < HD_ARRAY_N(signals); i++) {
		if (signals[i].number != number)
			continue;
		hd_log_write(HD_LOG_NOTICE, "signal: name=%s", signals[i].name);
		signals[i].on(l);
	}
}

static void read_signals(void *arg, uint32_t events)
{
	struct life *l = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(l->d->signal_fd, &info, sizeof(info)) == sizeof(info))
		on_signal(l, (int)info.ssi_signo);
}

static void begin_closing(struct life *l)
{
	l->state = CLOSING;
	hd_event("drain", "{\"state\":\"closing\"}");
	l->until_ms = l->closes_ms + l->pace->spread_ms + l->pace->extra_ms;
	hd_serve_drain((uint32_t)ms_until(l->closes_ms), l->pace->spread_ms);
}

static void look_whether_gone(struct life *l)
{
	unsigned left = hd_serve_streams();

	if (left > 0 && hd_clock_ms() < l->until_ms)
		return;
	hd_log_write(HD_LOG_NOTICE, "drained: streams=%u", left);
	hd_notify("STATUS=drained, refusing logins");
	hd_event("drain", "{\"state\":\"drained\"}");
	l->state = l->exit_after ? STOP : DRAINED;
}

static void on_time(struct life *l)
{
	hd_trial_tick();
	if (l->state == WARNING && hd_clock_ms() >= l->until_ms)
		begin_closing(l);
	else if (l->state == CLOSING)
		look_whether_gone(l);
}

static int timeout_ms(const struct life *l)
{
	if (l->state == CLOSING)
		return LOOK_MS;
	return l->state == WARNING ? (int)ms_until(l->until_ms) : -1;
}

void hd_daemon_live(void)
{
	struct life *l = &life;
	int fd = l->d->signal_fd;

	hd_assert(hd_main_watch(fd, EPOLLIN, read_signals, l) == 0);
	l->state = SERVING;
	l->since_ms = hd_clock_ms();
	while (l->state != STOP) {
		hd_main_turn(hd_trial_wait_ms(timeout_ms(l)));
		on_time(l);
	}
	hd_main_unwatch(fd);
}

/* ---- what commands ask ---- */

static const struct hd_conf *ask_conf(void)
{
	return life.d->conf;
}

static const struct hd_listener *ask_listeners(size_t *ret_n)
{
	*ret_n = life.d->n_listeners;
	return life.d->listeners;
}

static const char *ask_state(void)
{
	static const char *const text[] = {
		[SERVING] = "serving", [WARNING] = "draining",
		[CLOSING] = "closing", [DRAINED] = "drained",
		[STOP] = "stopping",
	};

	return life.state == SERVING && hd_guards_lost() > 0 ? "locked"
							     : text[life.state];
}

static uint64_t ask_uptime_ms(void)
{
	return hd_clock_ms() - life.since_ms;
}

static int ask_check_reload(struct hd_error *err)
{
	return hd_daemon_check_reload(life.d, err);
}

static int ask_reload(struct hd_error *err)
{
	return reload(&life, err);
}

/* Of a drain under way what is asked for changes, and only that. */
static int ask_change(struct life *l, uint64_t wait_ms, bool exit_after,
		      struct hd_error *err)
{
	if (l->state == STOP)
		return hd_error_set(err, -EALREADY,
				    "the relay is stopping, nothing has "
				    "changed");
	if (l->state == DRAINED && exit_after) {
		l->exit_after = true;
		l->state = STOP;
		return 0;
	}
	if (l->state == DRAINED || (wait_ms == HD_DRAIN_TIME && !exit_after))
		return hd_error_set(err, -EALREADY,
				    "the relay is %s already, nothing has "
				    "changed; to change a drain give --for or "
				    "--exit, to take it back: undrain",
				    ask_state());
	l->exit_after |= exit_after;
	if (wait_ms != HD_DRAIN_TIME)
		change_time(l, wait_ms);
	return 0;
}

static int ask_drain(uint64_t wait_ms, bool exit_after, struct hd_error *err)
{
	struct life *l = &life;

	if (l->state != SERVING)
		return ask_change(l, wait_ms, exit_after, err);
	l->exit_after = exit_after;
	l->pace = &at_ease;
	begin_warning(l, wait_ms != HD_DRAIN_TIME ? wait_ms
						  : l->d->conf->drain_time_ms);
	return 0;
}

static int ask_undrain(struct hd_error *err)
{
	if (life.state == SERVING || life.state == STOP)
		return hd_error_set(err, -EALREADY,
				    "the relay is %s: there is no drain to "
				    "take back",
				    ask_state());
	undrain(&life);
	return 0;
}

static uint64_t ask_closes_in_ms(void)
{
	bool closes = life.state == WARNING || life.state == CLOSING;

	return closes ? ms_until(life.closes_ms) : 0;
}

const struct hd_daemon_ops *hd_daemon_asked(struct hd_daemon *d)
{
	static const struct hd_daemon_ops ops = {
		.conf = ask_conf,
		.listeners = ask_listeners,
		.state = ask_state,
		.uptime_ms = ask_uptime_ms,
		.load_conf = hd_trial_files,
		.check_reload = ask_check_reload,
		.reload = ask_reload,
		.try_dry = hd_trial_dry,
		.try_begin = hd_trial_begin,
		.try_end = hd_trial_end,
		.trial = hd_trial_about,
		.drain = ask_drain,
		.undrain = ask_undrain,
		.closes_in_ms = ask_closes_in_ms,
		.upgrade = hd_upgrade_begin,
	};

	life.d = d;
	hd_trial_use(d, ask_reload);
	return &ops;
}
