/* SPDX-License-Identifier: MIT */
/* tools/hdbench/run.c - one run: schedule, send, receive, count. */
#include "tools/hdbench/run.h"
#include "tools/hdbench/clock.h"
#include "tools/hdbench/progress.h"
#include <errno.h>
#include <math.h>
#include <sys/epoll.h>

#define EVENTS 256
#define QUOTA 64 /* packets of one pair in a turn */
#define WRITE_BYTES 262144 /* about as much as goes into one write */
#define SPIN_NS (100 * NS_PER_US) /* shorter waits are not worth sleeping */
#define WAKE_NS (60 * NS_PER_US) /* a sleep may last that much longer */
#define QUIET_NS (500 * NS_PER_MS) /* in the drain: nothing more will come */
#define DRAIN_NS (5 * NS_PER_S)

struct run {
	struct traffic *t;
	const struct run_conf *conf;
	struct run_result *res;
	uint32_t id;
	int64_t start_ns, from_ns, to_ns; /* the window: [from, to) */
	uint64_t scheduled; /* packets; the next one's number */
	uint64_t sent, received, in_window_sent, in_window, offered;
	int64_t idle_ns, now_ns;
	struct cpu {
		uint64_t relay_ns, self_ns, all_ns;
	} cpu[2]; /* at the window's ends */
	bool is_draining, has_sent; /* has_sent: in the last turn */
};

static bool in_window(const struct run *r, int64_t ns)
{
	return ns >= r->from_ns && ns < r->to_ns;
}

static int64_t due_ns(const struct run *r, double k)
{
	return r->start_ns +
	       (int64_t)(k / r->conf->rate_pps * (double)NS_PER_S);
}

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
	r->received++;
	r->in_window += in_window(r, now);
	if (in_window(r, s.due_ns))
		hist_add(&r->res->latency, (uint64_t)(now - s.due_ns));
}

/* Sending */

static void mark_dirty(struct traffic *t, struct pair *pair)
{
	if (pair->is_dirty || pair->is_blocked)
		return;
	pair->is_dirty = true;
	t->dirty[t->dirty_n++] = (uint32_t)(pair - t->pairs);
}

static void on_closed(struct run *r, struct peer *p)
{
	r->res->closed++;
	r->res->error = p->error;
}

/* One packet into out. Returns its bytes on the wire. */
static size_t put_packet(struct run *r, struct pair *pair, uint8_t *out)
{
	size_t size =
		DERP_HEADER_BYTES + HD_KEY_BYTES + r->t->net->opts->size_bytes;
	struct stamp s = { .run = r->id,
			   .pair = (uint32_t)(pair - r->t->pairs),
			   .seq = pair->sent };
	double k = (double)pair->sent * (double)r->t->n + s.pair;

	s.due_ns = r->conf->is_max ? r->now_ns : due_ns(r, k);
	memcpy(pair->frame + DERP_HEADER_BYTES + HD_KEY_BYTES, &s, sizeof(s));
	if (in_window(r, s.due_ns))
		hist_add(&r->res->late, (uint64_t)(r->now_ns - s.due_ns));
	pair->sent++;
	r->sent++;
	r->in_window_sent += in_window(r, r->now_ns);
	return peer_seal(pair->from, out, pair->frame, size);
}

/* What is due, as far as one write may take it. Returns as peer_write(). */
static int send_some(struct run *r, struct pair *pair)
{
	uint8_t *out = r->t->net->tx;
	uint64_t n = HD_MIN(pair->due - pair->sent, r->t->net->opts->batch);
	size_t bytes = 0;

	while (n-- > 0 && bytes < WRITE_BYTES)
		bytes += put_packet(r, pair, out + bytes);
	return peer_write(pair->from, out, bytes);
}

static void pump(struct run *r, struct pair *pair)
{
	uint64_t limit = pair->sent + QUOTA;
	int left;

	if (pair->from->state != PEER_UP)
		return;
	left = peer_flush(pair->from);
	while (left == 0 && pair->sent < pair->due && pair->sent < limit)
		left = send_some(r, pair);
	pair->is_blocked = left == 1;
	if (left < 0)
		on_closed(r, pair->from);
	else if (pair->sent < pair->due)
		mark_dirty(r->t, pair);
}

/* Returns whether anything was to be sent. */
static bool pump_dirty(struct run *r)
{
	struct traffic *t = r->t;
	size_t n = t->dirty_n;

	/* those that have more come again behind the n of this turn */
	for (size_t i = 0; i < n; i++) {
		struct pair *pair = &t->pairs[t->dirty[i]];

		pair->is_dirty = false;
		pump(r, pair);
	}
	t->dirty_n -= n;
	memmove(t->dirty, t->dirty + n, t->dirty_n * sizeof(*t->dirty));
	return n > 0;
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
		mark_dirty(r->t, pair);
	}
}

