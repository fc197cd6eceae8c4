/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/requests.c - what was asked of the server and has not been
 * answered: each has an inbox of its own below ours, so that thousands can be
 * under way at once. Context: the thread. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 2048 }; /* of an answer; what is longer is none of ours */

static uint64_t last_id;

static void request_free(struct dir_request *r)
{
	hd_realm_drop(r->of.realm);
	free(r);
}

static natsStatus add_headers(natsMsg *msg, const struct dir_send *what)
{
	char revision[24];
	natsStatus s = NATS_OK;

	if (what->op != NULL)
		s = natsMsgHeader_Set(msg, "KV-Operation", what->op);
	if (s != NATS_OK || !what->expects)
		return s;
	snprintf(revision, sizeof(revision), "%" PRIu64, what->revision);
	return natsMsgHeader_Set(msg, "Nats-Expected-Last-Subject-Sequence",
				 revision);
}

static natsStatus publish(const struct dir_send *what, uint64_t id)
{
	char reply[DIR_SUBJECT_BYTES];
	natsMsg *msg = NULL;
	natsStatus s;

	snprintf(reply, sizeof(reply), "%s.%" PRIu64, dir.inbox, id);
	s = natsMsg_Create(&msg, what->subject, reply, what->data,
			   what->data != NULL ? (int)strlen(what->data) : 0);
	if (s == NATS_OK)
		s = add_headers(msg, what);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(dir.nc, msg);
	natsMsg_Destroy(msg);
	return s;
}

int dir_send(const struct dir_send *what)
{
	struct dir_request *r = calloc(1, sizeof(*r));
	natsStatus s;

	if (r == NULL)
		return -ENOMEM;
	r->id = ++last_id;
	r->kind = what->kind;
	r->sent_ms = dir_now_ms();
	if (what->of != NULL)
		r->of = *what->of;
	dir_hold(r->of.realm);
	r->revision = what->revision;
	if (what->relay != NULL)
		snprintf(r->relay, sizeof(r->relay), "%s", what->relay);
	s = publish(what, r->id);
	if (s != NATS_OK) {
		dir_error("a request cannot be sent: %s",
			  natsStatus_GetText(s));
		request_free(r);
		return -EIO;
	}
	HASH_ADD(hh, dir.requests, id, sizeof(r->id), r);
	return 0;
}

/* ---- answers ---- */

static void give(const struct dir_request *r, const struct dir_answer *a)
{
	if (r->kind <= DIR_R_DEL)
		dir_here_answered(r, a);
	else if (r->kind == DIR_R_ASK)
		dir_asked(r, a);
	else if (r->kind == DIR_R_LEASE)
		dir_lease_asked(r, a);
	else
		dir_lease_own(a);
}

/* What has no answer may be done yet: it waits in a buffer, or the server does
 * not get to it. */
static void keep(struct dir_request *r)
{
	HASH_ADD(hh, dir.late, id, sizeof(r->id), r);
	if (r->hh.tbl == NULL)
		request_free(r); /* no memory */
}

static void end(struct dir_request *r, const struct dir_answer *a)
{
	HASH_DEL(dir.requests, r);
	if (a->msg == NULL)
		__atomic_add_fetch(&dir.failures, 1, __ATOMIC_RELAXED);
	give(r, a);
	if (a->msg == NULL && r->kind == DIR_R_PUT)
		keep(r);
	else
		request_free(r);
}

static void take_late(uint64_t id, const struct dir_answer *a)
{
	struct dir_request *r = NULL;
	char why[128];
	uint64_t revision = dir_revision(a, why);

	HASH_FIND(hh, dir.late, &id, sizeof(id), r);
	if (r == NULL)
		return;
	HASH_DEL(dir.late, r);
	if (revision != 0)
		dir_here_late(&r->of, revision);
	request_free(r);
}

