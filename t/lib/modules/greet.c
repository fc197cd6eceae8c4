/* SPDX-License-Identifier: MIT */
/* t/lib/modules/greet.c - protocols without HTTP: one that speaks first, on
 * listeners that name it, on those that the module opens, and by ALPN. Copies
 * of the file get a build number. */
#include <hyper-derp/listen.h>
#include <hyper-derp/module.h>
#include <hyper-derp/stream.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <string.h>

#define STATE_VERSION 0x4c495645 /* to be found in the file */
#define LINE_MAX_BYTES 512

static const volatile char build[] = "BUILD=000000";

struct greet_conf {
	union hd_addr addr; /* of a listener of our own */
	const char *speaks, *cert; /* there */
};

struct greet_state {
	uint64_t lines;
};

static const struct hd_option options[] = {
	{ .name = "addr",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct greet_conf, addr),
	  .help = "another listener" },
	{ .name = "speaks",
	  .type = HD_OPTION_STRING,
	  .offset = offsetof(struct greet_conf, speaks),
	  .def = "greet",
	  .help = "what it speaks" },
	{ .name = "cert",
	  .type = HD_OPTION_STRING,
	  .offset = offsetof(struct greet_conf, cert),
	  .help = "PEM file of certificate and key: it speaks TLS" },
	HD_OPTION_END,
};

struct greet_numbers {
	struct hd_counter opened, closed;
};

static const struct hd_metric metrics[] = {
	HD_METRIC(struct greet_numbers, opened, "greet_opened_total", NULL,
		  "opened() ran"),
	HD_METRIC(struct greet_numbers, closed, "greet_closed_total", NULL,
		  "closed() ran"),
	HD_METRIC_END,
};

static void say(struct hd_stream *s, const char *what, const char *more)
{
	char text[LINE_MAX_BYTES + 64];
	int n = snprintf(text, sizeof(text), "%s %s\n", what, more);

	hd_stream_append(s, HD_LANE_CONTROL, text, (size_t)n);
}

static struct greet_numbers *numbers_of(struct hd_module *mod,
					const struct hd_stream *s)
{
	return hd_metrics(mod, hd_stream_worker(s));
}

/* 220 BUILD=000000 alpn=greet/1 tls=yes */
static void greet_opened(struct hd_module *mod, struct hd_stream *s,
			 void *state, const char *alpn)
{
	char number[sizeof(build)], text[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(build); i++)
		number[i] = build[i];
	snprintf(text, sizeof(text), "%s alpn=%s tls=%s", number,
		 alpn != NULL ? alpn : "none",
		 hd_stream_is_tls(s) ? "yes" : "no");
	say(s, "220", text);
	hd_count(&numbers_of(mod, s)->opened, 1);
}

static void on_line(struct hd_stream *s, struct greet_state *st,
		    const char *line)
{
	char number[24];

	if (strcmp(line, "stay") == 0)
		hd_stream_stay(s);
	snprintf(number, sizeof(number), "%ju", (uintmax_t)++st->lines);
	say(s, number, line);
	if (strcmp(line, "quit") == 0)
		hd_stream_close(s, HD_CLOSE_DONE);
}

static size_t greet_data(struct hd_module *mod, struct hd_stream *s,
			 void *state, uint8_t *p, size_t n)
{
	size_t used = 0;
	uint8_t *end;

	(void)mod;
	while ((end = memchr(p + used, '\n', n - used)) != NULL &&
	       end - (p + used) < LINE_MAX_BYTES) {
		*end = '\0';
		on_line(s, state, (const char *)p + used);
		used = (size_t)(end - p) + 1;
	}
	if (n - used > LINE_MAX_BYTES)
		hd_stream_close(s, HD_CLOSE_PROTOCOL);
	return used;
}

static void greet_closed(struct hd_module *mod, struct hd_stream *s,
			 void *state, enum hd_close why)
{
	(void)state;
	(void)why;
	hd_count(&numbers_of(mod, s)->closed, 1);
}

static const struct hd_proto proto = {
	.name = "greet",
	.state_size = sizeof(struct greet_state),
	.opened = greet_opened,
	.data = greet_data,
	.closed = greet_closed,
};

static const struct hd_service services[] = {
	{ .name = "greet",
	  .proto = &proto,
	  .alpn = { "greet/2", "greet/1" } },
	{ .name = "greets", .proto = &proto, .tls_only = true },
	HD_SERVICE_END,
};

static int greet_load(struct hd_module *mod, struct hd_error *err)
{
	const struct greet_conf *conf = hd_module_conf(mod);
	const struct hd_listen listen = { .name = "greet",
					  .addr = conf->addr,
					  .protocol = conf->speaks };

	if (conf->addr.sa.sa_family == 0)
		return 0;
	int r = hd_listen_open(mod, &listen, err);
	if (r == 0 && conf->cert != NULL)
		r = hd_listen_tls(mod, "greet", conf->cert, conf->cert, err);
	return r;
}

HD_MODULE(greet, .version = "1.0", .licence = "MIT",
	  .summary = "speaks first", .state_version = STATE_VERSION,
	  .options = options, .metrics = metrics,
	  .metrics_size = sizeof(struct greet_numbers), .services = services,
	  .conf_size = sizeof(struct greet_conf), .load = greet_load);
