/* SPDX-License-Identifier: MIT */
/* t/lib/modules/live.c - uses everything that a module can register, so that a
 * test sees it come, stay over a reload and go. The test writes into copies of
 * the file: a build number, and what it shall do wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/about.h>
#include <hyper-derp/control.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/http.h>
#include <hyper-derp/module.h>
#include <hyper-derp/task.h>
#include <hyper-derp/timer.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "t/lib/modules/live.h"

#define STATE_VERSION 0x4c495645 /* to be found in the file */

/* volatile: the compiler must not know what they will say */
static const volatile char build[] = "BUILD=000000";
static const volatile char mode[] = "MODE=fine";

struct live_state { /* of an echo connection */
	uint64_t bytes;
	const void *seed;
	struct hd_series series;
};

struct live_numbers {
	struct hd_counter starts, packets;
};

static const struct hd_metric metrics[] = {
	HD_METRIC(struct live_numbers, starts, "live_starts_total", NULL,
		  "start() ran"),
	HD_METRIC(struct live_numbers, packets, "live_packets_total", NULL,
		  "packets seen"),
	HD_METRIC_END,
};

static const struct hd_option options[] = {
	{ .name = "udp",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct live_conf, udp),
	  .def = "127.0.0.1:3479",
	  .help = "where to answer datagrams" },
	{ .name = "word",
	  .type = HD_OPTION_STRING,
	  .offset = offsetof(struct live_conf, word),
	  .def = "default",
	  .help = "what to say" },
	HD_OPTION_END,
};

static bool is_mode(const char *what)
{
	for (unsigned i = 0; i < 4; i++)
		if (mode[5 + i] != what[i])
			return false;
	return true;
}

const char *live_build_text(char text[static 16])
{
	for (unsigned i = 0; i < sizeof(build); i++)
		text[i] = build[i];
	return text;
}

/* ---- pages ---- */

static void say(struct hd_request *req, const char *text)
{
	hd_reply(req, 200, "text/plain", text, strlen(text));
}

static void answer_build(struct hd_module *mod, struct hd_request *req)
{
	char text[16];

	(void)mod;
	say(req, live_build_text(text));
}

static void answer_numbers(struct hd_module *mod, struct hd_request *req)
{
	struct hd_worker *w = hd_request_worker(req);
	const struct live_conf *conf = hd_module_worker_conf(mod, w);
	const struct live_worker *lw = hd_module_worker_data(mod, w);
	char text[256];

	snprintf(text, sizeof(text),
		 "starts=%ju ticks=%ju packets=%ju datagrams=%ju word=%s",
		 (uintmax_t)lw->starts, (uintmax_t)lw->ticks,
		 (uintmax_t)lw->packets, (uintmax_t)lw->datagrams, conf->word);
	say(req, text);
}

static void sleep_some(struct hd_module *mod, void *arg)
{
	(void)mod;
	usleep((useconds_t)(uintptr_t)arg * 1000);
}

static void slept(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	(void)mod;
	(void)w;
	(void)arg;
}

/* /live/task?MS */
static void answer_task(struct hd_module *mod, struct hd_request *req)
{
	const char *ms = hd_request_query(req);
	int r = hd_task(mod, hd_request_worker(req), sleep_some, slept,
			(void *)(uintptr_t)(ms != NULL ? atoi(ms) : 0), NULL);

	say(req, r == 0 ? "begun" : "refused");
}

/* Posts that go round for ever: /live/spin */
static void spin(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	unsigned next = (hd_worker_index(w) + 1) % hd_workers();

	hd_post(mod, hd_worker_at(next), spin, arg, NULL);
}

static void answer_spin(struct hd_module *mod, struct hd_request *req)
{
	spin(mod, hd_request_worker(req), NULL);
	say(req, "begun");
}

/* ---- a protocol: what comes goes back, behind the build number and how many
 * bytes came so far ---- */

static size_t echo_data(struct hd_module *mod, struct hd_stream *s, void *state,
			uint8_t *p, size_t n)
{
	struct live_state *st = state;
	char head[64], text[16];
	int len;

	live_link_count(hd_stream_worker(s), st->series, n);
	hd_assert(hd_module_worker_data(mod, hd_stream_worker(s)) != NULL);
	st->bytes += n;
	len = snprintf(head, sizeof(head), "%s %ju ", live_build_text(text),
		       (uintmax_t)st->bytes);
	hd_stream_append(s, HD_LANE_CONTROL, head, (size_t)len);
	hd_stream_append(s, HD_LANE_CONTROL, p, n);
	return n;
}

static const struct hd_proto echo_proto = {
	.name = "echo",
	.state_size = sizeof(struct live_state),
	.data = echo_data,
};

static int upgrade_echo(struct hd_module *mod, struct hd_request *req,
			struct hd_stream *s, void *state)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\n"
				   "Upgrade: echo\r\nConnection: Upgrade\r\n"
				   "\r\n";
	struct live_state *st = state;

	(void)mod;
	(void)req;
	if (is_mode("ptr "))
		st->seed = &echo_proto;
	st->series = live_link_open("echo");
	hd_stream_append(s, HD_LANE_CONTROL, head, sizeof(head) - 1);
	return 0;
}

/* ---- the rest ---- */

