/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_cert.c - the certificate: files of somebody else,
 * which are copied to where the relay may read them, or one of our own. */

#include "tools/hdctl/setup/setup.h"
#include "tools/lib/cert_days.h"

enum { DAYS_LOW = 30 };

/* As hyper-derp-cert names them, so that its next copies take their place. */
static void set_paths(struct setup *s)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "%s", s->w.host);
	for (char *p = name; *p != '\0'; p++)
		if (*p == ':')
			*p = '-';
	(void)snprintf(s->cert, sizeof(s->cert), "%s/tls/%s.crt", s->folder,
		       name);
	(void)snprintf(s->key, sizeof(s->key), "%s/tls/%s.key", s->folder,
		       name);
}

static int check_files(struct setup *s)
{
	char names[PEM_NAMES_BYTES];

	if (!pem_key_fits(&s->pem))
		return hdctl_fail(HDCTL_REFUSED, "%s is not the key of %s",
				  s->w.key, s->w.cert);
	if (!pem_is_for(s->pem.leaf, s->w.host))
		return hdctl_fail(HDCTL_REFUSED, "%s is not for %s but for %s",
				  s->w.cert, s->w.host,
				  pem_names(s->pem.leaf, names));
	if (cert_days_left(s->pem.leaf) < 0)
		return hdctl_fail(HDCTL_REFUSED, "%s has expired", s->w.cert);
	return HDCTL_OK;
}

/* The same certificate is there already. */
static bool is_there(const struct setup *s)
{
	struct pem p = { .leaf = NULL };
	struct hd_error err;
	bool same = pem_read(&p, s->cert, s->key, &err) == 0 &&
		    X509_cmp(p.leaf, s->pem.leaf) == 0 && pem_key_fits(&p) &&
		    sk_X509_num(p.chain) == sk_X509_num(s->pem.chain);

	pem_free(&p);
	return same;
}

static int take_files(struct setup *s)
{
	struct hd_error err;
	int r;

	if (pem_read(&s->pem, s->w.cert, s->w.key, &err) < 0)
		return hdctl_fail(HDCTL_REFUSED, "%s", err.text);
	r = check_files(s);
	s->put_cert = r == HDCTL_OK && !is_there(s);
	s->self_signed = r == HDCTL_OK && pem_self_signed(s->pem.leaf);
	return r;
}

static int take_own(struct setup *s)
{
	struct hd_error err;

	s->self_signed = true;
	if (pem_read(&s->pem, s->cert, s->key, &err) == 0 &&
	    pem_key_fits(&s->pem) && pem_self_signed(s->pem.leaf) &&
	    pem_is_for(s->pem.leaf, s->w.host) &&
	    cert_days_left(s->pem.leaf) >= DAYS_LOW)
		return HDCTL_OK;
	pem_free(&s->pem);
	s->put_cert = true;
	if (pem_make(&s->pem, s->w.host))
		return HDCTL_OK;
	return hdctl_fail(HDCTL_REFUSED,
			  "no certificate for %s could be made", s->w.host);
}

/* As it is: is there one, and what will clients need of it? */
static int keep(struct setup *s)
{
	const json_t *list = setup_conf(s, "tls.certificates");
	const char *cert = tree_text(json_array_get(list, 0), "cert", NULL);
	struct hd_error err;

	if (cert == NULL)
		cert = json_string_value(setup_conf(s, "tls_cert"));
	if (cert == NULL && setup_lists(s, "acme") &&
	    setup_conf(s, "acme.hosts") != NULL)
		return HDCTL_OK;
	if (cert == NULL && tree_is(setup_conf(s, "tls"), "self_signed")) {
		s->self_signed = true; /* the relay has made it, or will */
		return HDCTL_OK;
	}
	if (cert == NULL)
		return hdctl_fail(HDCTL_USAGE,
				  "no certificate yet: --cert FILE --key FILE, "
				  "--self-signed or --acme");
	if (pem_read(&s->pem, cert, NULL, &err) == 0)
		s->self_signed = pem_self_signed(s->pem.leaf);
	return HDCTL_OK;
}

int setup_certificate(struct setup *s)
{
	set_paths(s);
	switch (s->w.certificate) {
	case SETUP_CERT_FILES:
		return take_files(s);
	case SETUP_CERT_SELF:
		return take_own(s);
	case SETUP_CERT_ACME:
		return HDCTL_OK;
	default:
		return keep(s);
	}
}
