/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_hd.c - HD, by libhd: that GET /hd leads to it, that the
 * relay proves its key and lets two clients exchange packets; and that these go
 * by UDP. A relay without the module hd is none the worse for it. */
#include "tools/hdprobe/probe.h"

#include <errno.h>
#include <hd/hd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PACKET_BYTES 1200 /* what goes by UDP at most */
#define NAME_BYTES 320

/* ---- GET /hd ---- */

static int upgrade(struct probe *p, struct httpc_head *ret_head,
		   struct hd_error *err)
{
	HD_AUTO(conn_close) struct conn *c = NULL;
	int rc = probe_dial(p, &c, err);

	if (rc == 0)
		rc = httpc_get(c, p->opt.name, "/hd",
			       "Upgrade: HD\r\nConnection: Upgrade\r\n", NULL,
			       0, err);
	return rc < 0 ? rc : httpc_read_head(c, ret_head, err);
}

static void check_upgrade(struct probe *p, struct result *r)
{
	struct httpc_head head;
	struct hd_error err;
	int rc;

	if (p->no_relay) { /* "upgrade" has said so, after its time */
		result_skip(r, "no relay");
		return;
	}
	rc = upgrade(p, &head, &err);
	if (rc < 0)
		result_bad(r, V_FAIL, "see the relay's log", "%s", err.text);
	else if (head.status == 101)
		result_ok(r, "101");
	else if (head.status == 403)
		result_bad(r, V_FAIL,
			   "a proxy ends TLS in front of it: let TLS through; "
			   "HD needs TLS 1.3 from end to end",
			   "answer 403 instead of 101");
	else if (head.status == 503)
		result_bad(r, V_FAIL, "the relay drains",
			   "answer 503 instead of 101");
	else
		result_skip(r, "/hd is not served (answer %d)", head.status);
}

/* ---- two clients ---- */

enum { CLIENTS = 2 };

struct client {
	struct libhd *h;
	struct libhd_peer *other;
	bool here, got;
	uint8_t expects[PACKET_BYTES];
};

struct pair {
	struct client v[CLIENTS];
	int64_t until_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_peer(struct libhd *h, struct libhd_peer *peer,
		    enum libhd_peer_state state, void *user)
{
	struct client *c = user;

	(void)h, (void)peer;
	c->here = state == LIBHD_PEER_HERE;
}

static void on_packet(struct libhd *h, struct libhd_peer *from,
		      const void *data, size_t len_bytes, void *user)
{
	struct client *c = user;

	(void)h;
	c->got |= from == c->other && len_bytes == PACKET_BYTES &&
		  memcmp(data, c->expects, PACKET_BYTES) == 0;
}

static int client_new(struct probe *p, struct client *c,
		      struct libhd_key *ret_key)
{
	static const struct libhd_events events = { .size = sizeof(events),
						    .peer = on_peer,
						    .packet = on_packet };
	const char *open = strchr(p->opt.host, ':') != NULL ? "[" : "";
	struct libhd_identity *id;
	char relay[NAME_BYTES];
	struct libhd_conf conf = { .size = sizeof(conf),
				   .relay = relay,
				   .credential = p->opt.hd_credential,
				   .agent = "hdprobe",
				   .insecure = true, /* cert-chain has judged */
				   .once = true };
	int rc = libhd_identity_new(&id);

	if (rc < 0)
		return rc;
	snprintf(relay, sizeof(relay), "%s%s%s:%s", open, p->opt.host,
		 *open != '\0' ? "]" : "", p->opt.port);
	conf.identity = id;
	*ret_key = *libhd_identity_key(id);
	rc = libhd_new(&conf, &events, c, &c->h);
	libhd_identity_free(&id);
	return rc;
}

/* Until it is so, for both. Returns whether. */
static bool run_until(struct pair *pair, bool (*is_so)(const struct client *c))
{
	for (;;) {
		struct pollfd fds[CLIENTS];
		int64_t left = pair->until_ms - now_ms();
		int wait = (int)HD_MAX(left, 0);
		bool all = true;

		for (unsigned i = 0; i < CLIENTS; i++) {
			struct client *c = &pair->v[i];
			int own;

			(void)libhd_process(c->h);
			own = libhd_timeout_ms(c->h);
			fds[i] = (struct pollfd){ .fd = libhd_fd(c->h),
						  .events = POLLIN };
			wait = own >= 0 ? HD_MIN(wait, own) : wait;
			all &= is_so(c);
		}
		if (all || now_ms() >= pair->until_ms)
			return all;
		(void)poll(fds, CLIENTS, wait);
	}
}

static bool has_answer(const struct client *c)
{
	enum libhd_state state = libhd_state_of(c->h);

	return state != LIBHD_CONNECTING;
}

static bool is_here(const struct client *c)
{
	return c->here;
}

static bool has_packet(const struct client *c)
{
	return c->got;
}

static bool by_udp(const struct client *c)
{
	return libhd_by_udp(c->h);
}

static int pair_new(struct probe *p, struct pair **ret)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	struct libhd_key keys[CLIENTS];
	int rc = 0;

