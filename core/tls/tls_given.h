/* SPDX-License-Identifier: MIT */
/* core/tls/tls_given.h - certificates that modules give: hd_tls_certificate().
 * Main thread, but for hd_hello_is_for(). */
#pragma once
#include "core/base/kind.h"
#include "core/tls/tls_pem.h"
#include <openssl/ssl.h>

struct hd_tls_given {
	struct hd_tls_given *next;
	struct hd_module *mod;
	struct hd_pem pem;
	char *server_name, *alpn; /* both or neither */
	char name[];
};

/* hd_tls_given_first - all of them, as they came.
 * hd_tls_given_n - how many. hd_tls_given_any - whether one of them is for
 * everybody. */
struct hd_tls_given *hd_tls_given_first(void);
size_t hd_tls_given_n(void);
bool hd_tls_given_any(void);

/* hd_tls_given_watch - call fn(arg) whenever they change; NULL: nobody. */
void hd_tls_given_watch(void (*fn)(void *arg), void *arg);

/* hd_hello_is_for - whether a client asks for this name and offers this
 * protocol alone. In the callback for its hello; any thread. */
bool hd_hello_is_for(SSL *ssl, const char *server_name, const char *alpn);

extern const struct hd_kind hd_tls_given_kind;
