/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_cert.c - certificates: of the files, and the one
 * that a running relay serves. */
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/hdctl/pem.h"
#include "tools/lib/cert_days.h"
#include "tools/lib/conn.h"

enum { TIMEOUT_MS = 5000 };

/* ---- what its files say ---- */

/* Is there a way to an authority that this machine trusts? Returns X509_V_. */
static int verify(const struct pem *p)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int r = X509_V_ERR_OUT_OF_MEM;

	if (store != NULL && ctx != NULL &&
	    X509_STORE_set_default_paths(store) == 1 &&
	    X509_STORE_CTX_init(ctx, store, p->leaf, p->chain) == 1) {
		X509_STORE_CTX_set_default(ctx, "ssl_server");
		r = X509_verify_cert(ctx) == 1 ? X509_V_OK
					       : X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return r;
}

static void say_chain(struct doctor *d, const char *path, const struct pem *p)
{
	int r = verify(p);

	if (r == X509_V_OK || r == X509_V_ERR_CERT_HAS_EXPIRED ||
	    r == X509_V_ERR_CERT_NOT_YET_VALID)
		return; /* the dates have a line of their own */
	if (sk_X509_num(p->chain) == 0) {
		doctor_say(d, DOCTOR_FAIL, "%s: has one certificate and not "
			   "those above it: clients will not trust it", path);
		doctor_remedy(d, "use the file with the whole chain; certbot "
				 "calls it fullchain.pem");
	} else {
		doctor_say(d, DOCTOR_WARN, "%s: %s", path,
			   X509_verify_cert_error_string(r));
		doctor_remedy(d, "clients must trust its authority, too, or "
				 "take another certificate");
	}
}

static void say_dates(struct doctor *d, const char *path, X509 *cert)
{
	int days = cert_days_left(cert);
	bool early = X509_cmp_current_time(X509_get0_notBefore(cert)) > 0;
	bool low = days < cert_days_low(cert);

	if (early)
		doctor_say(d, DOCTOR_FAIL, "%s: is not valid yet", path);
	else if (days < 0)
		doctor_say(d, DOCTOR_FAIL, "%s: expired %d days ago", path,
			   -days);
	else if (low)
		doctor_say(d, DOCTOR_WARN, "%s: expires in %d days", path,
			   days);
	if (early)
		doctor_remedy(d, "is this machine's clock right?");
	else if (days < 0 || low)
		doctor_remedy(d, "renew it; hyper-derp-cert gives the new one "
				 "to the relay");
}

static bool say_names(struct doctor *d, const char *path, X509 *cert)
{
	char names[PEM_NAMES_BYTES];

	if (d->host == NULL || pem_is_for(cert, d->host))
		return true;
	doctor_say(d, DOCTOR_FAIL, "%s: is not for %s but for %s", path,
		   d->host, pem_names(cert, names));
	doctor_remedy(d, "get one for %s, or enter the relay by a name that "
			 "it has", d->host);
	return false;
}

static void say_key(struct doctor *d, const char *key)
{
	doctor_say(d, DOCTOR_FAIL, "%s: is the key of another certificate",
		   key);
	doctor_remedy(d, "hyper-derp-cert CERT KEY puts both in place, and "
			 "checks them");
}

static void remember_names(struct doctor *d, X509 *cert)
{
	char *name;

	if (pem_self_signed(cert) || d->host != NULL)
		return;
	for (int i = 0; d->n_names < DOCTOR_NAMES_MAX &&
			(name = pem_name_at(cert, i)) != NULL; i++)
		if (name[0] == '*')
			free(name);
		else
			d->names[d->n_names++] = name;
}

static void examine(struct doctor *d, const char *path, const char *key,
		    const struct pem *p)
{
	unsigned bad = d->count[DOCTOR_WARN] + d->count[DOCTOR_FAIL];
	bool own = pem_self_signed(p->leaf);
	char names[PEM_NAMES_BYTES];

	if (!pem_key_fits(p))
		say_key(d, key);
	say_dates(d, path, p->leaf);
	say_names(d, path, p->leaf);
	if (!own)
		say_chain(d, path, p);
	if (bad == d->count[DOCTOR_WARN] + d->count[DOCTOR_FAIL])
		doctor_say(d, DOCTOR_OK, "%s: for %s, %d days left%s", path,
			   pem_names(p->leaf, names), cert_days_left(p->leaf),
			   own ? "; self-signed: clients need its pin (hdctl "
				 "derpmap)"
			       : "");
	remember_names(d, p->leaf);
}

/* ---- may the relay read them? ---- */

static bool is_hidden(struct doctor *d, const char *path)
{
	char home[16];

	if (!doctor_unit(d, "ProtectHome", home, sizeof(home)) ||
	    strcmp(home, "yes") != 0)
		return false;
	return strncmp(path, "/home/", 6) == 0 ||
	       strncmp(path, "/root/", 6) == 0;
}