static enum hd_verdict on_packet(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_packet *packet)
{
	struct live_worker *lw = hd_module_worker_data(mod, w);
	struct live_numbers *numbers = hd_metrics(mod, w);

	(void)packet;
	lw->packets++;
	hd_count(&numbers->packets, 1);
	return HD_VERDICT_PASS;
}

static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *who,
				struct hd_ticket *ticket)
{
	(void)mod;
	(void)w;
	(void)who;
	(void)ticket;
	return HD_VERDICT_PASS;
}

static void on_tick(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct live_worker *lw = arg;

	(void)mod;
	(void)w;
	lw->ticks++;
	hd_timer_set(lw->timer, 5);
}

static void run_hello(struct hd_module *mod, struct hd_call *call)
{
	char text[16];

	(void)mod;
	hd_out_string(call, NULL, live_build_text(text));
}

static const struct hd_command hello = {
	.words = "live hello",
	.args = "",
	.help = "says the build number",
	.role = HD_ROLE_READ,
	.run = run_hello,
};

static const struct hd_route routes[] = {
	{ .path = "/live/build",
	  .methods = HD_HTTP_GET,
	  .answer = answer_build },
	{ .path = "/live/numbers",
	  .methods = HD_HTTP_GET,
	  .answer = answer_numbers },
	{ .path = "/live/link",
	  .methods = HD_HTTP_GET,
	  .answer = live_link_answer },
	{ .path = "/live/task", .methods = HD_HTTP_GET, .answer = answer_task },
	{ .path = "/live/spin", .methods = HD_HTTP_GET, .answer = answer_spin },
	{ .path = "/live/echo",
	  .methods = HD_HTTP_GET,
	  .token = "echo",
	  .upgrade = upgrade_echo,
	  .proto = &echo_proto },
};

static void count_module(void *n, const struct hd_about_module *m)
{
	(void)m;
	++*(unsigned *)n;
}

static void count_sample(void *n, const struct hd_sample *sample)
{
	(void)sample;
	++*(unsigned *)n;
}

/* What may be asked from anywhere, also while the code changes. */
static void look_around(void)
{
	unsigned n = 0;

	hd_about_modules(count_module, &n);
	hd_metrics_read(NULL, count_sample, &n);
	hd_assert(n > 0);
}

static int live_load(struct hd_module *mod, struct hd_error *err)
{
	int r = hd_hook_packet(mod, on_packet, err);

	look_around();
	if (r == 0)
		r = hd_hook_admit(mod, on_admit, err);
	for (size_t i = 0; r == 0 && i < HD_ARRAY_N(routes); i++)
		r = hd_route_add(mod, &routes[i], err);
	if (r == 0)
		r = hd_command_add(mod, &hello, err);
	if (r == 0)
		r = live_links_add(mod, err);
	while (is_mode("hang"))
		pause();
	if (is_mode("cras"))
		abort();
	if (r == 0 && is_mode("load"))
		r = hd_error_set(err, -EPERM, "load() has a bad day");
	return r;
}

static void hello_from(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct live_worker *lw = hd_module_worker_data(mod, w);

	(void)arg;
	hd_assert(lw->starts > 0); /* start() was before this */
}

static int live_start(struct hd_module *mod, struct hd_worker *w,
		      struct hd_error *err)
{
	struct live_worker *lw = hd_module_worker_data(mod, w);
	struct live_numbers *numbers = hd_metrics(mod, w);

	look_around();
	lw->starts++;
	lw->seed = is_mode("ptr ") ? options : NULL;
	hd_count(&numbers->starts, 1);
	for (unsigned i = 0; i < hd_workers(); i++)
		hd_post(mod, hd_worker_at(i), hello_from, NULL, NULL);
	/* also on a reload, which has waited for those of the old code */
	hd_assert(hd_task(mod, w, sleep_some, hello_from, NULL, NULL) == 0);
	lw->timer = hd_timer_new(mod, w, on_tick, lw);
	hd_timer_set(lw->timer, 5);
	if (is_mode("mute") && hd_worker_index(w) == hd_workers() - 1)
		return -EPERM; /* without a word */
	if (is_mode("star") && hd_worker_index(w) == hd_workers() - 1)
		return hd_error_set(err, -EPERM, "start() has a bad day");
	return live_udp_open(mod, w, err);
}

static void live_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct live_worker *lw = hd_module_worker_data(mod, w);

	look_around();
	hd_udp_close(&lw->udp);
}

static int live_check(struct hd_module *mod, const void *section,
		      struct hd_error *err)
{
	const struct live_conf *conf = section;

	(void)mod;
	if (strcmp(conf->word, "wrong") == 0)
		return hd_error_set(err, -EINVAL, "check() dislikes the word");
	return 0;
}

static void live_unload(struct hd_module *mod)
{
	(void)mod;
	look_around();
	if (is_mode("unlo"))
		abort();
}

HD_MODULE(live, .version = "1.0", .licence = "MIT",
	  .summary = "one of everything", .state_version = STATE_VERSION,
	  .options = options, .metrics = metrics,
	  .metrics_size = sizeof(struct live_numbers),
	  .conf_size = sizeof(struct live_conf),
	  .worker_size = sizeof(struct live_worker), .load = live_load,
	  .start = live_start, .check = live_check, .stop = live_stop,
	  .unload = live_unload);
