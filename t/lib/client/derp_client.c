/* SPDX-License-Identifier: MIT */
/* t/lib/client/derp_client.c - a DERP client on a leash: a system test writes
 * commands to its standard input and reads what happens from its output.
 *
 *   derp-client [--plain] [--101] [--secret HEX] [--suite NAME] HOST PORT
 *
 * After login it prints `key HEX` and `ready`. Commands, a line each:
 *   send KEY HEX     a packet          fill KEY BYTES N  N packets of zeros
 *   raw HEX          bytes as they are ping HEX          8 bytes or more
 *   stop, go         reading           quit
 *   wire HEX         below TLS         bye           close_notify
 *   update 0|1       KeyUpdate; 1: ask for theirs
 * Events: packet KEY BYTES HEX (the first 32 bytes), gone KEY REASON, pong
 * HEX, health TEXT, restarting MS MS, keepalive, frame TYPE BYTES, done (a
 * fill has been written), closed WHY (`closed notify`: TLS said so). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tools/lib/link.h"

#define LOGIN_MS 60000
#define FOREVER_MS (3600 * 1000)
#define SHOWN_BYTES 32

struct client {
	struct conn *conn;
	struct link *link;
	bool reading;
};

static void fail(const char *what, const struct hd_error *err)
{
	printf("failed %s: %s\n", what, err->text);
	exit(1);
}

static const char *hex(const uint8_t *p, size_t n)
{
	static char text[2 * DERP_PING_MAX_BYTES + 1];

	n = HD_MIN(n, (size_t)DERP_PING_MAX_BYTES);
	return sodium_bin2hex(text, sizeof(text), p, n);
}

static size_t unhex(const char *text, uint8_t *to, size_t size)
{
	size_t n = 0;

	if (text == NULL ||
	    sodium_hex2bin(to, size, text, strlen(text), NULL, &n, NULL) != 0)
		return 0;
	return n;
}

/* ---- events ---- */

static void on_packet(const uint8_t *p, uint32_t n)
{
	printf("packet %s %u ", hex(p, HD_KEY_BYTES), n - HD_KEY_BYTES);
	printf("%s\n", hex(p + HD_KEY_BYTES,
			   HD_MIN(n - HD_KEY_BYTES, (uint32_t)SHOWN_BYTES)));
}

static void on_gone(const uint8_t *p, uint32_t n)
{
	printf("gone %s %u\n", hex(p, HD_KEY_BYTES), p[n - 1]);
}

static void on_pong(const uint8_t *p, uint32_t n)
{
	printf("pong %s\n", hex(p, n));
}

static void on_health(const uint8_t *p, uint32_t n)
{
	printf("health %.*s\n", (int)n, (const char *)p);
}

static void on_restarting(const uint8_t *p, uint32_t n)
{
	(void)n;
	printf("restarting %u %u\n", derp_get_u32(p), derp_get_u32(p + 4));
}

static void on_keepalive(const uint8_t *p, uint32_t n)
{
	(void)p;
	(void)n;
	printf("keepalive\n");
}

static void (*const on_frame[256])(const uint8_t *, uint32_t) = {
	[DERP_RECV_PACKET] = on_packet,   [DERP_PEER_GONE] = on_gone,
	[DERP_PONG] = on_pong,            [DERP_HEALTH] = on_health,
	[DERP_RESTARTING] = on_restarting, [DERP_KEEP_ALIVE] = on_keepalive,
};

/* An alert that is fatal sets OpenSSL's flag, too. */
static void on_end(struct client *c, int r, const struct hd_error *err)
{
	SSL *ssl = c->conn->ssl;

	if (r == -ECONNRESET && ssl != NULL &&
	    SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN)
		printf("closed notify\n");
	else
		printf("closed %s\n", err->text);
	exit(0);
}

static void read_frame(struct client *c)
{
	struct hd_error err;
	const struct derp_header *h = &c->link->frame;
	int r;

	conn_deadline(c->conn, FOREVER_MS);
	r = link_read(c->link, &err);
	if (r < 0)
		on_end(c, r, &err);
	if (on_frame[h->type] != NULL)
		on_frame[h->type](c->link->payload, h->len_bytes);
	else
		printf("frame %u %u\n", h->type, h->len_bytes);
}