/* A buffer is sent when the server is back: until then they stay. */
static void forget_late(uint64_t now_ms)
{
	struct dir_request *r, *next;

	if (!dir_is_up() || now_ms - dir.up_ms < DIR_LATE_MS)
		return;
	HASH_ITER (hh, dir.late, r, next) {
		if (now_ms - r->sent_ms < DIR_LATE_MS)
			return;
		HASH_DEL(dir.late, r);
		request_free(r);
	}
}

/* The oldest come first: the table keeps the order. */
void dir_requests_late(uint64_t now_ms)
{
	const struct dir_answer none = { .status = "", .text = "" };
	struct dir_request *r, *next;

	forget_late(now_ms);
	HASH_ITER (hh, dir.requests, r, next) {
		if (now_ms - r->sent_ms < DIR_ANSWER_MS)
			return;
		dir_error("the server has not answered for %d ms",
			  DIR_ANSWER_MS);
		end(r, &none);
	}
}

void dir_requests_free(void)
{
	while (dir.requests != NULL) {
		struct dir_request *r = dir.requests;

		HASH_DEL(dir.requests, r);
		request_free(r);
	}
}

static const char *header(natsMsg *msg, const char *name)
{
	const char *v = NULL;

	return natsMsgHeader_Get(msg, name, &v) == NATS_OK && v != NULL ? v
									: "";
}

/* What stands there instead is no stream: it has to be looked after. */
static void take(uint64_t id, const struct dir_answer *a)
{
	struct dir_request *r = NULL;

	HASH_FIND(hh, dir.requests, &id, sizeof(id), r);
	if (r == NULL) {
		take_late(id, a);
		return;
	}
	if (strcmp(a->status, "503") == 0) {
		dir.prepare = true;
		dir_error("the server has no bucket %s, or nobody leads it",
			  dir.keys);
	}
	end(r, a);
}

void dir_requests_msg(natsMsg *msg)
{
	const char *subject = natsMsg_GetSubject(msg);
	size_t inbox_n = strlen(dir.inbox), n = strlen(dir.leases);
	char text[TEXT_BYTES] = "";
	struct dir_answer a = { .msg = msg, .text = text };
	const char *op = header(msg, "KV-Operation");
	int len = natsMsg_GetDataLength(msg);

	if (len > 0 && len < TEXT_BYTES)
		memcpy(text, natsMsg_GetData(msg), (size_t)len);
	a.status = header(msg, "Status");
	a.revision = strtoull(header(msg, "Nats-Sequence"), NULL, 10);
	a.deleted = strcmp(op, "DEL") == 0 || strcmp(op, "PURGE") == 0;
	if (strncmp(subject, dir.inbox, inbox_n) == 0)
		take(strtoull(subject + inbox_n + 1, NULL, 10), &a);
	else if (strncmp(subject, "$KV.", 4) == 0 &&
		 strncmp(subject + 4, dir.leases, n) == 0)
		dir_lease_msg(subject + 4 + n + 1, &a);
}

uint64_t dir_revision(const struct dir_answer *a, char ret_error[128])
{
	json_t *ack = json_loads(a->text, 0, NULL);
	const char *why = json_string_value(
		json_object_get(json_object_get(ack, "error"), "description"));
	json_int_t seq = json_integer_value(json_object_get(ack, "seq"));

	snprintf(ret_error, 128, "%s",
		 why != NULL	    ? why
		 : a->msg == NULL   ? "no answer"
		 : a->status[0] ? a->status
				    : "an answer without a revision");
	json_decref(ack);
	return seq > 0 && why == NULL ? (uint64_t)seq : 0;
}

bool dir_is_conflict(const struct dir_answer *a)
{
	json_t *ack = json_loads(a->text, 0, NULL);
	json_int_t code = json_integer_value(
		json_object_get(json_object_get(ack, "error"), "err_code"));

	json_decref(ack);
	return code == JSStreamWrongLastSequenceErr;
}
