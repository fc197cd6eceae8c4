/* SPDX-License-Identifier: MIT */
/* modules/acme/acme.c - certificates by themselves: the section, and the
 * module's life. What is done: acme.h. */
#include "modules/acme/acme.h"
#include <ctype.h>
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/tls.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#define LETS_ENCRYPT "https://acme-v02.api.letsencrypt.org/directory"

struct acme_main acme_main;

/* ---- the section ---- */

#define CONF(field) .offset = offsetof(struct acme_conf, field)

static const struct hd_option acme_options[] = {
	{ .name = "hosts", .type = HD_OPTION_PLACE, CONF(at_hosts) },
	{ .name = "directory", .type = HD_OPTION_PLACE, CONF(at_directory) },
	{ .name = "eab_kid", .type = HD_OPTION_PLACE, CONF(at_eab) },
	{ .name = "hosts",
	  .type = HD_OPTION_LIST,
	  CONF(hosts),
	  .def = "[]",
	  .max = 100,
	  .live = true,
	  .help = "host names and IP addresses that the certificate is for" },
	{ .name = "email",
	  .type = HD_OPTION_STRING,
	  CONF(email),
	  .live = true,
	  .help = "where the certificate authority may write to" },
	{ .name = "accept_tos",
	  .type = HD_OPTION_BOOL,
	  CONF(accept_tos),
	  .def = "false",
	  .live = true,
	  .help = "you agree to the authority's terms of service" },
	{ .name = "directory",
	  .type = HD_OPTION_STRING,
	  CONF(directory),
	  .def = LETS_ENCRYPT,
	  .live = true,
	  .help = "URL of the certificate authority; Let's Encrypt" },
	{ .name = "ca_file",
	  .type = HD_OPTION_PATH,
	  CONF(ca_file),
	  .live = true,
	  .help = "PEM file that this URL is checked against, in place of the "
		  "system's authorities" },
	{ .name = "profile",
	  .type = HD_OPTION_STRING,
	  CONF(profile),
	  .live = true,
	  .help = "kind of certificate: Let's Encrypt has shortlived, which IP "
		  "addresses need" },
	{ .name = "eab_kid",
	  .type = HD_OPTION_STRING,
	  CONF(eab_kid),
	  .live = true,
	  .help = "name of an account that the authority knows already" },
	{ .name = "eab_key_file",
	  .type = HD_OPTION_SECRET_FILE,
	  CONF(eab_key),
	  .live = true,
	  .help = "file with that account's key, in base64url" },
	{ .name = "challenges",
	  .type = HD_OPTION_LIST,
	  CONF(challenges),
	  .def = "[http-01, tls-alpn-01]",
	  .min = 1,
	  .max = ACME_TYPES,
	  .choices = acme_type_names,
	  .live = true,
	  .help = "how the relay proves that it has a name: on port 80, or on "
		  "443. After a failure the next one is tried" },
	{ .name = "retry",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(retry_ms),
	  .def = "2m",
	  .min = 1000,
	  .max = 21600000,
	  .live = true,
	  .help = "how long to wait after a failure; then twice as long" },
	HD_OPTION_END,
};

/* Sources: RFC 952, RFC 1123, 2.1. */
static bool is_host(const char *host)
{
	size_t n = strlen(host);

	return n > 0 && n < 254 && isalnum((unsigned char)host[0]) &&
	       host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")] ==
		       '\0' &&
	       host[n - 1] != '.';
}

static int check_host(const struct acme_conf *conf, size_t i,
		      struct hd_error *err)
{
	const char *host = conf->hosts.v[i];

	if (strncmp(host, "*.", 2) == 0)
		return hd_error_at(&conf->at_hosts, err, -EINVAL,
				   "`%.200s`: names with * need DNS "
				   "challenges, which the module does not do; "
				   "write the names out",
				   host);
	if (!acme_is_address(host) && !is_host(host))
		return hd_error_at(&conf->at_hosts, err, -EINVAL,
				   "`%.200s` is neither a host name nor an "
				   "address",
				   host);
	for (size_t k = 0; k < i; k++)
		if (strcasecmp(conf->hosts.v[k], host) == 0)
			return hd_error_at(&conf->at_hosts, err, -EINVAL,
					   "`%.200s` is there twice; once is "
					   "enough",
					   host);
	return 0;
}