/* ---- commands ---- */

static void do_send(struct client *c, char *rest)
{
	static uint8_t packet[DERP_PACKET_MAX_BYTES];
	struct hd_key to;
	struct hd_error err;
	char *key = strtok_r(NULL, " ", &rest);
	char *data = strtok_r(NULL, " ", &rest);

	unhex(key, to.b, sizeof(to));
	link_send(c->link, &to, packet, unhex(data, packet, sizeof(packet)),
		  &err);
}

static void do_fill(struct client *c, char *rest)
{
	static uint8_t packet[DERP_PACKET_MAX_BYTES];
	struct hd_key to;
	struct hd_error err;
	char *key = strtok_r(NULL, " ", &rest);
	char *bytes = strtok_r(NULL, " ", &rest);
	char *times = strtok_r(NULL, " ", &rest);

	unhex(key, to.b, sizeof(to));
	for (long i = atol(times); i > 0; i--)
		if (link_send(c->link, &to, packet, (size_t)atol(bytes),
			      &err) < 0)
			break;
	printf("done\n");
}

static void do_raw(struct client *c, char *rest)
{
	static uint8_t bytes[DERP_PACKET_MAX_BYTES];
	struct hd_error err;

	conn_write(c->conn, bytes,
		   unhex(strtok_r(NULL, " ", &rest), bytes, sizeof(bytes)),
		   &err);
}

static void do_ping(struct client *c, char *rest)
{
	uint8_t bytes[DERP_PING_MAX_BYTES];
	struct hd_error err;
	size_t n = unhex(strtok_r(NULL, " ", &rest), bytes, sizeof(bytes));

	link_write(c->link, DERP_PING, bytes, n, &err);
}

static void do_wire(struct client *c, char *rest)
{
	static uint8_t bytes[DERP_PACKET_MAX_BYTES];
	size_t n = unhex(strtok_r(NULL, " ", &rest), bytes, sizeof(bytes));

	if (write(c->conn->fd, bytes, n) < (ssize_t)n)
		printf("failed wire\n");
}

static void do_update(struct client *c, char *rest)
{
	char *word = strtok_r(NULL, " ", &rest);
	int type = word != NULL && *word == '1' ?
			   SSL_KEY_UPDATE_REQUESTED :
			   SSL_KEY_UPDATE_NOT_REQUESTED;

	if (SSL_key_update(c->conn->ssl, type) != 1 ||
	    SSL_do_handshake(c->conn->ssl) != 1)
		printf("failed update\n");
}

static void do_bye(struct client *c, char *rest)
{
	(void)rest;
	SSL_shutdown(c->conn->ssl);
}

static void do_stop(struct client *c, char *rest)
{
	(void)rest;
	c->reading = false;
}

static void do_go(struct client *c, char *rest)
{
	(void)rest;
	c->reading = true;
}

static void do_quit(struct client *c, char *rest)
{
	(void)rest;
	conn_close(&c->conn);
	exit(0);
}

static const struct {
	const char *name;
	void (*run)(struct client *c, char *rest);
} commands[] = {
	{ "send", do_send }, { "fill", do_fill }, { "raw", do_raw },
	{ "ping", do_ping }, { "stop", do_stop }, { "go", do_go },
	{ "wire", do_wire }, { "update", do_update }, { "bye", do_bye },
	{ "quit", do_quit },
};

static void read_command(struct client *c)
{
	static char line[2 * DERP_PACKET_MAX_BYTES + 256];
	char *rest, *word;

	if (fgets(line, sizeof(line), stdin) == NULL)
		do_quit(c, NULL);
	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line, " ", &rest);
	conn_deadline(c->conn, FOREVER_MS);
	for (size_t i = 0; word != NULL && i < HD_ARRAY_N(commands); i++)
		if (strcmp(commands[i].name, word) == 0)
			commands[i].run(c, rest);
}