static void schedule(struct run *r)
{
	int64_t due;

	if (r->conf->is_max) {
		schedule_max(r);
		return;
	}
	while ((due = due_ns(r, (double)r->scheduled)) <= r->now_ns) {
		struct pair *pair = &r->t->pairs[r->scheduled++ % r->t->n];

		r->offered += in_window(r, due);
		pair->due++;
		mark_dirty(r->t, pair);
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
	if (is_sender && (ev->events & EPOLLOUT) != 0 && pair->is_blocked) {
		pair->is_blocked = false;
		mark_dirty(r->t, pair);
	}
	/* edge-triggered: a sender reads until there is nothing left */
	if ((ev->events & ~(uint32_t)EPOLLOUT) != 0)
		do
			n = peer_read(r->t->net, p, on_frame, r);
		while (n > 0 && is_sender);
	if (n < 0)
		on_closed(r, p);
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
		ns = due_ns(r, (double)r->scheduled) - r->now_ns;
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

static void turn(struct run *r)
{
	struct epoll_event ev[EVENTS];
	int n = wait_events(r, ev);

	for (int i = 0; i < n; i++)
		on_event(r, &ev[i]);
	r->now_ns = clock_ns();
	if (!r->is_draining)
		schedule(r);
	r->has_sent = pump_dirty(r);
}

static void show(const struct run *r)
{
	double s = (double)(r->now_ns - r->start_ns) / (double)NS_PER_S;

	progress_line("%5.1f s   sent %.0f/s   arrived %.0f/s", s,
		      (double)r->sent / s, (double)r->received / s);
}

static int read_cpu(struct run *r, struct cpu *cpu, struct hd_error *err)
{
	int res = proc_cpu_ns(&r->t->net->opts->pids, &cpu->relay_ns);

	cpu->self_ns = proc_self_ns();
	cpu->all_ns = proc_all_ns();
	return res < 0 ? hd_error_set(err, res, "--pid: the process is gone")
		       : 0;
}

static void run_until(struct run *r, int64_t until_ns)
{
	while (r->now_ns < until_ns) {
		turn(r);
		if (progress_due(r->now_ns))
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
	progress_clear();
}

/* Others: what the machine worked, less the relay and us. */
static void sum_up_cpu(struct run *r)
{
	struct run_result *res = r->res;
	const struct cpu *cpu = r->cpu;
	double window_ns = r->conf->duration_s * (double)NS_PER_S;
	double relay_ns = (double)(cpu[1].relay_ns - cpu[0].relay_ns);
	double all_ns = (double)(cpu[1].all_ns - cpu[0].all_ns);
	double self_ns = (double)(cpu[1].self_ns - cpu[0].self_ns);

	res->cpu_cores = relay_ns / window_ns;
	res->others_cores = fmax(0, (all_ns - relay_ns - self_ns) / window_ns);
	if (r->in_window > 0)
		res->cpu_us_per_packet =
			relay_ns / (double)NS_PER_US / (double)r->in_window;
}

static void sum_up(struct run *r)
{
	struct run_result *res = r->res;
	double s = r->conf->duration_s;
	uint64_t lost = r->sent - r->received;
	uint64_t offered = r->conf->is_max ? r->in_window_sent : r->offered;

	res->offered_pps = (double)offered / s;
	res->sent_pps = (double)r->in_window_sent / s;
	res->delivered_pps = (double)r->in_window / s;
	res->share = offered == 0
			     ? 0
			     : fmin(1, res->delivered_pps / res->offered_pps);
	res->lost = lost;
	res->lost_share = r->sent == 0 ? 0 : (double)lost / (double)r->sent;
	res->busy = 1 - (double)r->idle_ns / (s * (double)NS_PER_S);
	res->cpu_cores = res->cpu_us_per_packet = res->others_cores = -1;
	if (r->t->net->opts->pids.n > 0)
		sum_up_cpu(r);
}

static void begin(struct run *r)
{
	const struct run_conf *c = r->conf;

	for (size_t i = 0; i < r->t->n; i++) {
		struct pair *pair = &r->t->pairs[i];

		pair->due = pair->sent = pair->seen = 0;
		pair->is_dirty = false; /* is_blocked stays */
	}
	r->t->dirty_n = 0;
	r->start_ns = r->now_ns = clock_ns();
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
	begin(&r);
	run_until(&r, r.from_ns);
	res = read_cpu(&r, &r.cpu[0], err);
	if (res < 0)
		return res;
	run_until(&r, r.to_ns);
	res = read_cpu(&r, &r.cpu[1], err);
	if (res < 0)
		return res;
	drain(&r);
	sum_up(&r);
	return 0;
}
