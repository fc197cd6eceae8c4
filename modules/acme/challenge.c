/* SPDX-License-Identifier: MIT */
/* modules/acme/challenge.c - what a validator sees: a page (RFC 8555, 8.3) that
 * any worker answers, or a certificate (RFC 8737), which the core shows to who
 * asks for it. One at a time: the authorizations of an order go one by one. */
#include <errno.h>
#include <hyper-derp/http.h>
#include <hyper-derp/service.h>
#include <hyper-derp/tls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/acme/acme.h"
#include "modules/acme/jose.h"

#define PAGES "/.well-known/acme-challenge/"
#define ALPN "acme-tls/1" /* RFC 8737, 6.2 */
enum { PROOF_BYTES = ACME_TOKEN_BYTES + 64 };

/* Once a certificate: a lock does not hurt. */
static struct {
	pthread_mutex_t lock;
	char token[ACME_TOKEN_BYTES]; /* "": none */
	char proof[PROOF_BYTES];
	bool certificate; /* main thread */
} shown = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void set_page(const char *token, const char *proof)
{
	pthread_mutex_lock(&shown.lock);
	snprintf(shown.token, sizeof(shown.token), "%s", token);
	snprintf(shown.proof, sizeof(shown.proof), "%s", proof);
	pthread_mutex_unlock(&shown.lock);
}

static int set_certificate(const char *host, const char *proof,
			   struct hd_error *err)
{
	char name[80];
	char *pem = acme_challenge_pem(host, proof);
	struct hd_tls_certificate c = {
		.name = "challenge",
		.pem = pem,
		.server_name = acme_server_name(host, name),
		.alpn = ALPN,
	};
	int r;

	if (pem == NULL)
		return hd_error_set(err, -ENOMEM,
				    "cannot make the challenge's certificate");
	c.pem_len_bytes = strlen(pem);
	r = hd_tls_certificate(acme_main.mod, &c, err);
	acme_secret_free(&pem);
	shown.certificate = r == 0;
	return r;
}

int acme_show(struct hd_error *err)
{
	const struct acme_proof *p = &acme_main.proof;
	char *print = acme_thumbprint(acme_main.key);
	char proof[PROOF_BYTES]; /* RFC 8555, 8.1 */

	if (print == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	snprintf(proof, sizeof(proof), "%s.%s", p->token, print);
	free(print);
	if (p->type == ACME_TLS_ALPN_01)
		return set_certificate(p->host, proof, err);
	set_page(p->token, proof);
	return 0;
}

void acme_hide(void)
{
	acme_main.proof.type = -1;
	set_page("", "");
	if (shown.certificate)
		hd_tls_certificate(acme_main.mod,
				   &(struct hd_tls_certificate){
					   .name = "challenge" },
				   NULL);
	shown.certificate = false;
}

/* ---- in workers ---- */

static void answer_page(struct hd_module *mod, struct hd_request *req)
{
	const char *token = hd_request_path(req) + strlen(PAGES);
	char proof[PROOF_BYTES] = "";

	(void)mod;
	pthread_mutex_lock(&shown.lock);
	if (*token != '\0' && strcmp(token, shown.token) == 0)
		strcpy(proof, shown.proof);
	pthread_mutex_unlock(&shown.lock);
	if (proof[0] != '\0')
		hd_reply(req, 200, "application/octet-stream", proof,
			 strlen(proof));
	else
		hd_reply(req, 404, "text/plain", "no such challenge\n", 18);
}

int acme_challenges_add(struct hd_module *mod, struct hd_error *err)
{
	return hd_route_add(mod,
			    &(struct hd_route){ .path = PAGES,
						.below = true,
						.methods = HD_HTTP_GET,
						.pages = HD_PAGES_ACME,
						.answer = answer_page },
			    err);
}

/* The certificate was all. RFC 8737, 3. */
static void opened(struct hd_module *mod, struct hd_stream *s, void *state,
		   const char *alpn)
{
	(void)mod;
	(void)state;
	(void)alpn;
	hd_stream_close(s, HD_CLOSE_DONE);
}

static size_t no_data(struct hd_module *mod, struct hd_stream *s, void *state,
		      uint8_t *data, size_t len_bytes)
{
	(void)mod;
	(void)s;
	(void)state;
	(void)data;
	return len_bytes;
}

static const struct hd_proto proto = {
	.name = "acme-tls",
	.opened = opened,
	.data = no_data,
};

const struct hd_service acme_services[] = {
	{ .name = "acme-tls",
	  .proto = &proto,
	  .alpn = { ALPN },
	  .pages = HD_PAGES_ACME,
	  .tls_only = true },
	HD_SERVICE_END,
};
