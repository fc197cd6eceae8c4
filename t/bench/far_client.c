/* SPDX-License-Identifier: MIT */
/* t/bench/far_client.c - a client of DERP as tailscaled is one, without its
 * cryptography: packets of an interface go to one peer through the relay, and
 * the other way round.
 *
 *   far_client NS DEV SELF PEER HOST PORT     SELF, PEER: numbers of keys
 *
 *   dev --> queue of 32, the oldest is dropped --> connection
 *
 * Each packet has 32 bytes more, as WireGuard's have. The queue is that of
 * tailscaled 1.102.5 (wgengine/magicsock/derp.go, derpWriteQueueDepth). Prints
 * "ready" when it has logged in; ends with the connection. Told to stop it says
 * how many the queue has dropped. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "t/bench/far_tun.h"
#include "tools/lib/link.h"

enum {
	QUEUE = 32,
	PACKET_BYTES = 1500,
	WIREGUARD_BYTES = 32, /* behind the packet */
	FOREVER_MS = 24 * 3600 * 1000,
};

struct packet {
	uint32_t bytes;
	uint8_t data[PACKET_BYTES + WIREGUARD_BYTES];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t some;
	unsigned head, tail;
	unsigned dropped;
	struct packet v[QUEUE];
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER,
	    .some = PTHREAD_COND_INITIALIZER };

static struct conn *conn;
static struct link *relay;
static struct hd_key peer;
static int tun;

static void check(int r, const char *what, const struct hd_error *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "far_client: %s: %s\n", what, err->text);
	exit(1);
}

/* ---- to the relay ---- */

static void put(const struct packet *p)
{
	pthread_mutex_lock(&queue.lock);
	if (queue.tail - queue.head == QUEUE) {
		queue.head++;
		queue.dropped++;
	}
	queue.v[queue.tail++ % QUEUE] = *p;
	pthread_cond_signal(&queue.some);
	pthread_mutex_unlock(&queue.lock);
}

static void get(struct packet *p)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.tail == queue.head)
		pthread_cond_wait(&queue.some, &queue.lock);
	*p = queue.v[queue.head++ % QUEUE];
	pthread_mutex_unlock(&queue.lock);
}

static _Noreturn void *from_dev(void *unused)
{
	struct pollfd fd = { .fd = tun, .events = POLLIN };
	struct packet p = { 0 };

	(void)unused;
	for (;;) {
		ssize_t n = read(tun, p.data, PACKET_BYTES);

		if (n <= 0) {
			poll(&fd, 1, -1);
			continue;
		}
		p.bytes = (uint32_t)n + WIREGUARD_BYTES;
		put(&p);
	}
}

static _Noreturn void *to_relay(void *unused)
{
	struct hd_error err;
	struct packet p;

	(void)unused;
	for (;;) {
		get(&p);
		check(link_send(relay, &peer, p.data, p.bytes, &err), "send",
		      &err);
	}
}

/* ---- from it ---- */

static _Noreturn void from_relay(void)
{
	const size_t around = HD_KEY_BYTES + WIREGUARD_BYTES;
	struct hd_error err;

	for (;;) {
		check(link_read(relay, &err), "read", &err);
		/* a full interface loses it, as it should */
		if (relay->frame.type == DERP_RECV_PACKET &&
		    relay->frame.len_bytes > around &&
		    write(tun, relay->payload + HD_KEY_BYTES,
			  relay->frame.len_bytes - around) < 0)
			continue;
	}
}

/* ---- start and end ---- */

static void on_term(int sig)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "dropped %u\n", queue.dropped);

	(void)sig;
	_exit(write(STDERR_FILENO, text, (size_t)n) != n);
}

static struct derpc_keys keys_of(const char *number)
{
	struct derpc_keys k = { 0 };

	crypto_generichash(k.secret, sizeof(k.secret),
			   (const uint8_t *)number, strlen(number), NULL, 0);
	crypto_scalarmult_base(k.pub.b, k.secret);
	return k;
}

static void log_in(const char *self, const char *host, const char *port)
{
	struct addrinfo *to;
	struct hd_error err;

	check(conn_resolve(host, port, AF_UNSPEC, &to, &err), host, &err);
	check(conn_open(to, 30000, &conn, &err), host, &err);
	freeaddrinfo(to);
	conn_deadline(conn, 30000);
	relay = link_new();
	if (relay == NULL)
		exit(1);
	relay->self = keys_of(self);
	link_use_conn(relay, conn);
	check(link_fast_start(relay, host, NULL, &err), "login", &err);
	check(link_login(relay, &err), "login", &err);
	conn_deadline(conn, FOREVER_MS);
}

int main(int argc, char **argv)
{
	pthread_t t;

	if (argc != 7 || sodium_init() < 0) {
		fprintf(stderr, "far_client NS DEV SELF PEER HOST PORT\n");
		return 2;
	}
	tun = far_tun(argv[1], argv[2]);
	peer = keys_of(argv[4]).pub;
	log_in(argv[3], argv[5], argv[6]);
	signal(SIGTERM, on_term);
	if (pthread_create(&t, NULL, from_dev, NULL) != 0 ||
	    pthread_create(&t, NULL, to_relay, NULL) != 0)
		return 1;
	printf("ready\n");
	fflush(stdout);
	from_relay();
}
