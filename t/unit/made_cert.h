/* SPDX-License-Identifier: MIT */
/* t/unit/made_cert.h - certificates made for a test, in a folder of its own,
 * and stores of them. Needs -Wl,--wrap=hd_log_write. */
#pragma once
#include "core/tls/tls.h"

#define DAY_S (24 * 60 * 60)

struct made_cert {
	char cert[256], key[256]; /* files */
	struct hd_cert_files files; /* relay.yaml:7 */
};

extern char made_dir[];
extern char made_log[4096]; /* the last line logged */

int made_set_up(void **state);
int made_tear_down(void **state);
EVP_PKEY *made_key(int type); /* EVP_PKEY_RSA, _ED25519, _EC */
X509 *made_x509(EVP_PKEY *key, const char *cn, const char *names, long from_s,
		long to_s); /* seconds from now */
struct made_cert made_dated(const char *cn, const char *names, int type,
			    long from_s, long to_s);
struct made_cert made(const char *cn, const char *names); /* EC, valid */
/* A store that serves the first n of v. Clears made_log. */
int made_store(struct made_cert *v, size_t n, struct hd_tls_store **ret,
	       struct hd_error *err);
void made_text(const char *path, const char *text);
void made_append(const char *to, const char *from); /* files */
