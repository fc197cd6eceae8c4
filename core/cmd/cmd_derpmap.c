/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_derpmap.c - what a map of relays says about this one, as far as
 * the core knows it. Ports of other services and keys are their modules'. */
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/tls/tls_about.h"

enum { PIN_BYTES = sizeof("sha256-raw:") + 2 * 32 };

static void free_cert(X509 **cert)
{
	X509_free(*cert);
}

/* As clients compare it: over the whole certificate. */
static void put_pin(struct hd_call *c, const X509 *cert)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	char pin[PIN_BYTES];
	unsigned n = 0;
	int at = snprintf(pin, sizeof(pin), "sha256-raw:");

	if (X509_digest(cert, EVP_sha256(), hash, &n) != 1)
		return;
	for (unsigned i = 0; i < n; i++)
		at += snprintf(pin + at, sizeof(pin) - (size_t)at, "%02x",
			       hash[i]);
	hd_out_string(c, "pin", pin);
}

static void put_names(struct hd_call *c, const X509 *cert)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	hd_out_open(c, "names", '[');
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_DNS)
			hd_out_string(c, NULL,
				      (const char *)ASN1_STRING_get0_data(
					      g->d.dNSName));
	}
	hd_out_close(c);
	GENERAL_NAMES_free(names);
}

static void put_certificate(struct hd_call *c)
{
	HD_AUTO(free_cert) X509 *cert = hd_tls_shown();

	if (cert == NULL) {
		hd_out_string(c, "certificate", NULL);
		return;
	}
	hd_out_open(c, "certificate", '{');
	put_pin(c, cert);
	hd_out_bool(c, "self_signed", X509_self_signed(cert, 1) == 1);
	put_names(c, cert);
	hd_out_close(c);
}

static void put_listeners(struct hd_call *c)
{
	size_t n;
	const struct hd_listener *l = hd_daemon_ops->listeners(&n);
	char addr[HD_ADDR_TEXT_BYTES];

	hd_out_open(c, "listeners", '[');
	for (; n > 0; n--, l++) {
		hd_out_open(c, NULL, '{');
		hd_out_string(c, "addr", hd_addr_text(&l->addr, addr));
		hd_out_uint(c, "port", ntohs(l->addr.in.sin_port));
		hd_out_bool(c, "tls", l->tls);
		hd_out_string(c, "name", l->name);
		hd_out_string(c, "protocol",
			      l->protocol != NULL ? l->protocol : "http");
		hd_cmd_put_only(c, l);
		hd_out_close(c);
	}
	hd_out_close(c);
}

static void run_relay(struct hd_module *mod, struct hd_call *c)
{
	(void)mod;
	hd_out_open(c, NULL, '{');
	put_listeners(c);
	put_certificate(c);
	hd_out_close(c);
}

const struct hd_command hd_cmd_derpmap[] = {
	{ .words = "relay info",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "ports and certificate, as maps of relays need them",
	  .run = run_relay },
	{ .words = NULL },
};
