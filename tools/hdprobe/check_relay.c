/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_relay.c - two clients, and what the relay is for. */
#include "tools/hdprobe/probe.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 100
#define PACKET_BYTES 1400 /* a full WireGuard packet */

/* Both clients wait from now on until the same time. */
static void pair_deadline(struct probe *p)
{
	conn_deadline(p->conn[0], p->opt.timeout_ms);
	conn_deadline(p->conn[1], p->opt.timeout_ms);
}

static int second_client(struct probe *p, struct hd_error *err)
{
	struct link *l = p->peer[1] = link_new();
	struct httpc_head head;
	int rc;

	if (l == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	rc = probe_upgrade(p, &p->conn[1], &head, err);
	if (rc < 0)
		return rc;
	if (head.status != 101)
		return hd_error_set(err, -EBADMSG, "answer %d instead of 101",
				    head.status);
	link_use_conn(l, p->conn[1]);
	rc = link_start(l, NULL, err);
	return rc < 0 ? rc : link_login(l, err);
}

/* Returns microseconds from one client to the other, or negative errno. */
static int64_t one_packet(struct probe *p, int from, const uint8_t *packet,
			  size_t len_bytes, struct hd_error *err)
{
	struct link *a = p->peer[from], *b = p->peer[!from];
	int64_t start = now_us();
	int rc = link_send(a, &b->self.pub, packet, len_bytes, err);

	if (rc == 0)
		rc = link_expect_packet(b, &a->self.pub, packet, len_bytes,
					err);
	return rc < 0 ? rc : now_us() - start;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void percentiles(struct result *r, int64_t *us, int n)
{
	const double p50 = (double)us[n / 2] / 1e3;
	const double p90 = (double)us[n * 9 / 10] / 1e3;
	const double p99 = (double)us[n * 99 / 100] / 1e3;
	const double max = (double)us[n - 1] / 1e3;

	result_ok(r,
		  "%d packets of %d bytes, one way p50 %.2f p90 %.2f "
		  "p99 %.2f max %.2f ms",
		  n, PACKET_BYTES, p50, p90, p99, max);
	r->data = json_pack("{s:i, s:f, s:f, s:f, s:f}", "packets", n, "p50_ms",
			    p50, "p90_ms", p90, "p99_ms", p99, "max_ms", max);
}

static void relay_failed(struct result *r, int done, const char *detail)
{
	result_bad(r, V_FAIL,
		   "the relay took the login but does not relay: see its log "
		   "and drop counters",
		   "after %d packets: %s", done, detail);
}

static void check_relay(struct probe *p, struct result *r)
{
	uint8_t packet[PACKET_BYTES];
	int64_t us[ROUNDS];
	struct hd_error err;

	if (second_client(p, &err) < 0) {
		result_bad(r, V_FAIL,
			   "one client gets in, a second one does not: is "
			   "there a limit on connections or logins?",
			   "second client: %s", err.text);
		return;
	}
	pair_deadline(p);
	for (int i = 0; i < ROUNDS; i++) {
		randombytes_buf(packet, sizeof(packet));
		us[i] = one_packet(p, i & 1, packet, sizeof(packet), &err);
		if (us[i] < 0) {
			relay_failed(r, i, err.text);
			return;
		}
	}
	qsort(us, ROUNDS, sizeof(us[0]), by_value);
	percentiles(r, us, ROUNDS);
}

static void check_big_packet(struct probe *p, struct result *r)
{
	static uint8_t packet[DERP_PACKET_MAX_BYTES];
	struct hd_error err;
	int64_t us;

	randombytes_buf(packet, sizeof(packet));
	pair_deadline(p);
	us = one_packet(p, 0, packet, sizeof(packet), &err);
	if (us < 0)
		result_bad(r, V_FAIL,
			   "64 KiB is the protocol's limit: the relay must "
			   "take it",
			   "%s", err.text);
	else
		result_ok(r, "%zu bytes in %.1f ms", sizeof(packet),
			  (double)us / 1e3);
}

static int expect_gone(struct link *l, const struct hd_key *key,
		       enum derp_gone reason, struct hd_error *err)
{
	int rc = link_expect(l, DERP_PEER_GONE, err);

	if (rc < 0)
		return rc;
	if (l->frame.len_bytes == HD_KEY_BYTES + 1 &&
	    memcmp(l->payload, key->b, HD_KEY_BYTES) == 0 &&
	    l->payload[HD_KEY_BYTES] == reason)
		return 0;
	return hd_error_set(err, -EBADMSG,
			    "PeerGone for another key or reason");
}

static void check_not_here(struct probe *p, struct result *r)
{
	uint8_t disco[DERP_DISCO_MIN_BYTES] = DERP_DISCO_MAGIC;
	struct derpc_keys nobody;
	struct hd_error err;
	int rc;

	derpc_keys_make(&nobody);
	pair_deadline(p);
	rc = link_send(p->peer[0], &nobody.pub, disco, sizeof(disco), &err);
	if (rc == 0)
		rc = expect_gone(p->peer[0], &nobody.pub, DERP_GONE_NOT_HERE,
				 &err);
	if (rc < 0)
		result_bad(r, V_FAIL,
			   "peers would wait in vain for one that is not "
			   "here: update the relay",
			   "PeerGone: %s", err.text);
	else
		result_ok(r, "disco to an unknown key: PeerGone(not here)");
}

static void check_ping(struct probe *p, struct result *r)
{
	uint8_t data[DERP_PING_MIN_BYTES];
	struct link *l = p->peer[0];
	int64_t start = now_us();
	struct hd_error err;
	int rc;

	randombytes_buf(data, sizeof(data));
	pair_deadline(p);
	rc = link_write(l, DERP_PING, data, sizeof(data), &err);
	if (rc == 0)
		rc = link_expect(l, DERP_PONG, &err);
	if (rc == 0 && (l->frame.len_bytes != DERP_PONG_BYTES ||
			memcmp(l->payload, data, DERP_PONG_BYTES) != 0))
		rc = hd_error_set(&err, -EBADMSG, "Pong with other data");
	if (rc < 0)
		result_bad(r, V_FAIL,
			   "clients drop a relay that does not answer within "
			   "3 s: update the relay",
			   "%s", err.text);
	else
		result_ok(r, "Pong in %.2f ms",
			  (double)(now_us() - start) / 1e3);
}

/* Client 1 leaves; client 0 has received from it and must hear of it. */
static void check_peer_gone(struct probe *p, struct result *r)
{
	struct hd_key key = p->peer[1]->self.pub;
	struct hd_error err;
	int rc;

	conn_close(&p->conn[1]);
	conn_deadline(p->conn[0], p->opt.timeout_ms);
	rc = expect_gone(p->peer[0], &key, DERP_GONE_DISCONNECTED, &err);
	if (rc < 0)
		result_bad(r, V_FAIL,
			   "peers would send on to one that left: update the "
			   "relay",
			   "PeerGone: %s", err.text);
	else
		result_ok(r, "a peer left: PeerGone(disconnected)");
}

static void check_health(struct probe *p, struct result *r)
{
	if (p->peer[0]->health[0] != '\0')
		result_bad(r, V_WARN, "the relay says so itself", "%s",
			   p->peer[0]->health);
	else
		result_ok(r, "the relay reports no problem");
}

const struct check relay_checks[] = {
	{ "relay", FACT_LOGIN, FACT_PAIR, false, check_relay },
	{ "big-packet", FACT_PAIR, 0, false, check_big_packet },
	{ "not-here", FACT_LOGIN, 0, false, check_not_here },
	{ "ping", FACT_LOGIN, 0, false, check_ping },
	{ "peer-gone", FACT_PAIR, 0, false, check_peer_gone },
	{ "health", FACT_LOGIN, 0, false, check_health },
	{ 0 },
};
