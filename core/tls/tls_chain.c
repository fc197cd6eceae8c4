/* SPDX-License-Identifier: MIT */
/* core/tls/tls_chain.c - certificates that modules put behind every chain. */
#include <hyper-derp/tls.h>
#include "core/base/module_id.h"
#include "core/tls/tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

static struct { /* main thread */
	struct hd_module *mod;
	X509 *cert;
} appended[HD_MODULES_MAX];
static bool chain_changed;

int hd_tls_chain_append(struct hd_module *mod, const uint8_t *der,
			size_t len_bytes, struct hd_error *err)
{
	const unsigned char *p = der;
	X509 *cert = d2i_X509(NULL, &p, (long)len_bytes);
	size_t i = 0;

	if (cert == NULL || p != der + len_bytes) {
		X509_free(cert);
		ERR_clear_error();
		return hd_error_set(err, -EINVAL,
				    "module %s: what it appends to the TLS "
				    "chain is not a certificate",
				    mod->name);
	}
	while (appended[i].cert != NULL && appended[i].mod != mod)
		if (++i == HD_ARRAY_N(appended)) {
			X509_free(cert);
			return hd_error_set(err, -ENOMEM,
					    "module %s: too many certificates "
					    "behind the TLS chain",
					    mod->name);
		}
	X509_free(appended[i].cert);
	appended[i].mod = mod;
	appended[i].cert = cert;
	chain_changed = true;
	return 0;
}

void hd_tls_chain_free(const struct hd_module *mod)
{
	size_t kept = 0;

	for (size_t i = 0; i < HD_ARRAY_N(appended); i++) {
		if (appended[i].cert == NULL)
			break;
		if (mod == NULL || appended[i].mod == mod) {
			X509_free(appended[i].cert);
			chain_changed = true;
		} else {
			appended[kept++] = appended[i];
		}
	}
	memset(appended + kept, 0, sizeof(appended) - kept * sizeof(*appended));
}

const struct hd_kind hd_tls_chain_kind = {
	.name = "certificates behind the chain",
	.withdraw = hd_tls_chain_free,
	.to_the_last = true, /* its connections are still served */
};

bool hd_tls_chain_changed(void)
{
	return chain_changed;
}

void hd_tls_chain_seen(void)
{
	chain_changed = false;
}

int hd_tls_chain_add(STACK_OF(X509) * chain)
{
	for (size_t i = 0; i < HD_ARRAY_N(appended); i++) {
		if (appended[i].cert == NULL)
			break;
		if (sk_X509_push(chain, appended[i].cert) == 0)
			return -ENOMEM;
		X509_up_ref(appended[i].cert);
	}
	return 0;
}
