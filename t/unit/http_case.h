/* SPDX-License-Identifier: MIT */
/* t/unit/http_case.h - routes, and a stream that requests come from. */
#pragma once
#include "core/http/http.h"
#include "t/unit/fake_stream.h"

#define HOST "Host: relay.example\r\n"
#define UP "Connection: Upgrade\r\nUpgrade: "

/* page_route: / of derp; upgrade_route: /derp for DERP. With them come /derp
 * for WebSocket, /generate_204 and, on the listener "metrics", /metrics. */
extern struct hd_module derp, other;
extern const struct hd_route page_route, upgrade_route;
extern const struct hd_proto derp_proto, ws_proto;
extern struct fake_stream f;
extern int refuse_with; /* upgrade() replies and refuses */
extern bool silent; /* answer() forgets to reply */
extern const struct hd_hooks *hooks_of_requests; /* NULL: none */

int set_up(void **state);
int tear_down(void **state);
/* drop_routes - as when the module goes. */
void drop_routes(const struct hd_module *mod);
/* On a new stream. Returns the bytes used. */
size_t send_request(const char *text);
void assert_out(const char *part);
void assert_no_out(const char *part);
void assert_status(const char *line);