/* None: nothing is done. So a package may be there before its section. */
static int check_hosts(const struct acme_conf *conf, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < conf->hosts.n && r == 0; i++)
		r = check_host(conf, i, err);
	return r;
}

static int acme_check(struct hd_module *mod, const void *conf_,
		      struct hd_error *err)
{
	const struct acme_conf *conf = conf_;
	const struct hd_fetch_request request = { .url = conf->directory,
						  .ca_file = conf->ca_file };
	struct hd_error why = { "" };
	int r = check_hosts(conf, err);

	(void)mod;
	if (r < 0 || conf->hosts.n == 0) /* nobody is asked, then */
		return r;
	if ((conf->eab_kid == NULL) != (conf->eab_key.len_bytes == 0))
		return hd_error_at(&conf->at_eab, err, -EINVAL,
				   "`eab_kid` and `eab_key_file` go together");
	if (!conf->accept_tos)
		hd_log_warn("acme: accept_tos is not set, and an authority "
			    "with terms of service, as Let's Encrypt, gives "
			    "no certificate then: read them, and set "
			    "`accept_tos: true`");
	r = hd_fetch_check(&request, &why);
	return r < 0 ? hd_error_at(&conf->at_directory, err, r,
				   "`directory`: %s", why.text)
		     : 0;
}

/* ---- its life ---- */

static int serve_certificate(struct hd_error *err)
{
	const struct acme_main *m = &acme_main;

	if (m->pem == NULL)
		return 0;
	return hd_tls_certificate(
		m->mod,
		&(struct hd_tls_certificate){ .name = "acme",
					      .pem = m->pem,
					      .pem_len_bytes = strlen(m->pem) },
		err);
}

int acme_serve_saved(struct hd_error *err)
{
	const struct acme_main *m = &acme_main;
	int r = serve_certificate(err);

	return r == 0 && m->proof.type >= 0 && m->key != NULL ? acme_show(err)
							      : r;
}

static void log_begin(void)
{
	const struct acme_main *m = &acme_main;

	if (acme_conf()->hosts.n == 0)
		hd_log_warn("acme: `acme.hosts` is empty: no certificate is "
			    "fetched or renewed");
	else if (m->pem == NULL)
		hd_log_notice("acme: no certificate yet: until it is there, "
			      "TLS listeners serve those of the "
			      "configuration, or a self-signed one");
}

static int acme_load(struct hd_module *mod, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int r;

	m->mod = mod;
	m->timer = hd_main_timer_new(mod, acme_turn, NULL);
	r = m->timer != NULL ? acme_load_all(err)
			     : hd_error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = acme_challenges_add(mod, err);
	if (r == 0)
		r = acme_commands_add(mod, err);
	if (r == 0)
		r = acme_serve_saved(err);
	if (r < 0) {
		acme_free_all();
		return r;
	}
	log_begin();
	hd_main_timer_set(m->timer, 1);
	return 0;
}

static void acme_unload(struct hd_module *mod)
{
	(void)mod;
	acme_free_all();
}

static const struct hd_event_def events[] = {
	{ "acme.renewed", "there is a new certificate" },
	{ "acme.failed", "no certificate could be had; it is tried again" },
	{ "acme.expires", "the certificate ends soon and is not renewed" },
	{ NULL, NULL },
};

HD_MODULE(acme, .version = "1.0", .licence = "MIT",
	  .summary = "gets certificates from an ACME server and renews them",
	  .flags = HD_MODULE_CERTIFICATES | HD_MODULE_UPGRADES,
	  .upgrade = &acme_upgrade, .options = acme_options,
	  .metrics = acme_metrics, .metrics_size = sizeof(struct acme_numbers),
	  .conf_size = sizeof(struct acme_conf), .events = events,
	  .services = acme_services, .check = acme_check, .load = acme_load,
	  .unload = acme_unload);
