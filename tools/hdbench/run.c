/* SPDX-License-Identifier: MIT */
/* tools/hdbench/run.c - one run: schedule, send, receive, count. */
#include "tools/hdbench/run_private.h"
#include "tools/hdbench/hd_peer.h"
#include "tools/hdbench/progress.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/epoll.h>

#define EVENTS 256
#define SPIN_NS (100 * NS_PER_US) /* shorter waits are not worth sleeping */
#define WAKE_NS (60 * NS_PER_US) /* a sleep may last that much longer */
#define QUIET_NS (500 * NS_PER_MS) /* in the drain: nothing more will come */
#define DRAIN_NS (5 * NS_PER_S)
#define TICK_NS (10 * NS_PER_MS)

/* Receiving */

static void on_frame(void *arg, const uint8_t *head, struct derp_header h)
{
	struct run *r = arg;
	int64_t now = r->t->net->rx_ns;
	struct stamp s;
	struct pair *pair;

	if (h.type != DERP_RECV_PACKET ||
	    h.len_bytes < HD_KEY_BYTES + sizeof(s))
		return;
	memcpy(&s, head + DERP_HEADER_BYTES + HD_KEY_BYTES, sizeof(s));
	if (s.run != r->id || s.pair >= r->t->n) {
		r->res->foreign += s.run > r->id || s.pair >= r->t->n;
		return; /* a straggler of the run before is no wonder */
	}
	pair = &r->t->pairs[s.pair];
	r->res->reordered += s.seq < pair->seen;
	pair->seen = HD_MAX(pair->seen, s.seq + 1);
	if (r->t->net->opts->is_silence && in_window(r, now))
		silence_ends(&pair->silence, s.sent_ns, r->t->net->arrived_ns);
	r->received++;
	r->in_window += in_window(r, now);
	if (!in_window(r, s.due_ns))
		return;
	hist_add(&r->res->latency, (uint64_t)(now - s.due_ns));
	hist_add(&r->res->since_sent, (uint64_t)(now - s.sent_ns));
}

/* The schedule */

/* How many packets --in-flight allows now. */
static uint64_t room(const struct run *r)
{
	uint64_t most = r->t->net->opts->in_flight;
	uint64_t flying = r->scheduled - r->received;

	if (most == 0)
		return UINT64_MAX;
	return most > flying ? most - flying : 0;
}

static void schedule_max(struct run *r)
{
	for (size_t i = 0; i < r->t->n; i++) {
		struct pair *pair = &r->t->pairs[i];
		uint64_t n = HD_MIN(room(r), (uint64_t)QUOTA);

		if (pair->is_blocked || pair->sent < pair->due || n == 0)
			continue;
		pair->due += n;
		r->scheduled += n;
		run_mark_dirty(r->t, pair);
	}
}

static void schedule(struct run *r)
{
	uint64_t burst = r->t->net->opts->burst;
	int64_t due;

	if (r->conf->is_max) {
		schedule_max(r);
		return;
	}
	while ((due = due_ns(r, r->scheduled)) <= r->now_ns) {
		struct pair *pair = &r->t->pairs[r->scheduled++ / burst %
						 r->t->n];

		r->offered += in_window(r, due);
		pair->due++;
		run_mark_dirty(r->t, pair);
	}
}

/* The drain begins: what is due and not sent stays so. */
static void stop_sending(struct run *r)
{
	r->is_draining = true;
	for (size_t i = 0; i < r->t->n; i++) {
		struct pair *pair = &r->t->pairs[i];

		if (!r->conf->is_max)
			r->res->unsent += pair->due - pair->sent;
		pair->due = pair->sent;
	}
}

/* One turn */

static void on_event(struct run *r, struct epoll_event *ev)
{
	struct peer *p = ev->data.ptr;
	struct pair *pair = &r->t->pairs[p->index / 2];
	bool is_sender = p == pair->from;
	ssize_t n = 1;

	if (p->state != PEER_UP)
		return;
	if (is_sender && pair->is_blocked &&
	    (p->hd != NULL || (ev->events & EPOLLOUT) != 0)) {
		pair->is_blocked = false;
		run_mark_dirty(r->t, pair);
	}
	/* edge-triggered: a sender reads until there is nothing left */
	if ((ev->events & ~(uint32_t)EPOLLOUT) != 0)
		do
			n = peer_read(r->t->net, p, on_frame, r);
		while (n > 0 && is_sender);
	if (n < 0)
		run_closed(r, p);
}

/* How long nothing is due; 0: spin. */
static struct timespec nap(const struct run *r)
{
	int64_t ns;

	if (r->is_draining)
		ns = NS_PER_MS;
	else if (r->conf->is_max)
		ns = r->has_sent ? 0 : NS_PER_MS;
	else
		ns = due_ns(r, r->scheduled) - r->now_ns;
	if (r->t->dirty_n > 0 || ns < SPIN_NS)
		ns = 0;
	else if (!r->is_draining && !r->conf->is_max)
		ns = HD_MIN(ns - WAKE_NS, 100 * NS_PER_MS);
	return (struct timespec){ .tv_nsec = ns };
}

/* Waits for events. Returns how many; the wait counts as idle, and so does a
 * turn that found nothing to do. */
static int wait_events(struct run *r, struct epoll_event *ev)
{
	struct timespec wait = nap(r);
	int64_t before = clock_ns();
	int n = epoll_pwait2(r->t->net->epoll_fd, ev, EVENTS, &wait, NULL);

	if (in_window(r, before) &&
	    (wait.tv_nsec > 0 || (n <= 0 && !r->has_sent)))
		r->idle_ns += clock_ns() - before;
	return n;
}

