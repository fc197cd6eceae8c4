/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/check_ws.c - DERP in a WebSocket, as clients in a browser. */
#include "tools/hdprobe/probe.h"

#include "tools/lib/wsc.h"
#include <errno.h>
#include <sodium.h>

#define PACKET_BYTES 1400

/* A packet to itself goes through the relay and both directions. */
static int login_and_echo(struct link *l, struct hd_error *err)
{
	uint8_t packet[PACKET_BYTES];
	int rc = link_start(l, NULL, err);

	if (rc == 0)
		rc = link_login(l, err);
	if (rc < 0)
		return rc;
	randombytes_buf(packet, sizeof(packet));
	rc = link_send(l, &l->self.pub, packet, sizeof(packet), err);
	return rc < 0 ? rc
		      : link_expect_packet(l, &l->self.pub, packet,
					   sizeof(packet), err);
}

static int ws_client(struct probe *p, struct conn *c, struct link *l,
		     struct httpc_head *ret_head, struct hd_error *err)
{
	HD_AUTO(wsc_free) struct wsc *ws = NULL;
	int rc = wsc_open(c, p->opt.name, "/derp", "derp", ret_head, &ws, err);

	if (rc < 0)
		return rc;
	l->io = wsc_io(ws);
	return login_and_echo(l, err);
}

static void check_websocket(struct probe *p, struct result *r)
{
	HD_AUTO(conn_close) struct conn *c = NULL;
	HD_AUTO(link_free) struct link *l = link_new();
	struct httpc_head head = { 0 };
	struct hd_error err = { "out of memory" };
	int rc = l == NULL ? -ENOMEM : probe_dial(p, &c, &err);

	if (rc == 0)
		rc = ws_client(p, c, l, &head, &err);
	if (rc == 0)
		result_ok(r, "subprotocol derp, login, a packet there and "
			     "back");
	else if (rc == -EPROTONOSUPPORT)
		result_bad(r, V_FAIL,
			   "a proxy must pass WebSocket upgrades on; some "
			   "relays have them switched off",
			   "%s", err.text);
	else
		result_bad(r, V_FAIL, "see the relay's log", "%s", err.text);
}

const struct check ws_checks[] = {
	{ "websocket", FACT_LOGIN, 0, false, check_websocket },
	{ 0 },
};
