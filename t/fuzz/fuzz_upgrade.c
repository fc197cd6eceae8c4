/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_upgrade.c - any bytes as what the process before us hands over:
 * the workers of a relay take it, serve for a moment, and end. Each descriptor
 * is one end of a socket pair, on whose other end half a frame waits.
 *
 *   byte 0      connections; from 128 on: all come ahead first, and then again
 *   byte 1      workers - 1
 *   bytes 2, 3  of the secrets, which come next; then the snapshot
 *
 * corpus/fuzz_upgrade is made of t/system/kept: t/system/kept/seed. */
#include <hyper-derp/service.h>
#include <hyper-derp/stream.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/snap_format.h"
#include "core/conf/conf.h"
#include "core/daemon/serve.h"
#include "core/daemon/upgrade.h"
#include "core/loop/ring.h"
#include "core/loop/worker.h"
#include "core/module/module_private.h"
#include "core/net/listener.h"
#include "core/stream/stream_worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HEAD_BYTES = 4, STREAMS_MAX = 16, WORKERS_MAX = 3 };

/* ---- a module whose clients they are ---- */

static void on_adopted(struct hd_module *mod, struct hd_stream *s, void *state,
		       struct hd_peer *peer)
{
	(void)mod;
	(void)s;
	memcpy(state, &peer, sizeof(struct hd_peer *));
}

static size_t on_data(struct hd_module *mod, struct hd_stream *s, void *state,
		      uint8_t *p, size_t n)
{
	(void)mod;
	(void)state;
	hd_stream_append(s, HD_LANE_CONTROL, p, HD_MIN(n, (size_t)64));
	return n;
}

static void on_packet(struct hd_module *mod, struct hd_peer *peer,
		      const struct hd_packet *packet)
{
	(void)mod;
	(void)peer;
	(void)packet;
}

static void on_gone(struct hd_module *mod, struct hd_peer *peer,
		    const struct hd_key *other, enum hd_gone why)
{
	(void)mod;
	(void)peer;
	(void)other;
	(void)why;
}

static const struct hd_peer_ops peer_ops = { .deliver = on_packet,
					     .gone = on_gone };
static const struct hd_proto proto = {
	.name = "derp",
	.state_size = sizeof(struct hd_peer *),
	.data = on_data,
	.adopted = on_adopted,
	.peer = &peer_ops,
};
static const struct hd_service services[] = {
	{ .name = "derp", .proto = &proto },
	HD_SERVICE_END,
};

static struct hd_conf conf = {
	.login_timeout_ms = 1000,
	.write_timeout_ms = 1000,
	.output_limit_bytes = 262144,
	.urgent_limit_bytes = 16384,
	.event_backend = HD_BACKEND_EPOLL,
};

static struct hd_listener listeners[2];

static void begin(void)
{
	static bool begun;
	struct hd_module_file file = {
		.def = { .name = "derp",
			 .state_version = 3,
			 .flags = HD_MODULE_UPGRADES,
			 .services = services },
		.copy_fd = -1,
	};

	if (begun)
		return;
	begun = true;
	hd_module_list(hd_module_place(&file), true);
	for (unsigned i = 0; i < HD_ARRAY_N(listeners); i++) {
		struct sockaddr_in *a = &listeners[i].addr.in;

		a->sin_family = AF_INET;
		a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a->sin_port = htons((uint16_t)(3340 + i));
		listeners[i].tls = i == 0;
		listeners[i].refs = 1;
	}
}

/* ---- one input ---- */

static void connect_one(int *ret_ours, int *ret_theirs)
{
	int v[2];

	hd_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, v) == 0);
	hd_assert(write(v[1], "\x17\3\3\0\5half", 9) == 9);
	*ret_ours = v[0];
	*ret_theirs = v[1];
}

static unsigned count_streams(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		n += hd_worker_at(i)->streams->n;
	return n;
}

/* Each that is not refused is a connection, and has its descriptor. */
static void check(const struct hd_take *t)
{
	unsigned taken = 0;

	for (size_t i = 0; i < t->n; i++) {
		hd_assert(t->refused[i] <= 1);
		hd_assert(t->refused[i] || t->fds[i] < 0);
		taken += !t->refused[i];
	}
	hd_assert(count_streams() == taken);
}

/* The same bytes are a part, and then the last, which says that of three
 * connections one is as it was, one comes again, and one has ended. */
static int take_twice(struct hd_take *t, struct hd_error *err)
{
	struct hd_snap last = { 0 };
	int r = hd_take_part(t, err);

	if (r < 0)
		return r;
	const struct hd_snap part = { .v = (uint8_t *)t->snapshot,
				      .n = t->snapshot_bytes };

	hd_snap_append(&last, &part);
	uint8_t *since = hd_snap_room(&last, HD_SNAP_AHEAD, t->n);

	for (size_t i = 0; i < t->n; i++)
		since[i] = (uint8_t)(i % 3);
	t->snapshot = last.v;
	t->snapshot_bytes = last.n;
	r = hd_take_all(t, err);
	hd_snap_free(&last);
	return r;
}

static void take_it(struct hd_take *t, bool ahead)
{
	uint8_t refused[STREAMS_MAX];
	int fds[STREAMS_MAX], theirs[STREAMS_MAX];
	struct hd_taken taken[STREAMS_MAX] = { { NULL, NULL } };
	struct hd_error err = { "" };

	memset(refused, 1, sizeof(refused));
	t->taken = taken;
	for (size_t i = 0; i < t->n; i++)
		connect_one(&fds[i], &theirs[i]);
	t->fds = fds;
	t->refused = refused;
	t->listeners = listeners;
	t->n_listeners = HD_ARRAY_N(listeners);
	if ((ahead ? take_twice(t, &err) : hd_take_all(t, &err)) == 0)
		check(t);
	else
		hd_assert(err.text[0] != '\0');
	for (size_t i = 0; i < t->n; i++) {
		close(theirs[i]);
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct hd_serve_args args = { .conf = &conf,
						   .parked = true };
	struct hd_error err = { "" };

	if (n < HEAD_BYTES)
		return 0;
	begin();
	size_t secrets = HD_MIN(n - HEAD_BYTES,
				(size_t)data[2] + ((size_t)data[3] << 8));
	struct hd_take t = {
		.n = data[0] % 128 % (STREAMS_MAX + 1),
		.secrets = data + HEAD_BYTES,
		.secrets_bytes = secrets,
		.snapshot = data + HEAD_BYTES + secrets,
		.snapshot_bytes = n - HEAD_BYTES - secrets,
	};

	conf.workers = 1 + data[1] % WORKERS_MAX;
	hd_assert(hd_serve_start(&args, &err) == 0);
	take_it(&t, data[0] >= 128);
	hd_serve_go(&args);
	hd_workers_stop();
	hd_workers_free();
	return 0;
}
