/* SPDX-License-Identifier: MIT */
/* core/tls/tls_given.c - certificates that modules give, and whether a client's
 * hello is for one of them. */
#include "core/tls/tls_given.h"
#include <errno.h>
#include <hyper-derp/tls.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/base/module_id.h"

static struct {
	struct hd_tls_given *first;
	void (*fn)(void *arg);
	void *arg;
} given;

static void tell(void)
{
	if (given.fn != NULL)
		given.fn(given.arg);
}

static void given_free(struct hd_tls_given **x)
{
	struct hd_tls_given *g = hd_steal(x);

	if (g == NULL)
		return;
	hd_pem_free(&g->pem);
	free(g->server_name);
	free(g->alpn);
	free(g);
}

/* Where it stands, or the end of the list. */
static struct hd_tls_given **place_of(const struct hd_module *mod,
				      const char *name)
{
	struct hd_tls_given **at = &given.first;

	while (*at != NULL &&
	       ((*at)->mod != mod || strcmp((*at)->name, name) != 0))
		at = &(*at)->next;
	return at;
}

static void take_out(struct hd_tls_given **at)
{
	struct hd_tls_given *g = *at;

	*at = g->next;
	given_free(&g);
}

static struct hd_tls_given *given_new(struct hd_module *mod,
				      const struct hd_tls_certificate *c)
{
	struct hd_tls_given *g = calloc(1, sizeof(*g) + strlen(c->name) + 1);

	if (g == NULL)
		return NULL;
	g->mod = mod;
	strcpy(g->name, c->name);
	if (c->alpn == NULL)
		return g;
	g->alpn = strdup(c->alpn);
	g->server_name = strdup(c->server_name);
	if (g->alpn == NULL || g->server_name == NULL)
		given_free(&g);
	return g;
}

static int enter(struct hd_module *mod, const struct hd_tls_certificate *c,
		 struct hd_error *err)
{
	struct hd_tls_given *g = given_new(mod, c), **at;
	struct hd_error why = { "" };
	int r;

	if (g == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = hd_pem_read(c->pem, c->pem_len_bytes, &g->pem, &why);
	if (r < 0) {
		given_free(&g);
		return hd_error_set(err, r,
				    "module %s: certificate %.64s: %s",
				    mod->name, c->name, why.text);
	}
	at = place_of(mod, c->name);
	if (*at != NULL) {
		g->next = (*at)->next;
		given_free(at);
	}
	*at = g;
	tell();
	return 0;
}

int hd_tls_certificate(struct hd_module *mod,
		       const struct hd_tls_certificate *c, struct hd_error *err)
{
	struct hd_tls_given **at;

	hd_assert((c->alpn == NULL) == (c->server_name == NULL));
	if (c->pem != NULL)
		return enter(mod, c, err);
	at = place_of(mod, c->name);
	if (*at != NULL) {
		take_out(at);
		tell();
	}
	return 0;
}

static void withdraw(const struct hd_module *mod)
{
	bool any = false;

	for (struct hd_tls_given **at = &given.first; *at != NULL;) {
		if ((*at)->mod == mod) {
			take_out(at);
			any = true;
		} else {
			at = &(*at)->next;
		}
	}
	if (any)
		tell();
}

const struct hd_kind hd_tls_given_kind = {
	.name = "certificates",
	.withdraw = withdraw,
	.to_the_last = true, /* its connections are still served */
};

struct hd_tls_given *hd_tls_given_first(void)
{
	return given.first;
}

size_t hd_tls_given_n(void)
{
	size_t n = 0;

	for (const struct hd_tls_given *g = given.first; g != NULL; g = g->next)
		n++;
	return n;
}

bool hd_tls_given_any(void)
{
	const struct hd_tls_given *g = given.first;

	while (g != NULL && g->alpn != NULL)
		g = g->next;
	return g != NULL;
}

void hd_tls_given_watch(void (*fn)(void *arg), void *arg)
{
	given.fn = fn;
	given.arg = arg;
}

/* ---- what a client says ---- */

/* Whether it is a list of this one entry: the list's length in two bytes, @head
 * bytes, the entry's length in @size bytes, the entry. */
static bool is_only(const unsigned char *p, size_t n, size_t head, size_t size,
		    const char *text)
{
	size_t want = strlen(text), at = 2 + head, len = 0;

	if (n != at + size + want || (size_t)(p[0] << 8 | p[1]) != n - 2)
		return false;
	for (size_t i = 0; i < size; i++)
		len = len << 8 | p[at + i];
	return len == want &&
	       strncasecmp((const char *)p + at + size, text, want) == 0;
}

/* Sources: RFC 6066, 3 (one name, of type 0); RFC 7301, 3.1. */
bool hd_hello_is_for(SSL *ssl, const char *server_name, const char *alpn)
{
	const unsigned char *p;
	size_t n;

	return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p,
					 &n) == 1 &&
	       n > 2 && p[2] == TLSEXT_NAMETYPE_host_name &&
	       is_only(p, n, 1, 2, server_name) &&
	       SSL_client_hello_get0_ext(
		       ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
		       &p, &n) == 1 &&
	       is_only(p, n, 0, 1, alpn);
}