	if (pair == NULL)
		return -ENOMEM;
	*ret = pair;
	pair->until_ms = now_ms() + p->opt.timeout_ms;
	for (unsigned i = 0; rc == 0 && i < CLIENTS; i++)
		rc = client_new(p, &pair->v[i], &keys[i]);
	for (unsigned i = 0; rc == 0 && i < CLIENTS; i++)
		rc = libhd_allow(pair->v[i].h, &keys[!i], &pair->v[i].other);
	return rc;
}

void probe_hd_free(struct pair **ppair)
{
	struct pair *pair = hd_steal(ppair);

	if (pair == NULL)
		return;
	for (unsigned i = 0; i < CLIENTS; i++)
		libhd_free(&pair->v[i].h);
	free(pair);
}

/* A packet each way, again until it has come: by UDP it may be lost. */
static bool exchange(struct probe *p, struct pair *pair)
{
	enum { AGAIN_MS = 500 };
	int64_t until = now_ms() + p->opt.timeout_ms;

	for (unsigned i = 0; i < CLIENTS; i++) {
		memset(pair->v[i].expects, (int)('a' + i), PACKET_BYTES);
		pair->v[i].got = false;
	}
	do {
		for (unsigned i = 0; i < CLIENTS; i++)
			(void)libhd_send(pair->v[!i].other,
					 pair->v[i].expects, PACKET_BYTES);
		pair->until_ms = HD_MIN(now_ms() + AGAIN_MS, until);
	} while (!run_until(pair, has_packet) && now_ms() < until);
	return pair->v[0].got && pair->v[1].got;
}

static void key_text(const struct client *c, char text[LIBHD_KEY_TEXT_BYTES])
{
	const struct libhd_key *key = libhd_relay_key(c->h);

	text[0] = '\0';
	if (key != NULL)
		libhd_key_text(key, text);
}

/* The relay has proven its key, and says no: so it is configured, as long as
 * nobody has given us what should let us in. */
static void refused(struct probe *p, struct result *r, const struct client *c)
{
	char key[LIBHD_KEY_TEXT_BYTES];

	key_text(c, key);
	if (key[0] == '\0')
		result_bad(r, V_FAIL, "see the relay's log", "%s",
			   libhd_error(c->h));
	else if (p->opt.hd_credential != NULL)
		result_bad(r, V_FAIL,
			   "is the credential one of this relay's operators, "
			   "and still good? see hdctl hd info",
			   "%s", libhd_error(c->h));
	else
		result_skip(r, "%s does not take everybody "
			       "(--hd-credential)", key);
}

static void check_login(struct probe *p, struct result *r)
{
	char key[LIBHD_KEY_TEXT_BYTES];
	int rc = pair_new(p, &p->hd);

	if (rc < 0) {
		result_bad(r, V_UNKNOWN, NULL, "%s", strerror(-rc));
		return;
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *c = &p->hd->v[i];

		if (run_until(p->hd, has_answer) &&
		    libhd_state_of(c->h) == LIBHD_OPEN)
			continue;
		refused(p, r, c);
		return;
	}
	key_text(&p->hd->v[0], key);
	p->hd->until_ms = now_ms() + p->opt.timeout_ms;
	if (!run_until(p->hd, is_here) || !exchange(p, p->hd))
		result_bad(r, V_FAIL, "see the relay's log and hdctl trace",
			   "%s takes two clients, but no packets pass", key);
	else
		result_ok(r, "%s, packets pass", key);
}

static void check_udp(struct probe *p, struct result *r)
{
	unsigned port = libhd_udp_port(p->hd->v[0].h);

	if (port == 0) {
		result_skip(r, "the relay offers no UDP (hd.udp)");
		return;
	}
	p->hd->until_ms = now_ms() + p->opt.timeout_ms;
	if (!run_until(p->hd, by_udp))
		result_bad(r, V_WARN,
			   "open it in the firewall; where a NAT has another "
			   "one for it, set hd.udp_port; packets go by TCP",
			   "nothing comes back from UDP port %u", port);
	else if (!exchange(p, p->hd))
		result_bad(r, V_FAIL, "see the relay's log",
			   "UDP port %u answers, but no packets pass", port);
	else
		result_ok(r, "packets of %d bytes pass by UDP port %u",
			  PACKET_BYTES, port);
}

const struct check hd_checks[] = {
	{ "hd", FACT_TRANSPORT, FACT_HD, true, check_upgrade },
	{ "hd-login", FACT_HD, FACT_HD_LOGIN, true, check_login },
	{ "hd-udp", FACT_HD_LOGIN, 0, true, check_udp },
	{ 0 },
};
