/* SPDX-License-Identifier: MIT */
/* t/lib/modules/misuse.c - a module with bugs that the relay must live
 * through. A client of its listener says in a letter which call it makes on
 * the stream, and hears what that returned. */
#include <hyper-derp/control.h>
#include <hyper-derp/listen.h>
#include <hyper-derp/module.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/splice.h>
#include <hyper-derp/stream.h>
#include <stdio.h>
#include <string.h>

struct misuse_conf {
	union hd_addr listen;
};

static const struct hd_option options[] = {
	{ .name = "listen",
	  .type = HD_OPTION_ADDR,
	  .offset = offsetof(struct misuse_conf, listen),
	  .help = "where clients come" },
	HD_OPTION_END,
};

/* ---- on a stream ---- */

struct misuse_state { /* of both protocols */
	bool admitted;
};
struct misuse_worker {
	struct hd_stream *first; /* that said "keep" */
};

static void say(struct hd_stream *s, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", n);

	hd_stream_append(s, HD_LANE_CONTROL, text, (size_t)len);
}

static size_t misuse_data(struct hd_module *mod, struct hd_stream *s,
			  void *state, uint8_t *p, size_t n)
{
	struct misuse_worker *mw =
		hd_module_worker_data(mod, hd_stream_worker(s));
	const struct misuse_state *st = state;
	struct hd_login login = { .agent = "misuse", .realm = 0 };

	switch (st->admitted && p[0] == 'l' ? 's' : p[0]) {
	case 's': /* with itself */
		say(s, hd_splice(s, s, 1000));
		break;
	case 'k': /* is the other one of a pipe, later */
		mw->first = s;
		say(s, 0);
		break;
	case 'p':
		say(s, hd_splice(s, mw->first, 1000));
		break;
	case 'r': /* in a realm that there is not */
		login.realm = 0x7fff;
		hd_relay_login(s, &login);
		break;
	case 'l':
		hd_relay_login(s, &login);
		break;
	}
	return n;
}

static void misuse_admitted(struct hd_module *mod, struct hd_stream *s,
			    void *state, struct hd_peer *peer)
{
	struct misuse_state *st = state;

	(void)mod;
	(void)peer;
	st->admitted = true;
	say(s, 1);
}

static void misuse_deliver(struct hd_module *mod, struct hd_peer *peer,
			   const struct hd_packet *packet)
{
	(void)mod;
	(void)peer;
	(void)packet;
}

static void misuse_gone(struct hd_module *mod, struct hd_peer *peer,
			const struct hd_key *key, enum hd_gone why)
{
	(void)mod;
	(void)peer;
	(void)key;
	(void)why;
}

static const struct hd_peer_ops peer_ops = { .deliver = misuse_deliver,
					     .gone = misuse_gone };
static const struct hd_proto good_proto = {
	.name = "misuse",
	.state_size = sizeof(struct misuse_state),
	.data = misuse_data,
	.admitted = misuse_admitted,
	.peer = &peer_ops,
};
static const struct hd_proto no_peer_proto = { /* cannot log in */
	.name = "misuse_no_peer",
	.state_size = sizeof(struct misuse_state),
	.data = misuse_data,
	.admitted = misuse_admitted,
};

static const struct hd_service services[] = {
	{ .name = "misuse", .proto = &good_proto },
	{ .name = "misuse_no_peer", .proto = &no_peer_proto },
	HD_SERVICE_END,
};

/* ---- in load(), and in a command ---- */

static void run_misuse(struct hd_module *mod, struct hd_call *call)
{
	const char *what = hd_call_arg(call, "what");
	struct hd_listen listen = { .name = "nameless" };
	struct hd_error err = { "" };
	int r = 0;

	if (strcmp(what, "argument") == 0)
		r = hd_call_arg(call, "waht") != NULL;
	else if (strcmp(what, "address") == 0)
		r = hd_listen_open(mod, &listen, &err);
	else if (strcmp(what, "tls") == 0)
		r = hd_listen_tls(mod, "nobody's", "/crt", "/key", &err);
	hd_out_open(call, NULL, '{');
	hd_out_int(call, "result", r);
	hd_out_string(call, "text", err.text);
	hd_out_close(call);
}

static const struct hd_command command = {
	.words = "misuse",
	.args = "WHAT",
	.help = "call a function as its header forbids",
	.role = HD_ROLE_OPERATE,
	.run = run_misuse,
};

static int misuse_load(struct hd_module *mod, struct hd_error *err)
{
	const struct misuse_conf *conf = hd_module_conf(mod);
	const struct hd_listen listen = { .name = "misuse",
					  .addr = conf->listen,
					  .protocol = "misuse" };
	int r = hd_listen_open(mod, &listen, err);

	return r == 0 ? hd_command_add(mod, &command, err) : r;
}

HD_MODULE(misuse, .version = "1.0", .licence = "MIT",
	  .summary = "has bugs", .options = options, .services = services,
	  .conf_size = sizeof(struct misuse_conf),
	  .worker_size = sizeof(struct misuse_worker), .load = misuse_load);
