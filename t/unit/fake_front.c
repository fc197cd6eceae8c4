/* SPDX-License-Identifier: MIT */
/* t/unit/fake_front.c - the HTTP and UDP side of the fake core. */
#include "t/unit/fake_core.h"
#include <hyper-derp/control.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- HTTP ---- */

int hd_route_add(struct hd_module *mod, const struct hd_route *route,
		 struct hd_error *err)
{
	(void)mod, (void)err;
	hd_assert(fake.n_routes < FAKE_ROUTES_MAX);
	fake.routes[fake.n_routes++] = *route;
	return 0;
}

const struct hd_route *fake_route(const char *path, const char *token)
{
	for (unsigned i = 0; i < fake.n_routes; i++) {
		const struct hd_route *r = &fake.routes[i];

		if (strcmp(r->path, path) == 0 &&
		    (token == NULL ? r->token == NULL
				   : r->token != NULL &&
					     strcasecmp(r->token, token) == 0))
			return r;
	}
	return NULL;
}

void fake_request_header(struct hd_request *req, const char *name,
			 const char *value)
{
	struct fake_header *h = &req->in[req->n_in++];

	hd_assert(req->n_in < FAKE_HEADERS_MAX);
	h->name = name;
	snprintf(h->value, sizeof(h->value), "%s", value);
}

static const char *find(const struct fake_header *h, unsigned n,
			const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcasecmp(h[i].name, name) == 0)
			return h[i].value;
	return NULL;
}

const char *fake_replied(const struct hd_request *req, const char *name)
{
	return find(req->out, req->n_out, name);
}

const char *hd_request_header(struct hd_request *req, const char *name)
{
	return find(req->in, req->n_in, name);
}

struct hd_worker *hd_request_worker(const struct hd_request *req)
{
	(void)req;
	return &fake.worker;
}

const union hd_addr *hd_request_addr(const struct hd_request *req)
{
	return &req->addr;
}

void hd_reply_header(struct hd_request *req, const char *name,
		     const char *value)
{
	struct fake_header *h = &req->out[req->n_out++];

	hd_assert(req->n_out < FAKE_HEADERS_MAX && req->status == 0);
	h->name = name;
	snprintf(h->value, sizeof(h->value), "%s", value);
}

void hd_reply(struct hd_request *req, int status, const char *type,
	      const void *body, size_t len_bytes)
{
	hd_assert(req->status == 0 && len_bytes < sizeof(req->body));
	req->status = status;
	req->type = type;
	req->body_len = len_bytes;
	if (len_bytes > 0)
		memcpy(req->body, body, len_bytes);
}

/* No body is made: t/system tries those. */
struct hd_answer *hd_reply_body(struct hd_request *req, int status,
				const char *type, const struct hd_body *body,
				size_t data_size)
{
	(void)body, (void)data_size;
	hd_reply(req, status, type, NULL, 0);
	return NULL;
}

void *hd_answer_data(struct hd_answer *a)
{
	return a;
}

void hd_answer_fail(struct hd_answer *a)
{
	(void)a;
}

void hd_answer_put(struct hd_answer *a, const void *data, size_t len_bytes)
{
	(void)a, (void)data, (void)len_bytes;
}

/* ---- datagrams ---- */

int hd_udp_open_sized(struct hd_module *mod, struct hd_worker *w,
		      const struct hd_udp_options *options, size_t options_size,
		      struct hd_udp **ret_udp, struct hd_error *err)
{
	(void)mod, (void)w, (void)err;
	hd_assert(options_size == sizeof(*options));
	fake.udp = (struct hd_udp){ .fn = options->fn,
				    .arg = options->arg,
				    .bind = options->bind };
	*ret_udp = &fake.udp;
	return 0;
}

void hd_udp_close(struct hd_udp **udp)
{
	*udp = NULL;
}

struct hd_worker *hd_udp_worker(const struct hd_udp *udp)
{
	(void)udp;
	return &fake.worker;
}

uint8_t *hd_udp_room(struct hd_udp *udp, size_t len_bytes)
{
	return len_bytes <= sizeof(udp->out) ? udp->out : NULL;
}

int hd_udp_send(struct hd_udp *udp, const union hd_addr *to,
		const union hd_addr *from, const void *data, size_t len_bytes)
{
	hd_assert(len_bytes <= sizeof(udp->out));
	if (udp->send_result < 0)
		return udp->send_result;
	udp->to = *to;
	udp->from = *from;
	if (data != udp->out)
		memcpy(udp->out, data, len_bytes);
	udp->out_len = len_bytes;
	udp->sent++;
	return 0;
}

/* ---- commands: registered, never called ---- */

int hd_command_add(struct hd_module *mod, const struct hd_command *command,
		   struct hd_error *err)
{
	(void)mod;
	(void)err;
	hd_assert(command->words != NULL && command->help != NULL);
	return 0;
}

void hd_out_open(struct hd_call *call, const char *name, char kind)
{
	(void)call;
	(void)name;
	(void)kind;
}

void hd_out_close(struct hd_call *call)
{
	(void)call;
}

void hd_out_string(struct hd_call *call, const char *name, const char *text)
{
	(void)call;
	(void)name;
	(void)text;
}

void hd_out_uint(struct hd_call *call, const char *name, uint64_t n)
{
	(void)call;
	(void)name;
	(void)n;
}

void hd_out_key(struct hd_call *call, const char *name,
		const struct hd_key *key)
{
	(void)call;
	(void)name;
	(void)key;
}

void hd_out_bool(struct hd_call *call, const char *name, bool on)
{
	(void)call, (void)name, (void)on;
}
