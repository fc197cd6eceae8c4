/* SPDX-License-Identifier: MIT */
/* core/tls/tls_secrets.c - what a handshake gives away of itself: from kdf.c,
 * or in a key log. Twice does no harm. Context: the stream's worker. */
#include <sodium.h>
#include <string.h>
#include "core/tls/tls_conn.h"

bool hd_tls_has_secrets(const struct hd_tls *t)
{
	const unsigned both = 1u << HD_KDF_CLIENT_TRAFFIC |
			      1u << HD_KDF_SERVER_TRAFFIC;

	return (t->secrets & both) == both;
}

void hd_tls_note_secret(void *tls, enum hd_kdf_secret what,
			const uint8_t *secret, size_t n)
{
	struct hd_tls *t = tls;
	bool theirs = (what == HD_KDF_CLIENT_TRAFFIC) != t->records->is_client;
	struct hd_tls_keys *k = theirs ? &t->records->rx : &t->records->tx;

	if (n > sizeof(k->secret))
		return;
	t->secrets |= 1u << what;
	if (what == HD_KDF_EXPORTER)
		hd_exporter_note(t, secret, n);
	else
		memcpy(k->secret, secret, n);
}

/* A line is LABEL, client random, secret in hexadecimal. Source: NSS key log
 * format, as SSL_CTX_set_keylog_callback(3) has it. */
void hd_tls_on_keylog(const SSL *ssl, const char *line)
{
	struct hd_tls *t = SSL_get_app_data(ssl);
	static const char *const labels[] = {
		[HD_KDF_CLIENT_TRAFFIC] = "CLIENT_TRAFFIC_SECRET_0 ",
		[HD_KDF_SERVER_TRAFFIC] = "SERVER_TRAFFIC_SECRET_0 ",
		[HD_KDF_EXPORTER] = "EXPORTER_SECRET ",
	};
	const char *hex = strrchr(line, ' ');
	uint8_t secret[HD_TLS_SECRET_MAX_BYTES];
	size_t n;

	if (t == NULL || t->records == NULL || hex == NULL)
		return;
	for (int i = 0; i < HD_KDF_SECRETS; i++)
		if (strncmp(line, labels[i], strlen(labels[i])) == 0 &&
		    sodium_hex2bin(secret, sizeof(secret), hex + 1,
				   strlen(hex + 1), NULL, &n, NULL) == 0)
			hd_tls_note_secret(t, (enum hd_kdf_secret)i, secret,
					   n);
	explicit_bzero(secret, sizeof(secret));
}