/* Peers of HD have something to do also when nothing comes. */
static void hd_tick(struct run *r)
{
	if (!r->t->net->opts->is_hd || r->now_ns < r->tick_ns)
		return;
	r->tick_ns = r->now_ns + TICK_NS;
	for (size_t i = 0; i < 2 * r->t->n; i++) {
		struct peer *p = &r->t->peers[i];
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

		if (p->state == PEER_UP && hd_peer_is_due(p))
			on_event(r, &ev);
	}
}

static void turn(struct run *r)
{
	struct epoll_event ev[EVENTS];
	int n = wait_events(r, ev);

	for (int i = 0; i < n; i++)
		on_event(r, &ev[i]);
	r->now_ns = clock_ns();
	hd_tick(r);
	if (!r->is_draining)
		schedule(r);
	r->has_sent = run_pump_dirty(r);
}

static void show(const struct run *r)
{
	double s = (double)(r->now_ns - r->start_ns) / (double)NS_PER_S;

	progress_line("%5.1f s   sent %.0f/s   arrived %.0f/s", s,
		      (double)r->sent / s, (double)r->received / s);
}

static volatile sig_atomic_t is_enough;

static void on_int(int sig)
{
	(void)sig;
	is_enough = 1;
}

/* Another one ends the program, as it did before. */
static void end_on_int(void)
{
	const struct sigaction enough = { .sa_handler = on_int,
					  .sa_flags = SA_RESETHAND };

	(void)sigaction(SIGINT, &enough, NULL);
}

static void run_until(struct run *r, int64_t until_ns)
{
	while (r->now_ns < until_ns && !is_enough) {
		turn(r);
		if (!r->t->net->opts->is_quiet && progress_due(r->now_ns))
			show(r);
	}
}

/* A turn that was kept from running brings all that came meanwhile: quiet is
 * counted from its end. */
static void drain(struct run *r)
{
	int64_t until = r->now_ns + DRAIN_NS, arrived_ns = r->now_ns;

	stop_sending(r);
	while (r->received < r->sent && r->now_ns < until &&
	       r->now_ns - arrived_ns < QUIET_NS) {
		uint64_t before = r->received;

		turn(r);
		if (r->received > before)
			arrived_ns = r->now_ns;
	}
	if (!r->t->net->opts->is_quiet)
		progress_clear();
}

static void sum_up(struct run *r)
{
	struct run_result *res = r->res;
	double s = (double)(r->to_ns - r->from_ns) / (double)NS_PER_S;
	uint64_t offered = r->conf->is_max ? r->in_window_sent : r->offered;

	res->window_s = s;
	res->offered_pps = (double)offered / s;
	res->sent_pps = (double)r->in_window_sent / s;
	res->delivered_pps = (double)r->in_window / s;
	res->sent = r->sent;
	res->lost = r->sent - r->received;
	res->busy = 1 - (double)r->idle_ns / (s * (double)NS_PER_S);
	res->cpu_cores = res->cpu_us_per_packet = res->others_cores = -1;
	for (size_t i = 0; i < r->t->n; i++)
		if (r->t->net->opts->is_silence)
			hist_add(&res->silence,
				 (uint64_t)r->t->pairs[i].silence.longest_ns);
	run_cpu_sum(r->t->net->opts, r->cpu, res);
}

void run_result_end(struct run_result *res)
{
	res->share = res->offered_pps <= 0
			     ? 0
			     : fmin(1, res->delivered_pps / res->offered_pps);
	res->lost_share =
		res->sent == 0 ? 0 : (double)res->lost / (double)res->sent;
	run_cpu_per_packet(res);
}

static void begin(struct run *r)
{
	const struct run_conf *c = r->conf;

	for (size_t i = 0; i < r->t->n; i++) {
		struct pair *pair = &r->t->pairs[i];

		pair->due = pair->sent = pair->seen = 0;
		pair->silence = (struct silence){ 0 };
		pair->is_dirty = false; /* is_blocked stays */
	}
	r->t->dirty_n = 0;
	r->now_ns = clock_ns();
	r->start_ns = c->start_ns > 0 ? c->start_ns : r->now_ns;
	r->from_ns = r->start_ns + (int64_t)(c->warmup_s * (double)NS_PER_S);
	r->to_ns = r->from_ns + (int64_t)(c->duration_s * (double)NS_PER_S);
}

int run_traffic(struct traffic *t, const struct run_conf *conf,
		struct run_result *ret_result, struct hd_error *err)
{
	struct run r = {
		.t = t, .conf = conf, .res = ret_result, .id = ++t->runs
	};
	int res;

	memset(ret_result, 0, sizeof(*ret_result));
	if (conf->ends_on_int)
		end_on_int();
	begin(&r);
	run_until(&r, r.from_ns);
	r.from_ns = HD_MIN(r.from_ns, r.now_ns);
	res = run_cpu_read(t->net->opts, &r.cpu[0], err);
	if (res < 0)
		return res;
	run_until(&r, r.to_ns);
	r.to_ns = HD_MIN(r.to_ns, HD_MAX(r.now_ns, r.from_ns + 1));
	res = run_cpu_read(t->net->opts, &r.cpu[1], err);
	if (res < 0)
		return res;
	drain(&r);
	sum_up(&r);
	return 0;
}
