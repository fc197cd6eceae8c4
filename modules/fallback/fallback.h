/* SPDX-License-Identifier: MIT */
/* modules/fallback/fallback.h - between the files of the module: what is not
 * ours goes to a web server.
 *
 * Files: fallback.c options and the life of the module, front.c a connection on
 * its way, target.c where servers are, names.c whose TLS it is, causes.c why
 * servers are not reached, for the log. */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/dial.h>
#include <hyper-derp/http.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>

/* ---- fallback.c ---- */

enum fallback_version { FALLBACK_NO_HEADER, FALLBACK_V1, FALLBACK_V2 };

struct fallback_http_conf {
	struct hd_place at, at_to;
	const char *to;
	uint64_t version; /* enum fallback_version */
	struct hd_list paths; /* that it gets although a module serves them */
};

struct fallback_sni_conf {
	struct hd_place at, at_to, at_name;
	struct hd_list name;
	const char *to;
	uint64_t version;
};

struct fallback_conf {
	HD_ENTRIES_OF(struct fallback_http_conf) http;
	HD_ENTRIES_OF(struct fallback_sni_conf) sni;
	uint64_t connect_timeout_ms, idle_timeout_ms;
};

/* How a connection came here. */
enum fallback_way { FALLBACK_SNI, FALLBACK_HTTP };

struct fallback_numbers { /* of a server */
	struct hd_counter connections, failed, broken;
	struct hd_counter to_server_bytes, to_client_bytes;
	struct hd_gauge open;
};

struct fallback_worker {
	/* Where the connection goes whose opened() comes next, in this turn:
	 * what on_hello has found. */
	const struct fallback_sni_conf *chosen;
};

extern struct hd_family *fallback_family;

/* ---- target.c ---- */

struct fallback_target { /* "unix:/run/web.sock", "127.0.0.1:8443", "web:80" */
	const char *path; /* NULL: host and port */
	char host[256];
	uint16_t port;
};

/* fallback_target_parse - path points into text. Returns 0; -EINVAL. */
int fallback_target_parse(const char *text, struct fallback_target *ret);
/* fallback_target_options - t lives as long as what is filled. */
void fallback_target_options(const struct fallback_target *t,
			     struct hd_dial_options *o);
int fallback_target_check(const struct hd_place *at, const char *text,
			  struct hd_error *err);

/* ---- names.c ---- */

/* fallback_name_fault - why it can be nobody's name; NULL: it can be.
 * fallback_names_find - the first entry that has a name; NULL: none has. */
const char *fallback_name_fault(const char *pattern);
const struct fallback_sni_conf *
fallback_names_find(const struct fallback_conf *conf, const char *name);

/* ---- front.c ---- */

extern const struct hd_proto fallback_sni_proto, fallback_http_proto,
	fallback_server_proto;

/* ---- causes.c ---- */

/* fallback_failed - a line of the log, once a minute for each server and
 * error. Any worker. */
void fallback_failed(uint64_t now_ms, const char *to, int error,
		     const char *text);