/* ---- life ---- */

static bool has_unread(const struct conn *c)
{
	return c->head < c->tail || (c->ssl != NULL && SSL_pending(c->ssl) > 0);
}

static void serve(struct client *c)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = c->reading ? c->conn->fd : -1,
			  .events = POLLIN },
		};
		bool unread = c->reading && has_unread(c->conn);

		poll(fds, 2, unread ? 0 : -1);
		if (unread || fds[1].revents != 0)
			read_frame(c);
		if (fds[0].revents != 0)
			read_command(c);
	}
}

struct options {
	bool plain, upgrade_101, tls_1_2;
	const char *secret, *suite, *host, *port;
};

static void parse(int argc, char **argv, struct options *o)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--plain") == 0)
			o->plain = true;
		else if (strcmp(argv[i], "--101") == 0)
			o->upgrade_101 = true;
		else if (strcmp(argv[i], "--tls12") == 0)
			o->tls_1_2 = true;
		else if (strcmp(argv[i], "--secret") == 0 && i + 1 < argc)
			o->secret = argv[++i];
		else if (strcmp(argv[i], "--suite") == 0 && i + 1 < argc)
			o->suite = argv[++i];
	}
	if (argc - i != 2) {
		fprintf(stderr, "usage: derp-client [--plain] [--101] "
				"[--secret HEX] [--suite NAME] [--tls12] "
				"HOST PORT\n");
		exit(2);
	}
	o->host = argv[i];
	o->port = argv[i + 1];
}

static void connect_to(struct client *c, const struct options *o)
{
	struct hd_error err;
	struct addrinfo *list;

	if (conn_resolve(o->host, o->port, AF_UNSPEC, &list, &err) < 0)
		fail("resolve", &err);
	if (conn_open(list, LOGIN_MS, &c->conn, &err) < 0)
		fail("connect", &err);
	freeaddrinfo(list);
	conn_deadline(c->conn, LOGIN_MS);
	if (o->plain)
		return;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (o->tls_1_2)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	if (o->suite != NULL && SSL_CTX_set_ciphersuites(ctx, o->suite) != 1) {
		printf("failed suite: %s\n", o->suite);
		exit(1);
	}
	if (conn_start_tls(c->conn, ctx, o->host, &err) < 0)
		fail("tls", &err);
	SSL_CTX_free(ctx); /* the connection has it */
}

/* link_login() reads frames; the answer's head stands before them. */
static void read_head(struct client *c)
{
	struct hd_error err;
	uint8_t byte;

	while (c->link->login.state == DERPC_HEAD)
		if (conn_read(c->conn, &byte, 1, &err) < 0 ||
		    derpc_input(&c->link->login, &byte, 1, &err) < 0)
			fail("upgrade", &err);
}

static void log_in(struct client *c, const struct options *o)
{
	struct hd_error err;
	struct derpc_conf conf = {
		.host = o->host,
		.self = &c->link->self,
		.upgrade = o->upgrade_101 ? DERPC_UPGRADE_101 :
					    DERPC_UPGRADE_FAST,
	};
	const uint8_t *out;
	size_t n;

	if (derpc_start(&c->link->login, &conf, &err) < 0)
		fail("start", &err);
	n = derpc_out(&c->link->login, &out);
	if (conn_write(c->conn, out, n, &err) < 0)
		fail("request", &err);
	read_head(c);
	if (link_login(c->link, &err) < 0)
		fail("login", &err);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct client c = { .reading = true };

	parse(argc, argv, &o);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	c.link = link_new();
	if (sodium_init() < 0 || c.link == NULL)
		return 1;
	if (o.secret != NULL) {
		unhex(o.secret, c.link->self.secret, HD_KEY_BYTES);
		crypto_scalarmult_base(c.link->self.pub.b,
				       c.link->self.secret);
	}
	connect_to(&c, &o);
	link_use_conn(c.link, c.conn);
	log_in(&c, &o);
	printf("key %s\n", hex(c.link->self.pub.b, HD_KEY_BYTES));
	printf("ready\n");
	serve(&c);
}
