/* SPDX-License-Identifier: MIT */
/* hyper-derp/service.h - protocols without HTTP: what a listener may speak from
 * the first byte, over TCP or over TLS. A module lists them in its definition,
 * so that the relay knows them before load() runs:
 *
 *	static const struct hd_service services[] = {
 *		{ .name = "mqtt", .proto = &mqtt_proto, .alpn = { "mqtt" } },
 *		HD_SERVICE_END,
 *	};
 *	HD_MODULE(broker, .services = services, ...);
 *
 * A connection is one of a service's
 * - on a listener with its name: `listen: [{addr: ..., protocol: mqtt}]`, or
 *   hd_listen_open() with it. With TLS a client that offers protocols of which
 *   none is in alpn is refused (RFC 7301, 3.2: no_application_protocol);
 *   without alpn, offers are not looked at.
 * - on every TLS listener that speaks HTTP and that no module has for itself,
 *   when the client offers one of its alpn. The relay chooses: in the order in
 *   which modules are loaded, then of the table, then of alpn; http/1.1 comes
 *   last. Who offers nothing speaks HTTP.
 *
 * proto->opened() is called first, see stream.h. login_timeout, limits, drain
 * and reload are as for every stream: who does not log in with a key calls
 * hd_stream_stay(). */
#pragma once
#include <hyper-derp/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* HD_SERVICE_NAME_BYTES - of a name, with its NUL.
 * HD_SERVICE_ALPN_MAX - names of one service in ALPN. */
#define HD_SERVICE_NAME_BYTES 32
#define HD_SERVICE_ALPN_MAX 4

/* struct hd_service - a row of the table; all of it is the module's memory and
 * never changes.
 * HD_SERVICE_END - the last row. */
struct hd_service {
	const char *name; /* of a-z, 0-9, `-`, `_` and `.`; not "http" */
	const struct hd_proto *proto;
	/* Names of RFC 7301, 1 to 255 bytes each, the best first; NULL: no
	 * more. Not "http/1.1". */
	const char *alpn[HD_SERVICE_ALPN_MAX];
	unsigned pages; /* enum hd_pages of http.h: by ALPN, a listener with
			   `only` has it if it is for one of these */
	bool tls_only; /* a listener without TLS that names it is refused; one
			  of hd_listen_open() when load() has returned */
};
#define HD_SERVICE_END { .name = NULL }

#ifdef __cplusplus
}
#endif
