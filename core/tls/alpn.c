/* SPDX-License-Identifier: MIT */
/* core/tls/alpn.c - which protocol a client and we agree on during the
 * handshake. Who is served with what is known above: this room only asks.
 * Nothing is kept of it. Context: the stream's worker. */
#include <string.h>
#include "core/tls/tls_conn.h"

const uint8_t *hd_alpn_find(const struct hd_alpn_list *list, const char *name)
{
	size_t want = strlen(name);

	for (size_t at = 0; at < list->n; at += 1u + list->v[at])
		if (list->v[at] == want && list->n - at - 1 >= want &&
		    memcmp(list->v + at + 1, name, want) == 0)
			return list->v + at;
	return NULL;
}

/* h2 must not come true. */
static enum hd_alpn_answer choose(const struct hd_alpn *alpn,
				  const struct hd_alpn_list *list,
				  const uint8_t **ret)
{
	if (alpn != NULL)
		return alpn->choose(alpn->arg, list, ret);
	*ret = hd_alpn_find(list, HD_ALPN_HTTP);
	return *ret != NULL ? HD_ALPN_CHOSEN : HD_ALPN_REFUSED;
}

int hd_tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *unused)
{
	static const int answers[] = {
		[HD_ALPN_CHOSEN] = SSL_TLSEXT_ERR_OK,
		[HD_ALPN_IGNORED] = SSL_TLSEXT_ERR_NOACK,
		[HD_ALPN_REFUSED] = SSL_TLSEXT_ERR_ALERT_FATAL,
	};
	const struct hd_tls *t = SSL_get_app_data(ssl);
	const struct hd_alpn_list list = { .v = in, .n = in_len };
	const uint8_t *entry = NULL;
	enum hd_alpn_answer answer = choose(
		t != NULL ? t->openssl.env->alpn : NULL, &list, &entry);

	(void)unused;
	if (answer == HD_ALPN_CHOSEN) {
		*out = entry + 1;
		*out_len = entry[0];
	}
	return answers[answer];
}

void hd_alpn_read(struct hd_alpn *alpn, const SSL *ssl)
{
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &name, &n);
	n = HD_MIN(n, (unsigned)sizeof(alpn->chosen) - 1);
	if (n > 0)
		memcpy(alpn->chosen, name, n);
	alpn->chosen[n] = '\0';
}
