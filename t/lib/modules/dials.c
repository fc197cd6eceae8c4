/* SPDX-License-Identifier: MIT */
/* t/lib/modules/dials.c - opens connections as the test tells it to: `dials
 * open` answers with what came of it, `dials say` and `dials heard` use one.
 * The test writes a build number into copies of the file. */
#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/control.h>
#include <hyper-derp/dial.h>
#include <hyper-derp/module.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "t/lib/modules/words.h"

#define STATE_VERSION 0x4c495645 /* to be found in the file */
#define HEARD_BYTES 4096

static const volatile char build[] = "BUILD=000000";

struct dials_state { /* what has come; the front of it */
	uint32_t n;
	uint64_t total;
	char heard[HEARD_BYTES];
};

struct dials_worker {
	uint64_t closed;
	uint32_t why; /* of the last one */
};

static const char *build_text(char text[static sizeof(build)])
{
	for (unsigned i = 0; i < sizeof(build); i++)
		text[i] = build[i];
	return text;
}

/* ---- what is spoken: nothing, it listens ---- */

static size_t dials_data(struct hd_module *mod, struct hd_stream *s,
			 void *state, uint8_t *p, size_t n)
{
	struct dials_state *st = state;
	size_t take = HD_MIN(n, sizeof(st->heard) - 1 - st->n);

	(void)mod;
	(void)s;
	memcpy(st->heard + st->n, p, take);
	st->n += (uint32_t)take;
	st->total += n;
	return n;
}

static void dials_closed(struct hd_module *mod, struct hd_stream *s,
			 void *state, enum hd_close why)
{
	struct dials_worker *dw =
		hd_module_worker_data(mod, hd_stream_worker(s));

	(void)state;
	dw->closed++;
	dw->why = why;
}

static const struct hd_proto proto = {
	.name = "dials",
	.state_size = sizeof(struct dials_state),
	.data = dials_data,
	.closed = dials_closed,
};

static const struct hd_proto *const protos[] = { &proto, NULL };

static uint64_t id_word(const struct words *w)
{
	const char *text = word(w, "id");

	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* ---- open ---- */

struct job { /* on its way to a worker */
	struct hd_call *call;
	struct words a;
	unsigned left, good; /* of many */
};

static void put(struct hd_call *call, struct hd_worker *w,
		const struct hd_dialled *got)
{
	char text[HD_ADDR_TEXT_BYTES + sizeof(build)];
	const char *name = got->stream != NULL
				   ? hd_stream_server_name(got->stream)
				   : NULL;

	hd_out_open(call, NULL, '{');
	hd_out_string(call, "build", build_text(text));
	hd_out_bool(call, "right_thread", w == hd_worker_self());
	hd_out_string(call, "error",
		      got->error < 0 ? strerrorname_np(-got->error) : NULL);
	hd_out_string(call, "text", got->text);
	hd_out_string(call, "alpn", got->alpn);
	hd_out_string(call, "sni", name);
	hd_out_string(call, "addr",
		      got->addr != NULL ? hd_addr_text(got->addr, text) : NULL);
	hd_out_bool(call, "tls",
		    got->stream != NULL && hd_stream_is_tls(got->stream));
	if (got->stream != NULL)
		hd_out_uint(call, "id", hd_stream_id(got->stream));
	hd_out_close(call);
}

/* The answer waits until all of many have ended. */
static void end_one(struct job *j, struct hd_worker *w,
		    const struct hd_dialled *got)
{
	j->good += got->error == 0;
	if (--j->left > 0)
		return;
	if (word(&j->a, "n") != NULL)
		hd_out_uint(j->call, NULL, j->good);
	else
		put(j->call, w, got);
	hd_call_answer(&j->call);
	free(j);
}

static void on_dialled(struct hd_module *mod, struct hd_worker *w, void *arg,
		       const struct hd_dialled *got)
{
	struct job *j = arg;

	(void)mod;
	if (got->stream != NULL && word(&j->a, "first") != NULL)
		hd_stream_append(got->stream, HD_LANE_CONTROL,
				 word(&j->a, "first"),
				 strlen(word(&j->a, "first")));
	if (got->stream != NULL && word(&j->a, "shut") != NULL)
		hd_stream_close(got->stream, HD_CLOSE_DONE);
	end_one(j, w, got);
}

static void dropped(void *arg)
{
	struct job *j = arg;

	hd_call_error(j->call, "dropped");
	if (--j->left > 0)
		return;
	hd_call_answer(&j->call);
	free(j);
}

static void set_addr(union hd_addr *a, const char *ip)
{
	if (ip == NULL)
		return;
	a->sa.sa_family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(a->sa.sa_family, ip,
		      a->sa.sa_family == AF_INET
			      ? (void *)&a->in.sin_addr
			      : (void *)&a->in6.sin6_addr) != 1)
		abort();
}

