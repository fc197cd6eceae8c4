/* SPDX-License-Identifier: MIT */
/* t/unit/shake.h - a TLS handshake with a store, over memory. */
#pragma once
#include "core/tls/tls.h"

struct shake {
	/* asked */
	const char *name;
	const char *alpn; /* as on the wire */
	int version; /* 0: any */
	const char *ciphers, *suites, *sigalgs;
	/* got */
	bool ok;
	unsigned alert; /* that the client received */
	char cn[8][128]; /* of the chain, leaf first */
	unsigned n_cn;
	char alpn_got[32];
	char cipher[64], group[32];
	int key_type;
};

void shake(struct hd_tls_store *store, struct shake *s);
/* cn_for - whose certificate answers this server name. */
const char *cn_for(struct hd_tls_store *store, const char *name);