static bool is_readable(struct doctor *d, const char *path)
{
	int r = doctor_access(d, path, R_OK);

	if (access(path, F_OK) < 0 && errno == ENOENT)
		doctor_say(d, DOCTOR_FAIL, "%s: there is no such file", path);
	else if (r > 0)
		doctor_say(d, DOCTOR_FAIL, "the user %s cannot read %s: %s",
			   d->user, path, strerror(r));
	else if (is_hidden(d, path))
		doctor_say(d, DOCTOR_FAIL, "%s: systemd hides /home and /root "
			   "from the relay (ProtectHome)", path);
	else
		return true;
	doctor_remedy(d, "hyper-derp-cert CERT KEY copies both to where the "
			 "relay may read them");
	return false;
}

static void look_at(struct doctor *d, const char *cert, const char *key)
{
	struct pem p = { .leaf = NULL };
	struct hd_error err;

	if (!is_readable(d, cert) || !is_readable(d, key))
		return;
	if (access(key, R_OK) < 0)
		doctor_say(d, DOCTOR_SKIP, "%s: %s: ask as root", key,
			   strerror(errno));
	else if (pem_read(&p, cert, key, &err) < 0)
		doctor_say(d, DOCTOR_FAIL, "%s", err.text);
	else
		examine(d, cert, key, &p);
	pem_free(&p);
}

/* ---- what is served ---- */

static struct conn *dial(const char *addr, SSL_CTX *ctx, const char *name)
{
	char port[8];
	struct addrinfo *list = NULL;
	struct conn *c = NULL;
	struct hd_error err;

	(void)snprintf(port, sizeof(port), "%d", doctor_port(addr));
	/* "[::]:443" answers on loopback; another address by itself */
	char host[64];
	size_t n = (size_t)(strrchr(addr, ':') - addr);
	const char *bare = addr[0] == '[' ? addr + 1 : addr;

	(void)snprintf(host, sizeof(host), "%.*s",
		       (int)(n - 2 * (size_t)(addr[0] == '[')), bare);
	if (strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0 ||
	    host[0] == '\0')
		strcpy(host, "localhost");
	if (conn_resolve(host, port, AF_UNSPEC, &list, &err) < 0)
		return NULL;
	for (const struct addrinfo *a = list; a != NULL && c == NULL;
	     a = a->ai_next)
		if (conn_open(a, TIMEOUT_MS, &c, &err) == 0 &&
		    (conn_deadline(c, TIMEOUT_MS),
		     conn_start_tls(c, ctx, name, &err) < 0))
			conn_close(&c);
	freeaddrinfo(list);
	return c;
}

static void compare(struct doctor *d, X509 *served, const char *path)
{
	struct pem p = { .leaf = NULL };
	struct hd_error err;
	int days = cert_days_left(served);

	if (path != NULL && pem_read(&p, path, NULL, &err) == 0 &&
	    X509_cmp(served, p.leaf) != 0) {
		doctor_say(d, DOCTOR_WARN, "the relay serves another "
			   "certificate than %s now has", path);
		doctor_remedy(d, "hdctl reload");
	} else {
		doctor_say(d, days < 0 ? DOCTOR_FAIL
			   : days < cert_days_low(served) ? DOCTOR_WARN
							  : DOCTOR_OK,
			   "the relay serves it with %d days left", days);
	}
	pem_free(&p);
}

static void look_at_served(struct doctor *d, const char *path)
{
	const char *addr = doctor_tls_listener(d);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct conn *c = NULL;
	X509 *cert = NULL;

	if (d->status != NULL && addr != NULL && ctx != NULL)
		c = dial(addr, ctx, d->n_names > 0 ? d->names[0] : "localhost");
	if (c != NULL)
		cert = SSL_get1_peer_certificate(c->ssl);
	if (cert != NULL)
		compare(d, cert, path);
	X509_free(cert);
	conn_close(&c);
	SSL_CTX_free(ctx);
}

static void add_hosts(struct doctor *d)
{
	const json_t *hosts = tree_get(d->conf, "acme.hosts"), *host;
	size_t i;

	json_array_foreach(hosts, i, host)
		if (d->host == NULL && d->n_names < DOCTOR_NAMES_MAX)
			d->names[d->n_names++] =
				strdup(json_string_value(host));
}

/* Without a file it is acme's to get, or the relay makes it. */
static bool look_at_no_file(struct doctor *d)
{
	if (doctor_by_acme(d))
		return doctor_check_acme(d);
	if (tree_is(d->conf, "tls.self_signed"))
		doctor_say(d, DOCTOR_OK, "self-signed, made by the relay: "
			   "clients need its pin (hdctl derpmap)");
	else
		doctor_say(d, DOCTOR_SKIP, "none is configured");
	return true;
}

void doctor_check_certificate(struct doctor *d)
{
	const json_t *all = tree_get(d->conf, "tls.certificates"), *c;
	const char *first = tree_text(json_array_get(all, 0), "cert", NULL);
	bool may_look = json_array_size(all) <= 1;
	size_t i;

	json_array_foreach(all, i, c)
		look_at(d, tree_text(c, "cert", "?"), tree_text(c, "key", "?"));
	if (doctor_loads(d, "acme"))
		add_hosts(d);
	if (json_array_size(all) == 0)
		may_look = look_at_no_file(d);
	if (may_look)
		look_at_served(d, first);
}