/* Each has a copy of its options, which the core does not read later. */
static int dial_one(struct hd_module *mod, struct hd_worker *w, struct job *j,
		    uint64_t *ret_id, struct hd_error *err)
{
	union hd_addr addr = { 0 }, source = { 0 };
	const char *alpn[] = { word(&j->a, "alpn"), word(&j->a, "alpn2"),
			       NULL };

	set_addr(&addr, word(&j->a, "addr"));
	set_addr(&source, word(&j->a, "source"));
	const struct hd_dial_options o = {
		.proto = word(&j->a, "strange") != NULL ? NULL : &proto,
		.addr = addr.sa.sa_family != 0 ? &addr : NULL,
		.host = word(&j->a, "host"),
		.port = (uint16_t)word_number(&j->a, "port"),
		.source = source.sa.sa_family != 0 ? &source : NULL,
		.connect_ms = word_number(&j->a, "ms"),
		.handshake_ms = word_number(&j->a, "tls_ms"),
		.tls = word(&j->a, "tls") != NULL,
		.server_name = word(&j->a, "sni"),
		.cert_name = word(&j->a, "cert"),
		.ca_file = word(&j->a, "ca"),
		.pin = word(&j->a, "pin"),
		.alpn = alpn[0] != NULL ? alpn : NULL,
	};
	if (hd_dial_check(&o, err) < 0)
		hd_call_error(j->call, "%s", err->text);
	return hd_dial(mod, w, &o, on_dialled, j, dropped, ret_id, err);
}

static void open_here(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct job *j = arg;
	struct hd_error err = { "" };
	uint64_t id;
	unsigned n = word(&j->a, "n") != NULL ? word_number(&j->a, "n") : 1;
	bool cancel = word(&j->a, "cancel") != NULL;

	j->left = n;
	for (unsigned i = 0; i < n; i++) {
		int r = dial_one(mod, w, j, &id, &err);

		if (r == 0 && cancel)
			hd_dial_cancel(mod, w, id);
	}
}

static void post(struct hd_module *mod, struct hd_call *call, hd_post_fn *fn)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		abort();
	hd_call_hold(call);
	j->call = call;
	j->a = words_of(call);
	j->left = 1;
	hd_post(mod, hd_worker_at(hd_workers() - 1), fn, j, dropped);
}

static void run_open(struct hd_module *mod, struct hd_call *call)
{
	post(mod, call, open_here);
}

/* ---- use ---- */

static void use_here(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct job *j = arg;
	struct hd_stream *s = hd_stream_find(mod, w, id_word(&j->a));
	const char *text = word(&j->a, "text");
	char number_of_build[sizeof(build)];
	const struct dials_worker *dw = hd_module_worker_data(mod, w);
	struct dials_state *st = s != NULL ? hd_stream_state(s) : NULL;

	if (s != NULL && text != NULL)
		hd_stream_append(s, HD_LANE_CONTROL, text, strlen(text));
	if (s != NULL && word(&j->a, "shut") != NULL)
		hd_stream_close(s, HD_CLOSE_DONE);
	hd_out_open(j->call, NULL, '{');
	hd_out_string(j->call, "build", build_text(number_of_build));
	hd_out_bool(j->call, "open", s != NULL);
	hd_out_string(j->call, "heard", st != NULL ? st->heard : NULL);
	hd_out_uint(j->call, "closed", dw->closed);
	hd_out_string(j->call, "why", hd_close_text(mod, dw->why));
	hd_out_uint(j->call, "total", st != NULL ? st->total : 0);
	hd_out_close(j->call);
	hd_call_answer(&j->call);
	free(j);
}

static void run_use(struct hd_module *mod, struct hd_call *call)
{
	post(mod, call, use_here);
}

static const struct hd_command commands[] = {
	{ .words = "dials open",
	  .args = "TEXT",
	  .help = "opens a connection",
	  .role = HD_ROLE_READ,
	  .run = run_open },
	{ .words = "dials use",
	  .args = "TEXT",
	  .help = "says something there, or shows what was heard",
	  .role = HD_ROLE_READ,
	  .run = run_use },
};

static int dials_load(struct hd_module *mod, struct hd_error *err)
{
	int r = hd_command_add(mod, &commands[0], err);

	return r == 0 ? hd_command_add(mod, &commands[1], err) : r;
}

HD_MODULE(dials, .version = "1.0", .licence = "MIT",
	  .state_version = STATE_VERSION,
	  .summary = "opens connections", .dials = protos,
	  .worker_size = sizeof(struct dials_worker), .load = dials_load);
